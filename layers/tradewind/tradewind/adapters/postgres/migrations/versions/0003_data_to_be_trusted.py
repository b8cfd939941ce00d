"""What makes bars trustworthy: traces of changes, looks that found nothing, splits."""

from tradewind.adapters.postgres.migrations.script import run_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(__file__)

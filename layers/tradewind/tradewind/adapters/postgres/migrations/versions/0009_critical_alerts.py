"""What live size looks at in every minute, found by an index."""

from tradewind.adapters.postgres.migrations.script import run_script

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(__file__)

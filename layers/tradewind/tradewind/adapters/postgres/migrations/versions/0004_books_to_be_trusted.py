"""What makes the books trustworthy: every share and cent checked against the broker."""

from tradewind.adapters.postgres.migrations.script import run_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(__file__)

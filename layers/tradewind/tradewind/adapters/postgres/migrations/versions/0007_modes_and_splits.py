"""Positions across splits, the run state of paper trading, and approvals of live trading."""

from tradewind.adapters.postgres.migrations.script import run_script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(__file__)

"""Backtests on request, and the login that runs them."""

from tradewind.adapters.postgres.migrations.script import run_script

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(__file__)

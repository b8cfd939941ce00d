"""The first tables: the whole way of a bar, from market data to alerts."""

from tradewind.adapters.postgres.migrations.script import run_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(__file__)

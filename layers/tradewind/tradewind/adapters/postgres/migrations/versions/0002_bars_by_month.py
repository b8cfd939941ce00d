"""``bars`` by month, the newest bar of each symbol, and what nightly maintenance may call."""

from tradewind.adapters.postgres.migrations.script import run_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(__file__)

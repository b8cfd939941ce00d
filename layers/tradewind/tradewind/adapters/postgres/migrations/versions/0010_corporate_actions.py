"""Corporate actions other than splits, before which positions are closed."""

from tradewind.adapters.postgres.migrations.script import run_script

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(__file__)

"""An end for orders that were open and that the broker does not know any more."""

from tradewind.adapters.postgres.migrations.script import run_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(__file__)

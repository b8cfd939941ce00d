"""What stops entries for a while, and what is known of the account when they are decided on."""

from tradewind.adapters.postgres.migrations.script import run_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(__file__)

"""``python -m tradewind_local`` is the ``tradewind`` command."""

from tradewind_local.cli import main

main(prog_name="tradewind")

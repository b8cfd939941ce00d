"""The ``tradewind`` command."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from tradewind.errors import InvalidInputError
from tradewind.market.csv_rows import Label

from tradewind_local.backtest_commands.commands import backtest, sweep
from tradewind_local.bars.commands import bars
from tradewind_local.command_end import FAILED, OneLineGroup, in_one_line
from tradewind_local.json_file import check_json_file
from tradewind_local.mode_commands.commands import golive, paper
from tradewind_local.replay.plan import (
    DEFAULT_SYMBOLS,
    LONGEST_SESSION,
    ReplayPlan,
    parse_bars_option,
    recorded_plan,
    simulated_plan,
)
from tradewind_local.report_commands.commands import export, report
from tradewind_local.switch_commands.commands import flatten, switch


@click.group(cls=OneLineGroup)
def main() -> None:
    """Tradewind on this machine."""


main.add_command(bars)
main.add_command(backtest)
main.add_command(sweep)
main.add_command(report)
main.add_command(export)
main.add_command(switch)
main.add_command(flatten)
main.add_command(paper)
main.add_command(golive)


@main.command()
@click.option(
    "--bars",
    "bars_options",
    multiple=True,
    metavar="SYMBOL=FILE",
    help="Recorded one-minute bars (CSV) of a symbol; may be given for several symbols.",
)
@click.option("--date", "day", metavar="YYYY-MM-DD", help="The session to replay.")
@click.option(
    "--minutes",
    type=int,
    metavar="N",
    help=f"How many minutes from the open (1 to {LONGEST_SESSION}); default: the whole session "
    "of recorded bars, an hour of simulated ones.",
)
@click.option(
    "--label",
    type=click.Choice(["start", "end"]),
    default="start",
    show_default=True,
    help="Whether a row's time is its minute's first instant or the first instant after it.",
)
@click.option(
    "--timezone",
    default="America/New_York",
    show_default=True,
    help="Time zone of row times without an offset.",
)
@click.option(
    "--symbols",
    multiple=True,
    metavar="SYMBOL",
    help=f"Symbols of the simulated market; default: {' '.join(DEFAULT_SYMBOLS)}.",
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Seed of whatever is simulated."
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep database, local cloud and exchange in this folder, and go on from what is in it.",
)
@click.option("--keep", is_flag=True, help="Stay up after the summary, until Ctrl-C.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the summary to this file as JSON.",
)
def run(
    bars_options: tuple[str, ...],
    day: str | None,
    minutes: int | None,
    label: Label,
    timezone: str,
    symbols: tuple[str, ...],
    seed: int,
    state: Path | None,
    keep: bool,
    json_file: Path | None,
) -> None:
    """Bring the whole stack up on this machine and replay a session through it.

    Without --bars the market is simulated from a seed, and says so wherever it shows.
    """
    with in_one_line("tradewind run"):
        plan = _plan(bars_options, day, minutes, label, timezone, symbols, seed)
        check_json_file(json_file)
        # a second of imports, after the checks
        from tradewind_local.replay.command import replay
        from tradewind_local.replay.summary import sound

        summary = replay(plan, state=state, seed=seed, keep=keep, json_file=json_file)
    if not sound(summary):
        sys.exit(FAILED)


def _plan(
    bars_options: tuple[str, ...],
    day: str | None,
    minutes: int | None,
    label: Label,
    timezone: str,
    symbols: tuple[str, ...],
    seed: int,
) -> ReplayPlan:
    from tradewind.market.session_table import default_table

    if not bars_options:
        return simulated_plan(symbols or DEFAULT_SYMBOLS, day, minutes, seed, default_table())
    if symbols:
        raise InvalidInputError("--symbols is for the simulated market; --bars names its own")
    files = parse_bars_option(bars_options)
    return recorded_plan(files, day, minutes, label, timezone, default_table())

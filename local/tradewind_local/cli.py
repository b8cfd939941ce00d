"""The ``tradewind`` command."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
from tradewind.errors import InvalidInputError, TradewindError
from tradewind.market.csv_rows import Label

from tradewind_local.replay.plan import (
    DEFAULT_SYMBOLS,
    LONGEST_SESSION,
    ReplayPlan,
    parse_bars_option,
    recorded_plan,
    simulated_plan,
)

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130


@click.group()
def main() -> None:
    """Tradewind on this machine."""


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
    # Also SIGINT: a shell starts background jobs with it ignored.
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        plan = _plan(bars_options, day, minutes, label, timezone, symbols, seed)
        _check_json_file(json_file)
        from tradewind_local.replay.command import replay  # a second of imports, after the checks

        summary = replay(plan, state=state, seed=seed, keep=keep, json_file=json_file)
    except InvalidInputError as error:
        _leave(f"tradewind run: {_one_line(error)}", BAD_INPUT)
    except TradewindError as error:
        _leave(f"tradewind run: failed: {error}", FAILED)
    except KeyboardInterrupt:
        _leave("tradewind run: interrupted, everything is stopped", INTERRUPTED)
    if summary["executions_failed"]:
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


def _check_json_file(path: Path | None) -> None:
    """Better now than after a whole session."""
    if path is not None and not path.resolve().parent.is_dir():
        raise InvalidInputError(f"--json {path}: there is no folder {path.parent}")


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM and a closed terminal end the command as Ctrl-C does: everything is stopped."""
    raise KeyboardInterrupt(f"signal {number}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _leave(message: str, code: int) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(code)

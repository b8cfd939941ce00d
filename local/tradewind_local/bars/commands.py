"""``tradewind bars import`` and ``tradewind bars backfill``: options, help, exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from tradewind.market.csv_rows import Label

from tradewind_local.command_end import FAILED, in_one_line
from tradewind_local.json_file import check_json_file, write_json_file

_EXIT_CODES = """Exit codes: 0 everything is stored; 1 something is not (the report says what and
why), or the work could not be finished; 2 the input is wrong and nothing was stored; 130 Ctrl-C."""


@click.group()
def bars() -> None:
    """One-minute bars into a PostgreSQL database: from files, or from a data provider.

    Nothing else of Tradewind has to run. Every bar is judged as in live trading, stored once, and
    whatever is not stored is reported with its reason. Both commands can be stopped at any moment
    and run again: they go on where they were.
    """


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that both commands have."""
    for option in (
        click.option(
            "--json",
            "json_file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Write the whole report to this file as JSON.",
        ),
        click.option(
            "--split",
            "splits",
            multiple=True,
            metavar="SYMBOL=DATE:NEW/OLD",
            help="A split that took effect on DATE, as in AAPL=2014-06-09:7/1 (7 shares for 1); "
            "1/1 says that the price of that day really moved. May be repeated.",
        ),
        click.option(
            "--database",
            metavar="DIR|URL",
            help="Where the bars go: a folder, in which a server of our own is started for the "
            "time of the command, or postgresql://user@host:port/name with the password in "
            "PGPASSWORD. Default: a folder among your own data "
            "($XDG_DATA_HOME/tradewind/database).",
        ),
    ):
        command = option(command)
    return command


@bars.command(
    "import",
    epilog=_EXIT_CODES,
    short_help="Store the bars of CSV files.",
)
@click.argument("files", nargs=-1, required=True, metavar="SYMBOL=FILE...")
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
@_common
def import_command(
    files: tuple[str, ...],
    label: Label,
    timezone: str,
    database: str | None,
    splits: tuple[str, ...],
    json_file: Path | None,
) -> None:
    """Store the one-minute bars of CSV files; a symbol may have several.

    The header names timestamp (or datetime, date), open, high, low, close and volume, in any
    order; rows may run oldest or newest first. Good rows are stored, broken ones are reported by
    row and reason; a file without one readable row is refused.

    \b
    Examples:
      tradewind bars import AAPL=aapl.csv
      tradewind bars import AAPL=2020.csv AAPL=2021.csv MSFT=msft.csv --label end
      tradewind bars import AAPL=aapl.csv --database ./my-bars --json report.json
      PGPASSWORD=... tradewind bars import AAPL=aapl.csv \\
          --database postgresql://tradewind@db.example.com/tradewind
    """
    with in_one_line("tradewind bars import"):
        check_json_file(json_file)
        from tradewind_local.bars.run_import import run_import  # half a second of imports

        report = run_import(files, label, timezone, database, splits)
        if json_file is not None:
            write_json_file(json_file, report)
    sys.exit(0 if report["complete"] else FAILED)


@bars.command(
    "backfill",
    epilog=_EXIT_CODES,
    short_help="Store the bars that a provider has of past sessions.",
)
@click.option("--symbols", required=True, metavar="AAPL,MSFT", help="Whose bars.")
@click.option("--from", "first", required=True, metavar="YYYY-MM-DD", help="The first session.")
@click.option("--to", "last", required=True, metavar="YYYY-MM-DD", help="The last session.")
@click.option(
    "--provider",
    type=click.Choice(["alpaca", "alpha_vantage"]),
    default="alpaca",
    show_default=True,
    help="alpaca needs APCA_API_KEY_ID and APCA_API_SECRET_KEY in the environment, alpha_vantage "
    "ALPHAVANTAGE_API_KEY.",
)
@click.option(
    "--feed",
    type=click.Choice(["iex", "sip"]),
    default="iex",
    show_default=True,
    help="Alpaca's feed; a free key reads sip up to a quarter of an hour ago.",
)
@click.option(
    "--requests",
    metavar="LIMITS",
    help="How often the provider may be asked, as in 75/minute or 1/second,25/day; default: what "
    "its smallest plan allows.",
)
@click.option("--again", is_flag=True, help="Ask for sessions that are complete, too.")
@click.option("--url", metavar="URL", help="The provider's address, if it is not the usual one.")
@_common
def backfill_command(
    symbols: str,
    first: str,
    last: str,
    provider: str,
    feed: str,
    requests: str | None,
    again: bool,
    url: str | None,
    database: str | None,
    splits: tuple[str, ...],
    json_file: Path | None,
) -> None:
    """Ask a provider for the regular hours of past sessions and store what is missing.

    Sessions that are complete are not asked for. When the provider's quota is used up, the command
    stops and says when to go on; the same command then continues.

    \b
    Examples:
      tradewind bars backfill --symbols AAPL,MSFT --from 2020-11-09 --to 2020-11-12
      tradewind bars backfill --symbols SPY --from 2024-01-02 --to 2024-12-31 --feed sip
      tradewind bars backfill --symbols AAPL --from 2024-01-02 --to 2024-01-31 \\
          --provider alpha_vantage --requests 75/minute
    """
    with in_one_line("tradewind bars backfill"):
        check_json_file(json_file)
        # half a second of imports
        from tradewind_local.bars.run_backfill import BackfillOptions, run_backfill

        report = run_backfill(
            BackfillOptions(
                symbols, first, last, provider, feed, requests, url, again, database, splits
            )
        )
        if json_file is not None:
            write_json_file(json_file, report)
    sys.exit(0 if report["complete"] else FAILED)

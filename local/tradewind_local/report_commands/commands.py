"""``tradewind report`` and ``tradewind export``: options, help, exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tradewind_local.command_end import in_one_line
from tradewind_local.output_file import check_output_file

_EXIT_CODES = """Exit codes: 0 done; 1 the records could not be read; 2 the input is wrong and
nothing was written; 130 Ctrl-C."""


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that both commands have."""
    for option in (
        click.option(
            "--database",
            metavar="DIR|URL",
            help="The store of record: a database folder, or postgresql://user@host:port/name with "
            "the password in PGPASSWORD. A login that may only read is enough.",
        ),
        click.option(
            "--state",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="The folder of a finished tradewind run --state DIR.",
        ),
        click.option(
            "--account",
            metavar="NAME",
            help="Whose (parameter AccountName); default: the only one on record.",
        ),
    ):
        command = option(command)
    return command


@click.command("report", epilog=_EXIT_CODES, short_help="Report on a session.")
@click.option("--date", "day", required=True, metavar="YYYY-MM-DD", help="The session.")
@click.option(
    "--html",
    "html_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the whole report to this file as a page that stands alone.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the whole report to this file as JSON.",
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the deployment, such as SmaFast=10, for the backtest of the session; "
    "default: the template's. May be given several times.",
)
@_common
def report(
    day: str,
    html_file: Path | None,
    json_file: Path | None,
    parameters: tuple[str, ...],
    account: str | None,
    state: Path | None,
    database: str | None,
) -> None:
    """Trades, profit and loss, drawdown, stops and gaps, implementation shortfall, refusals by
    reason, the difference from a backtest of the same bars, alerts and what is left of a session,
    from the store of record. Says the main figures; the files hold all of it.

    \b
    Examples:
      tradewind report --date 2020-11-12 --state ./my-run --html report.html
      PGPASSWORD=... tradewind report --date 2020-11-12 --json report.json \\
          --database postgresql://tw_read@db.example.com/tradewind --account live
    """
    with in_one_line("tradewind report"):
        check_output_file("--html", html_file)
        check_output_file("--json", json_file)
        from tradewind_local.report_commands.run_report import run_report  # a second of imports

        run_report(day, account, state, database, html_file, json_file, parameters)


@click.command("export", epilog=_EXIT_CODES, short_help="Closed trades or tax lots as CSV.")
@click.argument("what", type=click.Choice(["trades", "lots"]))
@click.option("--from", "first", required=True, metavar="YYYY-MM-DD", help="The first day.")
@click.option("--to", "last", required=True, metavar="YYYY-MM-DD", help="The last day.")
@click.option(
    "--csv",
    "csv_file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write them to this file.",
)
@_common
def export(
    what: str,
    first: str,
    last: str,
    csv_file: Path,
    account: str | None,
    state: Path | None,
    database: str | None,
) -> None:
    """What was closed on the days from --from to --to (New York's dates).

    \b
      trades  round trips from flat to flat, at average cost
      lots    tax lots, first in first out, with holding days; wash sales are not judged

    \b
    Examples:
      tradewind export trades --from 2020-11-09 --to 2020-11-13 --csv trades.csv --state ./my-run
      tradewind export lots --from 2020-01-01 --to 2020-12-31 --csv lots.csv --account live \\
          --database postgresql://tw_read@db.example.com/tradewind
    """
    with in_one_line("tradewind export"):
        check_output_file("--csv", csv_file)
        from tradewind_local.report_commands.run_report import run_export  # a second of imports

        run_export(what, first, last, account, state, database, csv_file)

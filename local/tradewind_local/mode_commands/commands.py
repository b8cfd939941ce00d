"""``tradewind golive`` and ``tradewind paper``: options, help, exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from tradewind.errors import InvalidInputError

from tradewind_local.command_end import FAILED, in_one_line
from tradewind_local.json_file import check_json_file, write_json_file
from tradewind_local.person import confirmed, name_of

_GOLIVE_CODES = """Exit codes: 0 the account may trade live, or (without --approve) the check
passes; 1 it may not, or the check does not pass: the output says what is missing; 2 the input is
wrong and nothing was written; 130 Ctrl-C."""

_PAPER_CODES = """Exit codes: 0 shown, or as asked now (also when it stood so already); 1 the
records could not be reached; 2 the input is wrong and nothing was written; 130 Ctrl-C."""


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that both commands have."""
    for option in (
        click.option(
            "--json",
            "json_file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Write the whole answer to this file as JSON.",
        ),
        click.option(
            "--database",
            metavar="DIR|URL",
            help="The store of record: postgresql://tw_govern@host:port/name with the password in "
            "PGPASSWORD, or a database folder.",
        ),
        click.option(
            "--state",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="The folder of a finished tradewind run --state DIR.",
        ),
        click.option("--account", metavar="NAME", help="Whose; default: the only one there is."),
        click.option("--who", metavar="NAME", help="Who asks; default: your login name."),
        click.option("--why", metavar="TEXT", help="Why; kept with what is written."),
    ):
        command = option(command)
    return command


@click.command(
    "golive", epilog=_GOLIVE_CODES, short_help="Check whether paper trading may become live."
)
@click.option("--approve", is_flag=True, help="Write the approval down if the check passes.")
@click.option("--yes", is_flag=True, help="Do not ask before real money is risked.")
@click.option("--stack", default="tradewind", show_default=True, help="The deployed stack.")
@click.option(
    "--endpoint", metavar="URL", help="Where AWS is, for the local twin: http://127.0.0.1:PORT."
)
@_common
def golive(
    approve: bool,
    yes: bool,
    stack: str,
    endpoint: str | None,
    why: str | None,
    who: str | None,
    account: str | None,
    state: Path | None,
    database: str | None,
    json_file: Path | None,
) -> None:
    """Show the written check between paper and live trading: each demand with what paper trading
    has shown, what is needed, and whether that is enough. With --approve it is written down, if all
    of it is met; from the next run on the account enters with real money, at a tenth of its size.

    \b
    Three things have to come together, and this command is the third of them:
      1. the stack is deployed with TradingMode=live and an AccountName of its own
      2. tradewind switch says ACTIVE
      3. a written check that has passed

    The deployed mode, the account and the switch are asked of AWS, where your credentials have to
    reach the stack. The records are in PostgreSQL: give --database as the login tw_govern, which
    alone may write approvals; from outside of the VPC through a tunnel. A state folder shows how
    far a run on this machine has come; it trades on paper, so that it never passes.

    The distance from the backtest comes from the daily reports, which compare each session with a
    backtest of its bars. It counts only for sessions that were compared.

    \b
    Examples:
      tradewind golive --state ./my-run
      PGPASSWORD=... tradewind golive --stack tradewind-live \\
          --database postgresql://tw_govern@127.0.0.1:5432/tradewind
      PGPASSWORD=... tradewind golive --approve --why "four clean weeks" --stack tradewind-live \\
          --database postgresql://tw_govern@127.0.0.1:5432/tradewind --json golive.json
    """
    with in_one_line("tradewind golive"):
        check_json_file(json_file)
        if approve and not (why or "").strip():
            raise InvalidInputError(
                'say why: tradewind golive --approve --why "..."; it is kept with the approval'
            )
        if not approve and (why is not None or who is not None or yes):
            raise InvalidInputError("--why, --who and --yes go with --approve")
        # half a second of imports
        from tradewind_local.mode_commands.place import opened
        from tradewind_local.mode_commands.run_golive import Approval
        from tradewind_local.mode_commands.run_golive import golive as run_golive
        from tradewind_local.switch_commands.deployed import Where

        ask = (lambda _question: True) if yes else confirmed
        approval = Approval(name_of(who), why or "", ask) if approve else None
        with opened(Where(stack, None, endpoint), database, state, account) as place:
            report = run_golive(place, approval)
        if json_file is not None:
            write_json_file(json_file, report)
    sys.exit(0 if report["ok"] else FAILED)


@click.command("paper", epilog=_PAPER_CODES, short_help="Start and stop paper trading.")
@click.argument(
    "action", required=False, type=click.Choice(["start", "stop"], case_sensitive=False)
)
@click.argument("symbols", nargs=-1, metavar="[SYMBOL]...")
@click.option("--strategy", metavar="NAME", help="Whose symbols; default: the only one there is.")
@_common
def paper(
    action: str | None,
    symbols: tuple[str, ...],
    strategy: str | None,
    why: str | None,
    who: str | None,
    account: str | None,
    state: Path | None,
    database: str | None,
    json_file: Path | None,
) -> None:
    """Without an action: what the account trades, as it decided in its newest session, and what of
    it is stopped, since when, by whom and why.

    \b
      stop   nothing is entered any more, and what is held is sold in the next minute of a session;
             its stops stay until then
      start  what was stopped trades again

    Without SYMBOL all of the strategy's symbols are meant. What is configured trades until somebody
    stops it; asking for what stands already changes nothing. A live account refuses: it is stopped
    by tradewind switch, which needs no database.

    \b
    Examples:
      tradewind paper --state ./my-run
      tradewind paper stop AAPL MSFT --why "odd prices" --state ./my-run
      PGPASSWORD=... tradewind paper stop --why "holidays" --strategy sma_crossover \\
          --database postgresql://tw_govern@127.0.0.1:5432/tradewind
      tradewind paper start --why "back again" --state ./my-run --json paper.json
    """
    with in_one_line("tradewind paper"):
        check_json_file(json_file)
        if action is None and (why is not None or who is not None or strategy is not None):
            raise InvalidInputError("--why, --who and --strategy go with an action: start, stop")
        if action is not None and not (why or "").strip():
            raise InvalidInputError(
                f'say why: tradewind paper {action} --why "..."; it is kept with the change'
            )
        # half a second of imports
        from tradewind.risk.modes import RunState

        from tradewind_local.mode_commands.place import account_on_record
        from tradewind_local.mode_commands.run_paper import PaperWish, change_paper, show_paper
        from tradewind_local.report_commands.recorded import recorded

        with recorded(state, database) as records:
            named = account_on_record(records, account)
            if action is None:
                report = show_paper(records, named)
            else:
                to = RunState.STARTED if action.lower() == "start" else RunState.STOPPED
                wish = PaperWish(to, strategy, symbols, name_of(who), why or "")
                report = change_paper(records, named, wish)
        if json_file is not None:
            write_json_file(json_file, report)

"""``tradewind switch`` and ``tradewind flatten``: options, help, exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from tradewind.errors import InvalidInputError
from tradewind.orders.control import SwitchState

from tradewind_local.command_end import FAILED, INTERRUPTED, in_one_line
from tradewind_local.json_file import check_json_file, write_json_file
from tradewind_local.person import confirmed, name_of

_SWITCH_CODES = """Exit codes: 0 done and confirmed; 1 something is not (the output says what was
and what was not done); 2 the input is wrong and nothing was done; 130 Ctrl-C."""

_FLATTEN_CODES = """Exit codes: 0 the broker was seen without open orders and positions; 1 it is not
flat (the output says what is left and why); 2 the input is wrong or not confirmed, nothing was
done; 130 Ctrl-C."""


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
            "--live/--paper",
            "live",
            default=None,
            help="Which of Alpaca's addresses the keys in the environment are for; default: "
            "APCA_API_BASE_URL, and without it paper.",
        ),
        click.option(
            "--endpoint",
            metavar="URL",
            help="Where AWS is, for the local twin: http://127.0.0.1:PORT.",
        ),
        click.option(
            "--table",
            metavar="NAME",
            help="The control table, when CloudFormation cannot be asked; then the stack's "
            "function is not called either.",
        ),
        click.option("--stack", default="tradewind", show_default=True, help="The deployed stack."),
        click.option(
            "--account",
            default="paper",
            show_default=True,
            help="The name under which the stack trades (parameter AccountName).",
        ),
        click.option("--who", metavar="NAME", help="Who changes it; default: your login name."),
    ):
        command = option(command)
    return command


@click.command("switch", epilog=_SWITCH_CODES, short_help="Show the trading switch, or set it.")
@click.argument(
    "state",
    required=False,
    type=click.Choice(["active", "reducing", "halted"], case_sensitive=False),
)
@click.option("--why", metavar="TEXT", help="Why; kept with the change. Needed to change it.")
@click.option("--yes", is_flag=True, help="Do not ask before entries are allowed again.")
@_common
def switch(
    state: str | None,
    why: str | None,
    yes: bool,
    who: str | None,
    account: str,
    stack: str,
    table: str | None,
    endpoint: str | None,
    live: bool | None,
    json_file: Path | None,
) -> None:
    """Without STATE: how the trading switch stands, since when, by whom and why, and its last
    changes. With STATE: set it.

    \b
      active    trading as decided
      reducing  no entries; exits and protective orders go on
      halted    no entries, and the open ones are cancelled at the broker, confirmed; protective
                orders stay and are kept in force, exits go on

    The switch lies in DynamoDB, and each order looks at it before it leaves. Your AWS credentials
    have to reach it; PostgreSQL may be down. For "halted" the open entries are cancelled through
    the stack's own function; should that fail, with APCA_API_KEY_ID and APCA_API_SECRET_KEY from
    the environment, which then cancel the entries of any Tradewind on that account. Positions stay
    as they are: see tradewind flatten.

    \b
    Examples:
      tradewind switch
      tradewind switch reducing --why "quotes look stale"
      tradewind switch halted --why "wrong sizes since 10:05"
      tradewind switch active --why "fixed in 1.4.2" --yes
      tradewind switch --stack tradewind-live --account live --json switch.json
    """
    with in_one_line("tradewind switch"):
        check_json_file(json_file)
        # half a second of imports
        from tradewind_local.switch_commands.deployed import Where
        from tradewind_local.switch_commands.run_switch import Wish, change, show_switch

        where = Where(stack, table, endpoint)
        if state is None:
            if why is not None or who is not None:
                raise InvalidInputError("--why and --who go with a state: active, reducing, halted")
            report = show_switch(where, account)
        else:
            if not (why or "").strip():
                raise InvalidInputError(
                    f'say why: tradewind switch {state} --why "..."; it is kept with the change'
                )
            to = SwitchState(state.upper())
            ask = (lambda _question: True) if yes else confirmed
            report = change(where, Wish(account, to, name_of(who), why or "", live, ask))
        if json_file is not None:
            write_json_file(json_file, report)
    sys.exit(0 if report["complete"] else FAILED)


@click.command(
    "flatten", epilog=_FLATTEN_CODES, short_help="Cancel all orders, close all positions."
)
@click.option(
    "--yes-flatten",
    "number",
    metavar="ACCOUNT_NUMBER",
    help="For scripts: confirms with the broker's account number what is otherwise asked for.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and end.")
@click.option("--why", metavar="TEXT", default="flatten", show_default=True, help="Why.")
@_common
def flatten(
    number: str | None,
    dry_run: bool,
    why: str,
    who: str | None,
    account: str,
    stack: str,
    table: str | None,
    endpoint: str | None,
    live: bool | None,
    json_file: Path | None,
) -> None:
    """Cancel EVERY open order of the brokerage account and close EVERY position at the market,
    Tradewind's and foreign ones alike, and look until both are gone.

    It needs APCA_API_KEY_ID and APCA_API_SECRET_KEY in the environment and nothing else: where AWS
    can be reached the trading switch is set to HALTED first, where it cannot, it says so and goes
    on. First everything that will be done is shown; then you type the account's number.

    It may be stopped and run again at any moment: an order that is closing a position already is
    not sent again. Outside of regular hours the closing orders wait at the broker for the open;
    run it again then, to look. Afterwards the switch stays HALTED until tradewind switch active.

    \b
    Examples:
      tradewind flatten --dry-run
      tradewind flatten
      tradewind flatten --live --account live --stack tradewind-live
      tradewind flatten --yes-flatten PA3ABCDEFGHI --json flat.json
    """
    with in_one_line("tradewind flatten"):
        check_json_file(json_file)
        # half a second of imports
        from tradewind_local.switch_commands.deployed import Where
        from tradewind_local.switch_commands.run_flatten import Confirmation, run_flatten
        from tradewind_local.switch_commands.run_switch import Wish

        halt = Wish(account, SwitchState.HALTED, name_of(who), why, live, confirmed)
        confirmation = Confirmation(number, _account_number)
        try:
            report = run_flatten(Where(stack, table, endpoint), halt, confirmation, dry_run=dry_run)
        except KeyboardInterrupt:
            click.echo(
                "tradewind flatten: interrupted; what was asked of the broker goes on there: "
                "run it again to finish and to look",
                err=True,
            )
            sys.exit(INTERRUPTED)
        if json_file is not None:
            write_json_file(json_file, report)
    sys.exit(0 if dry_run or report["flat"] else FAILED)


def _account_number() -> str:
    try:
        answer: str = click.prompt("Type the account's number to do it", default="")
    except click.Abort as no_keyboard:
        raise InvalidInputError(
            "no answer, nothing was done: give --yes-flatten ACCOUNT_NUMBER"
        ) from no_keyboard
    return answer

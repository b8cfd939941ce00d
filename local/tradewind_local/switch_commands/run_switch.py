"""``tradewind switch``: show it, or change it; a halt also has open entries cancelled."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from tradewind.adapters.clock import SystemClock
from tradewind.errors import ControlUnavailableError, InvalidInputError, TradewindError
from tradewind.orders.control import SwitchChange, SwitchState, TradingControl
from tradewind.orders.submission import Pacing
from tradewind.use_cases.cancel_entries import cancel_entries
from tradewind.use_cases.trading_switch import change_payload, change_switch, entries_payload

from tradewind_local.bars.progress import console_for_output, say
from tradewind_local.switch_commands.brokerage import KEYS, brokerage, has_keys
from tradewind_local.switch_commands.deployed import Deployed, Where, find

# The terminal shows so many changes; JSON holds all that are kept.
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Wish:
    """The change that is asked for. ``confirm`` is asked before trading is allowed again."""

    account: str
    to: SwitchState
    who: str
    why: str
    live: bool | None
    confirm: Callable[[str], bool]


def show_switch(where: Where, account: str) -> dict[str, Any]:
    """The switch and its changes. Raises ControlUnavailableError, InvalidInputError."""
    console = console_for_output()
    control = find(where).control()
    stands, changes = control.switch(account), control.switch_changes(account)
    say(console, _sentence(stands))
    if changes:
        table = Table(title=f"Last changes of {account}")
        for heading in ("#", "when (UTC)", "from", "to", "who", "why"):
            table.add_column(heading)
        for change in reversed(changes[-_SHOWN:]):
            table.add_row(
                str(change.number),
                _when(change.at),
                str(change.previous),
                str(change.state),
                change.who,
                change.why,
            )
        console.print(table)
    return {
        "command": "switch",
        "complete": True,
        "switch": change_payload(stands),
        "changes": [change_payload(change) for change in changes],
    }


def change(where: Where, wish: Wish, clock: Pacing | None = None) -> dict[str, Any]:
    """The report, whose ``complete`` says whether everything that was asked for is confirmed.

    Raises ControlUnavailableError when the switch cannot be reached, but not for HALTED: then the
    report says what was and what was not done.
    """
    console, clock = console_for_output(), clock or SystemClock()
    if wish.to is SwitchState.HALTED:
        return _halt(where, wish, console, clock)
    try:
        control = find(where).control()
        if wish.to is SwitchState.ACTIVE and not _allowed(control.switch, wish):
            say(console, "nothing was changed")
            return {"command": "switch", "complete": False, "switch": None}
        switch = set_switch(control, wish, clock)
    except ControlUnavailableError as error:
        raise ControlUnavailableError(f"the switch was not changed: {error}") from error
    say(console, _sentence(switch))
    return {"command": "switch", "complete": True, "switch": change_payload(switch)}


def set_switch(control: TradingControl, wish: Wish, clock: Pacing) -> SwitchChange:
    """The switch alone: entries that are open stay open."""
    answer = change_switch(
        wish.account,
        wish.to,
        wish.who,
        wish.why,
        control=control,
        broker=None,
        clock=clock,
        tag=None,
    )
    if answer.switch is None:
        raise ControlUnavailableError(str(answer.not_set))
    return answer.switch


def _allowed(switch: Callable[[str], SwitchChange], wish: Wish) -> bool:
    stands = switch(wish.account)
    if stands.state is SwitchState.ACTIVE:
        return True
    return wish.confirm(f"{_sentence(stands)}\nLet it send entries again?")


def _halt(where: Where, wish: Wish, console: Console, clock: Pacing) -> dict[str, Any]:
    """First the switch, then the entries: through the deployed function, which has the account's
    own keys, and where that does not do, with the keys in the environment."""
    report: dict[str, Any] = {"command": "switch", "switch": None, "not_set": None}
    deployed = None
    try:
        deployed = find(where)
        report["switch"] = change_payload(set_switch(deployed.control(), wish, clock))
        say(console, "the switch is HALTED")
    except TradewindError as error:
        if isinstance(error, InvalidInputError) and not has_keys(os.environ):
            raise
        # Also a mistyped name: the entries, which the keys reach, come first.
        report["not_set"] = str(error)
        say(console, f"THE SWITCH IS NOT SET: {error}")
    report.update(_without_entries(deployed, wish, console, clock))
    if report["switch"] is not None:
        report["not_set"] = None
    entries = report["entries"]
    report["complete"] = bool(report["switch"] and entries and entries["complete"])
    _tell(report, console)
    return report


def _without_entries(
    deployed: Deployed | None, wish: Wish, console: Console, clock: Pacing
) -> dict[str, Any]:
    """What became of the open entries, and by which way; what the function says of the switch."""
    why_not = []
    found: dict[str, Any] = {"entries": None, "entries_by": None}
    if deployed is not None and deployed.function is not None:
        say(console, f"cancelling entries through {deployed.function}, up to half a minute")
        try:
            answer = deployed.call({"state": "HALTED", "who": wish.who, "why": wish.why})
            found = {"entries": answer["entries"], "entries_by": "function"}
            if answer["switch"] is not None:
                found["switch"] = answer["switch"]
            if answer["entries"]["complete"]:
                return found
            why_not.append("the function could not confirm everything")
        except TradewindError as error:
            why_not.append(str(error))
    if not has_keys(os.environ):
        why_not.append(f"{' and '.join(KEYS)} are not in the environment")
        return {**found, "entries_not_cancelled": "; ".join(why_not)}
    try:
        account = brokerage(os.environ, live=wish.live)
        say(console, f"cancelling Tradewind's entries at {account.url}, up to half a minute")
        done = entries_payload(cancel_entries(account.broker, clock, None))
    except TradewindError as error:
        return {**found, "entries_not_cancelled": "; ".join([*why_not, str(error)])}
    return {**found, "entries": done, "entries_by": "keys"}


def _tell(report: dict[str, Any], console: Console) -> None:
    """What was done and what was not, for HALTED."""
    entries = report["entries"]
    if entries is None:
        say(console, f"NO ENTRY WAS CANCELLED: {report['entries_not_cancelled']}")
    else:
        say(console, f"{len(entries['cancelled'])} entries are gone, confirmed by the broker")
        for order in entries["not_confirmed"]:
            say(
                console,
                f"NOT CONFIRMED, may still fill: {order['side']} {order['quantity']} "
                f"{order['symbol']}, order {order['order_id']} is {order['status']}",
            )
        for sentence in entries["unprotected"]:
            say(console, f"UNPROTECTED: {sentence}")
        if entries["trouble"]:
            say(console, f"THE BROKER DID NOT SAY: {entries['trouble']}")
    if report["complete"]:
        say(console, _halted_words(report["switch"]))
    elif report["switch"] is None:
        say(
            console,
            "the switch still stands where it stood: entries are blocked only as long as the "
            "control table cannot be read; run this again",
        )


def _halted_words(switch: dict[str, Any]) -> str:
    return (
        f"{switch['account']} is HALTED by {switch['who']}: no entries, protective orders stay and "
        "are kept in force"
    )


def _sentence(stands: SwitchChange) -> str:
    if stands.at is None:
        return f"{stands.account} is {stands.state}, never changed by a command"
    return (
        f"{stands.account} is {stands.state} since {_when(stands.at)} UTC "
        f"by {stands.who}: {stands.why}"
    )


def _when(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"

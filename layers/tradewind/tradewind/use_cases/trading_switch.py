"""Set the trading switch: by a person, or by an alarm, which may only lower it.

Only the control table and the broker are touched, so it works while PostgreSQL is down. The record
of who changed it and why lies with the switch itself, from where the cycle copies it to the store
of record.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tradewind.errors import ControlUnavailableError, InvalidInputError
from tradewind.market.bar import from_iso, to_iso
from tradewind.orders.control import (
    LONGEST_WHO,
    LONGEST_WHY,
    SwitchChange,
    SwitchState,
    TradingControl,
)
from tradewind.orders.payload import order_summary
from tradewind.orders.ports import Broker
from tradewind.orders.submission import Pacing
from tradewind.use_cases.cancel_entries import CancelledEntries, cancel_entries


@dataclass(frozen=True, slots=True)
class SwitchAnswer:
    """``switch`` is what stands now; None when it could not be set, for which ``not_set`` has the
    reason. ``entries`` is there for HALTED, unless no broker was at hand."""

    switch: SwitchChange | None
    not_set: str | None
    entries: CancelledEntries | None

    @property
    def complete(self) -> bool:
        return self.switch is not None and (self.entries is None or self.entries.complete)

    def as_payload(self) -> dict[str, Any]:
        entries = self.entries
        return {
            "complete": self.complete,
            "switch": None if self.switch is None else change_payload(self.switch),
            "not_set": self.not_set,
            "entries": None if entries is None else entries_payload(entries),
        }


def change_switch(
    account: str,
    to: SwitchState,
    who: str,
    why: str,
    *,
    control: TradingControl,
    broker: Callable[[], Broker] | None,
    clock: Pacing,
    tag: str | None,
) -> SwitchAnswer:
    """A person's choice, in either direction; HALTED also has open entries cancelled.

    ``broker`` is called after the switch is set: keys that cannot be read must not keep it from
    being set. A HALT whose switch cannot be set still cancels; any other change then raises
    ControlUnavailableError. ``tag``: see ``cancel_entries``. The same change made twice is made
    once, and a HALT made twice looks for entries twice.
    """
    who, why = one_line("who", who, LONGEST_WHO), one_line("why", why, LONGEST_WHY)
    not_set, switch = None, None
    try:
        switch = control.change_switch(account, to, who, why, clock.now())
    except ControlUnavailableError as error:
        if to is not SwitchState.HALTED:
            raise
        not_set = str(error)
    if to is not SwitchState.HALTED or broker is None:
        return SwitchAnswer(switch, not_set, None)
    return SwitchAnswer(switch, not_set, cancel_entries(broker(), clock, tag))


@dataclass(frozen=True, slots=True)
class Alarm:
    """A CloudWatch alarm that went off. ``at``: when it did."""

    name: str
    reason: str
    at: datetime


def alarm_of(message: str) -> Alarm | None:
    """Out of the JSON that CloudWatch sends; None for an alarm that is over or lacks data.

    Raises InvalidInputError for anything else.
    """
    try:
        told = json.loads(message)
        if told["NewStateValue"] != "ALARM":
            return None
        name, reason = str(told["AlarmName"]), str(told["NewStateReason"])
        return Alarm(name, reason, from_iso(told["StateChangeTime"]))
    except (ValueError, KeyError, TypeError, InvalidInputError) as error:
        raise InvalidInputError(f"not a CloudWatch alarm: {message[:200]!r}") from error


def lower_by_alarm(
    account: str, alarm: Alarm, *, control: TradingControl, clock: Pacing
) -> SwitchChange:
    """REDUCING, unless trading is that low already. The answer is what stands then.

    An alarm from before the switch's last change is not obeyed: messages arrive twice and late, and
    the person who raised the switch meanwhile knew of it.
    """
    stands = control.switch(account)
    if stands.at is not None and alarm.at <= stands.at:
        return stands
    return control.change_switch(
        account,
        SwitchState.REDUCING,
        one_line("alarm", alarm.name, LONGEST_WHO),
        one_line("reason", alarm.reason or "no reason given", LONGEST_WHY),
        clock.now(),
        only_lower=True,
    )


def change_payload(change: SwitchChange) -> dict[str, Any]:
    return {
        "account": change.account,
        "number": change.number,
        "state": str(change.state),
        "previous": str(change.previous),
        "who": change.who,
        "why": change.why,
        "at": None if change.at is None else to_iso(change.at),
    }


def entries_payload(entries: CancelledEntries) -> dict[str, Any]:
    return {
        "complete": entries.complete,
        "cancelled": [order_summary(order) for order in entries.cancelled],
        "not_confirmed": [order_summary(order) for order in entries.not_confirmed],
        "unprotected": list(entries.unprotected),
        "trouble": entries.trouble,
    }


def state_of(text: object) -> SwitchState:
    """Raises InvalidInputError."""
    try:
        return SwitchState(str(text).upper())
    except ValueError as error:
        raise InvalidInputError(
            f"the trading switch cannot be {text!r}, only {', '.join(SwitchState)}"
        ) from error


def one_line(name: str, text: str, longest: int) -> str:
    """One line that says something, cut to what can be kept."""
    line = " ".join(text.split())
    if not line:
        raise InvalidInputError(f"{name}: empty; a change of what may be traded says who and why")
    return line if len(line) <= longest else line[: longest - 1] + "…"

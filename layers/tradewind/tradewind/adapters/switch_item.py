"""The trading switch as an item of the ``control`` table: what stands, and how it came to stand.

The history lies in the same item, so that a change and its record are one write, and the audit
needs nothing but the item when it copies it to the store of record.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tradewind.errors import InvalidInputError
from tradewind.market.bar import from_iso, to_iso
from tradewind.orders.control import SwitchChange, SwitchState

KEPT_CHANGES = 100


def switch_key(account: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": f"switch#{account}"}}


def switch_of(account: str, item: Mapping[str, Any]) -> SwitchChange:
    """ACTIVE for the empty item of a switch that was never set.

    Raises InvalidInputError for a state that is none of the three (set by hand).
    """
    if not item:
        return SwitchChange(account, 0, SwitchState.ACTIVE, SwitchState.ACTIVE, "", "", None)
    changes = changes_of(account, item)
    state = _state(account, item["state"]["S"])
    if changes and changes[-1].state is state:
        return changes[-1]
    # Put in place by hand, past the commands: it is obeyed, and nothing is known about it.
    return SwitchChange(account, number_of(item) or 0, state, state, "", "", None)


def changes_of(account: str, item: Mapping[str, Any]) -> list[SwitchChange]:
    """Oldest first."""
    return [_change_of(account, row["M"]) for row in item.get("history", {}).get("L", [])]


def number_of(item: Mapping[str, Any]) -> int | None:
    """None where nothing but a state was put in place by hand."""
    return int(item["number"]["N"]) if "number" in item else None


def changed_item(item: Mapping[str, Any], change: SwitchChange, at: datetime) -> dict[str, Any]:
    """The item after the change, its history included."""
    row = {
        "number": {"N": str(change.number)},
        "state": {"S": str(change.state)},
        "previous": {"S": str(change.previous)},
        "who": {"S": change.who},
        "why": {"S": change.why},
        "at": {"S": to_iso(at)},
    }
    history = [*item.get("history", {}).get("L", []), {"M": row}]
    return {**switch_key(change.account), **row, "history": {"L": history[-KEPT_CHANGES:]}}


def _change_of(account: str, row: Mapping[str, Any]) -> SwitchChange:
    return SwitchChange(
        account=account,
        number=int(row["number"]["N"]),
        state=_state(account, row["state"]["S"]),
        previous=_state(account, row["previous"]["S"]),
        who=row["who"]["S"],
        why=row["why"]["S"],
        at=from_iso(row["at"]["S"]),
    )


def _state(account: str, text: str) -> SwitchState:
    try:
        return SwitchState(text)
    except ValueError as error:
        raise InvalidInputError(
            f"the trading switch of {account} is {text!r}, not one of {', '.join(SwitchState)}"
        ) from error

"""The life of an order: its states, and what is done when our record and the broker disagree.

Everything here is decided by one table, ``resolution_table.csv``: for each state that we have on
record (or none) and each state that the broker tells (or nothing) what to do, which state results,
and why. ``docs/orders.md`` shows the same table. Times are aware UTC, quantities shares.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache

from tradewind.orders.model import BrokerOrder, OrderStatus

# os.path, because importing pathlib would take longer than reading the table.
_FILE = os.path.join(os.path.dirname(__file__), "resolution_table.csv")

_NO_STATE = ("none", "absent")


class OrderState(StrEnum):
    """Where an order stands. The first four and the last are our own judgement, the others the
    broker's word."""

    INTENDED = "intended"  # intent pending, not claimed: nobody has begun to send it
    SUBMITTING = "submitting"  # intent pending and claimed: a call may be under way
    UNKNOWN = "unknown"  # intent unknown: sent or perhaps sent, without a clear answer
    UNSENT = "unsent"  # intent blocked or expired: no order, unless the broker says otherwise
    ACCEPTED = "accepted"
    HELD = "held"  # at the broker, not active yet: a leg behind its entry
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCEL_PENDING = "cancel_pending"
    CANCELLED = "cancelled"
    REPLACED = "replaced"
    EXPIRED = "expired"
    REJECTED = "rejected"
    VANISHED = "vanished"  # was open; the broker does not know it any more, and says nothing

    @property
    def is_final(self) -> bool:
        """Whether the broker has said that the order's life is over; such a state is never left."""
        return self in _FINAL


_FINAL = frozenset(
    {
        OrderState.FILLED,
        OrderState.CANCELLED,
        OrderState.REPLACED,
        OrderState.EXPIRED,
        OrderState.REJECTED,
    }
)

# The broker's words that stand for a state of their own. Every other word, one that the broker
# invents after this was written included, is an open order's: accepted, or partially filled once
# there are executions.
_STATE_OF_WORD = {
    OrderStatus.HELD: OrderState.HELD,
    OrderStatus.PARTIALLY_FILLED: OrderState.PARTIALLY_FILLED,
    OrderStatus.PENDING_CANCEL: OrderState.CANCEL_PENDING,
    OrderStatus.FILLED: OrderState.FILLED,
    OrderStatus.CANCELED: OrderState.CANCELLED,
    OrderStatus.REPLACED: OrderState.REPLACED,
    OrderStatus.EXPIRED: OrderState.EXPIRED,
    OrderStatus.REJECTED: OrderState.REJECTED,
    OrderStatus.NOT_KNOWN: OrderState.VANISHED,
}


def state_of(order: BrokerOrder) -> OrderState:
    """The state that the broker's word and the executions stand for."""
    state = _STATE_OF_WORD.get(order.status, OrderState.ACCEPTED)
    if order.filled_quantity > 0 and state in (OrderState.ACCEPTED, OrderState.HELD):
        return OrderState.PARTIALLY_FILLED
    return state


class Resolution(StrEnum):
    """What to do about an order, given our record and the broker's word."""

    NOTHING = "nothing"  # neither side knows of an order
    RECORD = "record"  # write down an order seen for the first time, ours or foreign
    ADOPT = "adopt"  # the intent was submitted: take the broker's word
    ADOPT_AND_TELL = "adopt_and_tell"  # take the broker's word against our own judgement: alert
    AWAIT_ARRIVAL = "await_arrival"  # wait; after the arrival limit it is the next state
    UPDATE = "update"  # take the broker's newer word: its state, prices and executions
    KEEP = "keep"  # our state stays; executions told late are added
    LOOK_UP = "look_up"  # ask the broker for it by its id; not known there, it is the next state


@dataclass(frozen=True, slots=True)
class TableRow:
    """One cell of the resolution table. ``cached`` None: we have no record; ``broker`` None: the
    snapshot does not show the order; ``next_state`` None: there is still no order."""

    cached: OrderState | None
    broker: OrderState | None
    resolution: Resolution
    next_state: OrderState | None
    why: str


def resolution_for(cached: OrderState | None, broker: OrderState | None) -> TableRow:
    """What to do when we have ``cached`` on record and the broker tells ``broker``."""
    return resolution_table()[cached, broker]


@cache
def resolution_table() -> Mapping[tuple[OrderState | None, OrderState | None], TableRow]:
    """The whole table, read once per process, in the order of the file."""
    with open(_FILE, encoding="utf-8", newline="") as file:
        rows = [
            TableRow(
                _state(row["cached"]),
                _state(row["broker"]),
                Resolution(row["resolution"]),
                _state(row["next"]),
                row["why"],
            )
            for row in csv.DictReader(file)
        ]
    return {(row.cached, row.broker): row for row in rows}


def _state(word: str) -> OrderState | None:
    return None if word in _NO_STATE else OrderState(word)


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """An order as the store of record keeps it. ``as_of``: when the newest word on it was read
    (the time before the reading began)."""

    order: BrokerOrder
    as_of: datetime

    @property
    def state(self) -> OrderState:
        return state_of(self.order)


def merge(known: KnownOrder | None, seen: BrokerOrder, as_of: datetime) -> KnownOrder:
    """What is known of an order once ``seen``, read at ``as_of``, has been told.

    Told again or in another order, the same snapshots give the same. An older snapshot changes
    nothing but a parent or predecessor that newer ones did not name (the broker names them in
    nested lists only, and they never change). A final state is never left, but executions told
    late are added. The filled quantity neither falls nor exceeds the order's quantity.
    """
    if known is None:
        return KnownOrder(_bounded(seen), as_of)
    order = _with_family(known.order, seen)
    if _is_older(seen, as_of, known):
        return replace(known, order=order)
    row = resolution_for(state_of(known.order), state_of(seen))
    if row.resolution in (Resolution.UPDATE, Resolution.ADOPT_AND_TELL):
        order = _told(order, seen)
    else:
        order = _with_late_fills(order, seen)
    return KnownOrder(order, as_of)


def _is_older(seen: BrokerOrder, as_of: datetime, known: KnownOrder) -> bool:
    """Whether the word on record is the newer one.

    Filled quantities only grow at the broker, so that an open order with fewer executions than
    known is an older word, whatever time it was read at (a listing may lag). Of two words read at
    the same time the one further on in the order's life is the newer.
    """
    old = known.order
    if as_of < known.as_of:
        return True
    if not seen.status.is_final and seen.filled_quantity < old.filled_quantity:
        return True
    return as_of == known.as_of and _progress(seen) <= _progress(old)


def _progress(order: BrokerOrder) -> tuple[bool, Decimal, datetime, str]:
    return (order.status.is_final, order.filled_quantity, order.updated_at, order.status.value)


def _told(old: BrokerOrder, seen: BrokerOrder) -> BrokerOrder:
    """The broker's newer word, without losing executions or the family."""
    newest = _with_family(seen, old)
    if old.filled_quantity > seen.filled_quantity or seen.filled_avg_price is None:
        newest = replace(
            newest,
            filled_quantity=max(old.filled_quantity, seen.filled_quantity),
            filled_avg_price=old.filled_avg_price,
        )
    return _bounded(
        replace(
            newest,
            quantity=max(seen.quantity, old.filled_quantity),
            updated_at=max(old.updated_at, seen.updated_at),
        )
    )


def _with_late_fills(old: BrokerOrder, seen: BrokerOrder) -> BrokerOrder:
    """The state and the terms stay; executions that were told late are added."""
    order = replace(old, updated_at=max(old.updated_at, seen.updated_at))
    if seen.filled_quantity > old.filled_quantity:
        order = replace(
            order,
            filled_quantity=seen.filled_quantity,
            filled_avg_price=seen.filled_avg_price or old.filled_avg_price,
        )
    return _bounded(order)


def _with_family(order: BrokerOrder, other: BrokerOrder) -> BrokerOrder:
    """Parent and predecessor never change, and not every answer names them."""
    return replace(
        order,
        parent_order_id=order.parent_order_id or other.parent_order_id,
        replaces=order.replaces or other.replaces,
    )


def _bounded(order: BrokerOrder) -> BrokerOrder:
    """Never more filled than ordered."""
    return replace(order, filled_quantity=min(order.filled_quantity, order.quantity))

"""Differences between the quantities in our books and the broker's, and when they count.

A snapshot is read while orders work, so that a difference in one means nothing yet. It is
unexplained when two snapshots at least 30 s apart show it while nothing is at work in the symbol.
Quantities are shares (the broker's are negative when short), times aware UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from tradewind.orders.model import BrokerOrder, OrderIntent, OrderStatus

UNEXPLAINED_AFTER = timedelta(seconds=30)

_AT_REST = frozenset({OrderStatus.NEW, OrderStatus.ACCEPTED, OrderStatus.HELD})


@dataclass(frozen=True, slots=True)
class QuantityDifference:
    """``since``: the first snapshot of those in a row that showed the symbol differing with nothing
    at work in it."""

    symbol: str
    ours: Decimal
    brokers: Decimal
    since: datetime

    def is_unexplained(self, as_of: datetime) -> bool:
        """Whether a snapshot read at ``as_of`` that still shows it makes it unexplained."""
        return as_of - self.since >= UNEXPLAINED_AFTER

    def __str__(self) -> str:
        return f"{self.symbol}: our books hold {self.ours}, the broker {self.brokers}"


def symbols_at_work(
    unresolved: Iterable[OrderIntent],
    orders: Iterable[BrokerOrder],
    booked: Mapping[str, Decimal],
) -> frozenset[str]:
    """Symbols in which a difference may be on its way to being explained.

    These are the symbols of intents without an outcome and of open orders, ours and foreign, but
    for protective stops at rest. ``orders``: the account's open ones; ``booked``: order_id ->
    quantity of its executions that are in our books (or kept as foreign ones).
    """
    waiting = {intent.symbol for intent in unresolved}
    working = {
        order.symbol
        for order in orders
        if not order.status.is_final and not _rests(order, booked.get(order.order_id, Decimal(0)))
    }
    return frozenset(waiting | working)


def quantity_differences(
    ours: Mapping[str, Decimal],
    brokers: Mapping[str, Decimal],
    at_work: Set[str],
    since: Mapping[str, datetime],
    as_of: datetime,
) -> list[QuantityDifference]:
    """The symbols that differ with nothing at work in them, by symbol.

    ``ours``: the symbols that are ours (in the books, or ever intended) and what the books hold of
    them; others are foreign and have nothing to differ from. ``brokers``: the snapshot's positions,
    absent ones are flat. ``since``: the symbols that the snapshot before showed differing; a symbol
    that is not in the answer differs no more, or cannot be judged now, and starts anew.
    """
    return [
        QuantityDifference(symbol, ours[symbol], held, since.get(symbol, as_of))
        for symbol in sorted(ours)
        if symbol not in at_work and (held := brokers.get(symbol, Decimal(0))) != ours[symbol]
    ]


def _rests(order: BrokerOrder, booked: Decimal) -> bool:
    """A protective stop that waits for its price, with every share it sold in the books."""
    return (
        order.order_type in ("stop", "stop_limit", "trailing_stop")
        and order.status in _AT_REST
        and order.filled_quantity == booked
    )

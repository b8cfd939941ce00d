"""Round trips from the newest executions alone, for the protections.

Counted back from what is held now: the history before the window is not needed. What a round trip
cost is what its sales brought less what they earned.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tradewind.portfolio.splits import Conversion, PositionSplit, conversions
from tradewind.risk.protections import ClosedTrip


@dataclass(frozen=True, slots=True)
class RecentTrade:
    """An execution of ours. ``realised_pnl`` (USD) is None for a purchase; ``by_stop``: its order
    was a stop."""

    symbol: str
    timestamp: datetime
    side: str
    quantity: Decimal
    price: Decimal
    realised_pnl: Decimal | None
    by_stop: bool


def closed_trips(
    trades: Iterable[RecentTrade],
    held: Mapping[str, Decimal],
    splits: Iterable[PositionSplit] = (),
) -> tuple[ClosedTrip, ...]:
    """The round trips that ended among ``trades`` (oldest first), by time. ``held``: what is held
    of each symbol after the last of them; absent: nothing. ``splits``: those that our books carried
    out, at least those since the first of the trades. What a trip cost and brought are sums of
    money, which no split changes; it only says how many shares are left."""
    by_symbol: dict[str, list[RecentTrade]] = {}
    for trade in trades:
        by_symbol.setdefault(trade.symbol, []).append(trade)
    converted: dict[str, list[Conversion]] = {}
    for conversion in conversions(splits):
        converted.setdefault(conversion.symbol, []).append(conversion)
    found = [
        trip
        for symbol, own in by_symbol.items()
        for trip in _of_symbol(own, held.get(symbol, Decimal(0)), converted.get(symbol, ()))
    ]
    return tuple(sorted(found, key=lambda trip: (trip.closed_at, trip.symbol)))


def _of_symbol(
    trades: list[RecentTrade], held: Decimal, splits: Iterable[Conversion]
) -> Iterable[ClosedTrip]:
    waiting = deque(one for one in splits if one.at > trades[0].timestamp)
    # Before the first trade: counted back from the first number of shares that is known.
    known, until = held, None
    if waiting:
        known, until = waiting[0].quantity_before, waiting[0].at
    earlier = (trade for trade in trades if until is None or trade.timestamp < until)
    quantity = known - sum((_signed(trade) for trade in earlier), Decimal(0))
    earned = brought = Decimal(0)
    for trade in trades:
        while waiting and waiting[0].at <= trade.timestamp:
            quantity = waiting.popleft().quantity_after
        quantity += _signed(trade)
        if trade.realised_pnl is None:
            continue
        earned += trade.realised_pnl
        brought += trade.quantity * trade.price
        if quantity == 0:
            cost = brought - earned
            profit = earned / cost if cost > 0 else Decimal(0)
            yield ClosedTrip(trade.symbol, trade.timestamp, profit, trade.by_stop)
            earned = brought = Decimal(0)


def _signed(trade: RecentTrade) -> Decimal:
    return trade.quantity if trade.side == "buy" else -trade.quantity

"""Implementation shortfall: what lies between the price decided on and the prices got.

Entries and exits are measured against the close that was decided on. A protective stop was not
decided on when it sold, and is measured against its own stop price. A positive shortfall is a cost.
Only shares that were traded count: what an order missed by not being filled is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import mean, median

from tradewind.orders.model import Side
from tradewind.portfolio.executions import Execution, Purpose, in_time_order

BASIS_POINTS = Decimal(10_000)

# Below that many orders a mean says more about chance than about the market.
ENOUGH_ORDERS = 30


@dataclass(frozen=True, slots=True)
class OrderShortfall:
    """One order's, of all its executions. ``reference`` is the price measured against and
    ``price`` the average got (USD); ``usd`` and ``basis_points`` are costs when positive."""

    order_id: str
    symbol: str
    purpose: Purpose
    side: Side
    first_fill_at: datetime
    quantity: Decimal
    reference: Decimal
    price: Decimal
    usd: Decimal
    basis_points: Decimal


@dataclass(frozen=True, slots=True)
class ShortfallSummary:
    """Of ``orders`` orders: total USD, and mean and median of their basis points. ``purpose`` None:
    entries and exits together, which is what a backtest's slippage stands for."""

    purpose: Purpose | None
    orders: int
    usd: Decimal
    mean: Decimal
    median: Decimal

    @property
    def is_enough(self) -> bool:
        return self.orders >= ENOUGH_ORDERS


def order_shortfalls(executions: Iterable[Execution]) -> list[OrderShortfall]:
    """One per order, by the time of its first execution."""
    by_order: dict[str, list[Execution]] = {}
    for execution in in_time_order(executions):
        by_order.setdefault(execution.order_id, []).append(execution)
    return [_shortfall(parts) for parts in by_order.values()]


def summaries(shortfalls: Iterable[OrderShortfall]) -> list[ShortfallSummary]:
    """One for each purpose that has orders, and first the one of entries and exits together, if
    there are any."""
    told = list(shortfalls)
    groups: list[tuple[Purpose | None, list[OrderShortfall]]] = [
        (None, [one for one in told if one.purpose is not Purpose.STOP])
    ]
    groups += [(purpose, [one for one in told if one.purpose is purpose]) for purpose in Purpose]
    return [
        ShortfallSummary(
            purpose,
            len(group),
            sum((one.usd for one in group), Decimal(0)),
            mean(one.basis_points for one in group),
            median(one.basis_points for one in group),
        )
        for purpose, group in groups
        if group
    ]


def suggestion(told: Iterable[ShortfallSummary]) -> str:
    """The slippage that these orders suggest for backtests, in a sentence."""
    both = next((one for one in told if one.purpose is None), None)
    if both is None:
        return "No entry or exit was filled: this session suggests no slippage for backtests."
    figures = (
        f"mean {both.mean:.1f} and median {both.median:.1f} basis points an order, "
        f"n = {both.orders}"
    )
    if both.is_enough:
        return f"Slippage for backtests by this session: {figures}."
    return (
        f"Slippage by this session: {figures}. Fewer than {ENOUGH_ORDERS} orders: too few to "
        "change a backtest's slippage by."
    )


def _shortfall(parts: list[Execution]) -> OrderShortfall:
    first = parts[0]
    quantity = sum((one.quantity for one in parts), Decimal(0))
    price = sum((one.notional for one in parts), Decimal(0)) / quantity
    stop = first.stop_price if first.purpose is Purpose.STOP else None
    reference = first.decision_price if stop is None else stop
    worse = sum(
        (
            (one.price - reference if one.side is Side.BUY else reference - one.price)
            * one.quantity
            for one in parts
        ),
        Decimal(0),
    )
    return OrderShortfall(
        first.order_id,
        first.symbol,
        first.purpose,
        first.side,
        first.at,
        quantity,
        reference,
        price,
        worse,
        worse / (reference * quantity) * BASIS_POINTS,
    )

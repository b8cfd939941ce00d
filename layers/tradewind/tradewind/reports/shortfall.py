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
from statistics import mean, median, stdev

from tradewind.orders.model import Side
from tradewind.portfolio.executions import Execution, Purpose, in_time_order
from tradewind.portfolio.round_trips import DECLARED_SLIPPAGE

BASIS_POINTS = Decimal(10_000)

# Below that many orders a mean says more about chance than about the market.
ENOUGH_ORDERS = 30
# Standard errors on either side of a mean, within which it lies by chance 19 times in 20.
_CHANCE = Decimal("1.96")


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


@dataclass(frozen=True, slots=True)
class DeclaredSlippage:
    """What backtests assume of an entry or exit, and what ``orders`` of them cost here, in basis
    points; ``holds`` None when these are too few to say. ``sentence`` says it."""

    declared: Decimal
    orders: int
    mean: Decimal | None
    median: Decimal | None
    holds: bool | None
    sentence: str


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


def declared_slippage(shortfalls: Iterable[OrderShortfall]) -> DeclaredSlippage:
    """The slippage that the entries and exits suggest for backtests, beside the declared one. With
    enough orders the assumption holds when the mean is not above it by more than chance explains
    (1.96 standard errors)."""
    points = [one.basis_points for one in shortfalls if one.purpose is not Purpose.STOP]
    declared = DECLARED_SLIPPAGE * BASIS_POINTS
    assumed = f"Backtests assume {declared:.1f} basis points an order"
    if not points:
        sentence = f"{assumed}. No entry or exit was filled: this session says nothing about it."
        return DeclaredSlippage(declared, 0, None, None, None, sentence)
    average, middle = mean(points), median(points)
    measured = (
        f"{assumed}; this session's orders cost {average:.1f} on average, {middle:.1f} in the "
        f"middle (n = {len(points)})"
    )
    if len(points) < ENOUGH_ORDERS:
        sentence = (
            f"{measured}. Fewer than {ENOUGH_ORDERS} orders: too few to say whether the "
            "assumption holds."
        )
        return DeclaredSlippage(declared, len(points), average, middle, None, sentence)
    error = stdev(points) / Decimal(len(points)).sqrt()
    holds = average - _CHANCE * error <= declared
    sentence = f"{measured}, give or take {_CHANCE * error:.1f}. The assumption " + (
        "holds." if holds else "does not hold: assume more."
    )
    return DeclaredSlippage(declared, len(points), average, middle, holds, sentence)


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

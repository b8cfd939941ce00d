"""Which executions are new, and which are missing: booked once, whatever the broker tells.

An execution is identified by its id, and by the piece of its order that it filled: the range from
the cumulative quantity before it to the one after it. So a replay under the same id, a doubled one,
one told out of order, and a real execution of which we already booked a stand-in (a synthetic one)
are all recognised. Quantities are shares, prices USD, times aware UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tradewind.orders.model import BrokerFill, BrokerOrder

SYNTHETIC_PREFIX = "synthetic-"

# Finer than any price; the sum of a stand-in still fits to the cent for millions of shares.
_PRICE_STEP = Decimal("1e-10")


@dataclass(frozen=True, slots=True)
class _Range:
    """The shares of an order after ``start`` up to and including ``end``."""

    start: Decimal
    end: Decimal

    def overlaps(self, other: _Range) -> bool:
        return self.start < other.end and other.start < self.end


def is_synthetic(fill: BrokerFill) -> bool:
    """Whether it stands in for executions that the broker has not told."""
    return fill.execution_id.startswith(SYNTHETIC_PREFIX)


def bookable(
    order: BrokerOrder | None, booked: Sequence[BrokerFill], told: Sequence[BrokerFill]
) -> list[BrokerFill]:
    """Those of ``told`` that are new and may be booked, in the order in which they happened.

    All fills are of one order, ``order`` (None: not known yet). An execution without a cumulative
    quantity is known by its id alone; then the order's filled quantity is the bound, and what
    happened before a stand-in was made counts as covered by it, so that neither a replay under
    another id nor the real execution behind a stand-in counts twice. What is turned away although
    it is new is missing in the order's sum and comes back as :func:`missing_fill`.
    """
    counted = list(booked)
    new: list[BrokerFill] = []
    for fill in sorted(told, key=_happened):
        if not _is_covered(fill, counted) and _has_room(fill, counted, order):
            new.append(fill)
            counted.append(fill)
    return new


def _is_covered(fill: BrokerFill, counted: Sequence[BrokerFill]) -> bool:
    """Whether the same execution, or a stand-in for it, is counted already."""
    if any(one.execution_id == fill.execution_id for one in counted):
        return True
    if fill.cumulative is None:
        return any(is_synthetic(one) and fill.at <= one.at for one in counted)
    return any(_range(fill).overlaps(_range(one)) for one in counted if one.cumulative is not None)


def _has_room(fill: BrokerFill, counted: Sequence[BrokerFill], order: BrokerOrder | None) -> bool:
    """Whether the order can have so many executions."""
    if order is None:
        return True
    known_by_id = any(one.cumulative is None for one in (*counted, fill))
    bound = order.filled_quantity if known_by_id else order.quantity
    return _sum((*counted, fill)) <= bound


def missing_fill(
    order: BrokerOrder, booked: Sequence[BrokerFill], as_of: datetime
) -> BrokerFill | None:
    """A stand-in for the first gap between what the order says is filled and what was booked.

    None when nothing is missing, when the order names no price, or when it cannot be judged because
    executions without a cumulative quantity are newer than the word of an order that may fill on.
    The price is what the
    order's average leaves for the missing shares, so that value and quantity are the order's once
    all gaps are closed (:func:`stand_ins`). The id is made of order and cumulative quantity: what
    is found missing again has the same one.
    """
    # Fills are read after the orders: those beyond the order's word are none of its shares yet.
    told = [fill for fill in booked if (fill.cumulative or 0) <= order.filled_quantity]
    fills_on = not order.status.is_final
    if fills_on and any(fill.cumulative is None and fill.at > order.updated_at for fill in told):
        return None
    missing = order.filled_quantity - _sum(told)
    if missing <= 0 or order.filled_avg_price is None:
        return None
    gap = _first_gap(order.filled_quantity, told, missing)
    worth = order.filled_quantity * order.filled_avg_price - sum(
        (fill.quantity * fill.price for fill in told), Decimal(0)
    )
    price = (worth / missing).quantize(_PRICE_STEP) if worth > 0 else order.filled_avg_price
    return BrokerFill(
        execution_id=f"{SYNTHETIC_PREFIX}{order.order_id}-{_plain(gap.end)}",
        order_id=order.order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=gap.end - gap.start,
        price=price,
        at=min(order.updated_at, as_of),
        cumulative=gap.end,
    )


def stand_ins(
    order: BrokerOrder, booked: Sequence[BrokerFill], as_of: datetime
) -> list[BrokerFill]:
    """Stand-ins for all gaps, to be booked together: then quantity and value of all that is booked
    are the order's, to the cent, and the real executions are recognised when they are told."""
    gaps: list[BrokerFill] = []
    while (fill := missing_fill(order, [*booked, *gaps], as_of)) is not None:
        gaps.append(fill)
    return gaps


def _first_gap(filled: Decimal, booked: Sequence[BrokerFill], missing: Decimal) -> _Range:
    """Where the ranges of what was booked leave the first hole; the end of the order when the
    broker names no cumulative quantities, or contradicts itself in them."""
    at_the_end = _Range(filled - missing, filled)
    if any(fill.cumulative is None for fill in booked):
        return at_the_end
    reached = Decimal(0)
    for one in sorted((_range(fill) for fill in booked), key=lambda one: one.start):
        if one.start > reached:
            return _Range(reached, one.start) if one.start - reached <= missing else at_the_end
        reached = max(reached, one.end)
    return _Range(reached, filled) if filled - reached == missing else at_the_end


def _range(fill: BrokerFill) -> _Range:
    end = fill.cumulative
    if end is None:
        raise ValueError(f"fill {fill.execution_id} has no cumulative quantity")
    return _Range(end - fill.quantity, end)


def _sum(fills: Iterable[BrokerFill]) -> Decimal:
    return sum((fill.quantity for fill in fills), Decimal(0))


def _happened(fill: BrokerFill) -> tuple[datetime, Decimal, str]:
    return (fill.at, fill.cumulative or Decimal(0), fill.execution_id)


def _plain(quantity: Decimal) -> str:
    """5, 5.0 and 5E+0 are one quantity and one id."""
    return f"{quantity.normalize():f}"

"""Which executions are new, and which are missing: booked once, whatever the broker tells.

An execution is identified by its id, and by the piece of its order that it filled: the range from
the cumulative quantity before it to the one after it. So a replay under the same id, a doubled one,
one told out of order, and a real execution of which we already booked a stand-in (a synthetic one)
are all recognised. Quantities are shares, prices USD, times aware UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    quantity is known by its id alone; then the order's filled quantity is the bound, so that
    neither a replay under another id nor the real execution behind a stand-in counts twice. What is
    turned away although it happened is missing in the order's sum and comes back as
    :func:`missing_fill`.
    """
    ids = {fill.execution_id for fill in booked}
    covered = [_range(fill) for fill in booked if fill.cumulative is not None]
    total = sum((fill.quantity for fill in booked), Decimal(0))
    by_id_alone = any(fill.cumulative is None for fill in booked)
    new: list[BrokerFill] = []
    for fill in sorted(told, key=_happened):
        if fill.execution_id in ids:
            continue
        if fill.cumulative is not None and any(_range(fill).overlaps(one) for one in covered):
            continue
        by_id_alone = by_id_alone or fill.cumulative is None
        if order is not None:
            bound = order.filled_quantity if by_id_alone else order.quantity
            if total + fill.quantity > bound:
                continue
        new.append(fill)
        ids.add(fill.execution_id)
        total += fill.quantity
        if fill.cumulative is not None:
            covered.append(_range(fill))
    return new


def missing_fill(
    order: BrokerOrder, booked: Sequence[BrokerFill], as_of: datetime
) -> BrokerFill | None:
    """A stand-in for the first gap between what the order says is filled and what was booked.

    None when nothing is missing, or when the order names no price. The price is what the order's
    average leaves for the missing shares, so that value and quantity are the order's once all gaps
    are closed. The id is made of order and cumulative quantity: what is found missing again has
    the same one.
    """
    missing = order.filled_quantity - sum((fill.quantity for fill in booked), Decimal(0))
    if missing <= 0 or order.filled_avg_price is None:
        return None
    gap = _first_gap(order.filled_quantity, booked, missing)
    worth = order.filled_quantity * order.filled_avg_price - sum(
        (fill.quantity * fill.price for fill in booked), Decimal(0)
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


def _happened(fill: BrokerFill) -> tuple[datetime, Decimal, str]:
    return (fill.at, fill.cumulative or Decimal(0), fill.execution_id)


def _plain(quantity: Decimal) -> str:
    """5, 5.0 and 5E+0 are one quantity and one id."""
    return f"{quantity.normalize():f}"

"""What a position's protection should be, compared with what rests at the broker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from tradewind.orders.model import BrokerOrder, OrderClass, OrderStatus, Side
from tradewind.orders.prices import trailing_stop
from tradewind.orders.symbol_orders import covered as working_cover

# A stop in one of these states may not be touched now: the next run looks again.
IN_TRANSIT = frozenset(
    {OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE, OrderStatus.UNRECOGNISED}
)
# Beside the profit leg of these a stop is held back and protects all the same. The stop of an OTO
# is held back until its entry has filled completely, and protects nothing until then.
_PAIRED = (OrderClass.BRACKET, OrderClass.OCO)
# One that a run left so, and the next one finds so, is stuck: nobody may count on it any more.
STUCK_AFTER = timedelta(minutes=1)


class Need(StrEnum):
    NOTHING = "nothing"
    PLACE = "place"  # shares without a stop
    REDUCE = "reduce"  # stops for more shares than are held: triggered, they would sell short
    RAISE = "raise"  # the stop is lower than it should be
    SELL = "sell"  # the price is already at or below where the stop belongs


@dataclass(frozen=True, slots=True)
class ProtectionNeed:
    """``quantity`` shares need ``stop_price``; ``order`` is the resting stop to be raised, or to be
    placed anew for fewer shares."""

    need: Need
    quantity: Decimal
    stop_price: Decimal
    order: BrokerOrder | None
    reason: str


def resting_stops(orders: Sequence[BrokerOrder], symbol: str) -> list[BrokerOrder]:
    """Open protective stops of a symbol, oldest first."""
    return sorted(
        (
            order
            for order in orders
            if order.symbol == symbol
            and order.side is Side.SELL
            and order.order_type == "stop"
            and not order.status.is_final
        ),
        key=lambda order: (order.submitted_at, order.order_id),
    )


def is_stuck(order: BrokerOrder, as_of: datetime) -> bool:
    """Whether an order has waited to be cancelled, replaced or activated, or stood in a state that
    nobody knows, for longer than a run. ``as_of`` is when the run began, so that every attempt of
    it judges the same."""
    held_back = order.status is OrderStatus.HELD and order.order_class not in _PAIRED
    waits = held_back or order.status in IN_TRANSIT
    return waits and as_of - order.updated_at > STUCK_AFTER


def covering_stops(
    orders: Sequence[BrokerOrder], symbol: str, as_of: datetime
) -> list[BrokerOrder]:
    """The resting stops that a position may count on: those that are not stuck."""
    return [order for order in resting_stops(orders, symbol) if not is_stuck(order, as_of)]


def protection_need(
    *,
    symbol: str,
    quantity: Decimal,
    at_broker: Decimal | None = None,
    avg_entry_price: Decimal,
    highest_high: Decimal | None,
    last_close: Decimal,
    open_orders: Sequence[BrokerOrder],
    as_of: datetime,
) -> ProtectionNeed:
    """One position's most urgent need. ``quantity`` is what our books hold and ``at_broker`` what
    the broker says (None: nothing), which a split changes before our books. ``highest_high`` is
    over the bars since entry, None when there is none yet; ``open_orders`` are the account's;
    ``as_of`` is when the run began."""
    target = trailing_stop(avg_entry_price, highest_high)
    stops = covering_stops(open_orders, symbol, as_of)
    stuck = [order for order in resting_stops(open_orders, symbol) if order not in stops]
    covered = sum((order.quantity - order.filled_quantity for order in stops), Decimal(0))
    if last_close <= target:
        return ProtectionNeed(
            Need.SELL,
            quantity,
            target,
            None,
            f"the close {last_close} is at or below the trailing stop {target}",
        )
    too_much = _too_much(stops, min(quantity, at_broker or quantity), target, last_close)
    if too_much is not None:
        return too_much
    if covered < quantity:
        return ProtectionNeed(
            Need.PLACE,
            quantity - covered,
            target,
            None,
            f"{quantity - covered} of {quantity} shares have no resting stop"
            + "".join(f"; stop {order.order_id} is stuck in {order.status}" for order in stuck),
        )
    for order in stops:
        lower = order.stop_price is None or order.stop_price < target
        if lower and order.status not in IN_TRANSIT:
            return ProtectionNeed(
                Need.RAISE,
                order.quantity - order.filled_quantity,
                target,
                order,
                f"the stop rests at {order.stop_price} and belongs at {target}",
            )
    return ProtectionNeed(Need.NOTHING, Decimal(0), target, None, "protected")


def _too_much(
    stops: Sequence[BrokerOrder], held: Decimal, target: Decimal, last_close: Decimal
) -> ProtectionNeed | None:
    """The stop that has to give way when working stops cover more than is held: one that is not
    needed at all where there is one. While one of them is being changed nothing is certain."""
    surplus = working_cover(stops) - held
    if surplus <= 0 or any(order.status in IN_TRANSIT for order in stops):
        return None
    working = [order for order in stops if working_cover([order]) > 0]
    unneeded = [order for order in working if working_cover([order]) <= surplus]
    order = (unneeded or working)[0]
    at_work = order.stop_price
    # A stop is never moved down.
    price = max(target, at_work) if at_work is not None and at_work < last_close else target
    return ProtectionNeed(
        Need.REDUCE,
        held,
        price,
        order,
        f"stops rest for {held + surplus} shares and {held} are held: stop {order.order_id} gives "
        "way to what is held",
    )

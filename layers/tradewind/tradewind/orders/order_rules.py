"""What the broker takes as an order (Alpaca, 2026-08), known before anything is sent.

A request with a fault is never sent: some faults would be refused, others silently change the order
(a trail beside a stop price is dropped).
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from tradewind.orders.ids import MAX_CLIENT_ORDER_ID
from tradewind.orders.model import (
    OrderClass,
    OrderRequest,
    OrderType,
    ReplaceRequest,
    Side,
    TimeInForce,
)
from tradewind.orders.prices import tick_size

MOST_DECIMALS = 9  # of a fractional quantity
# A protective or profit leg keeps this distance, in USD, from the price it is measured against.
LEG_DISTANCE = Decimal("0.01")

_DAY_OR_GTC = frozenset({TimeInForce.DAY, TimeInForce.GTC})
# The prices that each type needs; any other price is a fault.
_PRICES: dict[OrderType, frozenset[str]] = {
    OrderType.MARKET: frozenset(),
    OrderType.LIMIT: frozenset({"limit_price"}),
    OrderType.STOP: frozenset({"stop_price"}),
    OrderType.STOP_LIMIT: frozenset({"limit_price", "stop_price"}),
    OrderType.TRAILING_STOP: frozenset(),
}


def fault_of(request: OrderRequest) -> str | None:
    """The first thing wrong with a new order, as a sentence; None when the broker may be asked."""
    return (
        _id_fault(request.client_order_id)
        or _quantity_fault(request)
        or _type_fault(request)
        or _class_fault(request)
        or _price_fault(
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            take_profit=request.take_profit,
            stop_loss=request.stop_loss,
            stop_loss_limit=request.stop_loss_limit,
            trail_price=request.trail_price,
        )
        or _distance_fault(request)
    )


def fault_of_replacement(request: ReplaceRequest) -> str | None:
    """The same for a replacement; what depends on the order it replaces is the broker's to say."""
    changes = (request.quantity, request.limit_price, request.stop_price, request.trail,
               request.time_in_force)  # fmt: skip
    if all(change is None for change in changes):
        return "a replacement changes something"
    if request.quantity is not None and not _is_positive(request.quantity):
        return f"quantity {request.quantity} is not above zero"
    if request.trail is not None and not _is_positive(request.trail):
        return f"trail {request.trail} is not above zero"
    return _id_fault(request.client_order_id) or _price_fault(
        limit_price=request.limit_price, stop_price=request.stop_price
    )


def is_whole(quantity: Decimal) -> bool:
    return quantity == quantity.to_integral_value()


def _id_fault(client_order_id: str) -> str | None:
    if not client_order_id or not client_order_id.isascii() or not client_order_id.isprintable():
        return "an order needs a client order id of plain characters"
    if len(client_order_id) > MAX_CLIENT_ORDER_ID:
        return f"the client order id is longer than {MAX_CLIENT_ORDER_ID} characters"
    return None


def _quantity_fault(request: OrderRequest) -> str | None:
    quantity = request.quantity
    if not _is_positive(quantity):
        return f"quantity {quantity} is not above zero"
    if is_whole(quantity):
        return None
    if quantity != round(quantity, MOST_DECIMALS):
        return f"quantity {quantity} has more than {MOST_DECIMALS} decimals"
    simple = request.order_class is OrderClass.SIMPLE
    trailing = request.order_type is OrderType.TRAILING_STOP
    if not simple or trailing or request.time_in_force is not TimeInForce.DAY:
        return f"a fraction of a share ({quantity}) takes a simple DAY order that does not trail"
    return None


def _type_fault(request: OrderRequest) -> str | None:
    kind, needed = request.order_type, _PRICES[request.order_type]
    given = {
        name
        for name, value in (
            ("limit_price", request.limit_price),
            ("stop_price", request.stop_price),
        )
        if value is not None
    }
    if request.order_class is OrderClass.OCO:
        # Its limit is the price of its profit leg, whether it is repeated or not.
        needed = needed & given
    if given != needed:
        return f"a {kind} order needs {_words(needed)} and has {_words(given)}"
    trails = [t for t in (request.trail_percent, request.trail_price) if t is not None]
    if len(trails) != (kind is OrderType.TRAILING_STOP):
        return "a trailing stop trails by a percentage or by USD, and no other order does"
    if not all(_is_positive(trail) for trail in trails):
        return f"trail {trails[0]} is not above zero"
    if request.trail_percent is not None and request.trail_percent >= 100:
        return f"a trail of {request.trail_percent} % never triggers"
    stops = kind not in (OrderType.MARKET, OrderType.LIMIT)
    if stops and request.time_in_force not in _DAY_OR_GTC:
        return f"a {kind} order is day or gtc, not {request.time_in_force}"
    return None


def _class_fault(request: OrderRequest) -> str | None:
    kind = request.order_class
    profit, loss = request.take_profit is not None, request.stop_loss is not None
    if request.stop_loss_limit is not None and not loss:
        return "a stop leg's limit needs the stop leg"
    if kind is OrderClass.SIMPLE:
        return "a simple order has no legs" if profit or loss else None
    if request.time_in_force not in _DAY_OR_GTC:
        return f"an order with legs is day or gtc, not {request.time_in_force}"
    if request.order_type is OrderType.TRAILING_STOP:
        return "a trailing stop is a simple order"
    if kind is OrderClass.OTO:
        return None if profit is not loss else "an oto order has exactly one leg"
    if not (profit and loss):
        return f"a {kind} order has a profit leg and a stop leg"
    if kind is OrderClass.OCO:
        if request.side is not Side.SELL:
            return "an oco order sells what is held"
        if request.order_type is not OrderType.LIMIT:
            return "an oco order is a limit order: its limit is the profit leg's"
        if request.limit_price not in (None, request.take_profit):
            return "an oco order's limit is its profit leg's"
    return None


def _price_fault(**prices: Decimal | None) -> str | None:
    for name, price in prices.items():
        if price is None:
            continue
        if not _is_positive(price):
            return f"{name} {price} is not above zero"
        if price % tick_size(price) != 0:
            return f"{name} {price} is no multiple of {tick_size(price)}"
    return None


def _distance_fault(request: OrderRequest) -> str | None:
    """Legs on the wrong side of their base price, or too near to it.

    The base of a market order is not known here; then the legs are measured against each other.
    """
    if request.order_class is OrderClass.SIMPLE:
        return None
    # Upwards for the legs of a purchase, which sell; an oco's own side sells already.
    up = 1 if request.side is Side.BUY or request.order_class is OrderClass.OCO else -1
    base = request.limit_price if request.limit_price is not None else request.stop_price
    if request.order_class is OrderClass.OCO:
        base = None
    profit, loss = request.take_profit, request.stop_loss
    ladder = [(name, price) for name, price in
              (("stop_loss", loss), ("the base price", base), ("take_profit", profit))
              if price is not None]  # fmt: skip
    for (low_name, low), (high_name, high) in pairwise(ladder):
        if (high - low) * up < LEG_DISTANCE:
            return f"{low_name} {low} is not {LEG_DISTANCE} from {high_name} {high}"
    return None


def _is_positive(value: Decimal) -> bool:
    return value.is_finite() and value > 0


def _words(names: frozenset[str] | set[str]) -> str:
    return " and ".join(sorted(names)) or "no price"

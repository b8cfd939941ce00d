"""A symbol's open orders as the procedures see them: whose they are and what they cover."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from tradewind.errors import PermanentError
from tradewind.orders.ids import is_ours, tag_of
from tradewind.orders.model import (
    BrokerOrder,
    OrderClass,
    OrderIntent,
    OrderStatus,
    OrderType,
    Side,
)
from tradewind.orders.ports import Broker

_STOPS = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)
_PAIRED = (OrderClass.BRACKET, OrderClass.OCO)
# Nobody knows whether a stop in one of these goes on protecting.
_LEAVING = frozenset({OrderStatus.PENDING_CANCEL, OrderStatus.UNRECOGNISED})


class NotOursError(PermanentError):
    """An intent names an order that is not one of ours, or not of the kind it is for."""


class GoneError(NotOursError):
    """An intent names an order that the broker does not know."""


def tag_at_broker(order: BrokerOrder, broker: Broker) -> str | None:
    """The deployment whose order this is, or whose order it is a leg of (legs carry the broker's
    ids); None for a foreign one."""
    tag = tag_of(order.client_order_id)
    if tag is not None:
        return tag
    parent = broker.parent_of(order)
    return tag_of(parent.client_order_id) if parent is not None else None


def open_orders_of_ours(intent: OrderIntent, broker: Broker) -> list[BrokerOrder]:
    """The open orders in the intent's symbol that its deployment placed, legs included."""
    tag = tag_of(intent.intent_id)
    return [
        order
        for order in broker.open_orders(intent.symbol)
        if tag is not None and tag_at_broker(order, broker) == tag
    ]


def traded_by_us(intent: OrderIntent, broker: Broker, since: datetime) -> bool:
    """Whether the intent's deployment has an order open in its symbol, or has sent one since: the
    shares of a symbol that is not traded any more may have lost their stop, and are ours."""
    if open_orders_of_ours(intent, broker):
        return True
    tag = tag_of(intent.intent_id)
    return tag is not None and any(
        order.symbol == intent.symbol and tag_of(order.client_order_id) == tag
        for order in broker.orders(since)
    )


def rival_order(intent: OrderIntent, broker: Broker) -> BrokerOrder | None:
    """An open order in the intent's symbol that another deployment placed on this account."""
    tag = tag_of(intent.intent_id)
    for order in broker.open_orders(intent.symbol):
        if tag_at_broker(order, broker) not in (None, tag):
            return order
    return None


def target_of(intent: OrderIntent, side: Side, broker: Broker) -> BrokerOrder:
    """The order an intent is about, once the broker has said that it is ours and of its kind.
    Raises GoneError when the broker does not know it, NotOursError when it is another one."""
    target = broker.order(intent.target_order_id) if intent.target_order_id else None
    if target is None:
        raise GoneError(
            f"the broker does not know order {intent.target_order_id} to {intent.kind} in "
            f"{intent.symbol}: it is not one of ours"
        )
    tag = tag_of(intent.intent_id) or ""
    if (
        target.symbol != intent.symbol
        or target.side is not side
        or not (is_ours(target.client_order_id, tag) or tag_at_broker(target, broker) == tag)
    ):
        raise NotOursError(
            f"order {intent.target_order_id} is not one of ours to {intent.kind} in {intent.symbol}"
        )
    return target


def is_protective(order: BrokerOrder) -> bool:
    """A stop, or a leg that rests beside one (the profit leg of a bracket)."""
    return order.side is Side.SELL and (
        order.order_type in _STOPS
        or order.parent_order_id is not None
        or order.order_class in (OrderClass.BRACKET, OrderClass.OCO, OrderClass.OTO)
    )


def covered(orders: Sequence[BrokerOrder]) -> Decimal:
    """How many shares working stops protect.

    The leg of an OTO is HELD until its entry has filled completely: until then, and for good if the
    entry is cancelled before, it protects nothing. The stop of a bracket or an OCO is HELD beside
    its profit leg, and protects.
    """
    return sum(
        (
            order.quantity - order.filled_quantity
            for order in orders
            if order.side is Side.SELL
            and order.order_type in _STOPS
            and order.status not in _LEAVING
            and (order.status is not OrderStatus.HELD or order.order_class in _PAIRED)
            and not order.status.is_final
        ),
        Decimal(0),
    )


def held(symbol: str, broker: Broker) -> Decimal:
    """Shares held; 0 for a symbol without a position."""
    for position in broker.positions():
        if position.symbol == symbol:
            return position.quantity
    return Decimal(0)

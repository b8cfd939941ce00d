"""Orders as the cases ask for them: one share of the market's symbol, good for the day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tradewind.errors import BrokerRejectedError
from tradewind.orders.model import (
    BrokerOrder,
    OrderClass,
    OrderRequest,
    OrderType,
    ReplaceRequest,
    Side,
    TimeInForce,
)

from tests.conformance.broker.clients import BrokerClient
from tests.conformance.broker.markets import Market

ONE = Decimal(1)
CENT = Decimal("0.01")


def limit_buy(market: Market, **changes: Any) -> OrderRequest:
    """Rests far below the market."""
    request = OrderRequest(
        client_order_id=market.new_id(),
        symbol=market.symbol,
        side=Side.BUY,
        quantity=ONE,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        limit_price=market.far_below(),
    )
    return replace(request, **changes)


def market_buy(market: Market, **changes: Any) -> OrderRequest:
    plain = {"order_type": OrderType.MARKET, "limit_price": None}
    return limit_buy(market, **{**plain, **changes})


def sell(market: Market, order_type: OrderType = OrderType.MARKET, **changes: Any) -> OrderRequest:
    plain = {"side": Side.SELL, "order_type": order_type, "limit_price": None}
    return limit_buy(market, **{**plain, **changes})


def bracket_buy(market: Market, **changes: Any) -> OrderRequest:
    """Rests far below the market, its legs around its own limit."""
    limit = market.far_below()
    legs = {
        "order_class": OrderClass.BRACKET,
        "limit_price": limit,
        "take_profit": market.far_above(),
        "stop_loss": limit - 1,
    }
    return limit_buy(market, **{**legs, **changes})


def oto_buy(market: Market, **changes: Any) -> OrderRequest:
    return bracket_buy(market, **{"order_class": OrderClass.OTO, "take_profit": None, **changes})


def change(market: Market, **changes: Any) -> ReplaceRequest:
    return ReplaceRequest(client_order_id=market.new_id(), **changes)


def refused(call: Callable[[], object]) -> tuple[int | None, int | None]:
    """Status and code of the refusal that a call meets."""
    with pytest.raises(BrokerRejectedError) as refusal:
        call()
    return refusal.value.status, refusal.value.code


def buy_one(client: BrokerClient, market: Market, **changes: Any) -> BrokerOrder:
    """Buy at the market, and be sure that it was bought."""
    market.needs_open_session()
    sent = client.submit(market_buy(market, **changes))
    assert market.until(lambda: status_of(client, sent.order_id) == "filled")
    order = client.order(sent.order_id)
    assert order is not None
    return order


def status_of(client: BrokerClient, order_id: str) -> str:
    order = client.order(order_id)
    assert order is not None
    return order.status


def cancel(client: BrokerClient, market: Market, order_id: str) -> None:
    """Cancel, and be sure that it was: a broker only promises to try."""
    client.cancel(order_id)
    assert market.until(lambda: status_of(client, order_id) == "canceled")


def legs_of(client: BrokerClient, market: Market, parent: BrokerOrder) -> dict[str, BrokerOrder]:
    """An order's legs by their type, as the list of orders shows them."""
    return {
        order.order_type: order
        for order in client.orders(market.begun)
        if order.parent_order_id == parent.order_id and order.status != "replaced"
    }

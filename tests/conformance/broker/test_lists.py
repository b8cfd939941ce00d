"""Lists that are longer than a page lose nothing and repeat nothing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.conformance.broker.asking import bracket_buy, buy_one, cancel, limit_buy, sell
from tests.conformance.broker.clients import BrokerClient
from tests.conformance.broker.markets import OPEN, Market


def test_every_order_is_listed_once(broker_client: BrokerClient, market: Market) -> None:
    sent = [broker_client.submit(limit_buy(market)) for _ in range(3)]
    cancel(broker_client, market, sent[0].order_id)
    listed = [
        order.order_id
        for order in broker_client.orders(market.begun)
        if market.is_ours(order.client_order_id)
    ]
    assert sorted(listed) == sorted(order.order_id for order in sent)
    still_open = {order.order_id for order in broker_client.open_orders(market.symbol)}
    assert {order.order_id for order in sent[1:]} <= still_open
    assert sent[0].order_id not in still_open


def test_open_orders_are_listed_however_old(broker_client: BrokerClient, market: Market) -> None:
    assert market.simulated
    old = broker_client.submit(limit_buy(market))
    market.at(5)
    new = broker_client.submit(limit_buy(market))
    since = OPEN + timedelta(minutes=4)
    assert {order.order_id for order in broker_client.orders(since)} == {
        old.order_id,
        new.order_id,
    }
    cancel(broker_client, market, old.order_id)
    assert [order.order_id for order in broker_client.orders(since)] == [new.order_id]


def test_more_orders_than_a_page(broker_client: BrokerClient, market: Market) -> None:
    """Simulated only: a real account's rate limit is not ours to use up. The clock moves between
    them: the list is paged by the time of submission."""
    assert market.simulated
    count = 520
    for number in range(count):
        market.at(1, second=number * 0.1)
        body = {
            "symbol": market.symbol,
            "qty": "1",
            "side": "buy",
            "type": "limit",
            "limit_price": "50",
            "time_in_force": "day",
            "client_order_id": f"{market.new_id()}",
        }
        assert market.call("POST", "/v2/orders", json=body).status_code == 200
    listed = [order.order_id for order in broker_client.orders(market.begun)]
    assert len(listed) == len(set(listed)) == count
    assert len(broker_client.open_orders(market.symbol)) == count


def test_more_fills_than_a_page(broker_client: BrokerClient, market: Market) -> None:
    market.simulated.limit_fills(Decimal(1))
    buy_one_by_one = limit_buy(market, quantity=Decimal(230), limit_price=Decimal(110))
    order = broker_client.submit(buy_one_by_one)
    market.at(60)
    fills = broker_client.fills(market.begun)
    assert len(fills) == len({fill.execution_id for fill in fills}) == 230
    assert sum(fill.quantity for fill in fills) == 230
    assert [fill.at for fill in fills] == sorted(fill.at for fill in fills)
    assert {fill.order_id for fill in fills} == {order.order_id}
    half = fills[115].at
    assert [fill.execution_id for fill in broker_client.fills(half)] == [
        fill.execution_id for fill in fills if fill.at > half
    ]


def test_a_fill_is_listed_with_its_order(broker_client: BrokerClient, market: Market) -> None:
    bought = buy_one(broker_client, market)
    (fill,) = [
        fill for fill in broker_client.fills(market.begun) if fill.order_id == bought.order_id
    ]
    assert (fill.symbol, fill.side, fill.quantity) == (bought.symbol, "buy", 1)
    assert fill.price == bought.filled_avg_price


def test_nested_and_flat_lists(broker_client: BrokerClient, market: Market) -> None:
    """Flat: every leg by itself. Nested: legs inside their entry, and nowhere else."""
    entry = broker_client.submit(bracket_buy(market))

    def listed(nested: str) -> list[dict[str, Any]]:
        query = {"status": "open", "nested": nested, "symbols": market.symbol, "limit": 500}
        orders: list[dict[str, Any]] = market.call("GET", "/v2/orders", params=query).json()
        return orders

    (parent,) = [order for order in listed("true") if order["id"] == entry.order_id]
    legs = {leg["id"] for leg in parent["legs"]}
    assert len(legs) == 2
    assert not legs & {order["id"] for order in listed("true")}
    flat = {order["id"]: order for order in listed("false")}
    assert legs <= set(flat)
    assert flat[entry.order_id]["legs"] is None


def test_the_leg_of_a_filled_entry_is_listed_by_itself(
    broker_client: BrokerClient, market: Market
) -> None:
    """Its entry is closed, so a nested list of open orders cannot show it inside."""
    assert market.simulated
    entry = broker_client.submit(
        bracket_buy(market, limit_price=Decimal(101), take_profit=Decimal(120))
    )
    shown = broker_client.open_orders(market.symbol)
    assert entry.order_id not in {order.order_id for order in shown}
    assert {order.order_type for order in shown} == {"limit", "stop"}


def test_symbols_and_sides_are_told_apart(broker_client: BrokerClient, market: Market) -> None:
    bought = broker_client.submit(limit_buy(market))
    other = broker_client.submit(limit_buy(market, symbol="MSFT", limit_price=Decimal(5)))
    assert bought.order_id in {o.order_id for o in broker_client.open_orders(market.symbol)}
    assert other.order_id not in {o.order_id for o in broker_client.open_orders(market.symbol)}
    cancel(broker_client, market, bought.order_id)
    cancel(broker_client, market, other.order_id)
    assert market.simulated
    buy_one(broker_client, market)
    sale = broker_client.submit(sell(market))
    assert [fill.side for fill in broker_client.fills(market.begun)] == ["buy", "sell"]
    assert sale.side == "sell"

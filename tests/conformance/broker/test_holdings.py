"""Shares and the orders that hold them."""

from __future__ import annotations

from decimal import Decimal

from tradewind.orders.model import OrderType, TimeInForce

from tests.conformance.broker.asking import (
    CENT,
    buy_one,
    cancel,
    limit_buy,
    market_buy,
    refused,
    sell,
)
from tests.conformance.broker.clients import BrokerClient
from tests.conformance.broker.markets import Market

FORBIDDEN = (403, 40310000)


def test_a_resting_sale_holds_its_shares(broker_client: BrokerClient, market: Market) -> None:
    buy_one(broker_client, market)
    resting = broker_client.submit(sell(market, OrderType.LIMIT, limit_price=market.far_above()))
    held = Decimal(_position(market)["qty"])
    another = sell(market, OrderType.LIMIT, limit_price=market.far_above(), quantity=held)
    assert refused(lambda: broker_client.submit(another)) == FORBIDDEN
    cancel(broker_client, market, resting.order_id)
    assert _position(market)["qty_available"] == _position(market)["qty"]


def test_the_refusal_names_the_figures(broker_client: BrokerClient, market: Market) -> None:
    assert market.simulated
    buy_one(broker_client, market)
    body = {
        "symbol": market.symbol,
        "qty": "3",
        "side": "sell",
        "type": "market",
        "time_in_force": "day",
    }
    answer = market.call("POST", "/v2/orders", json=body)
    assert answer.status_code == 403
    assert answer.json() == {
        "code": 40310000,
        "message": "insufficient qty available for order (requested: 3, available: 1)",
        "available": "1",
        "existing_qty": "1",
        "held_for_orders": "0",
        "symbol": market.symbol,
    }


def test_no_order_meets_another_of_ours(broker_client: BrokerClient, market: Market) -> None:
    """A wash trade: a sale at the market against a resting purchase, or a price that crosses."""
    buy_one(broker_client, market)
    broker_client.submit(limit_buy(market))
    assert refused(lambda: broker_client.submit(sell(market))) == FORBIDDEN
    crossing = sell(market, OrderType.LIMIT, limit_price=market.far_below() - CENT)
    assert refused(lambda: broker_client.submit(crossing)) == FORBIDDEN
    apart = sell(market, OrderType.LIMIT, limit_price=market.far_above())
    assert not broker_client.submit(apart).status.is_final


def test_a_purchase_against_a_resting_stop_is_a_wash_trade(
    broker_client: BrokerClient, market: Market
) -> None:
    buy_one(broker_client, market)
    broker_client.submit(
        sell(market, OrderType.STOP, stop_price=market.far_below(), time_in_force=TimeInForce.GTC)
    )
    assert refused(lambda: broker_client.submit(market_buy(market))) == FORBIDDEN


def test_a_stop_on_the_wrong_side_is_refused(broker_client: BrokerClient, market: Market) -> None:
    buy_one(broker_client, market)
    wrong = sell(market, OrderType.STOP, stop_price=market.far_above())
    assert refused(lambda: broker_client.submit(wrong)) == (422, 42210000)


def test_positions_and_fills_agree(broker_client: BrokerClient, market: Market) -> None:
    assert market.simulated
    before = broker_client.account()
    buy_one(broker_client, market, quantity=Decimal("2.5"))
    market.at(11)
    broker_client.submit(sell(market, quantity=Decimal("0.5")))
    (position,) = broker_client.positions()
    assert (position.quantity, position.avg_entry_price) == (2, 100)
    assert (position.current_price, position.unrealised_pnl) == (104, 8)
    after = broker_client.account()
    assert after.cash == before.cash - 250 + 52
    assert after.equity == after.cash + 208


def _position(market: Market) -> dict[str, str]:
    answer: dict[str, str] = market.call("GET", f"/v2/positions/{market.symbol}").json()
    return answer

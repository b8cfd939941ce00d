"""What time does to orders. Simulated only: nobody moves a real market's clock."""

from __future__ import annotations

from decimal import Decimal

from tradewind.orders.model import OrderType, TimeInForce

from tests.conformance.broker.asking import legs_of, limit_buy, oto_buy, status_of
from tests.conformance.broker.clients import BrokerClient
from tests.conformance.broker.markets import DAY, Market

LIVE = {"order_type": OrderType.MARKET, "limit_price": None, "stop_loss": Decimal(90)}


def test_a_day_order_dies_at_the_close(broker_client: BrokerClient, market: Market) -> None:
    assert market.simulated
    day = broker_client.submit(limit_buy(market))
    kept = broker_client.submit(limit_buy(market, time_in_force=TimeInForce.GTC))
    market.at(DAY - 1, second=59)
    assert status_of(broker_client, day.order_id) == "new"
    market.at(DAY, second=0)
    assert status_of(broker_client, day.order_id) == "expired"
    assert status_of(broker_client, kept.order_id) == "new"


def test_a_day_stop_leaves_its_shares_naked_at_the_close(
    broker_client: BrokerClient, market: Market
) -> None:
    """Why Tradewind's entries are gtc."""
    assert market.simulated
    entry = broker_client.submit(oto_buy(market, **LIVE))
    assert legs_of(broker_client, market, entry)["stop"].status == "new"
    market.at(DAY, second=0)
    assert legs_of(broker_client, market, entry)["stop"].status == "expired"
    assert broker_client.positions()[0].quantity == 1


def test_a_gtc_stop_outlives_the_close(broker_client: BrokerClient, market: Market) -> None:
    assert market.simulated
    entry = broker_client.submit(oto_buy(market, time_in_force=TimeInForce.GTC, **LIVE))
    market.at(DAY, second=0)
    assert legs_of(broker_client, market, entry)["stop"].status == "new"


def test_immediate_or_cancel_takes_what_is_there(
    broker_client: BrokerClient, market: Market
) -> None:
    market.simulated.limit_fills(Decimal(4))
    ten = {"quantity": Decimal(10), "limit_price": Decimal(101)}
    part = broker_client.submit(limit_buy(market, time_in_force=TimeInForce.IOC, **ten))
    nothing = broker_client.submit(limit_buy(market, time_in_force=TimeInForce.FOK, **ten))
    market.at(1)
    found = broker_client.order(part.order_id)
    assert found is not None
    assert (found.status, found.filled_quantity) == ("canceled", 4)
    found = broker_client.order(nothing.order_id)
    assert found is not None
    assert (found.status, found.filled_quantity) == ("canceled", 0)


def test_an_order_at_the_close_trades_there(broker_client: BrokerClient, market: Market) -> None:
    assert market.simulated
    sent = broker_client.submit(
        limit_buy(
            market, time_in_force=TimeInForce.CLS, order_type=OrderType.MARKET, limit_price=None
        )
    )
    market.at(DAY - 1, second=30)
    assert status_of(broker_client, sent.order_id) != "filled"
    market.at(DAY, second=0)
    assert status_of(broker_client, sent.order_id) == "filled"


def test_an_order_that_is_stuck_may_still_fill(broker_client: BrokerClient, market: Market) -> None:
    """``pending_cancel`` promises nothing."""
    market.simulated.stick_cancels(1)
    sent = broker_client.submit(limit_buy(market, limit_price=Decimal(97)))
    broker_client.cancel(sent.order_id)
    assert status_of(broker_client, sent.order_id) == "pending_cancel"
    market.at(21)
    assert status_of(broker_client, sent.order_id) == "filled"

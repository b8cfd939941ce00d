"""Entries with legs: when legs live, what they follow, and what may be changed."""

from __future__ import annotations

from decimal import Decimal

from tradewind.orders.model import OrderClass, OrderType, TimeInForce

from tests.conformance.broker.asking import (
    bracket_buy,
    buy_one,
    cancel,
    change,
    legs_of,
    limit_buy,
    market_buy,
    oto_buy,
    refused,
    sell,
    status_of,
)
from tests.conformance.broker.clients import BrokerClient
from tests.conformance.broker.markets import Market

TEN = Decimal(10)


def is_cancelled(client: BrokerClient, market: Market, order_id: str) -> bool:
    return market.until(lambda: status_of(client, order_id) == "canceled")


def test_legs_are_held_until_the_entry_fills(broker_client: BrokerClient, market: Market) -> None:
    """Their ids are the broker's, and nested lists show them inside the entry."""
    entry = broker_client.submit(bracket_buy(market))
    legs = legs_of(broker_client, market, entry)
    assert set(legs) == {"limit", "stop"}
    for leg in legs.values():
        assert (leg.status, leg.side, leg.quantity) == ("held", "sell", entry.quantity)
        assert not market.is_ours(leg.client_order_id)
        assert broker_client.order_by_client_id(leg.client_order_id) is not None
    assert {order.order_id for order in broker_client.open_orders(market.symbol)} >= {
        entry.order_id,
        *(leg.order_id for leg in legs.values()),
    }


def test_cancelling_the_entry_cancels_the_group(
    broker_client: BrokerClient, market: Market
) -> None:
    entry = broker_client.submit(bracket_buy(market))
    legs = legs_of(broker_client, market, entry)
    cancel(broker_client, market, entry.order_id)
    for leg in legs.values():
        assert is_cancelled(broker_client, market, leg.order_id)


def test_cancelling_a_leg_cancels_the_group(broker_client: BrokerClient, market: Market) -> None:
    entry = broker_client.submit(bracket_buy(market))
    legs = legs_of(broker_client, market, entry)
    cancel(broker_client, market, legs["stop"].order_id)
    for order_id in (entry.order_id, legs["limit"].order_id):
        assert is_cancelled(broker_client, market, order_id)


def test_an_otos_price_can_be_replaced_and_its_quantity_not(
    broker_client: BrokerClient, market: Market
) -> None:
    """Documented as unsupported; this is what was seen."""
    entry = broker_client.submit(oto_buy(market))
    lower = market.far_below("0.45")
    moved = broker_client.replace(entry.order_id, change(market, limit_price=lower))
    assert (moved.limit_price, moved.replaces) == (lower, entry.order_id)
    assert market.until(lambda: status_of(broker_client, entry.order_id) == "replaced")
    more = change(market, quantity=Decimal(2))
    status, _ = refused(lambda: broker_client.replace(moved.order_id, more))
    assert status in (403, 422)


def test_a_brackets_leg_can_be_replaced(broker_client: BrokerClient, market: Market) -> None:
    entry = broker_client.submit(bracket_buy(market))
    leg = legs_of(broker_client, market, entry)["stop"]
    assert leg.stop_price is not None
    request = change(market, stop_price=leg.stop_price - 1)
    moved = broker_client.replace(leg.order_id, request)
    assert (moved.stop_price, moved.replaces) == (leg.stop_price - 1, leg.order_id)
    assert market.until(
        lambda: legs_of(broker_client, market, entry)["stop"].order_id == moved.order_id
    )


def test_legs_come_alive_with_the_last_share_only(
    broker_client: BrokerClient, market: Market
) -> None:
    market.simulated.limit_fills(Decimal(4))
    entry = broker_client.submit(
        bracket_buy(
            market,
            quantity=TEN,
            limit_price=Decimal(101),
            take_profit=Decimal(120),
            stop_loss=Decimal(90),
        )
    )
    partly = broker_client.order(entry.order_id)
    assert partly is not None
    assert (partly.status, partly.filled_quantity) == ("partially_filled", 4)
    assert {leg.status for leg in legs_of(broker_client, market, entry).values()} == {"held"}
    assert broker_client.positions()[0].quantity == 4  # and nothing protects them
    market.at(1)
    filled = broker_client.order(entry.order_id)
    assert filled is not None
    assert filled.status == "filled"
    legs = legs_of(broker_client, market, entry)
    # Shares are held once: one leg is in the market, the other one waits beside it.
    assert "new" in {leg.status for leg in legs.values()}
    assert {leg.quantity for leg in legs.values()} == {TEN}


def test_a_leg_that_fills_cancels_the_other(broker_client: BrokerClient, market: Market) -> None:
    assert market.simulated
    entry = broker_client.submit(
        bracket_buy(
            market,
            order_type=OrderType.MARKET,
            limit_price=None,
            take_profit=Decimal(120),
            stop_loss=Decimal(98),
        )
    )
    market.at(21)  # at 96 since the twentieth minute
    legs = legs_of(broker_client, market, entry)
    assert (legs["stop"].status, legs["limit"].status) == ("filled", "canceled")
    assert legs["stop"].filled_avg_price == 96  # a stop is a market order once it is touched
    assert broker_client.positions() == []


def test_a_limit_leg_that_fills_cancels_the_stop(
    broker_client: BrokerClient, market: Market
) -> None:
    assert market.simulated
    entry = broker_client.submit(
        bracket_buy(
            market,
            order_type=OrderType.MARKET,
            limit_price=None,
            take_profit=Decimal(103),
            stop_loss=Decimal(90),
        )
    )
    market.at(11)  # at 104 since the tenth minute
    legs = legs_of(broker_client, market, entry)
    assert (legs["stop"].status, legs["limit"].status) == ("canceled", "filled")
    assert broker_client.positions() == []


def test_an_oco_sells_once(broker_client: BrokerClient, market: Market) -> None:
    assert market.simulated
    buy_one(broker_client, market)
    broker_client.submit(
        sell(
            market,
            OrderType.LIMIT,
            limit_price=Decimal(103),
            take_profit=Decimal(103),
            stop_loss=Decimal(98),
            order_class=OrderClass.OCO,
        )
    )
    assert len(broker_client.open_orders(market.symbol)) == 2
    market.at(11)
    assert broker_client.positions() == []
    assert broker_client.open_orders(market.symbol) == []
    market.at(21)
    assert broker_client.positions() == []


def test_cancelling_a_live_leg_leaves_the_position(
    broker_client: BrokerClient, market: Market
) -> None:
    """The trap: the group goes, the shares stay, and nothing protects them."""
    assert market.simulated
    entry = broker_client.submit(
        oto_buy(market, order_type=OrderType.MARKET, limit_price=None, stop_loss=Decimal(90))
    )
    stop = legs_of(broker_client, market, entry)["stop"]
    assert stop.status == "new"
    broker_client.cancel(stop.order_id)
    assert broker_client.open_orders(market.symbol) == []
    assert broker_client.positions()[0].quantity == 1


def test_a_live_stop_can_be_moved_up(broker_client: BrokerClient, market: Market) -> None:
    assert market.simulated
    entry = broker_client.submit(
        oto_buy(
            market,
            order_type=OrderType.MARKET,
            limit_price=None,
            stop_loss=Decimal(90),
            time_in_force=TimeInForce.GTC,
        )
    )
    stop = legs_of(broker_client, market, entry)["stop"]
    request = change(market, stop_price=Decimal(97))
    moved = broker_client.replace(stop.order_id, request)
    assert moved.client_order_id == request.client_order_id
    market.at(21)
    found = broker_client.order_by_client_id(request.client_order_id)
    assert found is not None
    assert (found.status, found.filled_avg_price) == ("filled", 96)


def test_a_trailing_stop_follows_the_best_price(
    broker_client: BrokerClient, market: Market
) -> None:
    assert market.simulated
    buy_one(broker_client, market)
    sent = broker_client.submit(
        sell(market, OrderType.TRAILING_STOP, trail_price=Decimal(5), time_in_force=TimeInForce.GTC)
    )
    assert sent.stop_price == 95
    market.at(15)  # at 104
    found = broker_client.order(sent.order_id)
    assert found is not None
    assert found.stop_price == 99
    market.at(21)  # at 96
    found = broker_client.order(sent.order_id)
    assert found is not None
    assert (found.status, found.filled_avg_price) == ("filled", 96)


def test_a_simple_order_is_replaced_by_another(broker_client: BrokerClient, market: Market) -> None:
    sent = broker_client.submit(limit_buy(market))
    request = change(market, limit_price=market.far_below("0.4"), quantity=Decimal(2))
    moved = broker_client.replace(sent.order_id, request)
    assert moved.order_id != sent.order_id
    assert (moved.client_order_id, moved.quantity) == (request.client_order_id, 2)
    assert market.until(lambda: status_of(broker_client, sent.order_id) == "replaced")
    again = change(market, limit_price=market.far_below("0.3"))
    assert refused(lambda: broker_client.replace(sent.order_id, again))[0] == 422


def test_what_is_over_can_be_neither_cancelled_nor_replaced(
    broker_client: BrokerClient, market: Market
) -> None:
    assert market.simulated
    bought = broker_client.submit(market_buy(market))
    assert refused(lambda: broker_client.cancel(bought.order_id)) == (422, 42210000)
    request = change(market, quantity=Decimal(2))
    assert refused(lambda: broker_client.replace(bought.order_id, request))[0] == 422

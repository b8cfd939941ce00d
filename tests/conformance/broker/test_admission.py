"""What the broker takes and what it refuses, one rule a row."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from decimal import Decimal as D

import pytest
from tradewind.orders.model import OrderClass, OrderRequest, OrderType, Side, TimeInForce

from tests.conformance.broker.asking import (
    CENT,
    bracket_buy,
    buy_one,
    limit_buy,
    oto_buy,
    refused,
    sell,
)
from tests.conformance.broker.clients import BrokerClient
from tests.conformance.broker.markets import Market

Ask = Callable[[Market], OrderRequest]
GTC, IOC = TimeInForce.GTC, TimeInForce.IOC
STOP, STOP_LIMIT, TRAIL = OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP

TAKEN: dict[str, Ask] = {
    "a limit": limit_buy,
    "a limit until cancelled": lambda m: limit_buy(m, time_in_force=GTC),
    "four decimals below a dollar": lambda m: limit_buy(m, limit_price=D("0.5001")),
    "a fraction of a share, DAY": lambda m: limit_buy(m, quantity=D("0.5")),
    "nine decimals of a share": lambda m: limit_buy(m, quantity=D("1.123456789")),
    "a stop above the market": lambda m: limit_buy(
        m, order_type=STOP, limit_price=None, stop_price=m.far_above()
    ),
    "a stop-limit above the market": lambda m: limit_buy(
        m, order_type=STOP_LIMIT, limit_price=m.far_above() + 1, stop_price=m.far_above()
    ),
    "a trailing stop by price": lambda m: limit_buy(
        m, order_type=TRAIL, limit_price=None, trail_price=m.far_below()
    ),
    "a trailing stop by percent": lambda m: limit_buy(
        m, order_type=TRAIL, limit_price=None, trail_percent=D(50), time_in_force=GTC
    ),
    "a bracket": bracket_buy,
    "a bracket until cancelled": lambda m: bracket_buy(m, time_in_force=GTC),
    "an entry with a stop behind it": oto_buy,
    "a stop-limit leg": lambda m: bracket_buy(m, stop_loss_limit=m.far_below() - 2),
    "a stop leg one cent below": lambda m: oto_buy(m, stop_loss=m.far_below() - CENT),
}


@pytest.mark.parametrize("name", TAKEN)
def test_taken(broker_client: BrokerClient, market: Market, name: str) -> None:
    request = TAKEN[name](market)
    sent = broker_client.submit(request)
    found = broker_client.order(sent.order_id)
    assert found is not None
    assert not found.status.is_final
    assert (found.order_type, found.quantity) == (request.order_type, request.quantity)
    assert found.limit_price == request.limit_price
    assert found.time_in_force == request.time_in_force
    assert found.order_class == request.order_class


UNPROCESSABLE = 42210000
# Codes where a refusal of Alpaca's is recorded; None: only the status is known.
REFUSED: dict[str, tuple[Ask, int, int | None]] = {
    "half a cent": (
        lambda m: limit_buy(m, limit_price=m.far_below() + CENT / 2),
        422,
        UNPROCESSABLE,
    ),
    "five decimals below a dollar": (
        lambda m: limit_buy(m, limit_price=D("0.50001")),
        422,
        UNPROCESSABLE,
    ),
    "half a cent of a stop": (
        lambda m: limit_buy(
            m, order_type=STOP, limit_price=None, stop_price=m.far_above() + CENT / 2
        ),
        422,
        UNPROCESSABLE,
    ),
    "a fraction until cancelled": (
        lambda m: limit_buy(m, quantity=D("0.5"), time_in_force=GTC),
        422,
        UNPROCESSABLE,
    ),
    "ten decimals of a share": (
        lambda m: limit_buy(m, quantity=D("1.0000000001"), limit_price=D("1.00")),
        422,
        None,
    ),
    "a fraction with legs": (lambda m: bracket_buy(m, quantity=D("1.5")), 422, None),
    "no share at all": (lambda m: limit_buy(m, quantity=D(0)), 422, None),
    "a stop that would trade at once": (
        lambda m: limit_buy(m, order_type=STOP, limit_price=None, stop_price=m.far_below()),
        422,
        UNPROCESSABLE,
    ),
    "a symbol that nobody lists": (lambda m: limit_buy(m, symbol="NOSUCHX"), 422, None),
    "more than there is money for": (
        lambda m: limit_buy(m, quantity=D(10_000_000)),
        403,
        40310000,
    ),
    "a bracket that is over at once": (lambda m: bracket_buy(m, time_in_force=IOC), 422, None),
    "a bracket without its profit": (lambda m: bracket_buy(m, take_profit=None), 422, None),
    "an entry with nothing behind it": (lambda m: oto_buy(m, stop_loss=None), 422, None),
    "a stop leg at the base price": (lambda m: oto_buy(m, stop_loss=m.far_below()), 422, None),
    "a stop leg above the base price": (
        lambda m: bracket_buy(m, stop_loss=m.far_below() + 1),
        422,
        None,
    ),
    "a profit leg below the base price": (
        lambda m: bracket_buy(m, take_profit=m.far_below() - CENT),
        422,
        None,
    ),
    "a trail that is over at once": (
        lambda m: limit_buy(
            m, order_type=TRAIL, limit_price=None, trail_percent=D(5), time_in_force=IOC
        ),
        422,
        None,
    ),
    "a trailing stop in a group": (
        lambda m: limit_buy(
            m,
            order_type=TRAIL,
            limit_price=None,
            trail_percent=D(5),
            order_class=OrderClass.OTO,
            stop_loss=m.far_below(),
        ),
        422,
        None,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(broker_client: BrokerClient, market: Market, name: str) -> None:
    ask, status, code = REFUSED[name]
    request = ask(market)
    given = refused(lambda: broker_client.submit(request))
    assert given == (status, code if code is not None else given[1])
    assert broker_client.order_by_client_id(request.client_order_id) is None


@pytest.mark.parametrize("quantity", ["1", "0.5"])
def test_nothing_is_sold_short(broker_client: BrokerClient, market: Market, quantity: str) -> None:
    """Simulated only: a paper account may be allowed to."""
    assert market.simulated
    given = refused(lambda: broker_client.submit(sell(market, quantity=Decimal(quantity))))
    assert given[0] == 403


def test_an_oco_needs_shares(broker_client: BrokerClient, market: Market) -> None:
    assert market.simulated
    request = sell(
        market,
        OrderType.LIMIT,
        limit_price=market.far_above(),
        take_profit=market.far_above(),
        stop_loss=market.far_below(),
        order_class=OrderClass.OCO,
    )
    assert refused(lambda: broker_client.submit(request)) == (422, UNPROCESSABLE)


def test_money_that_orders_may_cost_is_not_there_twice(
    broker_client: BrokerClient, market: Market
) -> None:
    account = broker_client.account()
    price = market.far_below()
    # Far below the market, and for most of the money: it will not trade.
    most = (account.buying_power * D("0.7") / price).to_integral_value()
    assert market.simulated
    first = broker_client.submit(limit_buy(market, quantity=most))
    assert broker_client.account().buying_power == account.buying_power - most * price
    assert refused(lambda: broker_client.submit(limit_buy(market, quantity=most)))[0] == 403
    broker_client.cancel(first.order_id)
    assert broker_client.account().buying_power == account.buying_power


def test_market_orders_of_one_share(broker_client: BrokerClient, market: Market) -> None:
    bought = buy_one(broker_client, market)
    assert (bought.side, bought.status) == (Side.BUY, "filled")
    sold = broker_client.submit(sell(market))
    found = broker_client.order(sold.order_id)
    assert found is not None
    assert (found.side, found.order_type) == (Side.SELL, OrderType.MARKET)

"""When an order trades and at what price: tiny days of flat minutes, whose every tick is known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from tradewind.market.bar import MINUTE, Bar

# One line per rule: the minutes' prices, what is sent in minute 0 at second 3, what trades when.
#   candles                  order                                          minute, price
RULES: list[tuple[list[Any], dict[str, object], tuple[int, str] | None]] = [
    # a market order trades at once, at the last tick
    (["100", "101"], {"type": "market"}, (0, "100")),
    # a limit that is marketable trades at once at the market's price, not at its own
    (["100", "101"], {"type": "limit", "limit_price": "100.30"}, (0, "100")),
    # ... exactly at the limit is marketable
    (["100", "101"], {"type": "limit", "limit_price": "100"}, (0, "100")),
    # a resting limit waits for a tick at or below it, and gets that tick's price
    (["100", "101", "99"], {"type": "limit", "limit_price": "99.50"}, (2, "99")),
    # ... and never trades when there is none
    (["100", "101", "99.51"], {"type": "limit", "limit_price": "99.50"}, None),
    # a buy stop trades at the first tick at or above it: here a gap beyond it
    (["100", "100.49", "102"], {"type": "stop", "stop_price": "100.50"}, (2, "102")),
    (["100", "100.50"], {"type": "stop", "stop_price": "100.50"}, (1, "100.50")),
]


@pytest.mark.parametrize(("candles", "fields", "expected"), RULES)
def test_buys(
    desk: Callable[..., Any],
    candles: list[Any],
    fields: dict[str, object],
    expected: tuple[int, str] | None,
) -> None:
    day = desk(*candles)
    day.at(0)
    order = day.buy(10, **fields)
    day.at(len(candles))
    if expected is None:
        assert (order.status, day.fills()) == ("new", [])
        return
    minute, price = expected
    assert day.fills() == [("buy", 10, Decimal(price))]
    assert order.status == "filled"
    assert order.filled_at is not None
    assert order.filled_at.replace(second=0, microsecond=0) == datetime(
        2020, 11, 12, 14, 30 + minute, tzinfo=UTC
    )


SELLS: list[tuple[list[Any], dict[str, object], tuple[str, str] | None]] = [
    # a sell stop trades at the first tick at or below it
    (["100", "99.01", "99"], {"type": "stop", "stop_price": "99"}, ("99", "filled")),
    # a gap through the stop: the tick's price, which is worse
    (["100", "99.50", "97.25"], {"type": "stop", "stop_price": "99"}, ("97.25", "filled")),
    (["100", "99.50", "99.01"], {"type": "stop", "stop_price": "99"}, None),
    # a resting sell limit
    (["100", "100.99", "101.20"], {"type": "limit", "limit_price": "101"}, ("101.20", "filled")),
    (["100", "100.99"], {"type": "limit", "limit_price": "101"}, None),
    # recorded prices have four decimals, and so have fills
    (["100", "99.0001", "98.9999"], {"type": "stop", "stop_price": "99"}, ("98.9999", "filled")),
]


@pytest.mark.parametrize(("candles", "fields", "expected"), SELLS)
def test_sells(
    desk: Callable[..., Any],
    candles: list[Any],
    fields: dict[str, object],
    expected: tuple[str, str] | None,
) -> None:
    day = desk(*candles)
    day.at(0)
    day.buy(10)
    order = day.sell(10, **fields)
    day.at(len(candles))
    if expected is None:
        assert (order.status, day.fills()[1:]) == ("new", [])
    else:
        price, status = expected
        assert day.fills()[1:] == [("sell", 10, Decimal(price))]
        assert order.status == status


def test_a_stop_inside_a_candle_trades_at_a_tick_between_the_low_and_the_stop(
    desk: Callable[..., Any],
) -> None:
    day = desk("100", ("100", "100.40", "98", "99.80"))
    day.at(0)
    day.buy(10)
    day.sell(10, type="stop", stop_price="99")
    day.at(2)
    ((_, _, price),) = day.fills()[1:]
    assert Decimal(98) <= price <= Decimal(99)


def test_nothing_trades_outside_the_session(desk: Callable[..., Any]) -> None:
    """An order sent before the opening waits as accepted and meets the session's first tick."""
    day = desk("103", "104")
    order = day.buy(1)
    assert order.status == "accepted"
    day.at(0, 0)  # the opening's first instant: no tick yet
    assert (order.status, day.fills()) == ("new", [])
    day.at(0, 1)
    assert day.fills() == [("buy", 1, Decimal("103"))]

    day.at(6 * 60 + 31)  # a minute after the close
    late = day.buy(1)
    assert late.status == "accepted"
    day.at(10 * 60)
    assert late.status == "accepted"


def test_a_tick_before_the_opening_fills_nothing(desk: Callable[..., Any]) -> None:
    """Extended-hours bars move the price, and only that."""
    day = desk("100")
    opening = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
    early = Bar("AAPL", opening - 5 * MINUTE, *(Decimal(90),) * 4, volume=1, feed="test")
    day.exchange.book.add([early])
    order = day.buy(1, type="limit", limit_price="95")
    day.exchange.advance(opening - MINUTE)
    assert day.exchange.price("AAPL") == 90
    assert (order.status, day.fills()) == ("accepted", [])


def test_fills_in_parts_when_each_tick_gives_few_shares(desk: Callable[..., Any]) -> None:
    day = desk("100", "101")
    day.exchange.shares_per_tick = Decimal(4)
    day.at(0)
    order = day.buy(10)
    assert (order.status, str(order.filled_qty)) == ("partially_filled", "4")
    day.at(1)
    assert order.status == "filled"
    assert [
        (str(fill.qty), str(fill.cum_qty), str(fill.leaves_qty)) for fill in day.exchange.fills
    ] == [("4", "4", "6"), ("4", "8", "2"), ("2", "10", "0")]


def test_a_triggered_stop_goes_on_as_a_market_order(desk: Callable[..., Any]) -> None:
    """The price recovers after the first part: the rest is sold all the same."""
    day = desk("100", "98.99", "105")
    day.at(0)
    day.buy(50)
    day.exchange.shares_per_tick = Decimal(1)
    stop = day.sell(50, type="stop", stop_price="99")
    day.at(1, 10)
    assert 0 < stop.filled_qty < 50
    day.at(2, 59)
    assert ("sell", 1, Decimal("105")) in day.fills()


def test_orders_of_two_symbols_trade_in_the_order_of_the_ticks(desk: Callable[..., Any]) -> None:
    day = desk(AAPL=["100", "90"], MSFT=["200", "190"])
    day.at(0)
    day.buy(1, symbol="AAPL", type="limit", limit_price="95")
    day.buy(1, symbol="MSFT", type="limit", limit_price="195")
    day.at(2)
    times = [fill.at for fill in day.exchange.fills]
    assert len(times) == 2
    assert times == sorted(times)

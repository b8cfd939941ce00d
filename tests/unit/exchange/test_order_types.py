"""Every order type and time in force: tiny days of flat minutes, whose every tick is known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from tradewind.market.bar import MINUTE
from tradewind_local.exchange.refusals import Refusal

from tests.unit.exchange.desk import OPEN, candle_bar

# The market minute by minute, what is sent in minute 0 at second 3 (a sale of ten shares that are
# held), what sells at which price, and how the order ends after the last minute.
#   candles                       order                                    fills          status
STOP_LIMITS = [
    # triggers, and the tick that triggers it is within the limit
    (["100", "98.90"], ("99", "98.50"), ["98.90"], "filled"),
    # a gap beyond the limit: it triggers and rests, and the market does not come back
    (["100", "98", "98.40"], ("99", "98.50"), [], "new"),
    # ... it does come back, above the stop even, because what rests is a limit order
    (["100", "98", "99.60"], ("99", "98.50"), ["99.60"], "filled"),
    # never triggers: a limit that the market is within trades nothing
    (["100", "99.01"], ("99", "98.50"), [], "new"),
]


@pytest.mark.parametrize(("candles", "prices", "fills", "status"), STOP_LIMITS)
def test_stop_limits(
    desk: Callable[..., Any],
    candles: list[str],
    prices: tuple[str, str],
    fills: list[str],
    status: str,
) -> None:
    day = desk(*candles)
    day.at(0)
    day.buy(10)
    stop, limit = prices
    order = day.sell(10, type="stop_limit", stop_price=stop, limit_price=limit)
    day.at(len(candles))
    assert day.fills()[1:] == [("sell", 10, Decimal(price)) for price in fills]
    assert order.status == status


def test_a_buy_stop_limit_triggers_above_and_rests_below(desk: Callable[..., Any]) -> None:
    day = desk("100", "103", "100.80")
    day.at(0)
    order = day.buy(1, type="stop_limit", stop_price="101", limit_price="101.50")
    day.at(2, 0)
    assert (order.status, order.triggered) == ("new", True)
    day.at(3)
    assert day.fills() == [("buy", 1, Decimal("100.80"))]


# The market, the trail, then the high-water mark and the stop that follow from it, and what sells.
TRAILS = [
    # the market only rises: the stop follows, two dollars behind
    (["100", "101", "103"], {"trail_price": "2"}, "103", "101", []),
    # a fall by less than the trail moves nothing
    (["100", "103", "101.01"], {"trail_price": "2"}, "103", "101", []),
    # a fall by the trail sells at the market
    (["100", "103", "101"], {"trail_price": "2"}, "103", "101", ["101"]),
    # a gap sells where the market is, not at the stop
    (["100", "103", "95"], {"trail_price": "2"}, "103", "101", ["95"]),
    # per cent of the mark, cut to the cent that is further away: 1.5 % of 101.11 is 1.51665
    (["100", "101.11", "99.60"], {"trail_percent": "1.5"}, "101.11", "99.59", []),
    # from the first moment on it trails the price it was sent at
    (["100", "98.99"], {"trail_percent": "1"}, "100", "99", ["98.99"]),
]


@pytest.mark.parametrize(("candles", "trail", "hwm", "stop", "fills"), TRAILS)
def test_trailing_stops(
    desk: Callable[..., Any],
    candles: list[str],
    trail: dict[str, str],
    hwm: str,
    stop: str,
    fills: list[str],
) -> None:
    day = desk(*candles)
    day.at(0)
    day.buy(10)
    order = day.sell(10, type="trailing_stop", **trail)
    day.at(len(candles))
    assert (order.hwm, order.stop_price) == (Decimal(hwm), Decimal(stop))
    assert day.fills()[1:] == [("sell", 10, Decimal(price)) for price in fills]


def test_a_trailing_buy_follows_the_market_down(desk: Callable[..., Any]) -> None:
    day = desk("100", "95", "97.01")
    day.at(0)
    order = day.buy(1, type="trailing_stop", trail_price="2")
    assert (order.hwm, order.stop_price) == (100, 102)
    day.at(3)
    assert (order.hwm, order.stop_price) == (95, 97)
    assert day.fills() == [("buy", 1, Decimal("97.01"))]


def test_the_trail_can_be_changed_until_it_triggers(desk: Callable[..., Any]) -> None:
    day = desk("100", "103", "102", "99")
    day.at(0)
    day.buy(10)
    old = day.sell(10, type="trailing_stop", trail_price="2")
    day.at(1)
    wider = day.replace(old, trail="3.50")
    assert (wider.hwm, wider.trail_price, wider.stop_price) == (
        103,
        Decimal("3.50"),
        Decimal("99.50"),
    )
    day.at(2)
    # a dollar behind 103 lies where the market is: it would sell at once
    with pytest.raises(Refusal, match="stop price must be less than current price"):
        day.replace(wider, trail="1")
    with pytest.raises(Refusal, match=r"invalid trail 1\.005\. sub-penny"):
        day.replace(wider, trail="1.005")
    with pytest.raises(Refusal, match="does not have this price"):
        day.replace(wider, stop_price="90")
    day.at(4)
    assert wider.status == "filled"
    simple = day.buy(1, type="limit", limit_price="90")
    with pytest.raises(Refusal, match="trail can only be changed"):
        day.replace(simple, trail="1")


# How many shares a tick gives, the order of ten, what it fills at once, how it ends.
AT_ONCE = [
    (None, {"time_in_force": "ioc"}, 10, "filled"),
    ("4", {"time_in_force": "ioc"}, 4, "canceled"),
    # nothing within the limit
    (None, {"time_in_force": "ioc", "type": "limit", "limit_price": "99.99"}, 0, "canceled"),
    (None, {"time_in_force": "fok"}, 10, "filled"),
    # all or nothing
    ("9", {"time_in_force": "fok"}, 0, "canceled"),
    ("10", {"time_in_force": "fok", "type": "limit", "limit_price": "100"}, 10, "filled"),
]


@pytest.mark.parametrize(("liquidity", "fields", "filled", "status"), AT_ONCE)
def test_immediate_orders_get_what_one_tick_gives(
    desk: Callable[..., Any],
    liquidity: str | None,
    fields: dict[str, str],
    filled: int,
    status: str,
) -> None:
    day = desk("100", "99")
    day.exchange.shares_per_tick = None if liquidity is None else Decimal(liquidity)
    day.at(0)
    order = day.buy(10, **fields)
    assert (order.filled_qty, order.status) == (filled, status)
    day.at(2)
    assert order.filled_qty == filled


def test_an_immediate_order_before_the_opening_meets_the_first_tick(
    desk: Callable[..., Any],
) -> None:
    day = desk("103", "104")
    day.exchange.shares_per_tick = Decimal(4)
    order = day.buy(10, time_in_force="ioc")
    assert order.status == "accepted"
    day.at(0, 59)
    assert (order.status, order.filled_qty) == ("canceled", 4)


# When it is sent (minutes from the opening; 390 is the close), what, and whether it is taken.
# 09:28 is minute -2, 15:50 minute 380, 19:00 minute 570.
WINDOWS = [
    (-3, "opg", True),
    (-1, "opg", False),
    (100, "opg", False),
    (569, "opg", False),
    (571, "opg", True),  # for tomorrow
    (-3, "cls", True),
    (379, "cls", True),
    (381, "cls", False),
    (569, "cls", False),
    (571, "cls", True),
]


@pytest.mark.parametrize(("minute", "time_in_force", "is_taken"), WINDOWS)
def test_auction_orders_are_taken_outside_their_windows_only(
    desk: Callable[..., Any], minute: int, time_in_force: str, is_taken: bool
) -> None:
    day = desk("100")
    day.at(minute, 0)
    if is_taken:
        assert day.buy(1, time_in_force=time_in_force).status in ("accepted", "new")
        return
    with pytest.raises(Refusal, match=f"{time_in_force} orders are not accepted between") as no:
        day.buy(1, time_in_force=time_in_force)
    assert (no.value.status, no.value.body["code"]) == (422, 42210000)


def test_the_window_of_a_half_day_closes_with_it(desk: Callable[..., Any]) -> None:
    """27 November 2020 ended at 13:00 New York."""
    day = desk("100")
    closes = datetime(2020, 11, 27, 18, 0, tzinfo=UTC)
    day.exchange.advance(closes - 11 * MINUTE)
    order = day.buy(1, type="limit", limit_price="1", time_in_force="cls")
    day.exchange.advance(closes - 9 * MINUTE)
    with pytest.raises(Refusal, match="between 12:50 and 19:00"):
        day.buy(1, time_in_force="cls")
    day.exchange.advance(closes)
    assert (order.status, order.expired_at) == ("expired", closes)


# For the opening or the close, what is sent, and what trades when the day went 103, 104, 105.
AUCTIONS = [
    # the first tick of the session
    ("opg", {}, ["103"], "filled"),
    ("opg", {"type": "limit", "limit_price": "103"}, ["103"], "filled"),
    # not at the first tick: cancelled, though 102 is paid later
    ("opg", {"type": "limit", "limit_price": "102.50"}, [], "canceled"),
    # the session's last tick, whatever was paid before
    ("cls", {}, ["102"], "filled"),
    ("cls", {"type": "limit", "limit_price": "103"}, ["102"], "filled"),
    ("cls", {"type": "limit", "limit_price": "101"}, [], "expired"),
]


@pytest.mark.parametrize(("time_in_force", "fields", "fills", "status"), AUCTIONS)
def test_auctions(
    desk: Callable[..., Any],
    time_in_force: str,
    fields: dict[str, str],
    fills: list[str],
    status: str,
) -> None:
    day = desk("103", "104", "102")
    order = day.buy(2, time_in_force=time_in_force, **fields)
    day.at(390, 0)
    assert day.fills() == [("buy", 2, Decimal(price)) for price in fills]
    assert order.status == status


def test_a_notional_order_buys_what_the_money_pays_for(desk: Callable[..., Any]) -> None:
    day = desk("103", "70")
    day.at(0)
    order = day.buy(None, notional="500")
    # 500 / 103 = 4.8543689320388…: cut, never rounded up
    assert order.filled_qty == order.qty == Decimal("4.854368932")
    assert day.fills() == [("buy", Decimal("4.854368932"), Decimal(103))]
    # sold for 100 USD at 70
    day.at(1)
    sale = day.sell(None, notional="100")
    assert sale.filled_qty == Decimal("1.428571428")


def test_a_notional_sale_never_sells_more_than_there_is(desk: Callable[..., Any]) -> None:
    """At 100 the notional is nine shares; when it meets the market it would be more than all."""
    day = desk("100", "50")
    day.at(0)
    day.buy(10)
    day.exchange.halt("AAPL")
    order = day.sell(None, notional="900")
    day.at(1, 0)
    day.exchange.resume("AAPL")
    day.at(2)
    assert (order.status, order.filled_qty) == ("filled", 10)
    assert day.positions["AAPL"].qty == 0


def test_fractions_of_a_share(desk: Callable[..., Any]) -> None:
    day = desk("100", "98")
    day.at(0)
    day.buy("1.123456789")
    stop = day.sell("0.5", type="stop", stop_price="99")
    limit = day.sell("0.5", type="stop_limit", stop_price="99", limit_price="98")
    with pytest.raises(Refusal, match="insufficient qty available"):
        day.sell("0.2")
    day.at(2)
    assert (stop.status, limit.status) == ("filled", "filled")
    assert day.positions["AAPL"].qty == Decimal("0.123456789")


def test_gtc_lives_over_a_half_day_and_day_dies_at_its_close(desk: Callable[..., Any]) -> None:
    day = desk("100")
    opens = datetime(2020, 11, 27, 14, 30, tzinfo=UTC)
    day.exchange.book.add([candle_bar("AAPL", opens, "100")])
    day.exchange.advance(opens + MINUTE)
    lives, dies = (
        day.buy(1, type="limit", limit_price="50", time_in_force=time_in_force)
        for time_in_force in ("gtc", "day")
    )
    day.exchange.advance(datetime(2020, 11, 27, 18, 0, tzinfo=UTC))
    assert (lives.status, dies.status) == ("new", "expired")


def test_prices_step_by_hundredths_of_a_cent_below_a_dollar(desk: Callable[..., Any]) -> None:
    day = desk("0.5000", "0.4990")
    day.at(0)
    day.buy(10)
    trail = day.sell(5, type="trailing_stop", trail_percent="1")
    assert trail.stop_price == Decimal("0.4950")
    assert day.sell(5, type="limit", limit_price="0.5001").limit_price == Decimal("0.5001")
    assert day.exchange.time > OPEN

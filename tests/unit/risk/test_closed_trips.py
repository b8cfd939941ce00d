"""Round trips out of the newest executions, counted back from what is held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

from tradewind.risk.closed_trips import RecentTrade, closed_trips

OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)


def bought(minute: int, quantity: int, price: str = "100", symbol: str = "AAPL") -> RecentTrade:
    at = OPEN + timedelta(minutes=minute)
    return RecentTrade(symbol, at, "buy", D(quantity), D(price), None, by_stop=False)


def sold(
    minute: int, quantity: int, price: str, profit: str, symbol: str = "AAPL", stop: bool = False
) -> RecentTrade:
    at = OPEN + timedelta(minutes=minute)
    return RecentTrade(symbol, at, "sell", D(quantity), D(price), D(profit), by_stop=stop)


def test_a_round_trip_in_one_go() -> None:
    (trip,) = closed_trips([bought(0, 10), sold(5, 10, "98.50", "-15", stop=True)], {})
    assert (trip.symbol, trip.closed_at, trip.by_stop) == ("AAPL", OPEN + timedelta(minutes=5), 1)
    assert trip.profit == D("-0.015")


def test_parts_add_up_and_the_last_sale_says_how_it_ended() -> None:
    trades = [bought(0, 4), bought(1, 6), sold(5, 3, "101", "3"),
              sold(6, 7, "98.50", "-10.50", stop=True)]  # fmt: skip
    (trip,) = closed_trips(trades, {})
    assert trip.profit == D("-7.5") / D(1000)
    assert trip.by_stop


def test_what_is_still_held_is_no_round_trip() -> None:
    assert closed_trips([bought(0, 10), sold(5, 4, "101", "4")], {"AAPL": D(6)}) == ()


def test_shares_bought_before_the_window_are_counted_back() -> None:
    (trip,) = closed_trips([sold(5, 10, "99", "-10")], {})
    assert trip.profit == D("-0.01")  # they cost 1000


def test_several_in_a_row_and_other_symbols_between() -> None:
    trades = [
        bought(0, 1), bought(0, 1, symbol="MSFT"), sold(1, 1, "101", "1"),
        sold(2, 1, "99", "-1", "MSFT"), bought(3, 1), sold(4, 1, "102", "2"), bought(5, 1),
    ]  # fmt: skip
    trips = closed_trips(trades, {"AAPL": D(1)})
    assert [(trip.symbol, trip.profit) for trip in trips] == [
        ("AAPL", D("0.01")), ("MSFT", D("-0.01")), ("AAPL", D("0.02")),
    ]  # fmt: skip

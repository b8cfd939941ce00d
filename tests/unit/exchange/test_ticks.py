"""The ticks inside a bar, and the prices and bars that the book answers with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, Bar
from tradewind_local.exchange.bar_book import BarBook
from tradewind_local.exchange.store import Store
from tradewind_local.exchange.ticks import tick_count, ticks_of

START = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    digits = draw(st.integers(0, 6))
    prices = st.integers(1, 10**6).map(lambda number: Decimal(number).scaleb(-digits))
    low, one, other, high = sorted(draw(st.lists(prices, min_size=4, max_size=4)))
    opened, close = draw(st.sampled_from([(one, other), (other, one)]))
    return Bar("AAPL", START, opened, high, low, close, draw(st.integers(0, 10**7)), "test")


@given(bars(), st.integers(0, 50))
def test_a_path_stays_in_its_bar_and_touches_its_four_prices(bar: Bar, seed: int) -> None:
    ticks = ticks_of(bar, seed)
    prices = [tick.price for tick in ticks]
    assert 20 <= len(ticks) == tick_count(bar, seed) <= 60
    assert (prices[0], prices[-1]) == (bar.open, bar.close)
    assert (min(prices), max(prices)) == (bar.low, bar.high)
    assert all(before.at < after.at for before, after in pairwise(ticks))
    # the first second has the open, so an order three seconds into the minute meets this bar
    assert START < ticks[0].at < START + timedelta(seconds=1)
    assert ticks[-1].at < START + MINUTE


def bar(minute: int, price: str, symbol: str = "AAPL") -> Bar:
    return Bar(symbol, START + minute * MINUTE, *(Decimal(price),) * 4, volume=1, feed="test")


def book(*given: Bar) -> BarBook:
    made = BarBook(Store(":memory:").connection, seed=1)
    made.add(given)
    return made


def test_paths_repeat_with_the_seed_and_differ_without() -> None:
    wide = Bar(
        "AAPL", START, Decimal(100), Decimal(103), Decimal(98), Decimal(101), volume=1, feed="test"
    )
    assert ticks_of(wide, 1) == ticks_of(wide, 1)
    assert len({tuple(ticks_of(wide, seed)) for seed in range(20)}) == 20
    # low first or high first: both happen
    prices = [[tick.price for tick in ticks_of(wide, seed)] for seed in range(20)]
    assert {path.index(Decimal(98)) < path.index(Decimal(103)) for path in prices} == {True, False}


def test_the_price_at_an_instant_is_the_last_tick_before_it() -> None:
    made = book(bar(0, "100"), bar(1, "101"), bar(5, "105"))
    prices = [
        (START, None),  # the first minute has not ticked yet
        (START + timedelta(seconds=1), "100"),
        (START + MINUTE, "100"),  # nor has the second one
        (START + MINUTE + timedelta(seconds=1), "101"),
        (START + 4 * MINUTE, "101"),  # minutes without trades
        (START + timedelta(days=1), "105"),
    ]
    for at, expected in prices:
        tick = made.last_tick("AAPL", at)
        assert (tick and str(tick.price)) == expected
    assert made.last_tick("MSFT", START + MINUTE) is None


def test_only_whole_minutes_are_complete_bars() -> None:
    made = book(bar(0, "100"), bar(1, "101"))
    for seconds, expected in [(59, None), (60, "100"), (119, "100"), (120, "101")]:
        found = made.latest_complete("AAPL", START + timedelta(seconds=seconds))
        assert (found and str(found.close)) == expected


def test_a_bar_that_was_given_never_changes() -> None:
    made = book(bar(0, "100"))
    assert made.add([bar(0, "100.00"), bar(1, "101")]) == 1  # equal values are the same bar
    with pytest.raises(InvalidInputError, match="is there already with other values"):
        made.add([bar(2, "102"), bar(0, "100.01")])
    with pytest.raises(InvalidInputError, match="is there already with other values"):
        made.add([bar(3, "103"), bar(3, "104")])
    with pytest.raises(InvalidInputError, match="a price is zero or negative"):
        made.add([bar(4, "0")])
    assert len(made) == 2


def test_recorded_digits_come_back_as_they_were() -> None:
    (found,) = book(bar(0, "119.1230")).bars("AAPL", START, START, 1)
    assert str(found.close) == "119.1230"

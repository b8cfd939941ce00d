"""Ticks and stops, to the cent."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.orders.prices import (
    ceil_to_tick,
    entry_limit,
    floor_to_tick,
    initial_stop,
    tick_size,
    trailing_stop,
)


@pytest.mark.parametrize(
    ("price", "floor", "ceiling"),
    [
        ("119.1234", "119.12", "119.13"),
        ("119.12", "119.12", "119.12"),  # on the tick: nothing moves
        ("1.00001", "1.00", "1.01"),  # from a dollar up: cents
        ("0.99999", "0.9999", "1.0000"),  # below: hundredths of a cent
        ("0.12345", "0.1234", "0.1235"),
    ],
)
def test_rounding_to_the_tick(price: str, floor: str, ceiling: str) -> None:
    assert floor_to_tick(D(price)) == D(floor)
    assert ceil_to_tick(D(price)) == D(ceiling)


def test_an_entry_may_pay_the_collar_and_rests_its_stop_below() -> None:
    # 0.3 % above 119.21 is 119.56763, 1.5 % below is 117.42185
    assert entry_limit(D("119.21")) == D("119.57")
    assert initial_stop(D("119.21")) == D("117.42")


@pytest.mark.parametrize(
    ("average", "high", "stop"),
    [
        ("100", None, "98.50"),  # nothing seen since the entry: the fixed stop
        ("100", "99.50", "98.50"),  # a lower high never lowers it
        ("100", "110", "108.35"),  # 1.5 % below the high
        ("100", "110.01", "108.35"),  # 108.35985 rounds down
    ],
)
def test_the_trailing_stop_follows_the_high(average: str, high: str | None, stop: str) -> None:
    assert trailing_stop(D(average), D(high) if high else None) == D(stop)


prices = st.decimals(min_value="0.01", max_value="10000", places=4)


@given(prices, prices, prices)
def test_a_higher_high_never_lowers_the_stop(average: D, high: D, higher: D) -> None:
    low, top = sorted((high, higher))
    assert trailing_stop(average, top) >= trailing_stop(average, low)


@given(prices)
def test_rounded_prices_are_whole_ticks_and_close_by(price: D) -> None:
    down, up = floor_to_tick(price), ceil_to_tick(price)
    assert down <= price <= up
    assert price - down < tick_size(price)
    assert up - price < tick_size(price)
    assert down % tick_size(price) == 0

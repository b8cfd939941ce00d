"""Thinning, the axis of trading time, figures in words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tradewind.backtest.arrays import PRICE_SCALE, BarArrays, arrays_of
from tradewind.market.session_table import default_table
from tradewind_local.backtest_report.clock import clock_of
from tradewind_local.backtest_report.thinning import candles, kept_points
from tradewind_local.backtest_report.words import NOTHING, percent, ratio, shares, usd
from tradewind_local.exchange.simulated_market import simulated_bars


def simulated(first: date, last: date) -> BarArrays:
    calendar = default_table()
    bars = simulated_bars(["SIM"], list(calendar.between(first, last)), seed=3)
    return arrays_of("SIM", bars, calendar)


# -- thinning -------------------------------------------------------------------------------------


@given(
    arrays(np.float64, st.integers(1, 400), elements=st.floats(-1e6, 1e6)),
    st.integers(4, 100),
)
def test_ends_and_extremes_stay(values: np.ndarray, most: int) -> None:
    kept = kept_points(values, most)
    assert (np.diff(kept) > 0).all()
    assert {0, len(values) - 1} <= set(kept.tolist())
    assert values[kept].min() == values.min()
    assert values[kept].max() == values.max()
    assert len(kept) <= max(most + 4, min(len(values), most))


@pytest.mark.parametrize("most", [1, 7, 100, 10_000])
def test_candles_hold_the_extremes_of_each_session(most: int) -> None:
    # The second session is a half-day: 390 and 210 minutes.
    bars = simulated(date(2020, 11, 25), date(2020, 11, 27))
    made = candles(bars, most)
    session = bars.session[made["bar"].astype(int)]
    for number in (0, 1):
        own = bars.session == number
        mine = session == number
        assert made["open"][mine][0] * PRICE_SCALE == pytest.approx(bars.open[own][0])
        assert made["close"][mine][-1] * PRICE_SCALE == pytest.approx(bars.close[own][-1])
        assert made["high"][mine].max() * PRICE_SCALE == pytest.approx(bars.high[own].max())
        assert made["low"][mine].min() * PRICE_SCALE == pytest.approx(bars.low[own].min())
    assert len(made["bar"]) <= min(len(bars), most + len(bars.session_dates))
    if most >= len(bars):
        assert (made["bar"] == np.arange(len(bars))).all()


# -- the axis of trading time ---------------------------------------------------------------------


def test_sessions_follow_each_other_also_over_a_half_day_and_a_change_of_clocks() -> None:
    # Friday to Monday around 2020-11-01, when New York went from UTC-4 to UTC-5.
    bars = simulated(date(2020, 10, 30), date(2020, 11, 2))
    clock = clock_of(bars.start, bars.session, bars.session_dates)
    assert (clock.places(bars.start) == np.arange(780)).all()
    edges = bars.start[[0, 389, 390, 779]]
    assert clock.texts(edges) == [
        "2020-10-30 09:30", "2020-10-30 15:59", "2020-11-02 09:30", "2020-11-02 15:59",
    ]  # fmt: skip
    half = simulated(date(2020, 11, 27), date(2020, 11, 30))
    clock = clock_of(half.start, half.session, half.session_dates)
    assert clock.as_json()["place"] == [0, 210]


def test_a_minute_without_a_bar_keeps_its_place() -> None:
    start = int(datetime(2020, 11, 9, 14, 30, tzinfo=UTC).timestamp())
    time = np.array([start, start + 60, start + 300], np.int64)
    clock = clock_of(time, np.zeros(3, np.int32), [date(2020, 11, 9)])
    assert clock.places(time).tolist() == [0, 1, 5]


@given(st.integers(0, 1000))
def test_a_clock_over_a_year_knows_every_session(seed: int) -> None:
    calendar = default_table()
    day = date(2019, 1, 2) + timedelta(days=seed)
    sessions = list(calendar.between(day, day + timedelta(days=30)))
    starts = [int(one.open.timestamp()) for one in sessions]
    time = np.array([moment for start in starts for moment in (start, start + 60)], np.int64)
    number = np.repeat(np.arange(len(sessions)), 2).astype(np.int32)
    clock = clock_of(time, number, [one.date for one in sessions])
    assert clock.texts(np.array(starts, np.int64)) == [f"{one.date} 09:30" for one in sessions]


# -- words ----------------------------------------------------------------------------------------


WORDS = [
    (percent(None), NOTHING),
    (percent(0.12345), "12.35 %"),
    (percent(0.12345, signed=True), "+12.35 %"),
    (percent(-0.00001, signed=True), "-0.00 %"),
    (percent(12345.6), "1,234,560 %"),
    (ratio(None), NOTHING),
    (ratio(-1.005), "-1.00"),
    (usd(1234.5, signed=True), "+1,234.50"),
    (usd(None), NOTHING),
    (shares(12.0), "12"),
    (shares(0.125), "0.125"),
    (shares(1200.0), "1,200"),
]


@pytest.mark.parametrize(("said", "expected"), WORDS)
def test_words(said: str, expected: str) -> None:
    assert said == expected

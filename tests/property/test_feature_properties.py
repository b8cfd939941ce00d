"""What holds for the features of any bars that can be true."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.features.definition import FEATURE_BARS, LIMIT
from tradewind.features.indicators import compute_indicators
from tradewind.features.windows import feature_window
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session_table import default_table

MINUTES = [
    session.open + i * MINUTE
    for session in default_table().between(date(2020, 11, 25), date(2020, 11, 27))
    for i in range(session.minutes)
]


@st.composite
def bar_series(draw: st.DrawFn) -> list[Bar]:
    """250 bars of a drawn temper: from prices that never move to ones that jump tenfold, from
    fractions of a cent to tens of thousands, with and without volume."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    price = draw(st.sampled_from([0.0123, 1.0, 99.99, 54321.0]))
    jump = draw(st.sampled_from([0.0, 0.0005, 0.02, 1.0]))
    still = draw(st.sampled_from([0.0, 0.5, 0.99]))
    volume = draw(st.sampled_from([0, 1, 10**6, 10**12]))
    bars = []
    for start in MINUTES[-250:]:
        opened = price
        if rng.random() >= still:
            price = min(max(price * (1 + jump) ** rng.uniform(-1, 1), 0.0001), 1e6)
        low, high = sorted((opened, price))
        first, top, bottom, last = (Decimal(f"{v:.4f}") for v in (opened, high, low, price))
        bars.append(Bar("X", start, first, top, bottom, last, rng.randint(0, volume), "file"))
    return bars


@settings(max_examples=60)
@given(bar_series())
def test_windows_are_finite_bounded_and_a_function_of_the_last_bars(bars: list[Bar]) -> None:
    session_of = default_table().session_of
    window = feature_window(bars, session_of)
    truncated = feature_window(bars[-FEATURE_BARS:], session_of)
    assert window is not None
    assert truncated is not None
    assert np.isfinite(window).all()
    assert np.abs(window).max() <= LIMIT
    assert np.array_equal(window, truncated)


@settings(max_examples=60)
@given(bar_series())
def test_indicators_are_finite_and_a_function_of_the_last_bars(bars: list[Bar]) -> None:
    values = compute_indicators(bars)
    assert values == compute_indicators(bars[-FEATURE_BARS:])
    assert all(value.value.is_finite() for value in values)
    by_name = {value.indicator_name: value.value for value in values}
    assert 0 <= by_name["RSI_14"] <= 100
    assert by_name["ATR_14"] >= 0
    closes = [bar.close for bar in bars[-50:]]
    # exactly, for six decimals: the averages lie between the closes they average
    margin = Decimal("0.000001") + max(closes) / 10**12
    assert min(closes) - margin <= by_name["SMA_50"] <= max(closes) + margin

"""A series of bars is the list of the same bars, whoever looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tradewind.features.arrays import block_of
from tradewind.features.definition import FEATURE_BARS
from tradewind.market.adjustment import FactorTable, SplitFactor
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.bar_series import (
    BarSeries,
    closes_of,
    highs_of,
    lows_of,
    starts_of,
    volumes_of,
)
from tradewind.strategies.protocol import MarketView
from tradewind.strategies.sma_crossover import SmaCrossover

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)

# Any digits, trailing zeros among them; and few levels, so that averages tie and cross.
PRICES = st.decimals("0.0001", "99999", allow_nan=False) | st.sampled_from(
    [Decimal(text) for text in ("100", "100.0", "100.01", "100.020", "0.12345678901234567890")]
)
BARS = st.lists(
    st.builds(
        lambda gap, prices, volume, feed: (gap, prices, volume, feed),
        st.integers(1, 900),
        st.tuples(PRICES, PRICES, PRICES, PRICES),
        st.integers(0, 2**62),
        st.sampled_from(["iex", "sip", "file"]),
    ),
    max_size=12,
).map(lambda rows: bars_of(rows))


def bars_of(rows: Sequence[tuple[int, tuple[Decimal, ...], int, str]]) -> list[Bar]:
    bars, start = [], START
    for gap, prices, volume, feed in rows:
        start += gap * MINUTE
        bars.append(Bar("X", start, *prices, volume, feed))
    return bars


def series_of(bars: Sequence[Bar]) -> BarSeries:
    return BarSeries(
        "X",
        [str((bar.start - EPOCH) // MINUTE) for bar in bars],
        [str(bar.open) for bar in bars],
        [str(bar.high) for bar in bars],
        [str(bar.low) for bar in bars],
        [str(bar.close) for bar in bars],
        [str(bar.volume) for bar in bars],
        [bar.feed for bar in bars],
    )


def written(bars: Sequence[Bar]) -> list[str]:
    """With every digit: 1.0 is another text than 1.00, though an equal number."""
    return [repr(bar) for bar in bars]


@given(BARS, st.slices(12))
def test_it_holds_the_same_bars_digit_for_digit(bars: list[Bar], part: slice) -> None:
    series = series_of(bars)
    assert len(series) == len(bars)
    assert written(series) == written(bars)
    assert [repr(series[i]) for i in range(-len(bars), len(bars))] == written(bars) * 2
    assert written(series[part]) == written(bars[part])
    assert isinstance(series[part], BarSeries)


@given(BARS)
def test_its_columns_are_those_of_its_bars(bars: list[Bar]) -> None:
    series = series_of(bars)
    for column in (starts_of, highs_of, lows_of, closes_of, volumes_of):
        assert repr(column(series)) == repr(column(bars))


@given(BARS, BARS)
def test_it_equals_what_has_equal_bars(bars: list[Bar], others: list[Bar]) -> None:
    series = series_of(bars)
    assert series == bars
    assert bars == series
    assert series == series_of(bars)
    assert (series == others) is (series_of(others) == series) is (bars == others)


@given(BARS, st.integers(2, 4), st.integers(1, 4), st.booleans())
def test_the_crossover_decides_the_same(
    bars: list[Bar], fast: int, longer: int, holding: bool
) -> None:
    strategy = SmaCrossover(fast, fast + longer)
    minute = bars[-1].start if bars else START
    of_list, of_series = (
        MarketView("X", minute, seen, None, holding) for seen in (bars, series_of(bars))
    )
    assert of_series.closes == of_list.closes
    assert strategy.decide(of_series) == strategy.decide(of_list)


@given(BARS, st.sampled_from(["X", "Y"]), st.integers(0, 8))
def test_splits_adjust_it_as_a_list(bars: list[Bar], symbol: str, days: int) -> None:
    effective = date.fromordinal(START.toordinal() + days)
    table = FactorTable([SplitFactor(symbol, effective, Decimal(7), Decimal(2), EPOCH)])
    decision = START.replace(day=30)
    adjusted = table.adjusted(series_of(bars), decision)
    assert written(adjusted) == written(table.adjusted(bars, decision))
    # Without a factor no bar is made.
    assert isinstance(adjusted, BarSeries) is (symbol == "Y")


@given(st.lists(st.tuples(PRICES, PRICES, PRICES, PRICES), min_size=1, max_size=5))
def test_features_read_the_same_numbers(prices: list[tuple[Decimal, ...]]) -> None:
    bars = bars_of([(1, prices[i % len(prices)], 100 + i, "iex") for i in range(FEATURE_BARS + 3)])
    of_list, of_series = block_of({"X": bars}), block_of({"X": series_of(bars)})
    assert of_series.starts == of_list.starts
    for column in ("high", "low", "close", "volume"):
        ours, theirs = getattr(of_series.prices, column), getattr(of_list.prices, column)
        assert ours.tobytes() == theirs.tobytes()

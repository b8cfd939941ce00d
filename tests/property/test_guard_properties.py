"""What holds for the overfitting guards on any returns, windows and signals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as numpy_arrays
from numpy.typing import NDArray
from tradewind.backtest.arrays import BarArrays, arrays_of
from tradewind.backtest.look_ahead import look_ahead_of_signals
from tradewind.backtest.overfitting import (
    TrackRecord,
    deflated_sharpe,
    minimum_track_record,
    overfitting_probability,
    probabilistic_sharpe,
)
from tradewind.backtest.walk_forward import Start, windows

from tests.unit.backtest.invented import CALENDAR, FULL_DAY, at, day

RATIOS = st.floats(-2, 2)
SKEWS = st.floats(-3, 3)
RECORDS = st.builds(
    lambda sharpe, sessions, skew, more: TrackRecord(sharpe, sessions, skew, 1 + skew**2 + more),
    RATIOS, st.integers(2, 5_000), SKEWS, st.floats(0, 20),
)  # fmt: skip
# Few levels, so that equal returns and trials that never vary are common.
TABLES = numpy_arrays(
    np.float64, st.tuples(st.integers(8, 30), st.integers(2, 7)),
    elements=st.sampled_from((-0.02, -0.01, 0.0, 0.0, 0.01, 0.03)),
)  # fmt: skip


@given(RECORDS, RATIOS, RATIOS, st.integers(1, 10_000), st.floats(0, 1))
def test_probabilities_of_a_record(
    record: TrackRecord, one: float, other: float, trials: int, variance: float
) -> None:
    low, high = sorted((one, other))
    assert 0 <= probabilistic_sharpe(record, high) <= probabilistic_sharpe(record, low) <= 1
    deflated = deflated_sharpe(record, trials, variance)
    assert deflated <= probabilistic_sharpe(record)
    assert deflated_sharpe(record, trials + 1, variance) <= deflated + 1e-12


@given(RECORDS, st.sampled_from((0.9, 0.95, 0.99)))
def test_the_minimum_length_is_the_least(record: TrackRecord, confidence: float) -> None:
    needed = minimum_track_record(record, confidence=confidence)
    if needed is None:
        assert record.sharpe < 1e-150
        return
    if not 3 < needed < 1e12:
        return
    longer = replace(record, sessions=math.ceil(needed) + 1)
    shorter = replace(record, sessions=math.floor(needed) - 1)
    assert probabilistic_sharpe(shorter) < confidence < probabilistic_sharpe(longer)


@settings(max_examples=60)
@given(TABLES, st.sampled_from((2, 4)), st.randoms())
def test_overfitting_does_not_depend_on_scale(
    returns: NDArray[np.float64], blocks: int, draw: object
) -> None:
    """Twice the size is the same Sharpe ratio; any table gives finite figures."""
    result = overfitting_probability(returns, blocks=blocks)
    assert 0 <= result.probability <= 1
    assert 0 <= result.probability_of_loss <= 1
    assert 0 <= result.r_squared <= 1 + 1e-9
    figures = (result.logits, result.in_sample, result.out_of_sample)
    for column in figures:
        assert len(column) == math.comb(blocks, blocks // 2)
        assert np.isfinite(column).all()
    assert np.abs(result.logits).max() <= math.log(result.trials) + 1e-9
    doubled = overfitting_probability(returns * 2, blocks=blocks)
    assert list(doubled.logits) == list(result.logits)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from((4, 6)))
def test_overfitting_does_not_depend_on_the_order_of_trials(seed: int, blocks: int) -> None:
    draw = np.random.default_rng(seed)
    returns = draw.normal(0, 0.01, (24, 6))
    result = overfitting_probability(returns, blocks=blocks)
    shuffled = overfitting_probability(draw.permutation(returns, axis=1), blocks=blocks)
    assert list(shuffled.logits) == list(result.logits)
    assert shuffled.out_of_sample.tolist() == result.out_of_sample.tolist()


@given(
    st.integers(1, 200), st.integers(0, 10), st.integers(2, 40), st.integers(1, 40),
    st.sampled_from(Start),
)  # fmt: skip
def test_windows_never_see_what_they_trade(
    sessions: int, history: int, within: int, out: int, start: Start
) -> None:
    if history + within >= sessions:
        return
    found = windows(sessions, history, within, out, start)
    traded = [number for one in found for number in range(one.end, one.last_end)]
    assert traded == list(range(history + within, sessions))
    for one in found:
        assert history <= one.first < one.end < one.last_end
        assert one.end - one.first == within or start is Start.ANCHORED
        assert one.last_end - one.end <= out


@dataclass(frozen=True)
class Flagged:
    enter: NDArray[np.bool_]
    leave: NDArray[np.bool_]


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 4), min_size=30, max_size=30),
    st.none() | st.integers(0, 28),
    st.integers(1, 3),
)
def test_a_planted_leak_is_found_at_its_minute(
    levels: list[int], leak: int | None, ahead: int
) -> None:
    """Signals on the past alone, but in one minute, where they hang on whether a bar comes."""
    bars = day(
        {n: (str(100 + n_), str(105), str(99), str(100 + n_)) for n, n_ in enumerate(levels)}
    )
    arrays = arrays_of("AAPL", [bar for bar in bars if bar.start < at(30, FULL_DAY)], CALENDAR)

    def make(known: BarArrays) -> Flagged:
        enter = np.append(False, known.close[1:] > known.close[:-1])
        leave = known.close < np.maximum.accumulate(known.close)
        if leak is not None and leak + ahead < len(known):
            leave[leak] = not leave[leak]
        return Flagged(enter, leave)

    found = look_ahead_of_signals(arrays, make, sample=None).difference
    if leak is None or leak + ahead >= 30:
        assert found is None
    else:
        assert found is not None
        assert found.minute == at(leak)

"""Planted leaks are found at their first minute; what Tradewind ships has none."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal as D
from functools import partial
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray
from tradewind.backtest.arrays import BarArrays, arrays_of
from tradewind.backtest.look_ahead import (
    Cause,
    Difference,
    LookAhead,
    look_ahead_of_signals,
    look_ahead_of_strategy,
)
from tradewind.backtest.signals import signals_of
from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, Bar
from tradewind.prediction.model import Prediction, Trend
from tradewind.strategies.decision import Action
from tradewind.strategies.ensemble import EnsembleAll
from tradewind.strategies.lstm_trend import LstmTrend
from tradewind.strategies.protocol import MarketView, Strategy, Wish
from tradewind.strategies.sma_crossover import SmaCrossover

from tests.unit.backtest.invented import CALENDAR, FULL_DAY, at

Flags = NDArray[np.bool_]


def walk(minutes: int = FULL_DAY.minutes, seed: int = 1) -> list[Bar]:
    """A random walk in cents over the first minutes of a session."""
    draw = random.Random(seed)
    cents, bars = 10_000, []
    for minute in range(minutes):
        opened = D(cents) / 100
        cents += draw.randint(-5, 5)
        closed = D(cents) / 100
        high, low = max(opened, closed), min(opened, closed)
        bars.append(Bar("AAPL", at(minute), opened, high, low, closed, 1000, "file"))
    return bars


def jumps(*minutes: int) -> list[Bar]:
    """Still at 100 USD, but for minutes that close a USD above the one before."""
    closes = [D(100) + sum(minute <= now for minute in minutes) for now in range(60)]
    return [
        Bar("AAPL", at(now), close, close, close, close, 1000, "file")
        for now, close in enumerate(closes)
    ]


@dataclass(frozen=True)
class Made:
    """A strategy that was made of bars, and enters where ``enters`` says so of them."""

    bars: Sequence[Bar]
    enters: Callable[[Sequence[Bar], int], bool]
    name: str = "made"
    bars_needed: int = 1
    needs_prediction: bool = False

    def decide(self, view: MarketView) -> Wish:
        if view.holding:
            return Wish(Action.HOLD, "hold", "as told")
        number = next(n for n, bar in enumerate(self.bars) if bar.start == view.minute)
        if self.enters(self.bars, number):
            return Wish(Action.ENTER, "in", "as told")
        return Wish(Action.WAIT, "out", "as told")


def made(enters: Callable[[Sequence[Bar], int], bool]) -> Callable[[Sequence[Bar]], Strategy]:
    return lambda bars: Made(bars, enters)


def rises_next(bars: Sequence[Bar], number: int) -> bool:
    return number + 1 < len(bars) and bars[number + 1].close > bars[number].close


def rises_next_unchecked(bars: Sequence[Bar], number: int) -> bool:
    return bars[number + 1].close > bars[number].close


def below_the_mean_of_all(bars: Sequence[Bar], number: int) -> bool:
    return bars[number].close < sum(bar.close for bar in bars) / len(bars)


def rose(bars: Sequence[Bar], number: int) -> bool:
    return number > 0 and bars[number].close > bars[number - 1].close


def first_minute(found: LookAhead) -> int | None:
    if found.difference is None:
        return None
    return (found.difference.minute - FULL_DAY.open) // MINUTE


LEAKS = [
    # what it does; the bars, the first minute that it decides otherwise without the future
    ("enters before a rise", rises_next, jumps(30, 40), 29),
    ("looks for a bar that is not there yet", rises_next_unchecked, jumps(30, 40), 0),
    # With minute 0 alone the mean is its close; so it is until the first jump of three.
    ("knows the mean of the whole history", below_the_mean_of_all, jumps(30, 40), 0),
    ("sees what has happened", rose, jumps(30, 40), None),
]


@pytest.mark.parametrize("sample", [None, 4])
@pytest.mark.parametrize(
    ("enters", "bars", "minute"), [row[1:] for row in LEAKS], ids=[row[0] for row in LEAKS]
)
def test_leaks_of_strategies(
    enters: Callable[[Sequence[Bar], int], bool],
    bars: list[Bar],
    minute: int | None,
    sample: int | None,
) -> None:
    """Whether all minutes are looked at or a few: the minutes that enter are among the few."""
    found = look_ahead_of_strategy(bars, made(enters), sample=sample)
    assert first_minute(found) == minute
    assert found.minutes == 60
    assert found.seed == (None if sample is None else 1)
    if minute is None:
        assert found.examined == (sample or 60)


def test_a_difference_is_told_with_both_decisions() -> None:
    found = look_ahead_of_strategy(jumps(30), made(rises_next))
    assert found.difference == Difference(
        "AAPL", at(29), at(29), "enter: as told", "wait: as told", Cause.FUTURE
    )
    assert found.difference.sentence == (
        "AAPL 2020-11-12T14:59:00Z was decided 'enter: as told' with the whole history, and "
        "'wait: as told' with the bars up to 2020-11-12T14:59:00Z alone"
    )
    unchecked = look_ahead_of_strategy(jumps(30), made(rises_next_unchecked))
    assert unchecked.difference is not None
    assert unchecked.difference.known.startswith("IndexError")


@dataclass
class Remembers:
    """Leaves when it was asked often enough: no future in it, and live trading would not do it."""

    asked: list[datetime] = field(default_factory=list)
    name: str = "remembers"
    bars_needed: int = 1
    needs_prediction: bool = False

    def decide(self, view: MarketView) -> Wish:
        self.asked.append(view.minute)
        if not view.holding:
            return Wish(Action.WAIT, "out", "never in")
        tired = len(set(self.asked)) > 20
        return Wish(Action.EXIT if tired else Action.HOLD, "asked", "often or not")


def test_a_memory_is_told_from_the_future() -> None:
    found = look_ahead_of_strategy(walk(60), lambda _: Remembers())
    assert found.difference is not None
    assert first_minute(found) == 20
    assert found.difference.cause is Cause.MEMORY
    assert "without having decided the minutes before" in found.difference.sentence


def said(known: Sequence[Bar], minute: datetime) -> Prediction:
    """A model that looks at the last two bars it knows, every third minute."""
    seen = [bar for bar in known if bar.start <= minute]
    number = (len(seen) - 1) // 3 * 3
    rising = seen[number].close >= seen[max(0, number - 1)].close
    trend = Trend.UP if rising else Trend.DOWN
    return Prediction(
        UUID(int=number), "AAPL", trend, D("0.7"), seen[number].start, "m", "f", stale=False
    )


def said_by_a_seer(known: Sequence[Bar], minute: datetime) -> Prediction:
    """A file of predictions that was written afterwards, with the last bar at hand."""
    now = said(known, minute)
    trend = Trend.UP if known[-1].close > known[0].close else Trend.DOWN
    return Prediction(
        now.prediction_id, "AAPL", trend, D("0.7"), now.timestamp, "m", "f", stale=False
    )


CROSSOVER, TREND = SmaCrossover(5, 12), LstmTrend(D("0.5"), 5)


@pytest.mark.parametrize(
    "strategy", [CROSSOVER, TREND, EnsembleAll((CROSSOVER, TREND))], ids=lambda one: one.name
)
def test_shipped_strategies_look_back_only(strategy: Strategy) -> None:
    bars = walk()
    found = look_ahead_of_strategy(bars, lambda _: strategy, predict=said, sample=None)
    assert found == LookAhead(390, 390, None, None)
    # It did decide something.
    wishes = {
        strategy.decide(
            MarketView("AAPL", bar.start, bars[max(0, n - 12) : n + 1], said(bars, bar.start), held)
        ).action
        for n, bar in enumerate(bars)
        for held in (False, True)
    }
    assert {Action.ENTER, Action.EXIT} <= wishes


def test_predictions_made_afterwards_are_found() -> None:
    found = look_ahead_of_strategy(walk(), lambda _: TREND, predict=said_by_a_seer)
    assert found.difference is not None


# -- signals ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Flagged:
    enter: Flags
    leave: Flags


def signals(enters: Callable[[NDArray[np.int64]], Flags]) -> Callable[[BarArrays], Flagged]:
    return lambda arrays: Flagged(enters(arrays.close), np.zeros(len(arrays), np.bool_))


def before_a_rise(close: NDArray[np.int64]) -> Flags:
    return np.append(close[1:] > close[:-1], False)


def after_a_rise(close: NDArray[np.int64]) -> Flags:
    return np.append(False, close[1:] > close[:-1])


def repainted(close: NDArray[np.int64]) -> Flags:
    """A rise is marked two bars later, at the bar before it."""
    flags = before_a_rise(close)
    flags[-2:] = False
    return flags


def above_the_median(close: NDArray[np.int64]) -> Flags:
    above: Flags = close > np.median(close)
    return above


SIGNALS = [
    # what it does; the first minute of another signal, and the last bar known then
    ("enters before a rise", before_a_rise, 9, 9),
    ("marks what it could not know yet", repainted, 9, 9),
    # The bar of minute 10 is above the median until there are as many like it.
    ("knows the median of the whole history", above_the_median, 10, 10),
    ("sees what has happened", after_a_rise, None, None),
]


@pytest.mark.parametrize("sample", [None, 20])
@pytest.mark.parametrize(
    ("enters", "minute", "until"), [row[1:] for row in SIGNALS], ids=[row[0] for row in SIGNALS]
)
def test_leaks_of_signals(
    enters: Callable[[NDArray[np.int64]], Flags],
    minute: int | None,
    until: int | None,
    sample: int | None,
) -> None:
    arrays = arrays_of("AAPL", jumps(10), CALENDAR)
    found = look_ahead_of_signals(arrays, signals(enters), sample=sample)
    assert first_minute(found) == minute
    if minute is not None and until is not None:
        assert found.difference is not None
        assert found.difference.until == at(until)


def test_compiled_signals_look_back_only() -> None:
    arrays = arrays_of("AAPL", walk(), CALENDAR)
    found = look_ahead_of_signals(arrays, partial(signals_of, strategy=CROSSOVER), sample=None)
    assert found == LookAhead(390, 390, None, None)
    assert signals_of(arrays, CROSSOVER).enter.any()


def test_a_signal_that_is_taken_back_later_is_found() -> None:
    """At its own minute it said the same; a bar that came later changed the past."""

    def until_it_fell(close: NDArray[np.int64]) -> Flags:
        flags = after_a_rise(close)
        return flags & (close[-1] < 102 * 1_000_000)

    arrays = arrays_of("AAPL", jumps(20, 40), CALENDAR)
    found = look_ahead_of_signals(arrays, signals(until_it_fell), sample=None)
    assert found.difference == Difference("AAPL", at(20), at(20), "nothing", "enter", Cause.FUTURE)


def test_signals_of_another_length_are_refused() -> None:
    arrays = arrays_of("AAPL", jumps(30), CALENDAR)
    with pytest.raises(InvalidInputError, match="signals for 59 and 60 bars where 60 were given"):
        look_ahead_of_signals(arrays, signals(lambda close: before_a_rise(close)[1:]))


# -- sampling ---------------------------------------------------------------------------------


def test_a_seed_draws_the_same_minutes() -> None:
    looked: list[list[int]] = []
    for seed in (1, 1, 2):
        known: list[int] = []

        def make(arrays: BarArrays, known: list[int] = known) -> Flagged:
            known.append(len(arrays))
            return signals(after_a_rise)(arrays)

        arrays = arrays_of("AAPL", jumps(30), CALENDAR)
        found = look_ahead_of_signals(arrays, make, sample=10, seed=seed)
        assert (found.examined, found.seed) == (10, seed)
        looked.append(known[1:])
    assert looked[0] == looked[1] != looked[2]
    # Minute 30 is the one that enters.
    assert all(31 in one for one in looked)


def test_a_sample_of_all_minutes_is_all_minutes() -> None:
    found = look_ahead_of_strategy(walk(30), lambda _: CROSSOVER, sample=30)
    assert found == LookAhead(30, 30, None, None)


@pytest.mark.parametrize("sample", [0, -1])
def test_refused_samples(sample: int) -> None:
    with pytest.raises(InvalidInputError, match="sample of"):
        look_ahead_of_strategy(walk(30), lambda _: CROSSOVER, sample=sample)


def test_no_bars_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="no bars"):
        look_ahead_of_strategy([], lambda _: CROSSOVER)


def test_minutes_are_told_in_utc() -> None:
    arrays = arrays_of("AAPL", jumps(30), CALENDAR)
    found = look_ahead_of_signals(arrays, signals(before_a_rise))
    assert found.difference is not None
    assert found.difference.minute.tzinfo is UTC

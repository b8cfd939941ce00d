"""The market's clock, with a stopwatch in the test's hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tradewind.errors import InvalidInputError
from tradewind_local.exchange.clock import MarketClock

T = datetime(2020, 11, 12, 14, 31, 3, tzinfo=UTC)


class Stopwatch:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_it_runs_with_real_time_to_the_end_of_its_minute() -> None:
    watch = Stopwatch()
    clock = MarketClock(None, False, watch)
    assert clock.now() is None
    clock.set(T, running=True)
    #        real seconds later -> second of the minute
    for passed, second in [(0, 3), (2.5, 5.5), (56, 59), (3_600, 59)]:
        watch.seconds = 100 + passed
        assert clock.now() == T.replace(second=0) + timedelta(seconds=second)
    clock.set(T + timedelta(minutes=1), running=True)
    assert clock.now() == T + timedelta(minutes=1)


def test_set_beyond_the_59th_second_it_stands() -> None:
    watch = Stopwatch()
    clock = MarketClock(None, False, watch)
    late = T.replace(second=59, microsecond=500_000)
    clock.set(late, running=True)
    watch.seconds += 10
    assert clock.now() == late


def test_it_stands_still_when_told_to() -> None:
    watch = Stopwatch()
    clock = MarketClock(None, False, watch)
    clock.set(T, running=False)
    watch.seconds += 10
    assert clock.now() == T


def test_it_never_goes_back() -> None:
    watch = Stopwatch()
    clock = MarketClock(None, False, watch)
    clock.set(T, running=True)
    clock.set(T, running=True)  # the same instant is no step back
    watch.seconds += 5
    with pytest.raises(InvalidInputError, match=r"stands at .*14:31:08.* cannot go back to"):
        clock.set(T + timedelta(seconds=4), running=True)
    assert clock.now() == T + timedelta(seconds=5)


def test_after_a_restart_it_goes_on_where_it_was() -> None:
    watch = Stopwatch()
    clock = MarketClock(T, True, watch)
    watch.seconds += 2
    assert clock.now() == T + timedelta(seconds=2)

"""Keeping a provider's limits: never more than allowed in any window, never idle for long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.errors import InvalidInputError
from tradewind.market.request_limits import SLOTS, RequestCount, RequestLimits, take

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
NONE = RequestCount({}, "", 0)

PARSED: list[tuple[str, RequestLimits]] = [
    ("150/minute", RequestLimits(150, 60)),
    ("1/second,25/day", RequestLimits(1, 1, 25)),
    (" 500/day , 5/minute ", RequestLimits(5, 60, 500)),
]


@pytest.mark.parametrize(("text", "limits"), PARSED)
def test_limits_are_read(text: str, limits: RequestLimits) -> None:
    assert RequestLimits.parse(text) == limits


WRONG = [
    "",
    "5",
    "0/minute",
    "-1/minute",
    "5/hour",
    "25/day",
    "5/minute,6/minute",
    "5/minute,1/second",
]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="request limits"):
        RequestLimits.parse(text)


def test_five_at_once_and_the_sixth_a_minute_later() -> None:
    limits, used = RequestLimits(5, 60), NONE
    for _ in range(5):
        wait, used = take(limits, used, NOW)
        assert wait == 0
    wait, unchanged = take(limits, used, NOW + timedelta(seconds=1))
    assert wait == 65.0  # the slot of six seconds has to leave the window as a whole
    assert unchanged == used
    assert take(limits, used, NOW + timedelta(seconds=65))[0] == 1.0
    assert take(limits, used, NOW + timedelta(seconds=66))[0] == 0


def test_a_day_ends_at_midnight_in_new_york() -> None:
    limits = RequestLimits(1, 1, per_day=2)
    used = RequestCount({}, "2026-11-23", 2)
    assert take(limits, used, NOW)[0] == 14 * 3600  # it is ten o'clock
    assert take(limits, used, NOW + timedelta(hours=14))[0] == 0
    # The day that has 25 hours, and the one that has 23.
    for day, hours in (
        (datetime(2026, 11, 1, 4, tzinfo=UTC), 25),
        (datetime(2026, 3, 8, 5, tzinfo=UTC), 23),
    ):
        spent = RequestCount({}, f"{day:%Y-%m-%d}", 2)
        assert take(limits, spent, day)[0] == hours * 3600


def test_a_clock_that_was_set_back_starts_anew() -> None:
    """A replay of an older day on the same table."""
    _, used = take(RequestLimits(1, 60), NONE, NOW)
    assert take(RequestLimits(1, 60), used, NOW - timedelta(days=300))[0] == 0


def test_a_clock_that_runs_a_second_slow_still_counts() -> None:
    _, used = take(RequestLimits(1, 60), NONE, NOW)
    assert take(RequestLimits(1, 60), used, NOW - timedelta(seconds=1))[0] > 0


@given(
    count=st.integers(1, 6),
    period=st.sampled_from([1, 60]),
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=60),
)
def test_no_window_holds_more_than_the_limit(count: int, period: int, gaps: list[float]) -> None:
    limits, used, at = RequestLimits(count, period), NONE, NOW
    taken: list[datetime] = []
    for gap in gaps:
        at += timedelta(seconds=gap * period / 30)
        wait, used = take(limits, used, at)
        if wait == 0:
            taken.append(at)
    for begin in taken:
        assert sum(begin <= moment < begin + timedelta(seconds=period) for moment in taken) <= count
    assert len(used.slots) <= 2 * SLOTS + 1


@given(count=st.integers(1, 6), period=st.sampled_from([1, 60]), calls=st.integers(1, 30))
def test_waiting_as_told_is_enough_and_is_not_too_long(count: int, period: int, calls: int) -> None:
    limits, used, at = RequestLimits(count, period), NONE, NOW
    for _ in range(calls):
        wait, used = take(limits, used, at)
        if wait:
            at += timedelta(seconds=wait)
            wait, used = take(limits, used, at)
            assert wait == 0
    slot = period / SLOTS
    assert (at - NOW).total_seconds() <= (calls - 1) // count * (period + slot) + slot

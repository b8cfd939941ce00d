"""What the starter model is trained on: windows as they are served, labels without the future
of another session, and a split that looks forward only."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
from tradewind.features.definition import FEATURE_BARS
from tradewind.features.windows import feature_window
from tradewind.market.session_table import default_table
from tradewind_local.exchange.simulated_market import simulated_bars

from research.training_set import (
    FLAT_BAND,
    HORIZON,
    STRIDE,
    Fold,
    examples_of,
    joined,
    walk_forward,
)

# An ordinary session, the day before Thanksgiving, and the half-day after it.
SESSIONS = default_table().between(date(2020, 11, 24), date(2020, 11, 27))
BARS = simulated_bars(["AAPL"], SESSIONS, seed=3)
EXAMPLES = examples_of(BARS, SESSIONS)

# The bars that may end an example: every STRIDE-th from the first full window, with HORIZON
# minutes of their own session on both sides.
ENDS = [
    end
    for end in range(FEATURE_BARS - 1, len(BARS), STRIDE)
    for session in [default_table().session_of(BARS[end].start)]
    if session is not None
    and (BARS[end].start - session.open).total_seconds() >= 60 * HORIZON
    and (session.last_bar - BARS[end].start).total_seconds() >= 60 * HORIZON
]


def label(first: int, last: int) -> int:
    move = math.log(BARS[last].close / BARS[first].close)
    return 1 if abs(move) <= FLAT_BAND else 2 if move > 0 else 0


def test_windows_are_those_that_are_served() -> None:
    """Bit for bit: the model sees in training what it will see at work."""
    session_of = default_table().session_of
    assert len(EXAMPLES.windows) == len(ENDS)
    for end, window in zip(ENDS, EXAMPLES.windows, strict=True):
        served = feature_window(BARS[: end + 1], session_of)
        assert served is not None
        assert np.array_equal(window, served)


def test_labels_look_ahead_within_the_session_and_the_baseline_looks_back() -> None:
    assert EXAMPLES.labels.tolist() == [label(end, end + HORIZON) for end in ENDS]
    assert EXAMPLES.past.tolist() == [label(end - HORIZON, end) for end in ENDS]
    assert set(EXAMPLES.labels.tolist()) == {0, 1, 2}
    for end in ENDS:
        assert BARS[end].start.date() == BARS[end + HORIZON].start.date()


def test_each_example_knows_its_session() -> None:
    days = [session.date for session in SESSIONS]
    assert [days[index] for index in EXAMPLES.sessions] == [BARS[end].start.date() for end in ENDS]


def test_examples_are_joined_and_chosen_together() -> None:
    both = joined([EXAMPLES, EXAMPLES])
    assert len(both.labels) == 2 * len(EXAMPLES.labels)
    last_day = both.where(both.sessions == 2)
    assert len(last_day.windows) == len(last_day.labels) == len(last_day.past) > 0
    assert set(last_day.sessions.tolist()) == {2}


def test_bars_that_do_not_fill_the_sessions_are_refused() -> None:
    with pytest.raises(ValueError, match="989 bars for sessions of 990 minutes"):
        examples_of(BARS[1:], SESSIONS)


def test_the_walk_goes_forward_and_leaves_a_session_between() -> None:
    assert list(walk_forward(sessions=84, folds=3)) == [
        Fold(train_until=35, test_from=36, test_until=52),
        Fold(train_until=51, test_from=52, test_until=68),
        Fold(train_until=67, test_from=68, test_until=84),
    ]


def test_one_session_between_covers_a_window_and_a_horizon_that_ends_at_the_close() -> None:
    """The shortest session has 210 minutes. The first window of a test session that has a label
    ends HORIZON minutes in and begins FEATURE_BARS before: still in the session left out."""
    shortest = min(session.minutes for session in SESSIONS)
    assert shortest >= FEATURE_BARS - (HORIZON + 1)

"""What is counted of an import, and which sessions it reaches over."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from fractions import Fraction

import pytest
from tradewind.market.availability import Availability
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.gap_ledger import MinuteRange, OpenGap
from tradewind.market.intake import (
    EXAMPLES,
    Example,
    Intake,
    availability_of,
    coverage,
    percent,
    sessions_of,
)
from tradewind.market.session_table import default_table

OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)


def bars(*days: int) -> list[Bar]:
    return [
        Bar("AAPL", OPEN + timedelta(days=day), D(1), D(1), D(1), D(1), 1, "file") for day in days
    ]


# days after 2020-11-12 that came, portion by portion; the stretches they make
STRETCHES: list[tuple[list[list[int]], list[tuple[int, int]]]] = [
    ([], []),
    ([[]], []),
    ([[0]], [(0, 0)]),
    ([[3, 0]], [(0, 3)]),
    ([[0], [10]], [(0, 10)]),
    ([[0], [11]], [(0, 0), (11, 11)]),
    ([[0, 5], [15], [30, 31]], [(0, 15), (30, 31)]),
    ([[5], [0]], [(0, 5)]),
]


@pytest.mark.parametrize(("portions", "expected"), STRETCHES)
def test_stretches(portions: list[list[int]], expected: list[tuple[int, int]]) -> None:
    intake = Intake("AAPL", "x.csv")
    for days in portions:
        intake.came(bars(*days))
    assert [((a - OPEN).days, (b - OPEN).days) for a, b in intake.stretches] == expected


def test_sessions_of_several_sources() -> None:
    """Overlapping ones count once; the weeks between far ones, the weekend and the holiday not."""
    first, second, other = Intake("B", "1"), Intake("B", "2"), Intake("A", "3")
    first.came(bars(0, 4))
    second.came(bars(1, 5))
    second.came(bars(39, 40))
    other.came(bars(14))  # Thanksgiving
    found = sessions_of([first, second, other], default_table())
    assert list(found) == ["A", "B"]
    assert [session.date.isoformat() for session in found["B"]] == [
        "2020-11-12", "2020-11-13", "2020-11-16", "2020-11-17", "2020-12-21", "2020-12-22",
    ]  # fmt: skip
    assert found["A"] == []


def test_examples_are_few_and_counts_are_all() -> None:
    intake = Intake("AAPL", "x.csv")
    assert intake.complete
    for row in range(10):
        intake.reject("a", Example(row, None, "no"))
    intake.hold("b", Example(99, OPEN, "later"))
    assert (intake.rejected, intake.held) == ({"a": 10}, {"b": 1})
    assert [example.row for example in intake.examples["a"]] == list(range(EXAMPLES))
    assert not intake.complete


def test_coverage_by_session() -> None:
    sessions = default_table().between(date(2020, 11, 12), date(2020, 11, 13))
    minutes = {s.date: Availability(390, 380, 5) for s in sessions}
    gap = MinuteRange(sessions[1].open, sessions[1].open + 4 * MINUTE)
    covered = coverage("AAPL", sessions, minutes, [OpenGap("AAPL", sessions[1], gap)])
    assert [entry.missing for entry in covered] == [(), (gap,)]
    assert availability_of(covered) == Availability(780, 760, 10)
    assert availability_of([]) == Availability(0, 0, 0)


@pytest.mark.parametrize(
    ("figure", "shown"),
    [
        (Fraction(1), 100.0),
        (Fraction(99_999_999, 100_000_000), 99.999),
        (Fraction(1, 3), 33.333),
        (Fraction(0), 0.0),
    ],
)
def test_percent_never_rounds_up(figure: Fraction, shown: float) -> None:
    assert percent(figure) == shown

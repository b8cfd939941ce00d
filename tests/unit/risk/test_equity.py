"""How the account has done, with deposits and withdrawals taken out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
from tradewind.risk.equity import EquityMark, change_since_close, next_mark

DAY = date(2020, 11, 12)
OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)

SINCE_CLOSE = [
    # (equity, at the previous close, moved since, the change)
    ("90000.00", "100000", "0", "-0.1"),
    ("90000.01", "100000", "0", "-0.0999999"),
    ("91000", "100000", "0", "-0.09"),
    ("101000", "100000", "10000", "-0.09"),  # a deposit heals nothing
    ("81000", "100000", "-10000", "-0.09"),  # a withdrawal is no loss
    ("100", "0", "100", None),  # the account is new
]


@pytest.mark.parametrize(("equity", "close", "moved", "expected"), SINCE_CLOSE)
def test_the_change_since_the_previous_close(
    equity: str, close: str, moved: str, expected: str | None
) -> None:
    change = change_since_close(D(equity), D(close), D(moved))
    assert change == (None if expected is None else D(expected))


def marks(*steps: tuple[int, str, str]) -> EquityMark:
    """Marks at (day, equity, moved on that day so far), a minute apart."""
    mark = None
    for minute, (day, equity, moved) in enumerate(steps):
        mark = next_mark(
            mark,
            session=DAY + timedelta(days=day),
            as_of=OPEN + timedelta(days=day, minutes=minute),
            equity=D(equity),
            transfers=D(moved),
        )
    assert mark is not None
    return mark


FROM_PEAK = [
    ("the first look is the peak", [(0, "100000", "0")], "0"),
    ("a loss", [(0, "100000", "0"), (0, "92500", "0")], "-0.075"),
    ("a new peak", [(0, "100000", "0"), (0, "110000", "0"), (1, "99000", "0")], "-0.1"),
    ("over days", [(0, "100000", "0"), (1, "90000", "0"), (2, "95000", "0")], "-0.05"),
    ("a deposit heals nothing", [(0, "100000", "0"), (0, "90000", "0"), (0, "190000", "100000")],
     "-0.1"),
    ("nor does it weigh less what is lost then",
     [(0, "100000", "0"), (0, "200000", "100000"), (0, "180000", "100000")], "-0.1"),
    ("a withdrawal is no loss", [(0, "100000", "0"), (0, "40000", "-60000")], "0"),
    ("nor is one of the next day", [(0, "100000", "0"), (1, "40000", "-60000")], "0"),
    ("a deposit told late is no peak",
     [(0, "100000", "0"), (0, "200000", "0"), (0, "200000", "100000")], "0"),
    ("everything was moved out, and in again",
     [(0, "100000", "0"), (1, "0", "-100000"), (2, "50000", "50000"), (2, "45000", "50000")],
     "-0.1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "expected"), [row[1:] for row in FROM_PEAK], ids=[str(row[0]) for row in FROM_PEAK]
)
def test_the_change_from_the_peak(steps: list[tuple[int, str, str]], expected: str) -> None:
    assert round(marks(*steps).from_peak, 9) == D(expected)


def test_an_older_look_changes_nothing() -> None:
    mark = marks((0, "100000", "0"), (0, "90000", "0"))
    older = next_mark(mark, session=DAY, as_of=OPEN, equity=D(1), transfers=D(0))
    assert older == mark

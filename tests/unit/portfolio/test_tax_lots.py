"""Tax lots by hand: first in, first out, to the cent, and on New York's dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
from tradewind.errors import InvalidInputError
from tradewind.portfolio.tax_lots import ClosedLot, tax_lots

from tests.unit.reports.trading_day import at, bought, sold


def test_the_oldest_shares_are_sold_first() -> None:
    closed, left = tax_lots(
        [
            bought(10, "100.00", 1),
            bought(20, "110.00", 2),
            bought(5, "50.00", 2.5),
            sold(15, "120.00", 3),
            sold(5, "90.00", 4),
        ]
    )
    # (shares, acquired, sold, proceeds, cost, gain)
    assert [
        (lot.quantity, lot.acquired_at, lot.sold_at, lot.proceeds, lot.cost, lot.gain)
        for lot in closed
    ] == [
        (D(10), at(1), at(3), D("1200.00"), D("1000.00"), D("200.00")),
        (D(5), at(2), at(3), D("600.00"), D("550.00"), D("50.00")),
        (D(5), at(2), at(4), D("450.00"), D("550.00"), D("-100.00")),
    ]
    assert [(lot.quantity, lot.cost) for lot in left] == [
        (D(10), D("1100.00")),
        (D(5), D("250.00")),
    ]


def test_symbols_do_not_mix() -> None:
    closed, left = tax_lots(
        [bought(1, "10", 1, "A"), bought(1, "20", 2, "B"), sold(1, "25", 3, "B")]
    )
    assert [(lot.symbol, lot.gain) for lot in closed] == [("B", D(5))]
    assert [lot.symbol for lot in left] == ["A"]


def test_more_than_was_bought_cannot_be_sold() -> None:
    with pytest.raises(InvalidInputError, match="sells 1 AAPL more than was bought"):
        tax_lots([bought(1, "10", 1), sold(2, "10", 2)])


TERMS = [
    # (acquired, sold, both UTC; days held on New York's dates; long term)
    ("the same day", "2023-03-01T15:00", "2023-03-01T16:00", 0, False),
    ("after midnight UTC is the same day", "2023-03-01T15:00", "2023-03-02T00:30", 0, False),
    ("a year to the day is short", "2023-03-01T15:00", "2024-03-01T16:00", 366, False),
    ("a year and a day is long", "2023-03-01T15:00", "2024-03-02T16:00", 367, True),
    ("from 29 February: a year is short", "2024-02-29T15:00", "2025-02-28T16:00", 365, False),
    ("from 29 February: 1 March is long", "2024-02-29T15:00", "2025-03-01T16:00", 366, True),
]


@pytest.mark.parametrize(
    ("acquired", "sold_at", "days", "long_term"),
    [row[1:] for row in TERMS],
    ids=[str(row[0]) for row in TERMS],
)
def test_terms(acquired: str, sold_at: str, days: int, long_term: bool) -> None:
    start, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (acquired, sold_at))
    lot = ClosedLot("AAPL", D(1), start, end, D(1), D(1))
    assert (lot.holding_days, lot.is_long_term) == (days, long_term)
    assert lot.acquired_on == date.fromisoformat(acquired[:10])
    assert lot.sold_on == lot.acquired_on + timedelta(days=days)

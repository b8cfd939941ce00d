"""A position across a split, and the rows of paper trades."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal as D
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.portfolio.model import Holding
from tradewind.portfolio.paper_trades import closed_paper_trade, open_paper_trade
from tradewind.portfolio.splits import after_split, priced_after_split

OPENED = datetime(2014, 6, 6, 14, 0, tzinfo=UTC)


def held(quantity: str, cost: str) -> Holding:
    return Holding("AAPL", "sma", D(quantity), D(cost), D(5), OPENED)


CONVERSIONS = [
    # (shares and cost before, factor, the broker's shares; shares and cost after, realised)
    ("7 for 1", "10", "6450", Fraction(7), "70", ("70", "6450", "5")),
    ("3 for 2, nothing left over", "10", "3000", Fraction(3, 2), "15", ("15", "3000", "5")),
    ("3 for 2, half a share paid out", "5", "1500", Fraction(3, 2), "7", ("7", "1400", "-95")),
    ("1 for 50", "100", "100", Fraction(1, 50), "2", ("2", "100", "5")),
    ("the half share that the broker keeps", "5", "1500", Fraction(3, 2), "7.5",
     ("7.5", "1500", "5")),
    ("not converted yet", "10", "6450", Fraction(7), "10", None),
    ("something else happened", "10", "6450", Fraction(7), "69", None),
    ("no whole share is left", "10", "100", Fraction(1, 50), "0", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("quantity", "cost", "factor", "brokers", "expected"),
    [row[1:] for row in CONVERSIONS],
    ids=[str(row[0]) for row in CONVERSIONS],
)
def test_the_books_follow_the_broker(
    quantity: str, cost: str, factor: Fraction, brokers: str, expected: tuple[str, ...] | None
) -> None:
    after = after_split(held(quantity, cost), factor, D(brokers))
    told = None if after is None else (after.quantity, after.cost, after.realised_pnl)
    assert told == (None if expected is None else tuple(map(D, expected)))


@given(
    st.integers(1, 10_000),
    st.decimals("0.01", "100000", places=2),
    st.sampled_from([Fraction(n) for n in (2, 3, 7, 20)] + [Fraction(3, 2), Fraction(1, 10)]),
)
def test_no_cent_is_made_or_lost(quantity: int, cost: D, factor: Fraction) -> None:
    """What leaves the cost is realised, to the last digit."""
    before = held(str(quantity), str(cost))
    whole = D(quantity * factor.numerator // factor.denominator)
    after = after_split(before, factor, whole)
    if after is not None:
        left_the_books = before.cost - after.cost
        assert abs(left_the_books - (before.realised_pnl - after.realised_pnl)) < D("1e-15")
        assert after.cost >= 0


def test_until_then_the_average_price_is_in_the_new_units() -> None:
    priced = priced_after_split(held("10", "6450"), Fraction(7))
    assert priced.quantity == D(10)
    assert priced.avg_price.quantize(D("0.0001")) == D("92.1429")


def test_a_flat_holding_has_no_open_row() -> None:
    assert open_paper_trade("paper", replace(held("0", "0"), opened_at=None)) is None
    assert closed_paper_trade("paper", held("10", "1000"), []) is None

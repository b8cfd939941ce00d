"""Splits: what a factor does to prices, when it counts, and what only looks like one."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from decimal import Decimal as D
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.errors import InvalidInputError
from tradewind.market.adjustment import (
    FactorTable,
    KnownClose,
    SplitFactor,
    SuspectedSplit,
    divided,
    new_york_date,
    split_like,
)
from tradewind.market.bar import MINUTE, Bar, bar_fault

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"

# Long before anything here happens.
LONG_KNOWN = datetime(1990, 1, 1, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def split(effective: str, rates: str, known_at: datetime = LONG_KNOWN) -> SplitFactor:
    new, old = rates.split(":")
    return SplitFactor("AAPL", date.fromisoformat(effective), D(new), D(old), known_at)


def bar(start: str, price: str, volume: int = 100, symbol: str = "AAPL") -> Bar:
    p = D(price)
    return Bar(symbol, utc(start), p, p, p, p, volume, "file")


def closes(table: FactorTable, bars: Sequence[Bar], decision: str) -> list[Decimal]:
    return [bar.close for bar in table.adjusted(bars, utc(decision))]


FRIDAY, MONDAY = bar("2014-06-06 19:59", "645.57"), bar("2014-06-09 13:30", "92.70")


def test_prices_before_the_split_are_divided_and_volumes_multiplied() -> None:
    table = FactorTable([split("2014-06-09", "7:1")])
    friday, monday = table.adjusted([FRIDAY, MONDAY], utc("2014-06-09 13:31"))
    assert (str(friday.close), friday.volume) == ("92.22428571428571", 700)
    assert monday == MONDAY
    # seen from the Friday, nothing has happened yet, although the split is announced
    assert table.adjusted([FRIDAY], utc("2014-06-06 20:00")) == [FRIDAY]


WHAT_IS_KNOWN = [
    # (what is told, when the decision is made, the Friday's close then)
    ("nothing", [], "2014-06-09 13:31", "645.57"),
    ("announced in time", [("7:1", "2014-04-23 20:30")], "2014-06-09 13:31", "92.22428571428571"),
    ("learnt at that very moment", [("7:1", "2014-06-09 13:31")], "2014-06-09 13:31",
     "92.22428571428571"),
    ("learnt an hour later", [("7:1", "2014-06-09 14:31")], "2014-06-09 13:31", "645.57"),
    ("told wrongly, and corrected since",
     [("6:1", "2014-06-01 00:00"), ("7:1", "2014-06-02 00:00")],
     "2014-06-09 13:31", "92.22428571428571"),
    ("corrected only later", [("6:1", "2014-06-01 00:00"), ("7:1", "2014-06-09 15:00")],
     "2014-06-09 13:31", "107.595"),
    ("taken back", [("7:1", "2014-06-01 00:00"), ("1:1", "2014-06-02 00:00")],
     "2014-06-09 13:31", "645.57"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "decision", "close"), [row[1:] for row in WHAT_IS_KNOWN],
    ids=[str(row[0]) for row in WHAT_IS_KNOWN],
)  # fmt: skip
def test_a_factor_counts_from_when_it_was_known(
    told: list[tuple[str, str]], decision: str, close: str
) -> None:
    factors = [split("2014-06-09", rates, utc(known_at)) for rates, known_at in told]
    for order in (factors, factors[::-1]):
        assert closes(FactorTable(order), [FRIDAY], decision) == [D(close)]


def test_splits_multiply_and_other_symbols_are_left_alone() -> None:
    table = FactorTable([split("2000-06-21", "2:1"), split("2005-02-28", "2:1")])
    old, other = bar("2000-06-20 15:00", "101.00"), bar("2000-06-20 15:00", "50", symbol="MSFT")
    assert closes(table, [old, other], "2005-02-28 15:00") == [D("25.25"), D(50)]
    assert closes(table, [old, other], "2005-02-25 15:00") == [D("50.5"), D(50)]


def test_a_reverse_split_raises_what_was_before_it() -> None:
    table = FactorTable([split("2023-08-24", "1:50")])
    (before,) = table.adjusted([bar("2023-08-23 15:00", "0.1234", 5_000)], utc("2023-08-24 15:00"))
    assert (before.close, before.volume) == (D("6.17"), 100)


@pytest.mark.parametrize("rates", ["0:1", "1:0", "-7:1", "NaN:1", "1:Infinity"])
def test_rates_that_are_none_are_refused(rates: str) -> None:
    with pytest.raises(
        InvalidInputError, match=r"split of AAPL on 2014-06-09: .* must be positive"
    ):
        split("2014-06-09", rates)


def test_knowledge_without_a_time_zone_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="known_at has no time zone"):
        split("2014-06-09", "7:1", datetime(2014, 4, 23))  # noqa: DTZ001


LOOKS = [
    # (before, after, the split it looks like)
    ("645.57", "92.70", "7"),  # AAPL 2014
    ("499.23", "127.58", "4"),  # AAPL 2020: 2 % up on the day
    ("2213.40", "444.61", "5"),  # TSLA 2020
    ("100", "50", "2"),
    ("100", "66.67", "3/2"),
    ("100", "33.3", "3"),
    ("100", "40", "5/2"),
    ("1208.88", "120.37", "10"),  # NVDA 2024
    ("2255.34", "112.64", "20"),  # GOOGL 2022
    ("0.1234", "6.00", "1/49"),  # a reverse split 1:50, 3 % down on the day
    ("1.00", "10.10", "1/10"),
    ("100", "52.7", None),  # -47.3 %: too far from 2:1
    ("100", "80", None),  # -20 %
    ("323.00", "237.76", None),  # META 2022-02-03: -26 %, the market
    ("100", "125", None),
    ("100", "100", None),
]


@pytest.mark.parametrize(("before", "after", "ratio"), LOOKS)
def test_what_looks_like_a_split(before: str, after: str, ratio: str | None) -> None:
    assert split_like(D(before), D(after)) == (Fraction(ratio) if ratio else None)


def test_a_suspicion_is_open_until_a_factor_answers_it() -> None:
    before = KnownClose(FRIDAY.start, FRIDAY.close)
    monday = date(2014, 6, 9)
    suspicion = SuspectedSplit("AAPL", monday, Fraction(7), before, D("92.70"), MONDAY.start)
    friday, tuesday, now = date(2014, 6, 6), date(2014, 6, 10), utc("2014-06-10 15:00")
    table = FactorTable([], [suspicion])
    assert table.is_suspected("AAPL", friday, monday, now)
    assert table.is_suspected("AAPL", friday, tuesday, now)
    assert not table.is_suspected("AAPL", monday, tuesday, now)  # both after the jump
    assert not table.is_suspected("MSFT", friday, monday, now)
    for rates, no_split in (("7:1", False), ("1:1", True)):
        answered = FactorTable([split("2014-06-09", rates)], [suspicion])
        assert not answered.is_suspected("AAPL", friday, monday, now)
        assert answered.is_no_split("AAPL", friday, monday, now) is no_split
        assert not answered.is_no_split("AAPL", monday, tuesday, now)
    late = FactorTable([split("2014-06-09", "7:1", now + MINUTE)], [suspicion])
    assert late.is_suspected("AAPL", friday, monday, now)


def test_the_day_of_a_split_may_have_been_missed() -> None:
    """Nothing came on the Monday: the jump is seen on the Tuesday, the factor says Monday."""
    before = KnownClose(FRIDAY.start, FRIDAY.close)
    friday, tuesday = date(2014, 6, 6), date(2014, 6, 10)
    suspicion = SuspectedSplit("AAPL", tuesday, Fraction(7), before, D(94), MONDAY.start)
    table = FactorTable([split("2014-06-09", "7:1")], [suspicion])
    assert not table.is_suspected("AAPL", friday, tuesday, utc("2014-06-10 15:00"))


@pytest.mark.parametrize(
    ("start", "day"),
    [
        ("2020-07-01 08:00", "2020-07-01"),  # 04:00 in summer
        ("2020-07-01 23:59", "2020-07-01"),  # 19:59
        ("2020-11-12 09:00", "2020-11-12"),  # 04:00 in winter
        ("2020-11-13 00:59", "2020-11-12"),  # 19:59
    ],
)
def test_the_new_york_date_of_a_trading_minute(start: str, day: str) -> None:
    assert new_york_date(utc(start)) == date.fromisoformat(day)


prices = st.decimals("0.0001", "100000", places=4)
rates = st.integers(1, 200).map(D)


@given(st.tuples(prices, prices, prices, prices), st.integers(0, 10**9), rates, rates)
def test_an_adjusted_bar_is_still_a_bar(
    four: tuple[D, D, D, D], volume: int, new: D, old: D
) -> None:
    low, one, other, high = sorted(four)
    raw = Bar("AAPL", FRIDAY.start, one, high, low, other, volume, "file")
    table = FactorTable([SplitFactor("AAPL", date(2014, 6, 9), new, old, LONG_KNOWN)])
    (seen,) = table.adjusted([raw], MONDAY.start)
    assert bar_fault(seen) is None
    factor = Fraction(new) / Fraction(old)
    assert abs(Fraction(seen.close) * factor / Fraction(other) - 1) < Fraction(1, 10**15)
    assert abs(seen.volume - volume * factor) <= Fraction(1, 2)


@given(prices, rates, rates)
def test_a_split_and_its_reverse_cancel(price: D, new: D, old: D) -> None:
    table = FactorTable([
        SplitFactor("AAPL", date(2014, 6, 9), new, old, LONG_KNOWN),
        SplitFactor("AAPL", date(2014, 6, 10), old, new, LONG_KNOWN),
    ])  # fmt: skip
    raw = bar("2014-06-06 19:59", str(price))
    assert table.adjusted([raw], utc("2014-06-10 15:00")) == [raw]


# -- recorded prices ------------------------------------------------------------------------------

# As Apple announced them; SOURCES.md names the same dates.
AAPL_SPLITS = [
    split("2000-06-21", "2:1"),
    split("2005-02-28", "2:1"),
    split("2014-06-09", "7:1"),
    split("2020-08-31", "4:1"),
]


def daily(name: str) -> list[dict[str, str]]:
    if not SHARED.is_dir():
        pytest.skip("the recorded bars (../shared/data) are not on this machine")
    with (SHARED / "bars_daily" / name).open(encoding="utf-8", newline="") as lines:
        return [{key.strip().lower(): cell for key, cell in row.items()}
                for row in csv.DictReader(lines)]  # fmt: skip


def factor_rows() -> list[tuple[date, Decimal]]:
    """LEAN's file: the split factor for all bars up to a date, oldest first."""
    if not SHARED.is_dir():
        pytest.skip("the recorded bars (../shared/data) are not on this machine")
    with (SHARED / "bars_daily" / "lean" / "AAPL_factors.csv").open(encoding="utf-8") as lines:
        return [(datetime.strptime(row[0], "%Y%m%d").date(), D(row[2]))  # noqa: DTZ007
                for row in csv.reader(lines)]  # fmt: skip


def raw_closes() -> dict[date, Decimal]:
    return {
        date.fromisoformat(row[next(iter(row))][:10]): D(row["close"])
        for row in daily("lean/AAPL_daily_raw.csv")
    }


def test_apple_s_four_splits_against_another_engine_s_factor_file() -> None:
    table = FactorTable(AAPL_SPLITS)
    steps = factor_rows()
    for day, close in raw_closes().items():
        theirs = next((factor for until, factor in steps if day <= until), D(1))
        factor = table.between("AAPL", day, date(2021, 3, 31), utc("2021-03-31 20:00"))
        # their factors have eight decimals, cut off
        assert abs(divided(close, factor) / (close * theirs) - 1) < D("5e-6"), day


def test_the_adjusted_history_of_another_vendor() -> None:
    """Yahoo's closes of 2018-01-19 and before, split-adjusted as known on that day. Theirs are
    the exchange's official closes, ours the last trades: up to two percent apart."""
    table = FactorTable(AAPL_SPLITS)
    raw = raw_closes()
    compared = 0
    for row in daily("yahoo_mplfinance/yahoofinance-AAPL-20040819-20180120.csv"):
        day = date.fromisoformat(row["date"])
        factor = table.between("AAPL", day, date(2018, 1, 19), utc("2018-01-19 21:00"))
        if day in raw:
            assert divided(raw[day], factor) == pytest.approx(D(row["close"]), rel=D("0.02")), day
            compared += 1
    assert compared > 3_000


def test_in_23_years_five_nights_of_apple_looked_like_a_split_and_four_were() -> None:
    rows = daily("lean/AAPL_daily_raw.csv")
    day_of = next(iter(rows[0]))
    suspects = {
        after[day_of][:10]: split_like(D(before["close"]), D(after["open"]))
        for before, after in pairwise(rows)
        if abs(D(after["open"]) / D(before["close"]) - 1) > D("0.2")
    }
    splits = {day: ratio for day, ratio in suspects.items() if ratio is not None}
    assert splits == {
        "2000-06-21": 2,
        # a profit warning halved the price: what a factor of 1 is there to say
        "2000-09-29": 2,
        "2005-02-28": 2,
        "2014-06-09": 7,
        "2020-08-31": 4,
    }


def test_an_hour_of_knowledge_is_all_it_takes() -> None:
    late = split("2014-06-09", "7:1", MONDAY.start + timedelta(hours=1))
    table = FactorTable([late])
    assert table.between("AAPL", date(2014, 6, 6), date(2014, 6, 9), MONDAY.start) == 1
    after = MONDAY.start + timedelta(hours=1)
    assert table.between("AAPL", date(2014, 6, 6), date(2014, 6, 9), after) == 7

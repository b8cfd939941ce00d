"""Bars as columns: sessions, minutes, exact prices, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
from tradewind.backtest.arrays import MOST_PRICE, PRICE_SCALE, arrays_of
from tradewind.errors import InvalidInputError
from tradewind.market.bar import Bar
from tradewind.market.session_table import default_table
from tradewind.strategies.sma_crossover import LONGEST_AVERAGE

CALENDAR = default_table()


def bar(at: str, close: str = "100", low: str | None = None) -> Bar:
    start = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return Bar("AAPL", start, D(close), D(close), D(low or close), D(close), 7, "file")


# The day after Thanksgiving has 210 minutes; 27 November 2020 is in winter time.
BARS = [
    bar("2020-11-26 15:00"),  # the exchange is closed
    bar("2020-11-27 14:29"),  # before the open
    bar("2020-11-27 14:30"),
    bar("2020-11-27 17:59"),
    bar("2020-11-27 18:00"),  # after the close of the half-day
    bar("2020-11-28 00:30"),  # 19:30 in New York: still the evening of the 27th
    bar("2020-11-30 14:30"),
]


def test_regular_hours_continue_across_nights() -> None:
    arrays = arrays_of("AAPL", BARS, CALENDAR)

    assert list(arrays.minute) == [0, 209, 0]
    assert list(arrays.session) == [0, 0, 1]
    assert list(arrays.session_minutes) == [210, 390]
    assert arrays.session_dates == (date(2020, 11, 27), date(2020, 11, 30))


def test_all_hours_belong_to_their_new_york_date() -> None:
    arrays = arrays_of("AAPL", BARS, CALENDAR, regular_only=False)

    assert list(arrays.session) == [0, 1, 1, 1, 1, 1, 2]
    assert list(arrays.minute) == [30, -1, 0, 209, 210, 600, 0]
    assert list(arrays.session_minutes) == [0, 210, 390]


@pytest.mark.parametrize(
    ("text", "millionths"),
    [
        ("113.5", 113_500_000),
        ("0.000001", 1),
        ("9999999.999999", 9_999_999_999_999),
        # the noise of a binary fraction in a file of adjusted prices
        ("113.50399999999999", 113_504_000),
        ("131.02100000000002", 131_021_000),
    ],
)
def test_prices_are_exact_to_the_millionth(text: str, millionths: int) -> None:
    assert arrays_of("X", [bar("2020-11-27 14:30", text)], CALENDAR).close[0] == millionths


def test_the_highest_price_leaves_room_for_comparing_the_longest_averages() -> None:
    assert MOST_PRICE * PRICE_SCALE * LONGEST_AVERAGE * LONGEST_AVERAGE < 2**63


@pytest.mark.parametrize(
    ("bars", "words"),
    [
        ([], "no bars"),
        ([BARS[0], BARS[1]], "no bars in regular hours (of 2 in all)"),
        ([BARS[2], BARS[2]], "2020-11-27T14:30:00Z: two bars of one minute"),
        ([bar("2020-11-27 14:30", "NaN")], "a price is not a finite number"),
        ([bar("2020-11-27 14:30", "Infinity")], "a price is not a finite number"),
        ([bar("2020-11-27 14:30", "0")], "a price is zero or negative"),
        ([bar("2020-11-27 14:30", "1", low="2")], "outside low..high"),
        ([bar("2020-11-27 14:30", "10000000")], "give prices below 10,000,000"),
        ([bar("2020-11-27 14:30", "0.0000004")], "less than a millionth"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(bars: list[Bar], words: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        arrays_of("AAPL", bars, CALENDAR)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_fingerprint_is_of_the_values() -> None:
    same = arrays_of("AAPL", reversed(BARS), CALENDAR).fingerprint()
    assert arrays_of("AAPL", BARS, CALENDAR).fingerprint() == same

    others = [
        arrays_of("MSFT", BARS, CALENDAR),
        arrays_of("AAPL", BARS, CALENDAR, regular_only=False),
        arrays_of("AAPL", [*BARS[:-1], bar("2020-11-30 14:30", "100.000001")], CALENDAR),
    ]
    assert len({one.fingerprint() for one in others} | {same}) == 4


def test_a_part_counts_its_sessions_anew() -> None:
    arrays = arrays_of("AAPL", BARS, CALENDAR, regular_only=False)
    part = arrays.part(3, 7)

    assert list(part.start) == list(arrays.start[3:])
    assert list(part.session) == [0, 0, 0, 1]
    assert list(part.minute) == [209, 210, 600, 0]
    assert list(part.session_minutes) == [210, 390]
    assert part.session_dates == (date(2020, 11, 27), date(2020, 11, 30))
    assert part.session.dtype == arrays.session.dtype
    assert arrays.part(0, 7).fingerprint() == arrays.fingerprint() != part.fingerprint()


@pytest.mark.parametrize(("first", "end"), [(-1, 3), (3, 3), (4, 3), (0, 8)])
def test_a_part_without_bars_is_refused(first: int, end: int) -> None:
    with pytest.raises(InvalidInputError, match="of 7"):
        arrays_of("AAPL", BARS, CALENDAR, regular_only=False).part(first, end)

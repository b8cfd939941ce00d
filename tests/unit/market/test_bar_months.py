"""Months by name, and what an archive's lines come to."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.errors import InvalidInputError
from tradewind.market.bar_months import (
    archive_key,
    digest_of,
    month_of,
    month_text,
    months_after,
)

# (month, how many later, which that is)
MONTHS = [
    ("2020-11-01", 0, "2020-11-01"),
    ("2020-11-01", 1, "2020-12-01"),
    ("2020-11-01", 3, "2021-02-01"),
    ("2020-12-01", 1, "2021-01-01"),
    ("2020-01-01", -1, "2019-12-01"),
    ("2020-11-01", -11, "2019-12-01"),
    ("2020-11-01", -24, "2018-11-01"),
]


@pytest.mark.parametrize(("month", "count", "expected"), MONTHS)
def test_months_are_counted_over_the_turn_of_the_year(
    month: str, count: int, expected: str
) -> None:
    assert months_after(date.fromisoformat(month), count) == date.fromisoformat(expected)


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.integers(-600, 600))
def test_there_and_back_is_the_same_month(day: date, count: int) -> None:
    month = day.replace(day=1)
    assert months_after(months_after(month, count), -count) == month


def test_a_moment_lies_in_a_month_of_utc() -> None:
    new_york = timezone(timedelta(hours=-5))
    # 20:30 in New York on the last of November is December in UTC, where the bars are counted.
    assert month_of(datetime(2020, 11, 30, 20, 30, tzinfo=new_york)) == date(2020, 12, 1)
    assert month_of(datetime(2020, 11, 30, 23, 59, tzinfo=UTC)) == date(2020, 11, 1)
    with pytest.raises(InvalidInputError, match="without a zone"):
        month_of(datetime(2020, 11, 30, 23, 59))  # noqa: DTZ001 (that is the point)


def test_a_months_first_archive_is_never_overwritten_by_its_second() -> None:
    assert month_text(date(2020, 11, 1)) == "2020-11"
    assert archive_key(date(2020, 11, 1), 1) == "bars/archive/2020-11.jsonl.gz"
    assert archive_key(date(2020, 11, 1), 2) == "bars/archive/2020-11.part2.jsonl.gz"


def test_an_archive_comes_to_its_rows_and_the_hash_of_each_symbols_hash() -> None:
    of_a = [b'{"symbol":"A","start":"1"}\n', b'{"symbol":"A","start":"2"}\n']
    of_b = [b'{"symbol":"B","start":"1"}\n']
    hashes = [hashlib.sha256(b"".join(lines)).digest() for lines in (of_a, of_b)]
    assert digest_of([*of_a, *of_b]) == (3, hashlib.sha256(b"".join(hashes)).hexdigest())
    assert digest_of([]) == (0, hashlib.sha256().hexdigest())


LINES = [
    b'{"symbol":"A","start":"1"}\n',
    b'{"symbol":"A","start":"2"}\n',
    b'{"symbol":"B","start":"1"}\n',
]

# (what went wrong with the archive, its lines)
DAMAGED = [
    ("a line is missing", LINES[:2]),
    ("a line is there twice", [*LINES, LINES[2]]),
    ("lines have changed places", [LINES[1], LINES[0], LINES[2]]),
    ("a digit has changed", [LINES[0], LINES[1].replace(b"2", b"3"), LINES[2]]),
    ("a line is cut off", [*LINES[:2], LINES[2][:-3]]),
    ("a line went to another symbol", [LINES[0], LINES[1].replace(b"A", b"B"), LINES[2]]),
]


@pytest.mark.parametrize(("what", "lines"), DAMAGED)
def test_whatever_happened_to_an_archive_shows(what: str, lines: list[bytes]) -> None:
    assert digest_of(lines) != digest_of(LINES), what

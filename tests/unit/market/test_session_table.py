"""The session table: what it says, what it refuses, and that it says what its sources say."""

from __future__ import annotations

import csv
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner
from tradewind.errors import InvalidInputError, OutsideCalendarError
from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable, default_table

ANSWERS = Path(__file__).parents[4] / "shared" / "data" / "calendar" / "xnys_sessions_utc.csv"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# One line per thing a calendar can get wrong.
DAYS = [
    # an ordinary winter day: 09:30-16:00 New York is UTC-5
    ("2020-11-12", "2020-11-12T14:30", "2020-11-12T21:00", 390),
    # Thanksgiving, then the half-day after it
    ("2020-11-26", None, None, 0),
    ("2020-11-27", "2020-11-27T14:30", "2020-11-27T18:00", 210),
    # Christmas Eve half-day, Christmas, New Year
    ("2020-12-24", "2020-12-24T14:30", "2020-12-24T18:00", 210),
    ("2020-12-25", None, None, 0),
    ("2021-01-01", None, None, 0),
    # Saturday and Sunday
    ("2020-11-14", None, None, 0),
    ("2020-11-15", None, None, 0),
    # spring: clocks go forward on Sunday 2021-03-14
    ("2021-03-12", "2021-03-12T14:30", "2021-03-12T21:00", 390),
    ("2021-03-15", "2021-03-15T13:30", "2021-03-15T20:00", 390),
    # autumn: clocks go back on Sunday 2020-11-01
    ("2020-10-30", "2020-10-30T13:30", "2020-10-30T20:00", 390),
    ("2020-11-02", "2020-11-02T14:30", "2020-11-02T21:00", 390),
    # closed for what no rule foresees: September 2001, Hurricane Sandy, a day of mourning
    ("2001-09-12", None, None, 0),
    ("2012-10-29", None, None, 0),
    ("2025-01-09", None, None, 0),
    # a holiday that is younger than the table
    ("2021-06-18", "2021-06-18T13:30", "2021-06-18T20:00", 390),
    ("2022-06-20", None, None, 0),
]


@pytest.mark.parametrize(("day", "opens", "closes", "minutes"), DAYS)
def test_a_day(day: str, opens: str | None, closes: str | None, minutes: int) -> None:
    session = default_table().session_on(date.fromisoformat(day))
    if opens is None or closes is None:
        assert session is None
    else:
        assert session == Session(date.fromisoformat(day), utc(opens), utc(closes))
        assert session.minutes == minutes


@pytest.mark.parametrize(
    ("start", "regular"),
    [
        ("2020-11-12T14:29", False),  # the minute before the open
        ("2020-11-12T14:30", True),  # the first bar
        ("2020-11-12T20:59", True),  # the last bar
        ("2020-11-12T21:00", False),  # starts at the close
        ("2020-11-13T00:30", False),  # the evening in New York, the next date in UTC
        ("2020-11-27T17:59", True),  # the half-day's last bar
        ("2020-11-27T18:00", False),  # an ordinary minute on any other day
        ("2020-11-26T15:00", False),  # no session at all
    ],
)
def test_a_bar_is_regular_or_not(start: str, regular: bool) -> None:
    table = default_table()
    assert table.in_session(utc(start)) is regular
    session = table.session_of(utc(start))
    assert (session is not None) is regular
    if session is not None:
        assert session.date == utc(start).date()


def test_any_zone_is_understood_and_none_is_refused() -> None:
    new_york_in_winter = timezone(timedelta(hours=-5))
    table = default_table()
    assert table.in_session(datetime(2020, 11, 12, 9, 30, tzinfo=new_york_in_winter))
    # 20:30 New York on the 12th is the 13th in UTC, and outside both sessions
    assert not table.in_session(datetime(2020, 11, 12, 20, 30, tzinfo=new_york_in_winter))
    with pytest.raises(InvalidInputError, match="without a zone"):
        table.in_session(datetime(2020, 11, 12, 14, 30))  # noqa: DTZ001


def test_previous_steps_over_nights_weekends_and_holidays() -> None:
    table = default_table()
    assert table.previous(date(2020, 11, 13)).date == date(2020, 11, 12)
    assert table.previous(date(2020, 11, 16)).date == date(2020, 11, 13)  # Monday -> Friday
    assert table.previous(date(2020, 11, 27)).date == date(2020, 11, 25)  # over Thanksgiving
    assert table.previous(date(2020, 11, 26)).date == date(2020, 11, 25)  # from a closed day


def test_between_takes_both_ends() -> None:
    table = default_table()
    week = table.between(date(2020, 11, 23), date(2020, 11, 29))
    assert [session.date.day for session in week] == [23, 24, 25, 27]
    assert [session.minutes for session in week] == [390, 390, 390, 210]
    assert table.between(date(2020, 11, 26), date(2020, 11, 26)) == []
    assert table.between(date(2020, 11, 24), date(2020, 11, 23)) == []
    last_days = table.between(date(table.last_day.year, 12, 1), table.last_day)
    assert last_days[-1].date.month == 12


def test_outside_the_table_is_an_error_not_a_closed_day() -> None:
    table = default_table()
    assert table.first_day == date(1990, 1, 1)
    assert table.last_day >= date(2027, 12, 31)
    assert table.session_on(table.first_day) is None  # New Year: inside, and closed
    beyond = table.last_day + timedelta(days=1)
    with pytest.raises(OutsideCalendarError, match="make sessions"):
        table.session_on(beyond)
    with pytest.raises(OutsideCalendarError):
        table.in_session(datetime(1989, 12, 29, 15, 0, tzinfo=UTC))
    with pytest.raises(OutsideCalendarError):
        table.between(date(2020, 1, 1), beyond)
    with pytest.raises(OutsideCalendarError, match="no session before"):
        table.previous(date(1990, 1, 2))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"date,open,close\n",  # no sessions
        b"day,from,to\n2020-11-27,14:30,18:00\n",
        b"date,open,close\n2020-11-27,14:30,18:00",  # cut off
        b"date,open,close\n2020-11-27,14:30,1800x\n",  # a broken line of the right length
    ],
)
def test_a_damaged_table_says_so(text: bytes) -> None:
    with pytest.raises(InvalidInputError, match="make sessions"):
        SessionTable(text)


def test_reading_it_needs_neither_pandas_nor_numpy() -> None:
    """What makes it cheap enough for a cold start."""
    code = (
        "import sys; from datetime import date;"
        "from tradewind.market.session_table import default_table;"
        "assert default_table().session_on(date(2020, 11, 27)).minutes == 210;"
        "print(sorted({'pandas', 'numpy', 'exchange_calendars', 'zoneinfo'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert answer.stdout.strip() == "[]"


FOLLOWING = [
    # (a New York date, the next session)
    ("2014-06-05", "2014-06-06"),
    ("2014-06-06", "2014-06-09"),  # over a weekend
    ("2014-06-07", "2014-06-09"),  # from a day without one
    ("2020-11-25", "2020-11-27"),  # over Thanksgiving, to a half-day
    ("2020-12-31", "2021-01-04"),
]


@pytest.mark.parametrize(("day", "following"), FOLLOWING)
def test_the_session_after_a_day(day: str, following: str) -> None:
    found = default_table().following(date.fromisoformat(day))
    assert found.date == date.fromisoformat(following)


def test_no_session_follows_the_tables_last_one() -> None:
    table = default_table()
    with pytest.raises(OutsideCalendarError, match="no session after"):
        table.following(table.last_day)


@pytest.mark.skipif(not ANSWERS.exists(), reason=f"needs the recorded calendar {ANSWERS.name}")
def test_equal_to_the_independent_answer_file() -> None:
    """Every one of the 8,324 sessions from 1990-01-02 to 2023-01-13, open and close; the file
    and the table differ nowhere, so there is no exception to explain."""
    with ANSWERS.open(newline="") as file:
        answers = [
            Session(
                datetime.fromisoformat(row[""]).date(),
                datetime.fromisoformat(row["open"]),
                datetime.fromisoformat(row["close"]),
            )
            for row in csv.DictReader(file)
        ]
    assert len(answers) == 8324
    assert default_table().between(answers[0].date, answers[-1].date) == answers


def test_equal_to_the_library_it_is_built_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails after a raised pin of exchange_calendars until ``make sessions`` has been run."""
    from tradewind_local import build_sessions
    from tradewind_local.build_sessions import TABLE_FILE, library_sessions, table_text

    table = default_table()
    sessions = library_sessions()
    assert table.between(table.first_day, table.last_day) == sessions
    assert len(table) == len(sessions)
    written = tmp_path / "sessions.csv"
    monkeypatch.setattr(build_sessions, "TABLE_FILE", written)
    told = CliRunner().invoke(build_sessions.main, catch_exceptions=False)
    assert f"{len(sessions)} sessions of XNYS" in told.output
    assert written.read_bytes() == TABLE_FILE.read_bytes()

    night_session = Session(date(2020, 1, 2), utc("2020-01-02T23:00"), utc("2020-01-03T04:00"))
    with pytest.raises(InvalidInputError, match="own date"):
        table_text([night_session])

"""The exchange's regular sessions, read from a table that ships with the package.

The table (``xnys_sessions.csv``: date, open, close, in UTC) is written by ``make sessions`` from
exchange_calendars and held equal to it by a test: importing that library pulls in pandas, which
costs a cold start 0.4 s. Every record has the same width, so a date is found by halving the file
and nothing is parsed but the line that was asked for.

A regular session opens and closes on its own date in UTC (09:30 New York is 13:30 or 14:30 UTC,
16:00 is 20:00 or 21:00), so a bar's session is found by the bar's UTC date.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache

from tradewind.errors import InvalidInputError, OutsideCalendarError
from tradewind.market.session import Session

HEADER = b"date,open,close\n"
RECORD_WIDTH = len(b"2020-11-27,14:30,18:00\n")

# os.path, because importing pathlib would take longer than reading the table.
_FILE = os.path.join(os.path.dirname(__file__), "xnys_sessions.csv")


class SessionTable:
    """Sessions in date order. The table speaks for whole years: from 1 January of its first
    session's year to 31 December of its last one's; a date outside raises OutsideCalendarError."""

    def __init__(self, text: bytes) -> None:
        """``text``: the file as it stands. InvalidInputError when it is not such a file."""
        body = text[len(HEADER) :]
        if not text.startswith(HEADER) or not body or len(body) % RECORD_WIDTH:
            raise InvalidInputError(
                "the session table is damaged: expected the header 'date,open,close' and lines "
                "like '2020-11-27,14:30,18:00'; write it again with 'make sessions'"
            )
        self._body = body
        self._count = len(body) // RECORD_WIDTH
        self._known: dict[date, Session | None] = {}
        self._first_day = date(self._session(0).date.year, 1, 1)
        self._last_day = date(self._session(self._count - 1).date.year, 12, 31)

    @property
    def first_day(self) -> date:
        return self._first_day

    @property
    def last_day(self) -> date:
        return self._last_day

    def __len__(self) -> int:
        return self._count

    def session_on(self, day: date) -> Session | None:
        """The session of a New York date; None when the exchange is closed all day."""
        if day not in self._known:
            self._check(day)
            index = self._index(day)
            found = self._session(index) if index < self._count else None
            self._known[day] = found if found is not None and found.date == day else None
        return self._known[day]

    def session_of(self, start: datetime) -> Session | None:
        """The session in whose regular hours a bar starts (aware UTC); None outside of them."""
        session = self.session_on(_utc(start).date())
        return session if session is not None and session.contains(start) else None

    def in_session(self, start: datetime) -> bool:
        """Whether a bar that starts here (aware UTC) lies in regular trading hours."""
        return self.session_of(start) is not None

    def previous(self, day: date) -> Session:
        """The last session before a New York date."""
        self._check(day)
        index = self._index(day)
        if index == 0:
            raise OutsideCalendarError(
                f"the session table starts on {self._session(0).date}: "
                f"it knows no session before {day}"
            )
        return self._session(index - 1)

    def following(self, day: date) -> Session:
        """The first session after a New York date."""
        self._check(day)
        index = self._index(day + timedelta(days=1))
        if index == self._count:
            raise OutsideCalendarError(f"the session table knows no session after {day}")
        return self._session(index)

    def between(self, first: date, last: date) -> list[Session]:
        """The sessions with first <= date <= last, oldest first."""
        self._check(first)
        self._check(last)
        return list(self._from(self._index(first), last))

    def _from(self, index: int, last: date) -> Iterator[Session]:
        while index < self._count and (session := self._session(index)).date <= last:
            yield session
            index += 1

    def _check(self, day: date) -> None:
        if not self._first_day <= day <= self._last_day:
            raise OutsideCalendarError(
                f"{day} lies outside the session table ({self._first_day} to {self._last_day}): "
                "build a longer one with 'make sessions'"
            )

    def _index(self, day: date) -> int:
        """The place of the first session on or after a date."""
        return bisect_left(
            range(self._count), day.isoformat().encode(), key=lambda index: self._record(index)[:10]
        )

    def _record(self, index: int) -> bytes:
        return self._body[index * RECORD_WIDTH : (index + 1) * RECORD_WIDTH - 1]

    def _session(self, index: int) -> Session:
        record = self._record(index).decode()
        try:
            day, opens, closes = record.split(",")
            return Session(
                date=date.fromisoformat(day),
                open=datetime.fromisoformat(f"{day}T{opens}:00+00:00"),
                close=datetime.fromisoformat(f"{day}T{closes}:00+00:00"),
            )
        except ValueError as error:
            raise InvalidInputError(
                f"the session table is damaged in data line {index + 1}: {record!r}; "
                "write it again with 'make sessions'"
            ) from error


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidInputError(f"time without a zone: {moment!r}; all times are aware UTC")
    return moment.astimezone(UTC)


@cache
def default_table() -> SessionTable:
    """The New York Stock Exchange's table (XNYS), read once per process."""
    with open(_FILE, "rb") as file:
        return SessionTable(file.read())

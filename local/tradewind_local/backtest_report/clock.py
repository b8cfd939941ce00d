"""The axis of trading time: sessions follow each other without the nights between them.

A place on it is the number of minutes that were traded before. The browser turns places into New
York's wall clock again (``page.js``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

_NEW_YORK = ZoneInfo("America/New_York")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock's


@dataclass(frozen=True, slots=True)
class TradingClock:
    """Session by session: ``offset`` from UTC to New York in minutes, ``begin``, the first bar's
    minute since midnight of 1970-01-01 on New York's wall clock, and ``place``, where it lies on
    the axis."""

    dates: tuple[date, ...]
    offset: NDArray[np.int64]
    begin: NDArray[np.int64]
    place: NDArray[np.int64]

    def places(self, seconds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of instants in seconds since 1970 UTC that are bars of these sessions."""
        session = self._session(seconds)
        wall = seconds // 60 + self.offset[session]
        places: NDArray[np.int64] = self.place[session] + wall - self.begin[session]
        return places

    def texts(self, seconds: NDArray[np.int64]) -> list[str]:
        """``2020-11-12 09:31``, New York."""
        wall = seconds // 60 + self.offset[self._session(seconds)]
        return [f"{_EPOCH + timedelta(minutes=int(one)):%Y-%m-%d %H:%M}" for one in wall]

    def as_json(self) -> dict[str, list[int]]:
        return {"begin": self.begin.tolist(), "place": self.place.tolist()}

    def _session(self, seconds: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(self.begin - self.offset, seconds // 60, side="right") - 1


def clock_of(
    time: NDArray[np.int64], session: NDArray[np.int32], dates: Sequence[date]
) -> TradingClock:
    """Of minutes (seconds since 1970 UTC, ascending) in these sessions."""
    first = np.searchsorted(session, np.arange(len(dates)))
    last = np.append(first[1:], len(session)) - 1
    offset = np.array([_offset_minutes(day) for day in dates], np.int64)
    begin = time[first] // 60 + offset
    lengths = (time[last] - time[first]) // 60 + 1
    place = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return TradingClock(tuple(dates), offset, begin, place)


def _offset_minutes(day: date) -> int:
    # The clocks change on Sunday nights: at noon the day's offset is settled.
    noon = datetime(day.year, day.month, day.day, 17, tzinfo=UTC).astimezone(_NEW_YORK)
    offset = noon.utcoffset()
    return 0 if offset is None else int(offset.total_seconds() // 60)

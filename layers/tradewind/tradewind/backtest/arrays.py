"""The bars of one symbol as plain integer columns: what the compiled engine runs over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from tradewind.errors import InvalidInputError
from tradewind.market.bar import Bar, bar_fault, to_iso
from tradewind.market.session_table import SessionTable

# Integer prices are millionths of a USD. Prices that were lowered for a dividend come with four
# decimals; whatever has more than six carries the noise of binary fractions
# (113.50399999999999) and is rounded to the nearest millionth.
PRICE_SCALE = 1_000_000
# USD. Below it the products that compare two averages of up to 400 closes stay inside 64 bits.
MOST_PRICE = 10_000_000

_EPOCH_DATE = date(1970, 1, 1)
_DAY_SECONDS = 86_400
_NEW_YORK = ZoneInfo("America/New_York")
# Where the exchange is closed all day, minutes are counted from its usual opening time.
_USUAL_OPEN = 9 * 60 + 30


@dataclass(frozen=True, slots=True)
class BarArrays:
    """One symbol's bars, ascending, each minute once; n bars in s sessions.

    ``start`` [n] int64: the bar's first instant, seconds since 1970 UTC. ``open``, ``high``,
    ``low``, ``close`` [n] int64: 1/PRICE_SCALE USD. ``volume`` [n] int64: shares. ``session`` [n]
    int32: number of the bar's day, from 0 without holes. ``minute`` [n] int32: minutes since that
    session's open, negative before it. ``session_minutes`` [s] int32: each session's length (390,
    210; 0 on a day on which the exchange is closed). ``session_dates`` [s]: New York dates.
    """

    symbol: str
    start: NDArray[np.int64]
    open: NDArray[np.int64]
    high: NDArray[np.int64]
    low: NDArray[np.int64]
    close: NDArray[np.int64]
    volume: NDArray[np.int64]
    session: NDArray[np.int32]
    minute: NDArray[np.int32]
    session_minutes: NDArray[np.int32]
    session_dates: tuple[date, ...]

    def __len__(self) -> int:
        return len(self.start)

    def part(self, first: int, end: int) -> BarArrays:
        """The bars first <= number < end, their sessions counted anew from 0; columns are views
        where they can be. InvalidInputError where that is no bar."""
        if not 0 <= first < end <= len(self):
            raise InvalidInputError(f"{self.symbol}: bars {first} to {end} of {len(self)}")
        bars = slice(first, end)
        begin, last = int(self.session[first]), int(self.session[end - 1])
        sessions = slice(begin, last + 1)
        return BarArrays(
            self.symbol,
            self.start[bars],
            self.open[bars],
            self.high[bars],
            self.low[bars],
            self.close[bars],
            self.volume[bars],
            self.session[bars] - np.int32(begin),
            self.minute[bars],
            self.session_minutes[sessions],
            self.session_dates[sessions],
        )

    def fingerprint(self) -> str:
        """SHA-256 of symbol and columns, in hexadecimal: the same bars give the same."""
        digest = hashlib.sha256(self.symbol.encode())
        for column in (self.start, self.open, self.high, self.low, self.close, self.volume,
                       self.minute, self.session_minutes):  # fmt: skip
            digest.update(np.ascontiguousarray(column).view(np.uint8).data)
        return digest.hexdigest()


def arrays_of(
    symbol: str, bars: Iterable[Bar], calendar: SessionTable, *, regular_only: bool = True
) -> BarArrays:
    """The bars of one symbol, in any order. ``regular_only`` leaves out what lies outside regular
    hours. InvalidInputError for no bars, a bar that cannot be true and two bars of one minute."""
    known = sorted(bars, key=lambda bar: bar.start)
    for bar in known:
        if (fault := bar_fault(bar)) is not None:
            raise InvalidInputError(f"{symbol} {to_iso(bar.start)}: {fault}")
    start = np.array([int(bar.start.timestamp()) for bar in known], np.int64)
    repeated = np.flatnonzero(np.diff(start) == 0)
    if len(repeated):
        minute = to_iso(known[int(repeated[0])].start)
        raise InvalidInputError(f"{symbol} {minute}: two bars of one minute")
    prices = [
        [millionths(price, f"{symbol} {to_iso(bar.start)}") for price in _prices(bar)]
        for bar in known
    ]
    return assembled(
        symbol,
        start,
        list(np.array(prices, np.int64).reshape(-1, 4).T),
        np.array([bar.volume for bar in known], np.int64),
        calendar,
        regular_only=regular_only,
    )


def millionths(usd: Decimal, where: str) -> int:
    """A price as an integer, the nearest one, half of one up; ``where`` begins the line that
    refuses a price that is too high, or too low to be told from zero."""
    if usd >= MOST_PRICE:
        raise InvalidInputError(f"{where}: a price of {usd} USD; give prices below {MOST_PRICE:,}")
    scaled = int((usd * PRICE_SCALE).to_integral_value(ROUND_HALF_UP))
    if scaled < 1:
        raise InvalidInputError(f"{where}: a price of {usd} USD is less than a millionth")
    return scaled


def _prices(bar: Bar) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    return bar.open, bar.high, bar.low, bar.close


def assembled(
    symbol: str,
    start: NDArray[np.int64],
    prices: Sequence[NDArray[np.int64]],
    volume: NDArray[np.int64],
    calendar: SessionTable,
    *,
    regular_only: bool,
) -> BarArrays:
    """Columns that are already checked and ascending, with their sessions found.

    ``prices``: open, high, low, close. InvalidInputError where no bar is left,
    OutsideCalendarError for days that the calendar does not know.
    """
    days, of_bar = _runs(_new_york_days(start))
    dates = [_EPOCH_DATE + timedelta(days=int(day)) for day in days]
    opens, lengths = _sessions(dates, calendar)
    minute = (start - opens[of_bar]) // 60
    kept = np.ones(len(start), np.bool_)
    if regular_only:
        kept = (minute >= 0) & (minute < lengths[of_bar])
    if not kept.any():
        where = f" in regular hours (of {len(start):,} in all)" if len(start) else ""
        raise InvalidInputError(f"{symbol}: no bars{where}")
    used, session = _runs(of_bar[kept])
    everything = bool(kept.all())

    def column(values: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.ascontiguousarray(values if everything else values[kept])

    opened, high, low, close = map(column, prices)
    return BarArrays(
        symbol,
        column(start),
        opened,
        high,
        low,
        close,
        column(volume),
        session.astype(np.int32),
        minute[kept].astype(np.int32),
        lengths[used].astype(np.int32),
        tuple(dates[int(number)] for number in used),
    )


def _runs(ascending: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different values, and for each element which of them it is."""
    begins = np.ones(len(ascending), np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=begins[1:])
    return ascending[begins], np.cumsum(begins) - 1


def _new_york_days(start: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each bar's date in New York as days since 1970. In UTC, evening bars are of the next day."""
    utc_days, of_bar = _runs(start // _DAY_SECONDS)
    offsets = [
        _new_york_offset(_EPOCH_DATE + timedelta(days=int(day))).total_seconds() for day in utc_days
    ]
    shifted = start + np.array(offsets, np.int64)[of_bar]
    days: NDArray[np.int64] = shifted // _DAY_SECONDS
    return days


def _new_york_offset(day: date) -> timedelta:
    # The clocks change on Sunday nights: at noon UTC the day's offset is settled.
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    offset = noon.astimezone(_NEW_YORK).utcoffset()
    assert offset is not None  # noqa: S101 - a ZoneInfo always has one
    return offset


def _sessions(
    dates: list[date], calendar: SessionTable
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Opening instants (seconds since 1970 UTC) and lengths (minutes) of the days."""
    opens, lengths = [], []
    for day in dates:
        session = calendar.session_on(day)
        if session is None:
            midnight = (day - _EPOCH_DATE).days * _DAY_SECONDS
            offset = int(_new_york_offset(day).total_seconds())
            opens.append(midnight - offset + _USUAL_OPEN * 60)
            lengths.append(0)
        else:
            opens.append(int(session.open.timestamp()))
            lengths.append(session.minutes)
    return np.array(opens, np.int64), np.array(lengths, np.int64)

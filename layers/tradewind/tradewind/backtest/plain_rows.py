"""Many rows of a CSV file at once, where they have the plain form that nearly every file has.

Plain is: no quotes, no spaces, no signs; one length and form of time in a chunk, whole minutes;
prices and volumes in digits with at most one point. Numbers stay integers from the first digit on.
Whatever else there is, right or wrong, is for the exact reader (NotPlainError).
"""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.arrays import MOST_PRICE, PRICE_SCALE
from tradewind.market.csv_rows import RowReader

# More digits do not fit into 64 bits; and a point.
_LONGEST_NUMBER = 19
_DECIMALS = 6  # of an integer price
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_COMMA, _NEWLINE, _POINT, _ZERO, _NINE = b",\n.09"
_MINUTE_FORM = len("2020-11-12 09:31")
_SECOND_FORM = len("2020-11-12 09:31:00")
_OFFSET_FORM = len("+00:00")

_Integers = NDArray[np.int64]
_Bytes = NDArray[np.uint8]


class NotPlainError(Exception):
    """Rows that have to be read one by one."""


class PlainReader:
    """Columns as ``rows`` finds them in the header."""

    def __init__(self, rows: RowReader) -> None:
        self._rows = rows
        self._days: dict[int, tuple[int, int]] = {}

    def read(self, lines: bytes) -> tuple[_Integers, ...]:
        """Of whole lines: starts (seconds since 1970 UTC), open, high, low, close in millionths of
        a USD, volumes. NotPlainError where it cannot tell that every row is right."""
        if b'"' in lines:
            raise NotPlainError
        text = lines.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
        buffer = np.frombuffer(text, np.uint8)
        begins, lengths = self._cells(buffer)
        time, *columns = self._rows.columns
        opened, high, low, close, volume = (
            _decimals(buffer, begins[:, column], lengths[:, column], decimals)
            for column, decimals in zip(columns, (*[_DECIMALS] * 4, 0), strict=True)
        )
        lowest, highest = np.minimum(opened, close), np.maximum(opened, close)
        if (low < 1).any() or (high >= MOST_PRICE * PRICE_SCALE).any():
            raise NotPlainError
        if (low > lowest).any() or (high < highest).any():
            raise NotPlainError
        start = self._starts(_field(buffer, begins[:, time], lengths[:, time]))
        return start, opened, high, low, close, volume

    def _cells(self, buffer: _Bytes) -> tuple[_Integers, _Integers]:
        """Where each cell begins and how long it is, [rows, width]."""
        width = self._rows.width
        ends = np.flatnonzero((buffer == _COMMA) | (buffer == _NEWLINE))
        if len(ends) % width:
            raise NotPlainError
        begins = np.empty_like(ends)
        begins[0] = 0
        begins[1:] = ends[:-1] + 1
        separators = buffer[ends].reshape(-1, width)
        if (separators[:, -1] != _NEWLINE).any() or (separators[:, :-1] != _COMMA).any():
            raise NotPlainError
        return begins.reshape(-1, width), (ends - begins).reshape(-1, width)

    def _starts(self, field: _Bytes) -> _Integers:
        """Of times as characters [rows, length]."""
        length = field.shape[1]
        if length < _MINUTE_FORM:
            raise NotPlainError
        _expect(field, {4: b"-", 7: b"-", 10: b" T", 13: b":"})
        day = _whole(field[:, [0, 1, 2, 3, 5, 6, 8, 9]])
        hour, minute = _whole(field[:, 11:13]), _whole(field[:, 14:16])
        after = _MINUTE_FORM
        if length >= _SECOND_FORM and field[0, after] == ord(":"):
            # A bar starts on a whole minute.
            _expect(field, {16: b":", 17: b"0", 18: b"0"})
            after = _SECOND_FORM
        if (hour > 23).any() or (minute > 59).any():
            raise NotPlainError
        rest = length - after
        begins = np.flatnonzero(np.diff(day, prepend=-1))
        known = [self._day(int(number)) for number in day[begins]]
        repeats = np.diff(begins, append=len(day))
        midnight = np.repeat(np.array([one for one, _ in known], np.int64), repeats)
        wall = midnight + hour * 3600 + minute * 60
        if rest == 0:
            return wall - np.repeat(np.array([shift for _, shift in known], np.int64), repeats)
        wall -= int(self._rows.shift.total_seconds())
        if rest == 1:
            _expect(field, {after: b"Z"})
            return wall
        if rest != _OFFSET_FORM:
            raise NotPlainError
        _expect(field, {after: b"+-", after + 3: b":"})
        hours, minutes = _whole(field[:, after + 1 : after + 3]), _whole(field[:, after + 4 :])
        if (hours > 23).any() or (minutes > 59).any():
            raise NotPlainError
        sign = np.where(field[:, after] == ord("-"), -1, 1)
        utc: _Integers = wall - sign * (hours * 3600 + minutes * 60)
        return utc

    def _day(self, number: int) -> tuple[int, int]:
        """Of a day like 20201112: its midnight in seconds since 1970, and what to take from its
        wall-clock times for the start of their bars in UTC."""
        if number not in self._days:
            try:
                day = datetime(number // 10_000, number // 100 % 100, number % 100)  # noqa: DTZ001
            except ValueError as error:
                raise NotPlainError from error
            to_start = self._rows.to_start_on(day)
            if to_start is None:
                raise NotPlainError
            midnight = (day.toordinal() - _EPOCH_DAY) * 86_400
            self._days[number] = midnight, int(to_start.total_seconds())
        return self._days[number]


def _field(buffer: _Bytes, begins: _Integers, lengths: _Integers) -> _Bytes:
    """Cells of one length as characters [rows, length]."""
    length = int(lengths[0])
    if (lengths != length).any():
        raise NotPlainError
    characters: _Bytes = buffer[begins[:, np.newaxis] + np.arange(length)]
    return characters


def _expect(field: _Bytes, wanted: dict[int, bytes]) -> None:
    for place, characters in wanted.items():
        if not np.isin(field[:, place], np.frombuffer(characters, np.uint8)).all():
            raise NotPlainError


def _whole(digits: _Bytes) -> _Integers:
    """The numbers that rows of digits are."""
    if ((digits < _ZERO) | (digits > _NINE)).any():
        raise NotPlainError
    value = np.zeros(len(digits), np.int64)
    for column in digits.T:
        value = value * 10 + (column - _ZERO)
    return value


def _decimals(buffer: _Bytes, begins: _Integers, lengths: _Integers, decimals: int) -> _Integers:
    """Numbers like 12.345 times ten to the ``decimals``, rounded to the nearest, half of one up."""
    if (lengths < 1).any() or (lengths > _LONGEST_NUMBER).any():
        raise NotPlainError
    mantissa = np.zeros(len(begins), np.int64)
    point = np.full(len(begins), -1, np.int64)
    for place in range(int(lengths.max())):
        inside = place < lengths
        character = buffer[np.minimum(begins + place, len(buffer) - 1)]
        digit = inside & (character >= _ZERO) & (character <= _NINE)
        new_point = inside & (character == _POINT) & (point < 0)
        if (inside & ~digit & ~new_point).any():
            raise NotPlainError
        mantissa = np.where(digit, mantissa * 10 + (character - _ZERO), mantissa)
        point = np.where(new_point, place, point)
    digits = lengths - (point >= 0)
    if (digits < 1).any() or (digits > _LONGEST_NUMBER - 1).any():
        raise NotPlainError
    behind = np.where(point >= 0, lengths - 1 - point, 0)
    return _rescaled(mantissa, behind, decimals)


def _rescaled(mantissa: _Integers, behind: _Integers, decimals: int) -> _Integers:
    shift = decimals - behind
    up = 10 ** np.maximum(shift, 0)
    # A price is below 10^7 USD and gets six decimals, so nothing that is one overflows.
    if (mantissa > (2**63 - 1) // up).any():
        raise NotPlainError
    down = 10 ** np.maximum(-shift, 0)
    whole, left = np.divmod(mantissa * up, down)
    # Shares are whole: what is cut off from a volume has to be zeros.
    if decimals == 0 and left.any():
        raise NotPlainError
    rounded: _Integers = whole + (2 * left >= down)
    return np.where(down > 1, rounded, whole)

"""A CSV file of one-minute bars as columns, fast, and in memory that holds little but the columns.

What rows look like is told in :mod:`tradewind.market.csv_rows`, and its reader decides: chunks of
lines in the plain form that nearly every file has are read column by column; a chunk with anything
else in it (quotes, spaces, a row that is wrong) goes row by row through the exact reader, which
knows the form or names row and cause.

Unlike an import, a backtest takes a file as a whole or not at all, and its rows have to run in one
direction, oldest or newest first: rows out of order are a file put together wrongly.
"""

from __future__ import annotations

import csv
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import BinaryIO, NoReturn
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.arrays import BarArrays, assembled, millionths
from tradewind.backtest.plain_rows import NotPlainError, PlainReader
from tradewind.errors import InvalidInputError, OutsideCalendarError
from tradewind.market.bar import Bar, bar_fault, fault_code
from tradewind.market.csv_rows import NEW_YORK, Label, RowFault, RowReader
from tradewind.market.session_table import SessionTable

_CHUNK = 1 << 20  # bytes
_FEWEST_ROWS = 2
_MILLIONTH = Decimal("0.000001")
# Rows as they stand in the file: starts (seconds since 1970 UTC), open, high, low, close in
# millionths of a USD, volumes.
_Columns = tuple[NDArray[np.int64], ...]


def read_arrays(
    path: Path,
    symbol: str,
    calendar: SessionTable,
    *,
    label: Label = "start",
    timezone: ZoneInfo = NEW_YORK,
    regular_only: bool = True,
    progress: Callable[[int], None] = lambda _: None,
) -> BarArrays:
    """The bars of a file, oldest first.

    ``label`` says whether a row's time is the first instant of its minute or the first instant
    after it; ``timezone`` is that of times without an offset; ``regular_only`` leaves out what
    lies outside regular hours. ``progress`` is told the bytes read so far. InvalidInputError, in
    one line that names file, row (as an editor counts it) and cause.
    """
    start, *prices, volume = _read(path, symbol, label, timezone, progress)
    try:
        return assembled(symbol, start, prices, volume, calendar, regular_only=regular_only)
    except OutsideCalendarError as error:
        raise InvalidInputError(f"{path}: {error}") from error


def _read(
    path: Path, symbol: str, label: Label, timezone: ZoneInfo, progress: Callable[[int], None]
) -> list[NDArray[np.int64]]:
    name = str(path)
    chunks: tuple[list[NDArray[np.int64]], ...] = ([], [], [], [], [], [])
    with _opened(path) as file:
        rows = RowReader(_header(file, name), name, symbol, label, timezone)
        plain = PlainReader(rows)
        order = _Order(name)
        row = 2
        for lines in _chunks(file):
            try:
                columns = plain.read(lines)
            except NotPlainError:
                columns = _row_by_row(lines, rows, row, name)
            order.check(columns[0], lines, row)
            for chunk, column in zip(chunks, columns, strict=True):
                chunk.append(column)
            row += lines.count(b"\n")
            progress(file.tell())
    count = sum(map(len, chunks[0]))
    if count == 0:
        raise InvalidInputError(f"{name}: has a header and no rows")
    if count < _FEWEST_ROWS:
        raise InvalidInputError(f"{name}: has one row only; a backtest needs more bars")
    return [_joined(column, order.newest_first) for column in chunks]


def _joined(chunks: list[NDArray[np.int64]], newest_first: bool) -> NDArray[np.int64]:
    """One column, oldest first. The chunks are given back column by column: memory never holds
    all of them twice."""
    if newest_first:
        chunks[:] = [chunk[::-1] for chunk in reversed(chunks)]
    column = np.concatenate(chunks)
    chunks.clear()
    return column


class _Order:
    """Rows that all run in the direction in which the first two do."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last: int | None = None
        self._direction = 0

    @property
    def newest_first(self) -> bool:
        return self._direction < 0

    def check(self, start: NDArray[np.int64], lines: bytes, row: int) -> None:
        """``lines``: the chunk that ``start`` was read from, which begins at ``row``."""
        if not len(start):
            return
        known = start if self._last is None else np.concatenate(([self._last], start))
        steps = np.sign(np.diff(known))
        if not self._direction and len(steps):
            self._direction = int(steps[0])
        wrong = np.flatnonzero((steps != self._direction) | (steps == 0))
        if len(wrong):
            place = int(wrong[0]) + (self._last is None)
            self._refuse(_row_numbers(lines, row)[place], bool(steps[wrong[0]] == 0))
        self._last = int(start[-1])

    def _refuse(self, row: int, repeated: bool) -> NoReturn:
        if repeated:
            raise InvalidInputError(f"{self._name}: row {row}: gives the minute of the row before")
        begins = "newest" if self.newest_first else "oldest"
        raise InvalidInputError(
            f"{self._name}: row {row}: out of order: the file begins {begins} first; sort its rows "
            "by time"
        )


# -- the file ---------------------------------------------------------------------------------


def _opened(path: Path) -> BinaryIO:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InvalidInputError(f"{path}: is not a file")
        return path.open("rb")
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from error


def _header(file: BinaryIO, name: str) -> list[str]:
    try:
        line = file.readline().decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{name}: is not a text file in UTF-8") from error
    if "\r" in line:
        raise InvalidInputError(f"{name}: its lines end in CR; save it with LF or CRLF")
    return next(csv.reader([line]), [])


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """Whole lines, each chunk about as long; the last line may lack its end."""
    while block := file.read(_CHUNK):
        yield block + file.readline()


def _row_numbers(lines: bytes, row: int) -> list[int]:
    return [row + number for number, line in enumerate(lines.split(b"\n")) if line.strip()]


# -- row by row -------------------------------------------------------------------------------


def _row_by_row(lines: bytes, rows: RowReader, row: int, name: str) -> _Columns:
    found = []
    for number, line in enumerate(lines.split(b"\n"), row):
        if not line.strip():
            continue
        where = f"{name}: row {number}"
        try:
            bar = rows.read(number, next(csv.reader([line.decode().rstrip("\r")]), []))
        except UnicodeDecodeError as error:
            raise InvalidInputError(f"{where}: is not text in UTF-8") from error
        except csv.Error as error:
            raise InvalidInputError(f"{where}: not CSV: {error}") from error
        if isinstance(bar, RowFault):
            raise InvalidInputError(f"{where}: {bar.cause}")
        if fault_code(bar) == "ohlc_order":
            # Adjusted prices carry noise behind the digits that are traded.
            bar = _traded_digits(bar)
        if (fault := bar_fault(bar)) is not None:
            raise InvalidInputError(f"{where}: {fault}")
        prices = (millionths(price, where) for price in (bar.open, bar.high, bar.low, bar.close))
        found.append((int(bar.start.timestamp()), *prices, bar.volume))
    return tuple(np.array(found, np.int64).reshape(-1, 6).T)


def _traded_digits(bar: Bar) -> Bar:
    def rounded(price: Decimal) -> Decimal:
        return price.quantize(_MILLIONTH, ROUND_HALF_UP)

    return replace(
        bar,
        open=rounded(bar.open),
        high=rounded(bar.high),
        low=rounded(bar.low),
        close=rounded(bar.close),
    )

"""One-minute bars from a CSV file that somebody hands over.

The header names the columns in any order and any case: ``timestamp`` (or ``datetime``, ``date``),
``open``, ``high`` (``highest``), ``low`` (``lowest``), ``close``, ``volume``; other columns are
ignored. Rows may run oldest or newest first. A price is kept exactly as it is written.

Times are ISO 8601 (``2020-11-12 09:31:00``), with an offset or as wall clock of a given zone.
``11/5/2019 9:30`` is refused: whether that is May or November cannot be read from the file, and
half a year of wrong bars is worse than a file that has to be written anew.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal, NoReturn
from zoneinfo import ZoneInfo

from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, Bar, bar_fault

NEW_YORK = ZoneInfo("America/New_York")

_COLUMNS = {
    "timestamp": ("timestamp", "datetime", "date"),
    "open": ("open",),
    "high": ("high", "highest"),
    "low": ("low", "lowest"),
    "close": ("close",),
    "volume": ("volume",),
}
# Narrower than Decimal(), which also takes 1_000, NaN, Infinity and digits of other scripts.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)").fullmatch
_DATE_AND_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d", re.ASCII).match


def read_bars(
    path: Path,
    symbol: str,
    label: Literal["start", "end"] = "start",
    timezone: ZoneInfo = NEW_YORK,
) -> list[Bar]:
    """The bars of a file, oldest first, feed ``file``.

    ``label`` says whether a row's time is the first instant of its minute or the first instant
    after it; ``timezone`` is that of times without an offset. Raises InvalidInputError with one
    line that names file, row (as an editor counts it) and cause.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return parse_bars(lines, str(path), symbol, label, timezone)
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path}: is not a text file in UTF-8") from error


def parse_bars(
    lines: Iterable[str],
    name: str,
    symbol: str,
    label: Literal["start", "end"],
    timezone: ZoneInfo,
) -> list[Bar]:
    """As :func:`read_bars`, from lines of text; ``name`` stands for the file in messages."""
    reader = csv.reader(lines)
    try:
        header = next(reader, None)
        if header is None or not any(cell.strip() for cell in header):
            raise InvalidInputError(f"{name}: row 1: the file has no header, or is empty")
        places = _places(header, name)
        seen: dict[datetime, tuple[int, Bar]] = {}
        shift = MINUTE if label == "end" else timedelta()
        for cells in reader:
            if not cells:
                continue
            row = f"{name}: row {reader.line_num}"
            if len(cells) < len(header):
                _refuse(row, f"has {len(cells)} columns where the header has {len(header)}")
            bar = _bar(row, [cells[place].strip() for place in places], symbol, shift, timezone)
            known = seen.setdefault(bar.start, (reader.line_num, bar))
            if known[1] != bar:
                _refuse(row, f"gives the same minute as row {known[0]} with other values")
    except csv.Error as error:
        raise InvalidInputError(f"{name}: row {reader.line_num}: not CSV: {error}") from error
    if not seen:
        raise InvalidInputError(f"{name}: has a header and no rows")
    return [seen[start][1] for start in sorted(seen)]


def _places(header: Sequence[str], name: str) -> list[int]:
    """Where each of our columns stands in a row."""
    names = [cell.strip().lower() for cell in header]
    places = []
    missing = []
    for column, spellings in _COLUMNS.items():
        spelling = next((word for word in spellings if word in names), None)
        if spelling is None:
            missing.append(column)
            continue
        if names.count(spelling) > 1:
            raise InvalidInputError(f"{name}: row 1: column {spelling!r} is there twice")
        places.append(names.index(spelling))
    if missing:
        raise InvalidInputError(
            f"{name}: row 1: no column {', '.join(missing)}; needed are "
            "timestamp,open,high,low,close,volume, separated by commas"
        )
    return places


def _bar(row: str, cells: list[str], symbol: str, shift: timedelta, timezone: ZoneInfo) -> Bar:
    moment, opened, high, low, close, volume = cells
    bar = Bar(
        symbol=symbol,
        start=_moment(row, moment, timezone) - shift,
        open=_price(row, opened),
        high=_price(row, high),
        low=_price(row, low),
        close=_price(row, close),
        volume=_volume(row, volume),
        feed="file",
    )
    if (fault := bar_fault(bar)) is not None:
        _refuse(row, fault)
    return bar


def _moment(row: str, text: str, timezone: ZoneInfo) -> datetime:
    if not _DATE_AND_TIME(text):
        _refuse(row, f"time {text!r} is not like 2020-11-12 09:31:00 or 2020-11-12T14:31:00Z")
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        moment = moment.replace(tzinfo=timezone)
        # When the clocks change, the two folds of a wall-clock time have different offsets.
        if moment.utcoffset() != moment.replace(fold=1).utcoffset():
            _refuse(
                row,
                f"time {text!r} does not exist or exists twice in {timezone.key}, where the "
                "clocks change that day; give times with an offset",
            )
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        _refuse(row, f"time {text!r} cannot be read")


def _price(row: str, text: str) -> Decimal:
    if not _NUMBER(text):
        _refuse(row, f"price {text!r} is not a number")
    return Decimal(text)


def _volume(row: str, text: str) -> int:
    if not _NUMBER(text):
        _refuse(row, f"volume {text!r} is not a number")
    volume = Decimal(text)
    if volume != int(volume):
        _refuse(row, f"volume {text!r} is not a whole number of shares")
    return int(volume)


def _refuse(row: str, cause: str) -> NoReturn:
    raise InvalidInputError(f"{row}: {cause}")

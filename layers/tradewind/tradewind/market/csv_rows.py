"""One row of a CSV file as a bar, or the reason why it is none.

The header names the columns in any order and any case: ``timestamp`` (or ``datetime``, ``date``),
``open``, ``high`` (``highest``), ``low`` (``lowest``), ``close``, ``volume``; other columns are
ignored. A price is kept exactly as it is written.

Times are ISO 8601 (``2020-11-12 09:31:00``), with an offset or as wall clock of a given zone.
``11/5/2019 9:30`` is refused: whether that is May or November cannot be read from the file, and
half a year of wrong bars is worse than a file that has to be written anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from operator import itemgetter
from typing import Literal
from zoneinfo import ZoneInfo

from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, Bar

NEW_YORK = ZoneInfo("America/New_York")

Label = Literal["start", "end"]

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
# "2020-11-12 " in "2020-11-12 09:31:00"
_DAY = 11
# Prices of a file repeat; so many different ones are remembered.
_MOST_PRICES = 50_000
# Of a price, before and after the point each: no price has as many, no database must hold more.
_MOST_DIGITS = 20
# PostgreSQL's bigint.
_LARGEST_VOLUME = 2**63 - 1
_SAFE_VOLUME_DIGITS = 18


class RowReason(StrEnum):
    """Why a row is no bar. What is wrong with a bar by itself has the codes of ``bar.FAULTS``."""

    NOT_TEXT = "not_text"
    NOT_CSV = "not_csv"
    TOO_FEW_COLUMNS = "too_few_columns"
    TOO_MANY_COLUMNS = "too_many_columns"
    TIME_NOT_UNDERSTOOD = "time_not_understood"
    TIME_AMBIGUOUS = "time_ambiguous"
    PRICE_NOT_A_NUMBER = "price_not_a_number"
    PRICE_TOO_LONG = "price_too_long"
    VOLUME_NOT_A_NUMBER = "volume_not_a_number"
    VOLUME_NOT_WHOLE = "volume_not_whole"
    VOLUME_TOO_LARGE = "volume_too_large"


@dataclass(frozen=True, slots=True)
class RowFault:
    """``row`` is counted from 1, the header, as an editor counts lines."""

    row: int
    code: RowReason
    cause: str


class _UnreadableError(Exception):
    def __init__(self, code: RowReason, cause: str) -> None:
        super().__init__(cause)
        self.code = code


class RowReader:
    """Reads the rows below one header, as bars of one symbol, feed ``file``.

    ``label`` says whether a row's time is the first instant of its minute or the first instant
    after it; ``timezone`` is that of times without an offset; ``name`` stands for the file in the
    InvalidInputError that a header without the needed columns raises.
    """

    def __init__(
        self, header: Sequence[str], name: str, symbol: str, label: Label, timezone: ZoneInfo
    ) -> None:
        places = _places(header, name)
        # Of time, open, high, low, close, volume.
        self.columns = tuple(places)
        self.time_column = places[0]
        self.width = len(header)
        self._take = itemgetter(*places)
        self._symbol = symbol
        self._timezone = timezone
        # What to take from a row's time for its bar's start, apart from the zone.
        self.shift = MINUTE if label == "end" else timedelta()
        # What to take from a wall-clock time of a day ("2020-11-12 ") to have its bar's start in
        # UTC; days on which the clocks change are absent.
        self._to_start: dict[str, timedelta] = {}
        self._prices: dict[str, Decimal] = {}

    def read(self, row: int, cells: Sequence[str]) -> Bar | RowFault:
        """The bar of a row's cells, which may still be wrong by itself (``bar.fault_code``)."""
        try:
            return self._bar(cells)
        except _UnreadableError as error:
            return RowFault(row, error.code, str(error))

    def _bar(self, cells: Sequence[str]) -> Bar:
        if len(cells) != self.width:
            self._check_width(cells)
        moment, opened, high, low, close, volume = map(str.strip, self._take(cells))
        prices = self._prices
        return Bar(
            self._symbol,
            self._start(moment),
            prices.get(opened) or self._price(opened),
            prices.get(high) or self._price(high),
            prices.get(low) or self._price(low),
            prices.get(close) or self._price(close),
            int(volume)
            if len(volume) <= _SAFE_VOLUME_DIGITS and volume.isascii() and volume.isdigit()
            else _volume(volume),
            "file",
        )

    def _check_width(self, cells: Sequence[str]) -> None:
        if len(cells) < self.width:
            code, hint = RowReason.TOO_FEW_COLUMNS, ""
        elif any(map(str.strip, cells[self.width :])):
            # 1,000 without quotes would be read as 1.
            code = RowReason.TOO_MANY_COLUMNS
            hint = "; numbers are written without commas between their digits"
        else:
            return
        raise _UnreadableError(
            code, f"has {len(cells)} columns where the header has {self.width}{hint}"
        )

    def _start(self, text: str) -> datetime:
        to_start = self._to_start.get(text[:_DAY])
        if to_start is not None:
            try:
                return datetime.fromisoformat(text + "Z") - to_start
            except (ValueError, OverflowError):
                pass  # it has an offset of its own, or cannot be read
        return self._start_of_new_day(text)

    def _start_of_new_day(self, text: str) -> datetime:
        if not _DATE_AND_TIME(text):
            raise _UnreadableError(
                RowReason.TIME_NOT_UNDERSTOOD,
                f"time {text!r} is not like 2020-11-12 09:31:00 or 2020-11-12T14:31:00Z",
            )
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC) - self.shift
            to_start = self.to_start_on(moment)
            if to_start is not None:
                self._to_start[text[:_DAY]] = to_start
            moment = moment.replace(tzinfo=self._timezone)
            # When the clocks change, the two folds of a wall-clock time have different offsets.
            if moment.utcoffset() != moment.replace(fold=1).utcoffset():
                raise _UnreadableError(
                    RowReason.TIME_AMBIGUOUS,
                    f"time {text!r} does not exist or exists twice in {self._timezone.key}, where "
                    "the clocks change that day; give times with an offset",
                )
            return moment.astimezone(UTC) - self.shift
        except (ValueError, OverflowError) as error:
            raise _UnreadableError(
                RowReason.TIME_NOT_UNDERSTOOD, f"time {text!r} cannot be read"
            ) from error

    def to_start_on(self, moment: datetime) -> timedelta | None:
        """What to take from a wall-clock time of a naive moment's day to have its bar's start in
        UTC; None when the clocks change that day."""
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        offsets = {
            (midnight + timedelta(hours=hour)).replace(tzinfo=self._timezone, fold=fold).utcoffset()
            for hour in range(25)
            for fold in (0, 1)
        }
        offset = offsets.pop() if len(offsets) == 1 else None
        return None if offset is None else offset + self.shift

    def _price(self, text: str) -> Decimal:
        if not _NUMBER(text):
            raise _UnreadableError(RowReason.PRICE_NOT_A_NUMBER, f"price {text!r} is not a number")
        whole, _, fraction = text.lstrip("+-0").partition(".")
        if max(len(whole), len(fraction)) > _MOST_DIGITS:
            raise _UnreadableError(
                RowReason.PRICE_TOO_LONG,
                f"price {_shortened(text)} has more than {_MOST_DIGITS} digits before or after "
                "the point",
            )
        if len(self._prices) >= _MOST_PRICES:
            self._prices.clear()
        price = self._prices[text] = Decimal(text)
        return price


def _volume(text: str) -> int:
    if not _NUMBER(text):
        raise _UnreadableError(RowReason.VOLUME_NOT_A_NUMBER, f"volume {text!r} is not a number")
    volume = Decimal(text)
    if volume > _LARGEST_VOLUME:
        raise _UnreadableError(
            RowReason.VOLUME_TOO_LARGE,
            f"volume {_shortened(text)} is more than {_LARGEST_VOLUME}",
        )
    if volume != int(volume):
        raise _UnreadableError(
            RowReason.VOLUME_NOT_WHOLE, f"volume {text!r} is not a whole number of shares"
        )
    return int(volume)


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


def _places(header: Sequence[str], name: str) -> list[int]:
    """Where each of our columns stands in a row."""
    if not any(cell.strip() for cell in header):
        raise InvalidInputError(f"{name}: row 1: the file has no header, or is empty")
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

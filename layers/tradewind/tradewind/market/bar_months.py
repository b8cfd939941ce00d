"""The ``bars`` table by month of UTC, and the archive that old months leave it for.

A month is named by its first day, and ``2020-11`` where people read it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol

from tradewind.errors import InvalidInputError


def month_of(moment: datetime) -> date:
    """The month of UTC that an aware moment lies in."""
    if moment.tzinfo is None:
        raise InvalidInputError(f"time without a zone: {moment!r}; all times are aware UTC")
    return moment.astimezone(UTC).date().replace(day=1)


def months_after(month: date, count: int) -> date:
    """The month ``count`` months later; earlier when negative."""
    number = month.year * 12 + month.month - 1 + count
    return date(number // 12, number % 12 + 1, 1)


def month_text(month: date) -> str:
    return f"{month:%Y-%m}"


def archive_key(month: date, part: int) -> str:
    """Where a month's archive lies. A month that filled again after it had been archived has a
    second part, which never overwrites the first."""
    suffix = "" if part == 1 else f".part{part}"
    return f"bars/archive/{month_text(month)}{suffix}.jsonl.gz"


@dataclass(frozen=True, slots=True)
class MonthMade:
    """A partition that was made, and how many rows it took over from the default partition."""

    month: date
    moved: int


@dataclass(frozen=True, slots=True)
class MonthArchive:
    """A month's archive as it was read back. ``sha256`` is of the SHA-256s of each symbol's lines,
    symbols in the order of their bytes; the database computes the same from its rows."""

    month: date
    part: int
    key: str
    rows: int
    sha256: str

    def as_payload(self) -> dict[str, Any]:
        return {
            "month": month_text(self.month),
            "key": self.key,
            "rows": self.rows,
            "sha256": self.sha256,
        }


class BarMonths(Protocol):
    """The partitions of ``bars``."""

    def present(self) -> list[date]:
        """The months that have a partition, oldest first."""
        ...

    def stray(self) -> list[date]:
        """The months without partition whose bars the default partition holds, oldest first."""
        ...

    def ensure(self, first: date, last: date) -> list[MonthMade]:
        """Make the partitions that are missing from the month of ``first`` to that of ``last``,
        moving in what the default partition holds of them. For an import of history as well: bars
        stored without it are right, but lie in the default partition until the next maintenance.
        """
        ...

    def symbols(self, month: date) -> list[str]:
        """The symbols with bars in a month, in the order of their bytes."""
        ...

    def lines(self, month: date, symbol: str) -> str:
        """A symbol's bars of a month, oldest first: a line of JSON each."""
        ...

    def archived_parts(self, month: date) -> int:
        """How many archives a month has already left in."""
        ...

    def drop(self, archive: MonthArchive, at: datetime) -> None:
        """Take a month out of ``bars`` and note its archive, in one step.

        Raises DatabaseUnavailableError, and drops nothing, when the archive's rows or hash are not
        the table's: it was damaged or the bars have changed since, and is to be written anew.
        """
        ...


class BarArchive(Protocol):
    """Where old months are kept for good."""

    def write(self, key: str, portions: Iterable[str]) -> None:
        """Store lines, compressed, in bounded memory; whole or not at all."""
        ...

    def read(self, key: str) -> Iterator[bytes]:
        """The lines of an archive with their line ends, in bounded memory.

        Raises PayloadMismatchError when it is missing or cannot be decompressed.
        """
        ...


def digest_of(lines: Iterable[bytes]) -> tuple[int, str]:
    """Rows and SHA-256 (hex) of an archive's lines, as in :class:`MonthArchive`."""
    rows = 0
    hashes = hashlib.sha256()
    symbol: bytes | None = None
    of_symbol = hashlib.sha256()
    for line in lines:
        # {"symbol":"AAPL","start":... - told from its neighbours without parsing millions of lines.
        of_line = line.partition(b',"start":')[0]
        if of_line != symbol:
            if symbol is not None:
                hashes.update(of_symbol.digest())
            symbol, of_symbol = of_line, hashlib.sha256()
        of_symbol.update(line)
        rows += 1
    if symbol is not None:
        hashes.update(of_symbol.digest())
    return rows, hashes.hexdigest()

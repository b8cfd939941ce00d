"""A CSV file of one-minute bars that is read day by day, oldest first, whatever its order.

Unlike :func:`tradewind.market.csv_bars.read_bars`, broken rows do not refuse the file: each is
handed out with its reason, and the good rows with it. What concerns the whole file (no header, no
text, not one readable row) is an InvalidInputError before anything is handed out.

The file is read twice: once to learn where each day lies, then one portion of days at a time. So
memory holds a portion and not the file, and bars come in the order in which their prices can be
judged. A row is a line of the file.
"""

from __future__ import annotations

import csv
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from tradewind.errors import InvalidInputError
from tradewind.market.bar import Bar
from tradewind.market.csv_rows import Label, RowFault, RowReader, RowReason

_DAY = len("2020-11-12")


@dataclass(slots=True)
class Portion:
    """Some days of a file. ``rows[i]`` is the row of ``bars[i]``; a bar may still be wrong."""

    bars: list[Bar] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.bars) + len(self.faults)


@dataclass(slots=True)
class _Run:
    """Lines of one day that follow each other: where they lie in the file."""

    offset: int
    length: int
    first_row: int
    rows: int


class BarFile:
    """``label`` and ``timezone`` as in :class:`RowReader`; ``rows`` counts the rows with content.

    Raises InvalidInputError, in one line, for a file that cannot be imported at all.
    """

    def __init__(self, path: Path, symbol: str, label: Label, timezone: ZoneInfo) -> None:
        self._path = path
        self.name = str(path)
        self.symbol = symbol
        with self._open() as file:
            self._reader = RowReader(self._header(file), self.name, symbol, label, timezone)
            self._days = self._index(file)
        self.rows = sum(run.rows for runs in self._days.values() for run in runs)
        if self.rows == 0:
            raise InvalidInputError(f"{path}: has a header and no rows")
        self._check_readable()

    def portions(self, size: int) -> Iterator[Portion]:
        """Whole days, oldest first, at least ``size`` rows at a time but for the last portion."""
        with self._open() as file:
            portion = Portion()
            for day in sorted(self._days):
                for run in self._days[day]:
                    self._read(file, run, portion)
                if len(portion) >= size:
                    yield portion
                    portion = Portion()
            if len(portion):
                yield portion

    def _check_readable(self) -> None:
        first: RowFault | None = None
        for portion in self.portions(1):
            if portion.bars:
                return
            first = min((*portion.faults, *((first,) if first else ())), key=lambda f: f.row)
        if first is not None:
            raise InvalidInputError(
                f"{self._path}: row {first.row}: {first.cause}; "
                f"not one of its {self.rows} rows can be read"
            )

    def _open(self) -> BinaryIO:
        try:
            if not stat.S_ISREG(self._path.stat().st_mode):
                raise InvalidInputError(f"{self._path}: is not a file")
            return self._path.open("rb")
        except OSError as error:
            raise InvalidInputError(f"{self._path}: cannot be read: {error.strerror}") from error

    def _header(self, file: BinaryIO) -> list[str]:
        try:
            line = file.readline().decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InvalidInputError(f"{self._path}: is not a text file in UTF-8") from error
        if "\r" in line:
            raise InvalidInputError(f"{self._path}: its lines end in CR; save it with LF or CRLF")
        return _cells(line)

    def _index(self, file: BinaryIO) -> dict[str, list[_Run]]:
        """Where each day's lines lie. A line whose time has no day stays with the line before."""
        days: dict[str, list[_Run]] = {}
        column = self._reader.time_column
        offset, day, run = file.tell(), b"", _Run(0, 0, 0, 0)
        for row, line in enumerate(file, start=2):
            if not line.isspace():
                of_line = _day_text(line, column)
                if (of_line != day and of_line[:4].isdigit()) or not run.rows:
                    day, run = of_line, _Run(offset, 0, row, 0)
                    days.setdefault(day.decode("ascii", "replace"), []).append(run)
                run.rows += 1
            run.length += len(line)
            offset += len(line)
        return days

    def _read(self, file: BinaryIO, run: _Run, portion: Portion) -> None:
        file.seek(run.offset)
        lines = file.read(run.length).split(b"\n")
        for row, line in enumerate(lines, start=run.first_row):
            if not line or line.isspace():
                continue
            try:
                found = self._reader.read(row, _cells(line.decode()))
            except UnicodeDecodeError:
                found = RowFault(row, RowReason.NOT_TEXT, "is not text in UTF-8")
            except csv.Error as error:
                found = RowFault(row, RowReason.NOT_CSV, f"not CSV: {error}")
            if isinstance(found, RowFault):
                portion.faults.append(found)
            else:
                portion.bars.append(found)
                portion.rows.append(row)


def _cells(line: str) -> list[str]:
    # Without quotes, which is nearly always, CSV is no more than this.
    return line.split(",") if '"' not in line else next(csv.reader([line]), [])


def _day_text(line: bytes, column: int) -> bytes:
    """The beginning of a line's time; roughly, as it only sorts the lines into days."""
    if column == 0:
        return line[: _DAY + 2].strip(b' "')[:_DAY]
    cells = line.split(b",", column + 1)
    return cells[column].strip(b' "')[:_DAY] if len(cells) > column else b""

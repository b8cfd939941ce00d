"""One-minute bars from a CSV file, the whole file or nothing: a single broken row refuses it.

What rows look like is told in :mod:`tradewind.market.csv_rows`; they may run oldest or newest
first. For a file of which the good rows are wanted, see :mod:`tradewind.market.bar_file`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

from tradewind.errors import InvalidInputError
from tradewind.market.bar import Bar, bar_fault
from tradewind.market.csv_rows import NEW_YORK, Label, RowFault, RowReader


def read_bars(
    path: Path,
    symbol: str,
    label: Label = "start",
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
    label: Label,
    timezone: ZoneInfo,
) -> list[Bar]:
    """As :func:`read_bars`, from lines of text; ``name`` stands for the file in messages."""
    table = csv.reader(lines)
    try:
        rows = RowReader(next(table, []), name, symbol, label, timezone)
        seen: dict[datetime, tuple[int, Bar]] = {}
        for cells in table:
            if not cells:
                continue
            number = table.line_num
            bar = rows.read(number, cells)
            if isinstance(bar, RowFault):
                _refuse(name, number, bar.cause)
            if (fault := bar_fault(bar)) is not None:
                _refuse(name, number, fault)
            known = seen.setdefault(bar.start, (number, bar))
            if known[1] is not bar and known[1] != bar:
                cause = f"gives the same minute as row {known[0]} with other values"
                _refuse(name, number, cause)
    except csv.Error as error:
        raise InvalidInputError(f"{name}: row {table.line_num}: not CSV: {error}") from error
    if not seen:
        raise InvalidInputError(f"{name}: has a header and no rows")
    return [seen[start][1] for start in sorted(seen)]


def _refuse(name: str, row: int, cause: str) -> NoReturn:
    raise InvalidInputError(f"{name}: row {row}: {cause}")

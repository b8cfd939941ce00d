"""Files for import: which rows become bars, which are told of, and in which order they come."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.errors import InvalidInputError
from tradewind.market.bar import Bar, fault_code
from tradewind.market.bar_file import BarFile
from tradewind.market.csv_bars import read_bars
from tradewind.market.csv_rows import NEW_YORK

from tests.unit.market.test_csv_bars import RECORDED, REFUSED_FILES, recorded

HEADER = "timestamp,open,high,low,close,volume"
GOOD = "2,4,1,3,9"


def bar_file(folder: Path, *lines: str, label: Any = "start") -> BarFile:
    path = folder / "x.csv"
    path.write_bytes("\n".join([*lines, ""]).encode())
    return BarFile(path, "AAPL", label, NEW_YORK)


def bars_of(file: BarFile, size: int = 1) -> list[Bar]:
    return [bar for portion in file.portions(size) for bar in portion.bars]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# -- rows -----------------------------------------------------------------------------------------

# row after the header, code, what is said
BROKEN = [
    ("11/12/2020 9:30,2,4,1,3,9", "time_not_understood", "is not like 2020-11-12 09:31:00"),
    ("2020-11-31 09:30,2,4,1,3,9", "time_not_understood", "cannot be read"),
    ("2020-11-01 01:30,2,4,1,3,9", "time_ambiguous", "exists twice in America/New_York"),
    ("2020-03-08 02:30,2,4,1,3,9", "time_ambiguous", "does not exist"),
    ("2020-11-12 09:30,2,4,1", "too_few_columns", "has 4 columns where the header has 6"),
    ("2020-11-12 09:30,NaN,4,1,3,9", "price_not_a_number", "price 'NaN' is not a number"),
    ("2020-11-12 09:30,,4,1,3,9", "price_not_a_number", "price '' is not a number"),
    ("2020-11-12 09:30,2,1e9,1,3,9", "price_not_a_number", "price '1e9' is not a number"),
    ("2020-11-12 09:30,2,4,1,3,x", "volume_not_a_number", "volume 'x' is not a number"),
    ("2020-11-12 09:30,2,4,1,3,1.5", "volume_not_whole", "not a whole number of shares"),
    ('2020-11-12 09:30,"2,4,1,3,9', "too_few_columns", "has 2 columns"),
    ("2020-11-12 09:30,2,4,1,3,1,000", "too_many_columns", "has 7 columns where the header has 6"),
    (f"2020-11-12 09:30,{'1' * 21},4,1,3,9", "price_too_long", "has more than 20 digits"),
    (f"2020-11-12 09:30,2,4,1,3,{2**63}", "volume_too_large", "is more than 9223372036854775807"),
]


@pytest.mark.parametrize(("row", "code", "cause"), BROKEN)
def test_a_broken_row_is_told_of_and_costs_no_other(
    tmp_path: Path, row: str, code: str, cause: str
) -> None:
    file = bar_file(tmp_path, HEADER, f"2020-11-12 09:29,{GOOD}", row, f"2020-11-12 09:31,{GOOD}")
    portions = list(file.portions(100))
    assert [bar.start.minute for portion in portions for bar in portion.bars] == [29, 31]
    (fault,) = [fault for portion in portions for fault in portion.faults]
    assert (fault.row, fault.code) == (3, code)
    assert cause in fault.cause
    assert file.rows == 3


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(f"{HEADER}\n2020-11-12 09:30,{GOOD}\n2020-11-12 09:31,\xff".encode("latin-1"))
    (portion,) = BarFile(path, "AAPL", "start", NEW_YORK).portions(10)
    assert (len(portion.bars), portion.faults[0].row, portion.faults[0].code) == (1, 3, "not_text")


def test_a_bar_that_is_wrong_by_itself_is_left_to_validation(tmp_path: Path) -> None:
    (bar,) = bars_of(bar_file(tmp_path, HEADER, "2020-11-12 09:30,2,1,4,3,-9"))
    assert fault_code(bar) == "ohlc_order"


def test_rows_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    """Blank lines are lines and no rows; CRLF and a missing line end at the end change nothing."""
    path = tmp_path / "x.csv"
    path.write_bytes(
        f"\ufeff{HEADER}\r\n\r\n2020-11-13 09:30,{GOOD}\r\n  \r\n\r\n2020-11-12 09:30,{GOOD}\r\n"
        f"2020-11-12 09:31,{GOOD}".encode()
    )
    file = BarFile(path, "AAPL", "start", NEW_YORK)
    assert file.rows == 3
    rows = {
        bar.start: row
        for portion in file.portions(1)
        for bar, row in zip(portion.bars, portion.rows, strict=True)
    }
    assert list(rows.items()) == [
        (utc("2020-11-12 14:30"), 6),
        (utc("2020-11-12 14:31"), 7),
        (utc("2020-11-13 14:30"), 3),
    ]


# Where the time stands must not matter for the order of the days.
@pytest.mark.parametrize(
    ("header", "row"),
    [
        (HEADER, "{time},2,4,1,3,9"),
        (HEADER, '"{time}", 2 ,"4",1,3,9'),
        (HEADER, "  {time},2,4,1,3,9"),
        ("open,high,low,close,volume,Date", "2,4,1,3,9,{time}"),
        ("note,date,open,highest,lowest,close,volume", '"a, b",{time},2,4,1,3,9'),
        (f"date,{HEADER}", "someday,{time},2,4,1,3,9"),
    ],
)
def test_days_come_oldest_first(tmp_path: Path, header: str, row: str) -> None:
    days = ["2020-11-13", "2020-11-12", "2020-11-16", "2020-11-12"]
    lines = [row.format(time=f"{day} 09:3{number}") for number, day in enumerate(days)]
    file = bar_file(tmp_path, header, *lines)
    portions = [[f"{bar.start:%d %M}" for bar in portion.bars] for portion in file.portions(3)]
    if "a, b" in row:  # a comma inside quotes before the time: the days are not told apart
        assert sorted(bar for portion in portions for bar in portion) == [
            "12 31",
            "12 33",
            "13 30",
            "16 32",
        ]
    else:
        assert portions == [["12 31", "12 33", "13 30"], ["16 32"]]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 40))
def test_any_order_of_lines_gives_all_bars_day_by_day(
    tmp_path_factory: pytest.TempPathFactory, seed: int, size: int
) -> None:
    lines = [
        f"2020-11-{day} 09:{minute},{minute},99,1,2,{day}"
        for day in (10, 11, 12, 13)
        for minute in range(30, 40)
    ]
    # A seeded shuffle: Hypothesis would take a while to permute forty lines.
    random.Random(seed).shuffle(lines)
    file = bar_file(tmp_path_factory.mktemp("bars"), HEADER, *lines)
    bars = bars_of(file, size)
    assert sorted(bars, key=lambda bar: bar.start) == read_bars(Path(file.name), "AAPL")
    days = [bar.start.date() for bar in bars]
    assert days == sorted(days)
    assert all(len(portion) >= size for portion in list(file.portions(size))[:-1])


# -- whole files ----------------------------------------------------------------------------------

REFUSED: list[tuple[bytes, str]] = [
    (b"", r"row 1: the file has no header, or is empty"),
    (b"\n", r"row 1: the file has no header, or is empty"),
    (HEADER.encode(), r"has a header and no rows"),
    (f"{HEADER}\n\n \n".encode(), r"has a header and no rows"),
    (b"time,o,h,l,c,v\n1,2,3,4,5,6\n", r"row 1: no column timestamp, open, high"),
    (b"timestamp,open,high,low,close\n", r"row 1: no column volume; needed are"),
    (b"\xff\xfet\x00i\x00", r"is not a text file in UTF-8"),
    (f"{HEADER}\r2020-11-12 09:30,{GOOD}\r".encode(), r"its lines end in CR"),
    (f"{HEADER}\n\nx,{GOOD}\n,,,,,\n".encode(), r"row 3: time 'x' .*; not one of its 2 rows can"),
]


@pytest.mark.parametrize(("content", "message"), REFUSED)
def test_a_file_that_cannot_be_imported_at_all(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=message) as refused:
        BarFile(path, "AAPL", "start", NEW_YORK)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"none\.csv: cannot be read: No such file"):
        BarFile(tmp_path / "none.csv", "AAPL", "start", NEW_YORK)
    with pytest.raises(InvalidInputError, match="is not a file"):
        BarFile(tmp_path, "AAPL", "start", NEW_YORK)


# -- recorded files ---------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "label", "count", "first"), RECORDED)
def test_the_strict_reader_and_this_one_agree(
    name: str, label: Any, count: int, first: str
) -> None:
    path = recorded(name)
    bars = bars_of(BarFile(path, "X", label, NEW_YORK), 5_000)
    assert sorted(bars, key=lambda bar: bar.start) == read_bars(path, "X", label)
    assert len(bars) == count
    assert min(bar.start for bar in bars) == utc(first)


@pytest.mark.parametrize(("name", "cause"), REFUSED_FILES)
def test_recorded_files_without_one_minute_bar(name: str, cause: str) -> None:
    with pytest.raises(InvalidInputError, match="not one of its") as refused:
        BarFile(recorded(name), "X", "start", NEW_YORK)
    assert cause in str(refused.value)

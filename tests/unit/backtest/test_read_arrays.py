"""Bars from CSV files as columns: forms of time and number, chunks, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tradewind.backtest import bar_file
from tradewind.backtest.arrays import arrays_of
from tradewind.backtest.bar_file import read_arrays
from tradewind.backtest.plain_rows import NotPlainError, PlainReader
from tradewind.errors import InvalidInputError
from tradewind.market.csv_bars import read_bars
from tradewind.market.csv_rows import NEW_YORK, Label, RowReader
from tradewind.market.session_table import default_table

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "bars_1min"
CALENDAR = default_table()
HEADER = "timestamp,open,high,low,close,volume"
# 14:30 UTC
GOOD = "2020-11-12 09:30:00,100,101,99.5,100.25,1200"
NEXT = "2020-11-12 09:31:00,100,101,99.5,100.25,1200"
LATER = "2020-11-12 09:32:00,100,101,99.5,100.25,1200"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bars.csv"


def write(path: Path, *rows: str, header: str = HEADER, end: str = "\n") -> Path:
    path.write_bytes(end.join((header, *rows, "")).encode())
    return path


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("av_2020_2021/intraday_1min_AAPL.csv", "end"),  # newest first, noise of binary fractions
        ("aapl_2024_01/AAPL_20240102_20240122.csv", "start"),  # +00:00, "highest" and "lowest"
        ("aapl_2025_09_26/AAPL_20250926_ib.csv", "start"),  # -04:00, volume 552.0, more columns
        ("lean/SPY_20131004_20131011.csv", "start"),
        ("av_2019_02/TZA_1min.csv", "end"),
    ],
)
@pytest.mark.parametrize("regular_only", [True, False])
def test_recorded_files_are_read_as_the_exact_reader_reads_them(
    name: str, label: Label, regular_only: bool
) -> None:
    recorded = RECORDED / name
    if not recorded.exists():
        pytest.skip("the recorded bars (../shared/data) are not on this machine")
    fast = read_arrays(recorded, "X", CALENDAR, label=label, regular_only=regular_only)
    exact = arrays_of("X", read_bars(recorded, "X", label), CALENDAR, regular_only=regular_only)
    assert fast.fingerprint() == exact.fingerprint()


@pytest.mark.parametrize(
    "rows",
    [
        [GOOD, NEXT],
        [NEXT, GOOD],  # newest first
        ["2020-11-12T14:30:00Z,100,101,99.5,100.25,1200", "2020-11-12T14:31:00Z,1,1,1,1,0"],
        ["2020-11-12 09:30,100,101,99.5,100.25,1200", "2020-11-12 09:31,1,1,1,1,0"],
        ["2020-11-12 15:30:00+01:00,100,101,99.5,100.25,1200.0", NEXT],
        ['"2020-11-12 09:30:00",100,101,99.5,100.25,1200', NEXT],
        [" 2020-11-12 09:30:00 , +100, 101,99.50 ,100.250,1200", NEXT],
        [GOOD, "", NEXT, ""],
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_form_of_a_row(path: Path, rows: list[str], end: str) -> None:
    bars = read_arrays(write(path, *rows, end=end), "AAPL", CALENDAR)
    assert bars.minute.tolist() == [0, 1]
    assert [column[0] for column in (bars.open, bars.high, bars.low, bars.close, bars.volume)] == [
        100_000_000, 101_000_000, 99_500_000, 100_250_000, 1200,
    ]  # fmt: skip


def test_label_and_timezone(path: Path) -> None:
    write(path, "2020-11-12 14:31:00,1,1,1,1,1", "2020-11-12 14:32:00,1,1,1,1,1")
    ends = read_arrays(path, "AAPL", CALENDAR, label="end", timezone=ZoneInfo("UTC"))
    assert ends.minute.tolist() == [0, 1]
    starts = read_arrays(path, "AAPL", CALENDAR, timezone=ZoneInfo("UTC"))
    assert starts.minute.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "has a header and no rows"),
        ([GOOD], "has one row only"),
        ([GOOD, LATER, NEXT], "row 4: out of order: the file begins oldest first"),
        ([LATER, GOOD, NEXT], "row 4: out of order: the file begins newest first"),
        ([GOOD, "", LATER, "", NEXT], "row 6: out of order"),
        ([GOOD, NEXT, NEXT], "row 4: gives the minute of the row before"),
        ([GOOD, GOOD], "row 3: gives the minute of the row before"),
        ([GOOD, NEXT.replace("101", "NaN")], "row 3: price 'NaN' is not a number"),
        ([GOOD, NEXT.replace("101", "inf")], "row 3: price 'inf' is not a number"),
        ([GOOD, NEXT.replace("101", "1e3")], "row 3: price '1e3' is not a number"),
        ([GOOD, NEXT.replace("101", "")], "row 3: price '' is not a number"),
        ([GOOD, NEXT.replace("101", ".")], "row 3: price '.' is not a number"),
        ([GOOD, NEXT.replace("101", "1.0.1")], "row 3: price '1.0.1' is not a number"),
        ([GOOD, NEXT.replace("99.5", "0")], "row 3: a price is zero or negative"),
        ([GOOD, NEXT.replace("99.5", "-99.5")], "row 3: a price is zero or negative"),
        ([GOOD, NEXT.replace("99.5", "102")], "row 3: open or close lies outside low..high"),
        ([GOOD, NEXT.replace("101", "100.1")], "row 3: open or close lies outside low..high"),
        ([GOOD, NEXT.replace("101", "20000000")], "row 3: a price of 20000000 USD; give prices"),
        ([GOOD, NEXT.replace("99.5", "0.0000001")], "row 3: a price of 1E-7 USD is less than"),
        ([GOOD, NEXT.replace("1200", "12.5")], "row 3: volume '12.5' is not a whole number"),
        ([GOOD, NEXT.replace("1200", "-5")], "row 3: volume is negative"),
        ([GOOD, NEXT.replace("1200", "9" * 30)], "row 3: volume"),
        ([GOOD, NEXT.replace(":00,", ":30,")], "row 3: the label is not a whole minute"),
        ([GOOD, NEXT.replace("11-12", "13-12")], "row 3: time '2020-13-12 09:31:00' cannot be"),
        ([GOOD, NEXT.replace("09:31", "25:31")], "row 3: time '2020-11-12 25:31:00' cannot be"),
        ([GOOD, "11/12/2020 9:31,1,1,1,1,1"], "row 3: time '11/12/2020 9:31' is not like"),
        ([GOOD, "2020-11-12 09:31:00,1,1,1,1"], "row 3: has 5 columns where the header has 6"),
        ([GOOD, NEXT + ",7"], "row 3: has 7 columns where the header has 6"),
        # a row too short and one too long have as many cells as two good ones
        ([GOOD, "2020-11-12 09:31:00,1,1,1,1", LATER + ",7"], "row 3: has 5 columns"),
        (["2020-11-01 01:30:00,1,1,1,1,1", NEXT], "row 2: time '2020-11-01 01:30:00' does not"),
        (["2020-11-14 10:00:00,1,1,1,1,1", "2020-11-14 10:01:00,1,1,1,1,1"],
         "no bars in regular hours (of 2 in all)"),
        (["1900-01-02 10:00:00,1,1,1,1,1", "1900-01-02 10:01:00,1,1,1,1,1"],
         "1900-01-02 lies outside the session table"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(path: Path, rows: list[str], words: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        read_arrays(write(path, *rows), "AAPL", CALENDAR)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "row 1: the file has no header, or is empty"),
        (b"time,price\n1,2\n", "row 1: no column timestamp, open, high, low, close, volume"),
        (b"\xff\xfe\x00", "is not a text file in UTF-8"),
        (f"{HEADER}\r{GOOD}\r".encode(), "its lines end in CR"),
        (f"{HEADER}\n{GOOD}\n".encode() + b"\xff,1,1,1,1,1\n", "row 3: is not text in UTF-8"),
    ],
)
def test_files_that_are_none(path: Path, content: bytes, words: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=words):
        read_arrays(path, "AAPL", CALENDAR)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"none\.csv: cannot be read: No such file"):
        read_arrays(tmp_path / "none.csv", "AAPL", CALENDAR)
    with pytest.raises(InvalidInputError, match="is not a file"):
        read_arrays(tmp_path, "AAPL", CALENDAR)


def minutes(count: int) -> list[str]:
    return [
        f"2020-11-12 {9 + (30 + number) // 60:02}:{(30 + number) % 60:02}:00,"
        f"{100 + number},{100 + number},{100 + number},{100 + number},{number}"
        for number in range(count)
    ]


@pytest.mark.parametrize("chunk", [1, 50, 333, 10_000])
@pytest.mark.parametrize("newest_first", [False, True])
def test_chunks_change_nothing_and_keep_counting_rows(
    path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, newest_first: bool
) -> None:
    rows = minutes(120)[:: -1 if newest_first else 1]
    monkeypatch.setattr(bar_file, "_CHUNK", chunk)
    read: list[int] = []
    bars = read_arrays(write(path, *rows), "AAPL", CALENDAR, progress=read.append)
    assert bars.volume.tolist() == list(range(120))
    assert read[-1] == path.stat().st_size

    with pytest.raises(InvalidInputError, match=r"row 102: gives the minute of the row before"):
        read_arrays(write(path, *rows[:100], rows[99], *rows[100:]), "AAPL", CALENDAR)
    rows[100] = rows[100].replace(",", ",x", 1)
    with pytest.raises(InvalidInputError, match=r"row 102: price 'x"):
        read_arrays(write(path, *rows), "AAPL", CALENDAR)


NUMBER = st.one_of(
    st.decimals("0.000001", "9999", places=6).map(str),
    st.decimals("1", "9999", places=14).map(str),
    st.sampled_from(["1.", ".5", "007", "1.0000005", "1.00000049", "0.0000005", "12", "1.2.3"]),
)
TIME = st.sampled_from(
    ["2020-11-12 09:30:00", "2020-11-12T09:30", "2020-11-12 09:30:00+00:00", "2020-11-12 09:30Z",
     "2020-11-12 09:30:30", "2020-02-30 09:30:00", "2020-11-01 09:30:00", "2020-11-12 24:00:00",
     "2020-11-12 09:30:00-05:30"]
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
# Out of order only by a digit that is not traded.
@example("2020-11-12 09:30:00", ["0.000001", "1.00000000000000", "0.000001", "1.00000049"], "0")
@given(TIME, st.lists(NUMBER, min_size=4, max_size=4), st.sampled_from(["0", "12", "3.0", "3.5"]))
def test_the_plain_reader_says_what_the_exact_one_says_or_nothing(
    time: str, prices: Sequence[str], volume: str
) -> None:
    rows = RowReader(HEADER.split(","), "bars.csv", "AAPL", "end", NEW_YORK)
    line = ",".join((time, *prices, volume)).encode()
    try:
        plain = PlainReader(rows).read(line)
    except NotPlainError:
        return
    exact = bar_file._row_by_row(line, rows, 2, "bars.csv")
    assert np.array(plain).tolist() == np.array(exact).tolist()

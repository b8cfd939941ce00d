"""Bars from CSV files: what is read, and the one line that says why something is not."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.csv_bars import NEW_YORK, parse_bars, read_bars

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
HEADER = "timestamp,open,high,low,close,volume"
ROW = "2020-11-12 09:30:00,119.62,119.70,119.5,119.6135,100"


def parse(*lines: str, label: str = "start", zone: ZoneInfo = NEW_YORK) -> list[Bar]:
    return parse_bars([f"{line}\n" for line in lines], "x.csv", "AAPL", label, zone)  # type: ignore[arg-type]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_row_becomes_a_bar_with_the_digits_of_the_text() -> None:
    (bar,) = parse(HEADER, ROW)
    assert bar == Bar(
        symbol="AAPL",
        start=utc("2020-11-12 14:30"),
        open=Decimal("119.62"),
        high=Decimal("119.70"),
        low=Decimal("119.5"),
        close=Decimal("119.6135"),
        volume=100,
        feed="file",
    )
    assert str(bar.high) == "119.70"  # Decimal equality would not see a lost zero


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Timestamp,Open,High,Low,Close,Volume", "2020-11-12 09:30:00,2,4,1,3,9"),
        ("datetime,open,high,low,close,volume", "2020-11-12T09:30,2,4,1,3,9"),
        ("date,open,highest,lowest,close,volume", "2020-11-12 14:30:00+00:00,2,4,1,3,9"),
        ("Date,Open,Close,High,Low,Volume", "2020-11-12 09:30:00,2,3,4,1,9"),  # their order
        ("volume , close,low,high,open, timestamp", "9,3,1,4,2, 2020-11-12 09:30:00"),
        (f"{HEADER},average,barCount", "2020-11-12T09:30:00-05:00,2,4,1,3,9.0,2.5,7"),
        (HEADER, "2020-11-12T14:30:00Z,2,4,1,3,9"),
        (HEADER, "2020-11-12T14:30:00Z,2,4,1,3,9,, "),  # empty cells at the end say nothing
        (HEADER, f"2020-11-12T14:30:00Z,2,4,1,{'0' * 30}3.{'0' * 20},9"),
        (f"date,{HEADER}", "someday,2020-11-12 09:30:00,2,4,1,3,9"),  # timestamp comes first
    ],
)
def test_columns_in_any_order_case_and_spelling(header: str, row: str) -> None:
    (bar,) = parse(header, row)
    assert bar.start == utc("2020-11-12 14:30")
    assert [bar.open, bar.high, bar.low, bar.close, bar.volume] == list(map(Decimal, "24139"))


def test_labels_order_zones_and_blank_lines() -> None:
    newest_first = [
        HEADER,
        "2020-11-12 09:32:00,2,4,1,3,9",
        "",
        "2020-11-12 09:31:00,2,4,1,3,8",
    ]
    assert [bar.start for bar in parse(*newest_first)] == [
        utc("2020-11-12 14:31"),
        utc("2020-11-12 14:32"),
    ]
    # an end label names the first instant after the minute
    assert [bar.start for bar in parse(*newest_first, label="end")] == [
        utc("2020-11-12 14:30"),
        utc("2020-11-12 14:31"),
    ]
    assert parse(*newest_first, zone=ZoneInfo("UTC"))[0].start == utc("2020-11-12 09:31")
    # New York is an hour nearer to Greenwich in summer
    assert parse(HEADER, "2020-07-01 09:30,2,4,1,3,9")[0].start == utc("2020-07-01 13:30")


def test_a_repeated_row_counts_once_and_a_contradicted_one_is_refused() -> None:
    assert len(parse(HEADER, ROW, ROW)) == 1
    with pytest.raises(InvalidInputError, match=r"row 3: gives the same minute as row 2 with"):
        parse(HEADER, ROW, ROW.replace("119.62", "119.63"))


REFUSED = [
    # header
    ([], r"row 1: the file has no header, or is empty"),
    ([""], r"row 1: the file has no header, or is empty"),
    ([HEADER], r"has a header and no rows"),
    ([ROW], r"row 1: no column timestamp, open, high, low, close, volume; needed are"),
    (["timestamp,open,high,low,close", "x"], r"row 1: no column volume; needed are"),
    ([HEADER.replace(",", ";"), ROW], r"row 1: no column .* separated by commas"),
    ([f"{HEADER},open", f"{ROW},1"], r"row 1: column 'open' is there twice"),
    # times
    ([HEADER, ROW, "yesterday,2,4,1,3,9"], r"row 3: time 'yesterday' is not like 2020-11-12"),
    ([HEADER, "11/5/2019 9:30,2,4,1,3,9"], r"row 2: time '11/5/2019 9:30' is not like"),
    ([HEADER, "2020-11-12,2,4,1,3,9"], r"row 2: time '2020-11-12' is not like"),
    ([HEADER, "2020-11-31 09:30,2,4,1,3,9"], r"row 2: time '2020-11-31 09:30' cannot be read"),
    ([HEADER, "0001-01-01 00:00+14:00,2,4,1,3,9"], r"row 2: time .* cannot be read"),
    ([HEADER, "2020-11-12 09:30:30,2,4,1,3,9"], r"row 2: the label is not a whole minute"),
    # 2020-03-08 02:00 became 03:00, 2020-11-01 02:00 became 01:00 again
    ([HEADER, "2020-03-08 02:30,2,4,1,3,9"], r"row 2: time .* does not exist or exists twice"),
    ([HEADER, "2020-11-01 01:30,2,4,1,3,9"], r"row 2: time .* does not exist or exists twice"),
    # numbers
    ([HEADER, "2020-11-12 09:30,two,4,1,3,9"], r"row 2: price 'two' is not a number"),
    ([HEADER, "2020-11-12 09:30,,4,1,3,9"], r"row 2: price '' is not a number"),
    ([HEADER, "2020-11-12 09:30,NaN,4,1,3,9"], r"row 2: price 'NaN' is not a number"),
    ([HEADER, "2020-11-12 09:30,2,inf,1,3,9"], r"row 2: price 'inf' is not a number"),
    ([HEADER, "2020-11-12 09:30,2_0,4,1,3,9"], r"row 2: price '2_0' is not a number"),
    ([HEADER, '2020-11-12 09:30,"1,002",4,1,3,9'], r"row 2: price '1,002' is not a number"),
    ([HEADER, "2020-11-12 09:30,2,4,-1,3,9"], r"row 2: a price is zero or negative"),
    ([HEADER, "2020-11-12 09:30,0,0,0,0,9"], r"row 2: a price is zero or negative"),
    ([HEADER, "2020-11-12 09:30,2,1,4,3,9"], r"row 2: open or close lies outside low..high"),
    ([HEADER, "2020-11-12 09:30,5,4,1,3,9"], r"row 2: open or close lies outside low..high"),
    ([HEADER, "2020-11-12 09:30,2,4,1,3,-9"], r"row 2: volume is negative"),
    ([HEADER, "2020-11-12 09:30,2,4,1,3,9.5"], r"row 2: volume '9.5' is not a whole number"),
    ([HEADER, "2020-11-12 09:30,2,4,1,3,many"], r"row 2: volume 'many' is not a number"),
    ([HEADER, ROW, "2020-11-12 09:31,2,4"], r"row 3: has 3 columns where the header has 6"),
    # 1,000 shares, without quotes
    ([HEADER, ROW, "2020-11-12 09:31,2,4,1,3,1,000"], r"row 3: has 7 columns .* without commas"),
    ([HEADER, "2020-11-12 09:30,2,4,1,3,9,,x"], r"row 2: has 8 columns where the header has 6"),
    # what no database column holds
    ([HEADER, f"2020-11-12 09:30,2,4,1,3,{2**63}"], r"row 2: volume '9223372036854775808' is more"),
    ([HEADER, f"2020-11-12 09:30,2,4,1,3,{'9' * 5000}"], r"row 2: volume '9+…' is more than"),
    ([HEADER, f"2020-11-12 09:30,2,1{'0' * 20},1,3,9"], r"row 2: price .* more than 20 digits"),
    ([HEADER, f"2020-11-12 09:30,2,4,1,3.{'1' * 21},9"], r"row 2: price .* more than 20 digits"),
]


@pytest.mark.parametrize(("lines", "message"), REFUSED)
def test_one_line_names_file_row_and_cause(lines: list[str], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as refused:
        parse(*lines)
    assert str(refused.value).startswith("x.csv: ")
    assert "\n" not in str(refused.value)


def test_the_clock_change_is_no_trouble_with_offsets() -> None:
    twice = parse(HEADER, "2020-11-01 01:30-04:00,2,4,1,3,9", "2020-11-01 01:30-05:00,2,4,1,3,9")
    assert [bar.start for bar in twice] == [utc("2020-11-01 05:30"), utc("2020-11-01 06:30")]


def test_the_largest_numbers_are_read_whole() -> None:
    largest = "9" * 20
    (bar,) = parse(HEADER, f"2020-11-12 09:30,{largest},{largest},1,3,{2**63 - 1}")
    assert (str(bar.high), bar.volume) == (largest, 2**63 - 1)


def test_files_that_cannot_be_opened_or_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"none\.csv: cannot be read: No such file"):
        read_bars(tmp_path / "none.csv", "AAPL")
    with pytest.raises(InvalidInputError, match="cannot be read: Is a directory"):
        read_bars(tmp_path, "AAPL")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00t")
    with pytest.raises(InvalidInputError, match="not a text file in UTF-8"):
        read_bars(binary, "AAPL")
    bom = tmp_path / "bom.csv"
    bom.write_text(f"\ufeff{HEADER}\r\n{ROW}\r\n", encoding="utf-8")
    assert len(read_bars(bom, "AAPL")) == 1


cents = st.integers(1, 100_000)


@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 1_000), st.tuples(cents, cents, cents, cents), st.integers(0, 10**9)
        ),
        min_size=1,
        unique_by=lambda row: row[0],
    ),
    newest_first=st.booleans(),
)
def test_what_is_written_is_what_is_read(
    rows: list[tuple[int, tuple[int, int, int, int], int]], newest_first: bool
) -> None:
    first = utc("2020-11-12 14:30")
    written = []
    for minute, prices, volume in sorted(rows, reverse=newest_first):
        low, one, other, high = (Decimal(price).scaleb(-2) for price in sorted(prices))
        written.append(Bar("AAPL", first + minute * MINUTE, one, high, low, other, volume, "file"))
    lines = [
        f"{bar.start.isoformat()},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}"
        for bar in written
    ]
    assert parse(HEADER, *lines) == sorted(written, key=lambda bar: bar.start)


# -- recorded files ---------------------------------------------------------------------------

# folder, label, rows and first bar as SOURCES.md tells them, or why the file is refused
RECORDED = [
    ("bars_1min/av_2020_2021/intraday_1min_AAPL.csv", "end", 44_356, "2020-10-26 08:00"),
    ("bars_1min/av_2020_2021/intraday_1min_MSFT.csv", "end", 32_560, "2020-10-26 08:00"),
    ("bars_1min/av_2020_2021/intraday_1min_INTC.csv", "end", 30_719, "2020-10-26 08:00"),
    ("bars_1min/av_2020_2021/intraday_1min_WMT.csv", "end", 24_622, "2020-10-26 08:25"),
    ("bars_1min/av_2019_02/AAPL_1min.csv", "end", 1_948, "2019-02-11 14:30"),
    ("bars_1min/av_2019_02/AMZN_1min.csv", "end", 1_944, "2019-02-11 14:30"),
    ("bars_1min/av_2019_02/BAC_1min.csv", "end", 1_950, "2019-02-11 14:30"),
    ("bars_1min/av_2019_02/MSFT_1min.csv", "end", 1_948, "2019-02-11 14:30"),
    ("bars_1min/av_2019_02/PPLT_1min.csv", "end", 566, "2019-02-11 14:30"),
    ("bars_1min/av_2019_02/QQQ_1min.csv", "end", 1_948, "2019-02-11 14:30"),
    ("bars_1min/av_2019_02/SPY_1min.csv", "end", 1_950, "2019-02-11 14:30"),
    ("bars_1min/av_2019_02/TZA_1min.csv", "end", 1_783, "2019-02-11 14:30"),
    ("bars_1min/av_2019_02/UGA_1min.csv", "end", 388, "2019-02-11 14:30"),
    ("bars_1min/av_2019_02/VXXB_1min.csv", "end", 1_949, "2019-02-11 14:30"),
    (
        "bars_1min/lean/AAPL_20140605_20140609_split7for1.csv",
        "start",
        2_303,
        "2014-06-05 08:15",
    ),
    ("bars_1min/lean/SPY_20131004_20131011.csv", "start", 4_839, "2013-10-04 08:06"),
    ("bars_1min/aapl_2024_01/AAPL_20240102_20240122.csv", "start", 9_998, "2024-01-02 09:00"),
    ("bars_1min/aapl_2025_09_26/AAPL_20250926_ib.csv", "start", 960, "2025-09-26 08:00"),
    # offsets of +05:30; minutes three apart, which are gaps to us
    ("robustness_skender/_issue0859.adx.nan.csv", "start", 595, "2022-07-25 03:45"),
]
REFUSED_FILES = [
    # m/d/Y: May and November cannot be told apart
    ("bars_1min/mplfinance_index/SP500_NOV2019_IDay.csv", "row 2: time '11/5/2019 9:30' is not"),
    ("robustness_skender/bad.csv", "row 2: time '01/03/2017' is not"),
    ("robustness_skender/mismatch.csv", "row 2: time '1/3/2017' is not"),
    ("robustness_skender/toobig.csv", "row 2: time '08/16/2017' is not"),
    ("robustness_skender/zeros.csv", "row 2: time '01/03/17' is not"),
    # days, not minutes
    ("robustness_skender/penny.csv", "row 2: time '2018-12-21' is not"),
]


def recorded(name: str) -> Path:
    if not SHARED.is_dir():
        pytest.skip("the recorded bars (../shared/data) are not on this machine")
    return SHARED / name


@pytest.mark.parametrize(("name", "label", "count", "first"), RECORDED)
def test_recorded_files(name: str, label: str, count: int, first: str) -> None:
    bars = read_bars(recorded(name), "X", label)  # type: ignore[arg-type]
    assert len(bars) == count
    assert bars[0].start == utc(first)
    assert all(earlier.start < later.start for earlier, later in pairwise(bars))


@pytest.mark.parametrize(("name", "cause"), REFUSED_FILES)
def test_recorded_files_that_are_not_minute_bars(name: str, cause: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_bars(recorded(name), "X")
    assert cause in str(refused.value)


def test_every_recorded_file_is_spoken_for() -> None:
    recorded("")
    found = {
        str(path.relative_to(SHARED))
        for folder in ("bars_1min", "robustness_skender")
        for path in (SHARED / folder).rglob("*.csv")
    }
    assert found == {name for name, *_ in RECORDED} | {name for name, _ in REFUSED_FILES}

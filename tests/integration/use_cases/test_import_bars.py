"""Recorded bars into a real PostgreSQL: what is stored, what is not, and that nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.errors import TradewindError
from tradewind.market.adjustment import SplitFactor
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.bar_file import BarFile, Portion
from tradewind.market.csv_rows import NEW_YORK, Label
from tradewind.market.intake import Intake, sessions_of
from tradewind.market.session_table import default_table
from tradewind.market.verdict import ValidationRules
from tradewind.use_cases.import_bars import import_bars
from tradewind.use_cases.store_bars import covered_sessions

from tests.unit.market.test_csv_bars import RECORDED, recorded

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
HEADER = "timestamp,open,high,low,close,volume"


@dataclass
class Recorded:
    """A source in memory: bars in order of time, cut into portions at the given places."""

    bars: list[Bar]
    cuts: tuple[int, ...] = ()
    symbol: str = "AAPL"
    name: str = "memory"
    failing_after: int | None = field(default=None)

    def portions(self, size: int) -> Iterator[Portion]:
        ends = [*self.cuts, len(self.bars)]
        first = 0
        for number, last in enumerate(ends):
            if number == self.failing_after:
                raise TradewindError("the power is gone")
            rows = list(range(first + 2, last + 2))
            yield Portion(self.bars[first:last], rows, [])
            first = last


def bars_at(*closes: float | str, start: datetime = OPEN, feed: str = "file") -> list[Bar]:
    """A bar a minute, each opening at the close before it."""
    prices = [D(str(close)) for close in closes]
    bars = []
    for number, close in enumerate(prices):
        opened = prices[number - 1] if number else close
        bars.append(
            Bar("AAPL", start + number * MINUTE, opened, max(opened, close), min(opened, close),
                close, 100, feed)
        )  # fmt: skip
    return bars


def flat(*closes: float | str, start: datetime = OPEN) -> list[Bar]:
    """As :func:`bars_at`, each bar at one price."""
    return [
        replace(b, open=b.close, high=b.close, low=b.close) for b in bars_at(*closes, start=start)
    ]


def run(source: Any, database: PostgresDatabase, as_of: datetime = NOW) -> Intake:
    return import_bars(
        source,
        database=database,
        sessions=default_table(),
        rules=ValidationRules(),
        as_of=as_of,
        progress=lambda _done: None,
    )


def csv_file(folder: Path, *rows: str, label: Label = "start", symbol: str = "AAPL") -> BarFile:
    path = folder / "bars.csv"
    path.write_text("\n".join([HEADER, *rows, ""]))
    return BarFile(path, symbol, label, NEW_YORK)


def stored(ask: Any) -> list[list[Any]]:
    rows: list[list[Any]] = ask("SELECT start, close::text, in_session FROM bars ORDER BY 1")
    return rows


def balanced(intake: Intake) -> bool:
    kept = intake.stored + intake.corrected + intake.unchanged
    dropped = intake.repeated + intake.less_complete
    return intake.read == kept + dropped + intake.rejected.total() + intake.held.total()


# -- rows -----------------------------------------------------------------------------------------


def test_good_rows_are_stored_and_broken_ones_told_of(
    database: PostgresDatabase, ask: Any, tmp_path: Path
) -> None:
    source = csv_file(
        tmp_path,
        "2020-11-12 09:30,119,120,118,119.5,100",
        "2020-11-12 09:31,119,120,118,x,100",  # no price
        "2020-11-12 09:32,119,118,120,119,100",  # high below low
        "2020-11-12 09:33,119,120,118,119,-1",
        "2020-11-12 09:34,119,120,118,119,2000000000",
        "12/11/2020 09:35,119,120,118,119,100",
        "2020-11-12 09:36:30,119,120,118,119,100",
        "2020-11-14 09:30,119,120,118,119,100",  # a Saturday
        "2020-11-12 03:59,119,120,118,119,100",
        "2020-11-12 04:00,119,120,118,119,100",  # early trading
        "2026-07-01 09:30,119,120,118,119,100",  # not yet
        "2020-11-12 09:37,119,120,118,119,100",
        "2020-11-12 09:37,119,120,118,119,100",  # again
        "2020-11-12 09:38,119,120,118,119,100",
        "2020-11-12 09:38,119,121,118,119,150",  # the same minute, fuller
        "2020-11-12 09:39,119,120,118,119,100",
        "2020-11-12 09:39,119,120,118,120,100",  # contradicts it
        "2020-11-12 09:40,0,0,0,0,100",
    )
    intake = run(source, database)
    assert dict(intake.rejected) == {
        "price_not_a_number": 1,
        "ohlc_order": 1,
        "negative_volume": 1,
        "absurd_volume": 1,
        "time_not_understood": 1,
        "not_a_minute": 1,
        "closed_day": 1,
        "outside_hours": 1,
        "future": 1,
        "conflicting_duplicate": 2,
        "price_not_positive": 1,
    }
    assert (intake.stored, intake.repeated, intake.less_complete) == (4, 1, 1)
    assert balanced(intake)
    assert not intake.complete
    rows = {reason: [e.row for e in examples] for reason, examples in intake.examples.items()}
    assert rows["price_not_a_number"] == [3]
    assert rows["ohlc_order"] == [4]
    assert rows["closed_day"] == [9]
    assert rows["conflicting_duplicate"] == [17, 18]
    assert [(f"{start:%H:%M}", regular) for start, _, regular in stored(ask)] == [
        ("09:00", False),
        ("14:30", True),
        ("14:37", True),
        ("14:38", True),
    ]


def test_of_many_rows_with_one_fault_some_are_quoted(
    database: PostgresDatabase, tmp_path: Path
) -> None:
    rows = [f"2020-11-12 09:{minute},1,1,1,none,1" for minute in range(30, 60)]
    intake = run(csv_file(tmp_path, *rows, "2020-11-12 10:00,1,1,1,1,1"), database)
    assert intake.rejected == {"price_not_a_number": 30}
    assert [example.row for example in intake.examples["price_not_a_number"]] == [2, 3, 4]


# -- the same again, other values, a crash --------------------------------------------------------


def test_the_same_again_stores_nothing(database: PostgresDatabase, ask: Any) -> None:
    source = Recorded(bars_at(100, 101, 102))
    assert run(source, database).stored == 3
    before = stored(ask)
    again = run(source, database)
    assert (again.stored, again.corrected, again.unchanged) == (0, 0, 3)
    assert again.complete
    assert stored(ask) == before


def test_other_values_correct_and_leave_a_trace(database: PostgresDatabase, ask: Any) -> None:
    run(Recorded(bars_at(100, 101, 102)), database)
    intake = run(Recorded(bars_at(100, 101.5, 102)), database)
    assert (intake.stored, intake.corrected, intake.unchanged) == (0, 2, 1)
    traces = ask("SELECT kind, old_close::text, close::text, received_at FROM bar_traces")
    # The bar after it opens at another price.
    assert traces == [["corrected", "101", "101.5", NOW], ["corrected", "102", "102", NOW]]


def test_after_a_crash_it_goes_on(database: PostgresDatabase, ask: Any) -> None:
    source = Recorded(bars_at(*range(100, 130)), cuts=(10, 20), failing_after=2)
    with pytest.raises(TradewindError, match="power"):
        run(source, database)
    assert ask("SELECT count(*) FROM bars") == [[20]]
    intake = run(replace(source, failing_after=None), database)
    assert (intake.stored, intake.unchanged) == (10, 20)
    assert ask("SELECT count(*), count(DISTINCT start) FROM bars") == [[30, 30]]


# -- prices across portions -----------------------------------------------------------------------

JUMPED = [100, 100, 100, 130, 130, 131, 130, 130]


@pytest.mark.parametrize("cut", range(1, len(JUMPED)))
def test_where_portions_end_does_not_matter_to_a_jump(database: PostgresDatabase, cut: int) -> None:
    """Confirmed by the bars after it, be they in the next portion."""
    intake = run(Recorded(flat(*JUMPED), cuts=(cut,)), database)
    assert (intake.stored, intake.held.total()) == (8, 0)
    assert balanced(intake)


@pytest.mark.parametrize("cuts", [(), (2,), (3,), (4,), (5,), (3, 4), (3, 4, 5)])
def test_where_portions_end_does_not_matter_to_a_spike(
    database: PostgresDatabase, cuts: tuple[int, ...]
) -> None:
    intake = run(Recorded(flat(100, 100, 100, 190, 100, 100, 100), cuts), database)
    assert (intake.stored, dict(intake.held)) == (6, {"jump": 1})
    assert intake.examples["jump"][0].row == 5
    assert balanced(intake)


def test_a_jump_that_nothing_follows_is_held(database: PostgresDatabase, ask: Any) -> None:
    source = Recorded(flat(100, 100, 100, 130), cuts=(3,))
    intake = run(source, database)
    assert (intake.stored, dict(intake.held)) == (3, {"jump": 1})
    assert balanced(intake)
    # A later file has the bars that confirm it.
    more = run(Recorded(flat(*JUMPED)), database)
    assert (more.stored, more.unchanged, more.complete) == (5, 3, True)


def test_what_lies_far_apart_is_not_measured_by_each_other(database: PostgresDatabase) -> None:
    """A price of last year says nothing of today's: half of it is no split."""
    later = flat(50, 50, 50, start=OPEN + timedelta(days=60 * 7))
    first = flat(100, 100, 100)
    in_one = run(Recorded([*first, *later]), database)
    assert (in_one.stored, in_one.complete) == (6, True)
    assert [(a.date(), b.date()) for a, b in in_one.stretches] == [
        (date(2020, 11, 12), date(2020, 11, 12)),
        (date(2022, 1, 6), date(2022, 1, 6)),
    ]
    # Nor in a second import.
    much_later = flat(25, 25, start=OPEN + timedelta(days=120 * 7))
    assert run(Recorded(much_later), database).complete


def test_next_to_each_other_they_are(database: PostgresDatabase) -> None:
    run(Recorded(flat(100, 100, 100)), database)
    next_day = flat(50, 50, 50, start=OPEN + timedelta(days=1))
    intake = run(Recorded(next_day), database)
    assert dict(intake.held) == {"suspected_split": 3}
    assert intake.suspected[0].ratio == 2
    assert balanced(intake)


def test_a_split_is_held_to_the_end_of_the_file(database: PostgresDatabase) -> None:
    """However long it goes on, and wherever portions end: not only for the first ten days."""
    days = [day for day in range(0, 40) if (OPEN + timedelta(days=day)).weekday() < 5]
    days.remove(14)  # Thanksgiving
    bars = [
        bar
        for day in days
        for bar in flat(*[100 if day == 0 else 50] * 3, start=OPEN + timedelta(days=day))
    ]
    intake = run(Recorded(bars, cuts=tuple(range(3, len(bars), 6))), database)
    assert (intake.stored, dict(intake.held)) == (3, {"suspected_split": len(bars) - 3})
    assert len(intake.suspected) == 1
    # Told of the split, the same file goes in.
    with database.transaction() as stores:
        stores.factors.learn([SplitFactor("AAPL", date(2020, 11, 13), D(2), D(1), NOW)])
    assert run(Recorded(bars), database).complete


# -- what the database holds afterwards -----------------------------------------------------------


def test_a_bar_of_each_month_lies_in_its_partition(database: PostgresDatabase, ask: Any) -> None:
    bars = [*flat(100, 100), *flat(100, 100, start=OPEN + timedelta(days=25))]
    run(Recorded(bars), database)
    places = ask("SELECT DISTINCT tableoid::regclass::text FROM bars ORDER BY 1")
    assert places == [["bars_2020_11"], ["bars_2020_12"]]


def test_gaps_by_session(database: PostgresDatabase) -> None:
    session = default_table().session_of(OPEN)
    assert session is not None
    bars = flat(*[100] * session.minutes)
    del bars[385:390], bars[10:13], bars[5]
    intake = run(Recorded(bars), database)
    (covered,) = covered_sessions(
        sessions_of([intake], default_table()), database=database, until=NOW
    )
    assert (covered.minutes.expected, covered.minutes.received, covered.minutes.missing) == (
        390, 381, 9,
    )  # fmt: skip
    assert [
        ((gap.first - OPEN) // MINUTE, (gap.last - OPEN) // MINUTE) for gap in covered.missing
    ] == [(5, 5), (10, 12), (385, 389)]


# -- recorded files -------------------------------------------------------------------------------

# file, label, stored, rejected and held by reason
FILES: list[tuple[str, Label, int, dict[str, int]]] = [
    ("bars_1min/av_2020_2021/intraday_1min_AAPL.csv", "end", 44_356, {}),
    ("bars_1min/av_2020_2021/intraday_1min_MSFT.csv", "end", 32_560, {}),
    ("bars_1min/av_2020_2021/intraday_1min_INTC.csv", "end", 30_719, {}),
    ("bars_1min/av_2020_2021/intraday_1min_WMT.csv", "end", 24_622, {}),
    ("bars_1min/av_2019_02/AAPL_1min.csv", "end", 1_948, {}),
    ("bars_1min/av_2019_02/AMZN_1min.csv", "end", 1_944, {}),
    ("bars_1min/av_2019_02/BAC_1min.csv", "end", 1_950, {}),
    ("bars_1min/av_2019_02/MSFT_1min.csv", "end", 1_948, {}),
    ("bars_1min/av_2019_02/PPLT_1min.csv", "end", 566, {}),
    ("bars_1min/av_2019_02/QQQ_1min.csv", "end", 1_948, {}),
    ("bars_1min/av_2019_02/SPY_1min.csv", "end", 1_950, {}),
    ("bars_1min/av_2019_02/TZA_1min.csv", "end", 1_783, {}),
    ("bars_1min/av_2019_02/UGA_1min.csv", "end", 388, {}),
    ("bars_1min/av_2019_02/VXXB_1min.csv", "end", 1_949, {}),
    # The split of 2014-06-09 is not in the file: everything from there on waits for it.
    (
        "bars_1min/lean/AAPL_20140605_20140609_split7for1.csv",
        "start",
        1_469,
        {"suspected_split": 834},
    ),
    ("bars_1min/lean/SPY_20131004_20131011.csv", "start", 4_839, {}),
    ("bars_1min/aapl_2024_01/AAPL_20240102_20240122.csv", "start", 9_998, {}),
    ("bars_1min/aapl_2025_09_26/AAPL_20250926_ib.csv", "start", 960, {}),
    # Mumbai's trading hours, which are New York's night and early morning.
    (
        "robustness_skender/_issue0859.adx.nan.csv",
        "start",
        199,
        {"closed_day": 27, "outside_hours": 369},
    ),
]


@pytest.mark.parametrize(
    ("name", "label", "count", "refused"), FILES, ids=[Path(case[0]).stem for case in FILES]
)
def test_recorded_files(
    database: PostgresDatabase,
    ask: Any,
    name: str,
    label: Label,
    count: int,
    refused: dict[str, int],
) -> None:
    intake = run(BarFile(recorded(name), "X", label, NEW_YORK), database)
    assert intake.stored == count
    assert dict(intake.rejected + intake.held) == refused
    assert balanced(intake)
    assert ask("SELECT count(*) FROM bars") == [[count]]


def test_every_recorded_file_of_minutes_has_its_fate() -> None:
    assert {name for name, *_ in FILES} == {name for name, *_ in RECORDED}


def test_the_recorded_split_with_its_factor(database: PostgresDatabase) -> None:
    path = recorded("bars_1min/lean/AAPL_20140605_20140609_split7for1.csv")
    with database.transaction() as stores:
        stores.factors.learn([SplitFactor("AAPL", date(2014, 6, 9), D(7), D(1), NOW)])
    intake = run(BarFile(path, "AAPL", "start", NEW_YORK), database)
    # Its first early bar begins with a print at the old price: from 92 to 645 within a minute.
    assert (intake.stored, dict(intake.held)) == (2_302, {"jump": 1})

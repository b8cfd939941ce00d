"""The ``bars`` and ``technical_indicators`` tables, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.errors import InvalidInputError
from tradewind.features.ports import IndicatorValue
from tradewind.market.adjustment import KnownClose
from tradewind.market.bar import Bar
from tradewind.market.bar_trace import BarTrace, traces_of
from tradewind.market.ports import BarWrite, DailyBar

from tests.integration.postgres.rows import MINUTE, OPEN, RECEIVED, a_bar


def store(database: PostgresDatabase, bars: list[Bar], regular: bool = True) -> BarWrite:
    with database.transaction() as stores:
        return stores.bars.upsert(bars, [regular] * len(bars), RECEIVED)


def test_what_is_stored_comes_back_digit_for_digit(database: PostgresDatabase) -> None:
    bar = a_bar(close=Decimal("119.530100"), volume=0)
    store(database, [bar])
    with database.transaction() as stores:
        (latest,) = stores.bars.latest(["AAPL", "MSFT"])
        (recent,) = stores.bars.recent(["AAPL", "MSFT"], OPEN, 5)["AAPL"]
    for found in (latest, recent):
        assert found == bar
        assert str(found.close) == "119.530100"
        assert found.start.tzinfo is UTC


def test_new_equal_and_changed_bars_are_told_apart(database: PostgresDatabase) -> None:
    assert store(database, [a_bar(minute=0), a_bar(minute=1)]) == BarWrite(2, 0)
    # Read again with one correction and one new minute, as each run does with the last ten.
    corrected = a_bar(minute=1, close=Decimal("119.55"))
    again = [a_bar(minute=0), corrected, a_bar(minute=2)]
    assert store(database, again) == BarWrite(1, 1)
    assert store(database, again) == BarWrite(0, 0)
    with database.transaction() as stores:
        assert stores.bars.recent(["AAPL"], OPEN + MINUTE, 1) == {"AAPL": [corrected]}


def test_a_correction_leaves_its_time_and_an_equal_bar_no_trace(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    store(database, [a_bar(minute=0), a_bar(minute=1)])
    before = ask("SELECT xmin::text FROM bars ORDER BY start")
    store(database, [a_bar(minute=0), a_bar(minute=1, volume=1)])
    after = ask("SELECT xmin::text, corrected_at IS NOT NULL FROM bars ORDER BY start")
    assert after[0] == [before[0][0], False]  # the row was not even rewritten
    assert after[1][0] != before[1][0]
    assert after[1][1] is True


def test_a_bar_told_twice_in_one_batch_is_one_bar_and_the_last_counts(
    database: PostgresDatabase,
) -> None:
    assert store(database, [a_bar(volume=1), a_bar(volume=2)]) == BarWrite(1, 0)
    with database.transaction() as stores:
        assert stores.bars.latest(["AAPL"])[0].volume == 2


def test_500_bars_are_one_statement(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []
    run = Session.rows

    def counted(self: Session, statement: str, **parameters: object) -> list[list[Any]]:
        statements.append(statement)
        return run(self, statement, **parameters)

    bars = [a_bar(f"S{number:03}") for number in range(500)]
    with database.transaction() as stores:
        monkeypatch.setattr(Session, "rows", counted)
        assert stores.bars.upsert(bars, [True] * 500, RECEIVED) == BarWrite(500, 0)
        assert len(stores.bars.latest([bar.symbol for bar in bars])) == 500
    assert len(statements) == 2


@pytest.mark.parametrize("text", ["BRK.B", 'a "b" \\ c', "{NULL}", "NULL", ",", "ü", ""])
def test_any_text_is_a_symbol_and_a_feed(database: PostgresDatabase, text: str) -> None:
    bar = a_bar(text, feed=text)
    store(database, [bar, a_bar("AAPL")])
    with database.transaction() as stores:
        assert stores.bars.latest([text]) == [bar]
        assert stores.bars.recent([text], OPEN, 1) == {text: [bar]}


def test_a_time_without_a_zone_is_refused(database: PostgresDatabase) -> None:
    with pytest.raises(InvalidInputError, match="without a zone"):
        store(database, [a_bar(start=OPEN.replace(tzinfo=None))])


def test_nothing_to_store_is_no_statement_and_no_error(database: PostgresDatabase) -> None:
    with database.transaction() as stores:
        assert stores.bars.upsert([], [], RECEIVED) == BarWrite(0, 0)
        assert stores.bars.recent([], OPEN, 5) == {}
        assert stores.bars.highest([]) == []
        assert stores.bars.daily([], OPEN.date(), 5) == {}
        assert stores.bars.latest([]) == []


@pytest.mark.parametrize(
    "bar",
    [
        a_bar(low=Decimal("-1")),
        a_bar(open=Decimal(0)),
        a_bar(high=Decimal("NaN")),
        a_bar(high=Decimal("Infinity")),
        a_bar(high=Decimal("119.51")),  # below the open
        a_bar(volume=-1),
        a_bar(start=OPEN + timedelta(seconds=1)),
    ],
)
def test_a_bar_that_cannot_be_true_is_refused_with_its_whole_batch(
    database: PostgresDatabase, bar: Bar
) -> None:
    with pytest.raises(InvalidInputError), database.transaction() as stores:
        stores.bars.upsert([a_bar("MSFT"), bar], [True, True], RECEIVED)
    with database.transaction() as stores:
        assert stores.bars.latest(["AAPL", "MSFT"]) == []


def test_recent_bars_are_the_newest_regular_ones_oldest_first(database: PostgresDatabase) -> None:
    store(database, [a_bar(minute=minute) for minute in range(5)])
    store(database, [a_bar("MSFT", minute=3)])
    store(database, [a_bar(minute=-1), a_bar(minute=5)], regular=False)
    with database.transaction() as stores:
        found = stores.bars.recent(["AAPL", "MSFT", "TSLA"], OPEN + 3 * MINUTE, 3)
    assert {symbol: [bar.start for bar in bars] for symbol, bars in found.items()} == {
        "AAPL": [OPEN + minute * MINUTE for minute in (1, 2, 3)],
        "MSFT": [OPEN + 3 * MINUTE],
    }


def test_the_newest_bar_counts_regular_or_not(database: PostgresDatabase) -> None:
    store(database, [a_bar(minute=0)])
    store(database, [a_bar(minute=1)], regular=False)
    with database.transaction() as stores:
        assert stores.bars.latest(["AAPL"]) == [a_bar(minute=1)]


def test_history_counts_however_long_ago_it_was(database: PostgresDatabase) -> None:
    # Bars of a symbol that has not traded for long lie beyond the span that is looked at first.
    years_ago = datetime(2015, 11, 12, 14, 30, tzinfo=UTC)
    store(database, [a_bar(start=years_ago), a_bar(minute=0), a_bar("OLD", start=years_ago)])
    with database.transaction() as stores:
        recent = stores.bars.recent(["AAPL", "OLD"], OPEN, 2)
        daily = stores.bars.daily(["AAPL", "OLD"], date(2020, 11, 13), 2)
    assert [bar.start for bar in recent["AAPL"]] == [years_ago, OPEN]
    assert [bar.start for bar in recent["OLD"]] == [years_ago]
    assert [bar.session for bar in daily["AAPL"]] == [years_ago.date(), OPEN.date()]
    assert [bar.session for bar in daily["OLD"]] == [years_ago.date()]


# (what is stored, one batch after the other, as (minute, close), the newest close afterwards)
NEWEST = [
    ([[(0, "119.51"), (1, "119.52")]], "119.52"),
    ([[(1, "119.52"), (0, "119.51")]], "119.52"),  # in any order
    ([[(1, "119.52")], [(0, "119.51")]], "119.52"),  # a late bar is not the newest
    ([[(1, "119.52")], [(1, "119.53")]], "119.53"),  # a correction is
    ([[(0, "119.51"), (1, "119.52")], [(0, "119.53")]], "119.52"),
    ([[(0, "119.51")], [(1, "119.52")], [(2, "119.53")]], "119.53"),
]


@pytest.mark.parametrize(("batches", "newest"), NEWEST)
def test_the_newest_bar_is_the_latest_minute_as_last_told(
    database: PostgresDatabase, batches: list[list[tuple[int, str]]], newest: str
) -> None:
    for batch in batches:
        store(database, [a_bar(minute=minute, close=Decimal(close)) for minute, close in batch])
    with database.transaction() as stores:
        (latest,) = stores.bars.latest(["AAPL"])
        (recent,) = stores.bars.recent(["AAPL"], OPEN + 9 * MINUTE, 1)["AAPL"]
    assert latest == recent
    assert latest.close == Decimal(newest)


def test_the_highest_high_since_an_entry(database: PostgresDatabase) -> None:
    highs = [Decimal(high) for high in ("130", "121", "123", "122", "140")]
    bars = [a_bar(minute=minute, high=high) for minute, high in enumerate(highs)]
    store(database, bars)
    store(database, [a_bar("MSFT", minute=2, high=Decimal("999"))], regular=False)
    end = OPEN + 3 * MINUTE
    wanted = [
        ("TSLA", OPEN, end), ("AAPL", OPEN + MINUTE, end), ("MSFT", OPEN, end),
        ("AAPL", OPEN + MINUTE, OPEN + MINUTE),
    ]  # fmt: skip
    with database.transaction() as stores:
        # Both ends count, minutes before and after do not, nor does trading out of hours.
        assert stores.bars.highest(wanted) == [None, Decimal(123), None, Decimal(121)]


def test_sessions_are_new_york_days_with_their_first_open_and_last_close(
    database: PostgresDatabase,
) -> None:
    def at(day: int, hour: int, minute: int, **prices: Any) -> Bar:
        return a_bar(start=datetime(2020, 11, day, hour, minute, tzinfo=UTC), **prices)

    store(
        database,
        [
            at(9, 14, 30, open=Decimal("119.60")),
            at(10, 14, 30, open=Decimal("119.61"), high=Decimal("125")),
            at(10, 18, 0, low=Decimal("110")),
            at(10, 20, 59, close=Decimal("119.69")),
            at(11, 14, 30),
            at(12, 14, 30),
        ],
    )
    # 00:30 UTC on the 11th is still the 10th in New York; out of hours, it counts for nothing.
    store(database, [at(11, 0, 30, high=Decimal("500"))], regular=False)
    with database.transaction() as stores:
        found = stores.bars.daily(["AAPL", "MSFT"], date(2020, 11, 12), 2)
        everything = stores.bars.daily(["AAPL"], date(2020, 11, 12), 30)
    assert [bar.session.day for bar in found["AAPL"]] == [10, 11]
    assert found["AAPL"][0] == DailyBar(
        symbol="AAPL",
        session=date(2020, 11, 10),
        open=Decimal("119.61"),
        high=Decimal("125"),
        low=Decimal("110"),
        close=Decimal("119.69"),
    )
    assert "MSFT" not in found
    assert [bar.session.day for bar in everything["AAPL"]] == [9, 10, 11]


def test_an_indicator_is_stored_once_and_its_correction_replaces_it(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    sma = IndicatorValue("AAPL", "sma_20", Decimal("119.123456789"), OPEN)
    rsi = IndicatorValue("AAPL", "rsi_14", Decimal("55"), OPEN)
    for values in ([sma, rsi], [sma, rsi], [IndicatorValue("AAPL", "rsi_14", Decimal(56), OPEN)]):
        with database.transaction() as stores:
            stores.indicators.save(values)
    rows = ask("SELECT indicator_name, value FROM technical_indicators ORDER BY 1")
    assert rows == [["rsi_14", Decimal(56)], ["sma_20", Decimal("119.123456789")]]


def test_late_and_corrected_bars_leave_the_traces_that_the_rules_say(
    database: PostgresDatabase,
) -> None:
    def told(minute: int, close: str, **changes: Any) -> Bar:
        return a_bar(minute=minute, close=Decimal(close), **changes)

    first = [told(0, "119.51"), told(1, "119.52"), told(2, "119.53")]
    # (when they came, what came)
    batches = [
        (OPEN + 3 * MINUTE, first),  # the oldest is late, the others on time
        (OPEN + 4 * MINUTE, first),  # the same again
        (OPEN + 5 * MINUTE, [told(1, "119.55"), told(2, "119.53", feed="sip")]),  # one corrected
        (OPEN + 6 * MINUTE, [told(1, "119.56", volume=1), told(5, "119.60")]),  # and once more
        (OPEN + timedelta(days=8), [told(7, "119.61"), told(5, "119.62")]),  # history, a correction
    ]
    expected: list[BarTrace] = []
    stored: dict[tuple[str, datetime], Bar] = {}
    for received_at, batch in batches:
        expected += traces_of(batch, stored, received_at)
        stored |= {(bar.symbol, bar.start): bar for bar in batch}
        for _ in range(2):  # a run that is repeated leaves nothing more
            with database.transaction() as stores:
                stores.bars.upsert(batch, [True] * len(batch), received_at)
    assert len(expected) == 4
    with database.transaction() as stores:
        found = stores.bar_traces.of("AAPL", OPEN, OPEN + 60 * MINUTE)
        assert stores.bar_traces.of("AAPL", OPEN + 2 * MINUTE, OPEN + 4 * MINUTE) == []
        assert stores.bar_traces.of("MSFT", OPEN, OPEN + 60 * MINUTE) == []
    assert found == sorted(expected, key=lambda trace: (trace.new.start, trace.received_at))


def test_the_close_that_bars_are_measured_by(database: PostgresDatabase) -> None:
    years_ago = datetime(2015, 11, 12, 14, 30, tzinfo=UTC)
    store(database, [a_bar(minute=minute, close=Decimal(f"119.5{minute}")) for minute in range(3)])
    store(database, [a_bar("OLD", start=years_ago), a_bar("NEW", minute=5)])
    store(database, [a_bar(minute=3)], regular=False)
    wanted = dict.fromkeys(("AAPL", "OLD", "NEW", "NONE"), OPEN + 5 * MINUTE)
    with database.transaction() as stores:
        assert stores.bars.closes_before(wanted) == {
            "AAPL": KnownClose(OPEN + 2 * MINUTE, Decimal("119.52")),
            "OLD": KnownClose(years_ago, Decimal("119.5301")),
        }
        assert stores.bars.closes_before({"AAPL": OPEN + MINUTE}) == {
            "AAPL": KnownClose(OPEN, Decimal("119.50"))
        }
        assert stores.bars.closes_before({}) == {}

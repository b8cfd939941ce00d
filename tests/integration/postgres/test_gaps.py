"""The gap ledger in the database says what the pure ledger says, minute for minute."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.market.availability import Availability, availability
from tradewind.market.gap_ledger import GapLedger, Looks, MinuteRange, OpenGap
from tradewind.market.session import Session
from tradewind.market.session_table import default_table

from tests.integration.postgres.rows import MINUTE, OPEN, RECEIVED, a_bar

SECOND = timedelta(seconds=1)
A_SESSION = Session(date(2020, 11, 12), OPEN, OPEN + 390 * MINUTE)
# The day before, cut short so that cases stay small: the ledger is told the sessions it is about.
BEFORE = Session(
    date(2020, 11, 11), OPEN - timedelta(days=1), OPEN - timedelta(days=1) + 5 * MINUTE
)
TODAY = Session(date(2020, 11, 12), OPEN, OPEN + 6 * MINUTE)
SYMBOLS = ("AAPL", "MSFT", "TSLA")


def m(minute: int) -> datetime:
    return OPEN + minute * MINUTE


def store(database: PostgresDatabase, *minutes: int, symbol: str = "AAPL") -> None:
    with database.transaction() as stores:
        bars = [a_bar(symbol, minute) for minute in minutes]
        stores.bars.upsert(bars, [True] * len(bars), RECEIVED)


def look(database: PostgresDatabase, at: datetime, *minutes: int) -> None:
    with database.transaction() as stores:
        stores.gaps.seen_empty({"AAPL": [m(minute) for minute in minutes]}, at)


# (looks at minute 1: seconds after its start; whether that says it had no trade)
LOOKS = [
    ([], False),
    ([63], False),
    ([63, 122], False),
    ([63, 123], True),
    ([123, 63], True),  # told in any order
    ([63, 63], False),
    ([16 * 60 - 1], False),
    ([16 * 60], True),
]


@pytest.mark.parametrize(("looks", "quiet"), LOOKS)
def test_a_minute_without_trades_takes_two_looks_or_a_late_one(
    database: PostgresDatabase, looks: list[int], quiet: bool
) -> None:
    store(database, 0, 2)
    for seconds in looks:
        look(database, m(1) + seconds * SECOND, 1)
    with database.transaction() as stores:
        found = stores.gaps.missing({"AAPL": m(0)}, [TODAY], m(3))
    assert found == ({} if quiet else {"AAPL": [m(1)]})


def test_a_look_again_widens_what_is_known_and_a_repeated_one_changes_nothing(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    for at in (m(3), m(2), m(5), m(5), m(4)):
        look(database, at, 1, 1)
    rows = ask("SELECT symbol, start, first_look, last_look, confirmed FROM empty_looks")
    assert rows == [["AAPL", m(1), m(2), m(5), True]]
    before = ask("SELECT xmin::text FROM empty_looks")
    look(database, m(4), 1)
    assert ask("SELECT xmin::text FROM empty_looks") == before


def test_missing_begins_with_the_bar_looked_back_to_and_ends_with_the_run(
    database: PostgresDatabase,
) -> None:
    store(database, 0, 4)
    with database.transaction() as stores:
        gaps = stores.gaps
        assert gaps.missing({"AAPL": m(2)}, [BEFORE, TODAY], m(5)) == {"AAPL": [m(2), m(3)]}
        assert gaps.missing({"AAPL": m(0)}, [TODAY], m(2) + 30 * SECOND) == {"AAPL": [m(1)]}
        # All of yesterday is missing too, oldest first.
        both = gaps.missing({"AAPL": BEFORE.open}, [TODAY, BEFORE], m(2))
        assert both == {"AAPL": [BEFORE.open + minute * MINUTE for minute in range(5)] + [m(1)]}
        assert gaps.missing({}, [TODAY], m(5)) == {}
        assert gaps.missing({"AAPL": m(0)}, [], m(5)) == {}
        assert gaps.missing({"AAPL": m(0)}, [TODAY], m(0)) == {}


def test_open_gaps_are_ranges_by_symbol_and_time(database: PostgresDatabase) -> None:
    store(database, 0, 3, 5)
    store(database, *range(6), symbol="MSFT")
    with database.transaction() as stores:
        found = stores.gaps.open_gaps(["MSFT", "AAPL", "AAPL"], [TODAY], m(99))
    assert found == [
        OpenGap("AAPL", TODAY, MinuteRange(m(1), m(2))),
        OpenGap("AAPL", TODAY, MinuteRange(m(4), m(4))),
    ]


def test_a_sessions_figure_counts_every_symbol(database: PostgresDatabase) -> None:
    store(database, 0, 1, 3)
    store(database, 0, symbol="MSFT")
    look(database, m(2) + timedelta(hours=1), 1, 2)  # of minute 1 a bar came all the same
    with database.transaction() as stores:
        figures = stores.gaps.availability(["AAPL", "MSFT"], [BEFORE, TODAY, TODAY], m(4))
        assert stores.gaps.availability(["AAPL"], [TODAY], m(0)) == {
            TODAY.date: Availability(0, 0, 0)
        }
    assert figures == {
        BEFORE.date: Availability(10, 0, 0),
        TODAY.date: Availability(8, 4, 1),
    }


seconds = st.integers(0, 1200)
happenings = st.lists(
    st.tuples(
        st.sampled_from(SYMBOLS),
        st.sampled_from(
            [BEFORE.open + n * MINUTE for n in range(-1, 6)] + [m(n) for n in range(7)]
        ),
        st.one_of(st.none(), seconds),  # None: its bar came; else a look, so long after the minute
    ),
    max_size=40,
)


class Sessions:
    """Only the two short sessions, for the pure ledger."""

    def session_of(self, start: datetime) -> Session | None:
        return next((one for one in (BEFORE, TODAY) if one.contains(start)), None)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(happenings, st.integers(-1, 8), st.integers(0, 59))
def test_the_database_and_the_pure_ledger_agree(
    database: PostgresDatabase,
    ask: Callable[..., Any],
    told: list[tuple[str, datetime, int | None]],
    until_minute: int,
    until_second: int,
) -> None:
    ask(
        "DELETE FROM bars; DELETE FROM latest_bars; DELETE FROM empty_looks; DELETE FROM bar_traces"
    )
    until = m(until_minute) + until_second * SECOND
    ledger = GapLedger(Sessions())  # type: ignore[arg-type]
    for session in (BEFORE, TODAY):
        ledger.open(SYMBOLS, session)
    entries = {(entry.symbol, entry.session.date): entry for entry in ledger.entries}
    with database.transaction() as stores:
        for symbol, minute, looked in told:
            within = Sessions().session_of(minute)
            if looked is None:
                bar = a_bar(symbol, start=minute)
                stores.bars.upsert([bar], [within is not None], RECEIVED)
                ledger.bars_stored([(symbol, minute)], RECEIVED)
            else:
                at = minute + MINUTE + looked * SECOND
                stores.gaps.seen_empty({symbol: [minute]}, at)
                if within is not None:
                    looks = entries[symbol, within.date].looks
                    looks[minute] = looks.get(minute, Looks(at, at)).and_at(at)
        sessions = [BEFORE, TODAY]
        open_gaps = stores.gaps.open_gaps(SYMBOLS, sessions, until)
        assert open_gaps == ledger.open_gaps(until)
        since = dict.fromkeys(SYMBOLS, m(1))
        assert stores.gaps.missing(since, sessions, until) == {
            symbol: minutes
            for symbol in SYMBOLS
            if (
                minutes := [
                    minute
                    for gap in open_gaps
                    if gap.symbol == symbol
                    for minute in gap.minutes
                    if minute >= m(1)
                ]
            )
        }
        for session in sessions:
            assert stores.gaps.availability(SYMBOLS, [session], until) == {
                session.date: availability(ledger, SYMBOLS, [session], until)
            }


def test_a_decision_sees_the_hole_that_the_ledger_sees(database: PostgresDatabase) -> None:
    table = default_table()
    ledger = GapLedger(table)
    stored = [minute for minute in range(30) if minute not in (7, 8, 20)]
    store(database, *stored)
    ledger.bars_stored([("AAPL", m(minute)) for minute in stored], RECEIVED)
    window, run = 15, m(30)
    with database.transaction() as stores:
        oldest = stores.bars.recent(["AAPL"], m(29), window)["AAPL"][0].start
        found = stores.gaps.missing({"AAPL": oldest}, [A_SESSION], run)
    assert found["AAPL"] == ledger.hole_before("AAPL", m(29), window) == [m(20)]


def test_nothing_asked_for_is_no_error(database: PostgresDatabase) -> None:
    with database.transaction() as stores:
        stores.gaps.seen_empty({}, datetime(2020, 11, 12, tzinfo=UTC))
        assert stores.gaps.open_gaps([], [TODAY], m(9)) == []
        assert stores.gaps.availability([], [TODAY], m(9)) == {TODAY.date: Availability(0, 0, 0)}

"""Loading bars in bulk: the same as upserting them, whatever is there already. Real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal as D
from threading import Thread
from typing import Any

import pytest
from tradewind.adapters.postgres.connection import DatabaseAddress
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.market.bar import Bar
from tradewind.market.ports import BarWrite

from tests.integration.postgres.rows import MINUTE, OPEN, a_bar

# Long after: history. Soon after: late bars, which leave a trace.
LONG_AFTER, SOON_AFTER = OPEN + timedelta(days=30), OPEN + timedelta(hours=1)
BARS = [a_bar(minute=minute, close=D("119.6") + D(minute).scaleb(-4)) for minute in range(60)]
EVERYTHING = [
    "SELECT symbol, start, open::text, high::text, low::text, close::text, volume, feed, "
    "in_session, corrected_at IS NULL FROM bars ORDER BY 1, 2",
    "SELECT symbol, start, close::text, feed FROM latest_bars ORDER BY 1",
    "SELECT symbol, start, kind, old_close::text, close::text FROM bar_traces ORDER BY 1, 2",
]


@pytest.fixture
def tables(ask: Any) -> Callable[[], list[Any]]:
    return lambda: [ask(question) for question in EVERYTHING]


def load(database: PostgresDatabase, bars: list[Bar], at: Any = LONG_AFTER) -> BarWrite:
    with database.transaction() as stores:
        return stores.bar_load.load(bars, [bar.start >= OPEN for bar in bars], at)


def upsert(database: PostgresDatabase, bars: list[Bar], at: Any = LONG_AFTER) -> BarWrite:
    with database.transaction() as stores:
        return stores.bars.upsert(bars, [bar.start >= OPEN for bar in bars], at)


def changed(bars: list[Bar]) -> list[Bar]:
    """Every seventh with another close, every eleventh from another feed."""
    return [
        a_bar(
            minute=number,
            close=bar.close + D("0.01") if number % 7 == 0 else bar.close,
            feed="sip" if number % 11 == 0 else bar.feed,
        )
        for number, bar in enumerate(bars)
    ]


# what is there before, what is loaded, stored and corrected
CASES = [
    ("nothing there", [], BARS, (60, 0)),
    ("all of it there", BARS, BARS, (0, 0)),
    ("another symbol's there", [a_bar("MSFT", 5)], BARS, (60, 0)),
    ("before and after there", [a_bar(minute=-1), a_bar(minute=60)], BARS, (60, 0)),
    ("the middle there", BARS[20:40], BARS, (40, 0)),
    ("other values there", changed(BARS), BARS, (0, 14)),
    ("some there with other values", changed(BARS)[:15], BARS, (45, 4)),
    ("one bar", [], BARS[:1], (1, 0)),
    ("none", BARS, [], (0, 0)),
]


@pytest.mark.parametrize("at", [LONG_AFTER, SOON_AFTER], ids=["history", "late"])
@pytest.mark.parametrize(
    ("before", "bars", "written"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_it_comes_to_the_same_as_the_upsert(
    database: PostgresDatabase,
    ask: Any,
    tables: Callable[[], list[Any]],
    before: list[Bar],
    bars: list[Bar],
    written: tuple[int, int],
    at: Any,
) -> None:
    upsert(database, before, OPEN)
    assert upsert(database, bars, at) == BarWrite(*written)
    expected = tables()
    ask("TRUNCATE bars, latest_bars, bar_traces")
    upsert(database, before, OPEN)
    assert load(database, bars, at) == BarWrite(*written)
    assert tables() == expected


def test_every_digit_and_character_arrives(database: PostgresDatabase, ask: Any) -> None:
    feed = "a\tb\\c\nd\re"
    odd = a_bar(open=D("119.600"), high=D("1.5E+2"), low=D("0.00000001"), feed=feed)
    assert load(database, [odd]) == BarWrite(1, 0)
    assert ask("SELECT open::text, high::text, low::text, feed FROM bars") == [
        ["119.600", "150", "0.00000001", feed]
    ]


def test_portions_in_one_transaction(database: PostgresDatabase, ask: Any) -> None:
    load(database, BARS[10:20])
    with database.transaction() as stores:
        for first in range(0, 60, 20):
            stores.bar_load.load(BARS[first : first + 20], [True] * 20, LONG_AFTER)
    assert ask("SELECT count(*) FROM bars") == [[60]]


@pytest.fixture
def other(address: Callable[[str], DatabaseAddress]) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(address("tradewind"), "tests")
    yield database
    database.close()


def test_two_loads_of_a_symbol_wait_for_each_other(
    database: PostgresDatabase, other: PostgresDatabase, ask: Any
) -> None:
    """Both would find nothing there and copy the same bars."""
    written: list[BarWrite] = []
    with database.transaction() as stores:
        assert stores.bar_load.load(BARS, [True] * 60, LONG_AFTER).stored == 60
        second = Thread(target=lambda: written.append(load(other, BARS)))
        second.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while not ask(waiting)[0][0]:
            assert second.is_alive(), "the second load did not wait for the first"
    second.join()
    assert written == [BarWrite(0, 0)]


def test_the_newest_bar_is_known_after_older_ones_came(
    database: PostgresDatabase,
) -> None:
    load(database, BARS[30:])
    load(database, BARS[:30])
    with database.transaction() as stores:
        assert [bar.start for bar in stores.bars.latest(["AAPL"])] == [OPEN + 59 * MINUTE]

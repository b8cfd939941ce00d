"""The partitions of ``bars``: made with what was stored before, dropped with an archive only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_engine
from tradewind.adapters.postgres import migrate as migrate_module
from tradewind.adapters.postgres.connection import DatabaseAddress
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.adapters.postgres.migrate import migrate
from tradewind.errors import DatabaseUnavailableError, InvalidInputError
from tradewind.market.bar_months import MonthArchive, MonthMade, digest_of
from tradewind_local.postgres_server import PostgresServer

from tests.integration.conftest import connection_to
from tests.integration.postgres.rows import MINUTE, OPEN, RECEIVED, a_bar

NOVEMBER, DECEMBER = date(2020, 11, 1), date(2020, 12, 1)
LATER = datetime(2020, 12, 1, 14, 30, tzinfo=UTC)


@pytest.fixture
def store(empty_database: DatabaseAddress) -> Iterator[PostgresDatabase]:
    """A store of record of the test's own, where no month has a partition yet."""
    migrate(empty_database, empty_database.password_source())
    database = PostgresDatabase(empty_database, "tests")
    yield database
    database.close()


@pytest.fixture
def look(
    store: PostgresDatabase, empty_database: DatabaseAddress, postgres_server: PostgresServer
) -> Iterator[Callable[..., Any]]:
    connection = connection_to(postgres_server, empty_database.name)
    yield connection.run
    connection.close()


def put(database: PostgresDatabase, *bars: Any) -> None:
    with database.transaction() as stores:
        stores.bars.upsert(bars, [True] * len(bars), RECEIVED)


PLACES = "SELECT tableoid::regclass::text, count(*) FROM bars GROUP BY 1 ORDER BY 1"


def test_a_bar_without_a_month_is_stored_all_the_same_and_moves_when_its_month_is_made(
    store: PostgresDatabase, look: Callable[..., Any]
) -> None:
    bars = [a_bar(minute=minute) for minute in range(3)]
    put(store, *bars, a_bar(start=LATER))
    assert look(PLACES) == [["bars_default", 4]]
    with store.transaction() as stores:
        assert stores.bar_months.stray() == [NOVEMBER, DECEMBER]
        assert stores.bar_months.ensure(NOVEMBER, NOVEMBER) == [MonthMade(NOVEMBER, 3)]
    assert look(PLACES) == [["bars_2020_11", 3], ["bars_default", 1]]
    with store.transaction() as stores:
        assert stores.bar_months.stray() == [DECEMBER]
        assert stores.bars.recent(["AAPL"], OPEN + 9 * MINUTE, 9) == {"AAPL": bars}
    # What comes later goes there at once, new and corrected.
    put(store, a_bar(minute=0, volume=1), a_bar(minute=3))
    assert look(PLACES) == [["bars_2020_11", 4], ["bars_default", 1]]


def test_months_are_made_once_and_cut_at_midnight_of_utc(
    store: PostgresDatabase, look: Callable[..., Any]
) -> None:
    edges = (datetime(2020, 11, 30, 23, 59, tzinfo=UTC), datetime(2020, 12, 1, tzinfo=UTC))
    put(store, *(a_bar(start=start) for start in edges))
    with store.transaction() as stores:
        made = stores.bar_months.ensure(date(2020, 11, 12), date(2021, 1, 1))
        assert stores.bar_months.ensure(date(2020, 11, 12), date(2021, 1, 1)) == []
        present = stores.bar_months.present()
    assert made == [
        MonthMade(NOVEMBER, 1),
        MonthMade(DECEMBER, 1),
        MonthMade(date(2021, 1, 1), 0),
    ]
    assert present == [NOVEMBER, DECEMBER, date(2021, 1, 1)]
    assert look(PLACES) == [["bars_2020_11", 1], ["bars_2020_12", 1]]


def test_a_month_has_the_keys_and_checks_of_the_whole(
    store: PostgresDatabase, look: Callable[..., Any]
) -> None:
    with store.transaction() as stores:
        stores.bar_months.ensure(NOVEMBER, NOVEMBER)
    (found,) = look(
        "SELECT (SELECT array_agg(indexdef) FROM pg_indexes WHERE tablename = 'bars_2020_11'), "
        "(SELECT count(*) FROM pg_constraint WHERE conrelid = 'bars_2020_11'::regclass), "
        "(SELECT count(*) FROM pg_constraint WHERE conrelid = 'bars'::regclass)"
    )
    (index,) = found[0]
    assert index.endswith("USING btree (symbol, start)")
    assert found[1] == found[2]
    with pytest.raises(InvalidInputError, match="bars_2020_11"):
        put(store, a_bar(volume=-1))


@pytest.mark.parametrize(
    ("first", "last"),
    [(DECEMBER, NOVEMBER), (date(1900, 1, 1), date(2020, 11, 1))],
)
def test_a_range_that_cannot_be_meant_is_refused(
    store: PostgresDatabase, first: date, last: date
) -> None:
    with pytest.raises(InvalidInputError, match="not a range"), store.transaction() as stores:
        stores.bar_months.ensure(first, last)


def test_a_month_that_is_not_committed_is_not_there_and_its_rows_are_where_they_were(
    store: PostgresDatabase, look: Callable[..., Any]
) -> None:
    put(store, a_bar())

    def cut_off() -> None:
        with store.transaction() as stores:
            stores.bar_months.ensure(NOVEMBER, NOVEMBER)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cut_off()
    assert look(PLACES) == [["bars_default", 1]]
    with store.transaction() as stores:
        assert stores.bar_months.present() == []


def archive_of(store: PostgresDatabase, month: date) -> MonthArchive:
    with store.transaction() as stores:
        lines = [
            stores.bar_months.lines(month, symbol).encode()
            for symbol in stores.bar_months.symbols(month)
        ]
    rows, sha256 = digest_of(line for part in lines for line in part.splitlines(keepends=True))
    return MonthArchive(month, 1, "key", rows, sha256)


def test_lines_hold_every_column_and_every_digit(store: PostgresDatabase) -> None:
    put(store, a_bar("b"), a_bar("C"), a_bar("A"), a_bar("A", minute=1), a_bar(start=LATER))
    with store.transaction() as stores:
        # By their bytes, whatever the database's collation: capitals first.
        assert stores.bar_months.symbols(NOVEMBER) == ["A", "C", "b"]
        first, second = stores.bar_months.lines(NOVEMBER, "A").splitlines()
        assert stores.bar_months.lines(NOVEMBER, "nobody") == ""
    assert first.startswith(
        '{"symbol":"A","start":"2020-11-12T14:30:00+00:00","open":"119.62","high":"119.70",'
        '"low":"119.50","close":"119.5301","volume":12345,"feed":"iex","in_session":true,'
    )
    assert '"corrected_at":null' in first
    assert '"start":"2020-11-12T14:31:00+00:00"' in second


def test_a_month_is_dropped_with_an_archive_of_exactly_its_rows(
    store: PostgresDatabase, look: Callable[..., Any]
) -> None:
    put(store, a_bar("AAPL"), a_bar("MSFT"), a_bar(start=LATER))
    with store.transaction() as stores:
        stores.bar_months.ensure(NOVEMBER, DECEMBER)
    archive = archive_of(store, NOVEMBER)
    with store.transaction() as stores:
        stores.bar_months.drop(archive, LATER)
    assert look(PLACES) == [["bars_2020_12", 1]]
    with store.transaction() as stores:
        assert stores.bar_months.present() == [DECEMBER]
        assert stores.bar_months.archived_parts(NOVEMBER) == 1
        assert stores.bar_months.archived_parts(DECEMBER) == 0
        # The newest known price of a symbol that is in the archive alone is still known.
        assert [bar.symbol for bar in stores.bars.latest(["AAPL", "MSFT"])] == ["AAPL", "MSFT"]
    (noted,) = look("SELECT month, part, key, rows, sha256, archived_at FROM bar_archives")
    assert noted == [NOVEMBER, 1, "key", 2, archive.sha256, LATER]


# (what happened between reading a month and dropping it)
CHANGES = [
    lambda store: put(store, a_bar("AAPL", volume=1)),
    lambda store: put(store, a_bar("AAPL", minute=1)),
    lambda store: put(store, a_bar("TSLA")),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_month_that_changed_after_it_was_read_is_kept(
    store: PostgresDatabase, look: Callable[..., Any], change: Callable[[PostgresDatabase], None]
) -> None:
    put(store, a_bar("AAPL"), a_bar("MSFT"))
    with store.transaction() as stores:
        stores.bar_months.ensure(NOVEMBER, NOVEMBER)
    archive = archive_of(store, NOVEMBER)
    change(store)
    before = look(PLACES)
    # Retryable: archived anew, it can go.
    with (
        pytest.raises(DatabaseUnavailableError, match="archive it again"),
        store.transaction() as stores,
    ):
        stores.bar_months.drop(archive, LATER)
    assert look(PLACES) == before
    assert look("SELECT count(*) FROM bar_archives") == [[0]]


def test_rows_of_the_first_schema_move_into_their_months(
    empty_database: DatabaseAddress, postgres_server: PostgresServer, monkeypatch: Any
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            command, "upgrade", lambda config, _, run=command.upgrade: run(config, "0001")
        )
        engine = create_engine(
            "postgresql+pg8000://", creator=lambda: _plain(empty_database), poolclass=None
        )
        with engine.begin() as connection:
            migrate_module._upgrade(connection)
        engine.dispose()
    owner = connection_to(postgres_server, empty_database.name)
    owner.run(
        "INSERT INTO bars (symbol, start, open, high, low, close, volume, feed, in_session, "
        "recorded_at, corrected_at) SELECT symbol, start, 1, 3, 1, 2.50, volume, 'iex', true, "
        "'2020-12-24T00:00Z', NULL FROM unnest(ARRAY['AAPL', 'MSFT']) AS symbol, "
        "(VALUES ('2020-10-31T23:59Z'::timestamptz, 1), ('2020-11-01T00:00Z', 2), "
        "('2020-12-31T20:59Z', 3)) AS told(start, volume)"
    )
    before = owner.run("SELECT * FROM bars ORDER BY symbol, start")
    migrate(empty_database, empty_database.password_source())
    after = owner.run("SELECT * FROM bars ORDER BY symbol, start")
    assert [row[: len(before[0])] for row in after] == before
    assert owner.run(PLACES) == [["bars_2020_10", 2], ["bars_2020_11", 2], ["bars_2020_12", 2]]
    assert owner.run("SELECT symbol, volume FROM latest_bars ORDER BY symbol") == [
        ["AAPL", 3],
        ["MSFT", 3],
    ]
    owner.close()


def _plain(address: DatabaseAddress) -> Any:
    import pg8000.dbapi

    return pg8000.dbapi.Connection(
        address.user, address.host, address.name, address.port, address.password_source()
    )

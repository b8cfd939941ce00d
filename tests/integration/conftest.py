"""A real PostgreSQL for the integration tests: one server, one database, emptied for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pg8000.native
import pytest
from tradewind.adapters.postgres.connection import DatabaseAddress
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.adapters.postgres.migrate import migrate
from tradewind_local.postgres_server import PostgresServer

Ask = Callable[..., list[list[Any]]]

_numbers = count(1)

# Children before the tables that their keys point to.
EMPTY = """
DELETE FROM bars; DELETE FROM latest_bars; DELETE FROM bar_archives; DELETE FROM bar_traces;
DELETE FROM empty_looks; DELETE FROM split_factors; DELETE FROM suspected_splits;
DELETE FROM technical_indicators; DELETE FROM predictions; DELETE FROM models;
DELETE FROM cycles; DELETE FROM decisions; DELETE FROM orders; DELETE FROM trades;
DELETE FROM order_intents; DELETE FROM fills; DELETE FROM positions; DELETE FROM paper_trades;
DELETE FROM account_snapshots; DELETE FROM trade_events; DELETE FROM alerts_log;
DELETE FROM alerts; DELETE FROM outbox; DELETE FROM cash_activities; DELETE FROM cash_reckonings;
DELETE FROM switch_changes; DELETE FROM locks; DELETE FROM equity_marks;
DELETE FROM account_configurations;
DELETE FROM position_splits; DELETE FROM paper_runs; DELETE FROM live_approvals;
DELETE FROM session_divergences; DELETE FROM backtests; DELETE FROM corporate_actions
"""


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    folder: Path = tmp_path_factory.mktemp("postgres")
    # Nothing of this outlives the tests, so nothing has to survive a power cut; and a database that
    # autovacuum is looking at could not be dropped.
    settings = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
    with PostgresServer(folder, settings) as server:
        yield server


def address_of(server: PostgresServer, database: str, user: str) -> DatabaseAddress:
    return DatabaseAddress(server.host, server.port, database, user, "off", lambda: server.password)


def connection_to(server: PostgresServer, database: str) -> Any:
    """A plain connection of the owner's, outside the adapters."""
    return pg8000.native.Connection(
        server.user, server.host, database, server.port, server.password
    )


@pytest.fixture(scope="session")
def migrated(postgres_server: PostgresServer) -> Iterator[Any]:
    """The owner's connection to the database that the tests share, newest schema."""
    owner = address_of(postgres_server, postgres_server.database, postgres_server.user)
    migrate(owner, postgres_server.password)
    connection = connection_to(postgres_server, postgres_server.database)
    yield connection
    connection.close()


@pytest.fixture
def ask(migrated: Any) -> Ask:
    """Run a statement of the test's own: ``ask("SELECT :a + 1", a=1)``. The tables are empty."""
    migrated.run(EMPTY)
    run: Ask = migrated.run
    return run


@pytest.fixture
def address(ask: Ask, postgres_server: PostgresServer) -> Callable[[str], DatabaseAddress]:
    """How a user reaches the emptied database: ``address("tw_read")``."""
    return lambda user: address_of(postgres_server, postgres_server.database, user)


@pytest.fixture
def connected(
    address: Callable[[str], DatabaseAddress],
) -> Iterator[Callable[[str], PostgresDatabase]]:
    """The store of record as a user sees it: ``connected("tw_trade")``; closed at the end."""
    with ExitStack() as opened:

        def connect(user: str) -> PostgresDatabase:
            database = PostgresDatabase(address(user), "tests")
            opened.callback(database.close)
            return database

        yield connect


@pytest.fixture
def database(connected: Callable[[str], PostgresDatabase]) -> PostgresDatabase:
    """The store of record as its owner sees it, who may do everything."""
    return connected("tradewind")


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[DatabaseAddress]:
    """A database of the test's own without any schema, as its owner sees it."""
    name = f"test_{next(_numbers)}"
    owner = connection_to(postgres_server, postgres_server.database)
    # template0 lets nobody connect: template1 may be in use by autovacuum for a moment.
    owner.run(f"CREATE DATABASE {name} TEMPLATE template0")
    yield address_of(postgres_server, name, postgres_server.user)
    owner.run(f"DROP DATABASE {name} WITH (FORCE)")
    owner.close()

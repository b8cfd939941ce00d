"""Transactions: all or nothing, one connection kept, lost ones replaced, errors in our words."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from tradewind.adapters.postgres.connection import DatabaseAddress, Session, open_session
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.adapters.postgres.migrate import migrate
from tradewind.errors import (
    DatabaseUnavailableError,
    InvalidInputError,
    PermanentError,
    SchemaMismatchError,
)

from tests.integration.postgres.rows import (
    ACCOUNT,
    OPEN,
    RECEIVED,
    SESSION,
    a_bar,
    a_snapshot,
    an_intent,
)

Address = Callable[[str], DatabaseAddress]


def session_of(stores: Any) -> Session:
    session: Session = stores.bars._session
    return session


def process_of(stores: Any) -> int:
    process: int = session_of(stores).rows("SELECT pg_backend_pid()")[0][0]
    return process


def test_a_block_left_by_an_error_writes_nothing(database: PostgresDatabase) -> None:
    def block() -> None:
        with database.transaction() as stores:
            stores.bars.upsert([a_bar()], [True], RECEIVED)
            stores.intents.add([an_intent()])
            raise LookupError

    with pytest.raises(LookupError):
        block()
    with database.transaction() as stores:
        assert stores.bars.latest(["AAPL"]) == []
        assert stores.intents.without_outcome(ACCOUNT) == []


def test_a_transaction_that_had_an_error_cannot_be_committed(database: PostgresDatabase) -> None:
    def block() -> None:
        with database.transaction() as stores:
            stores.intents.add([an_intent()])
            with pytest.raises(InvalidInputError):
                stores.intents.add([an_intent("tw-2", stop_price=None)])
            # Caught, but the transaction is lost: leaving the block must say so.

    with pytest.raises(InvalidInputError):
        block()
    with database.transaction() as stores:
        assert stores.intents.without_outcome(ACCOUNT) == []


def test_the_connection_is_kept_between_transactions(database: PostgresDatabase) -> None:
    with database.transaction() as stores:
        first = process_of(stores)
    with pytest.raises(LookupError), database.transaction():
        raise LookupError
    with database.transaction() as stores:
        assert process_of(stores) == first


def test_a_connection_that_grew_old_is_replaced(address: Address) -> None:
    database = PostgresDatabase(address("tradewind"), "tests", max_age=0.0)
    with database.transaction() as stores:
        first = process_of(stores)
    with database.transaction() as stores:
        assert process_of(stores) != first
    database.close()
    database.close()  # closing twice is no error


def test_a_connection_ended_while_idle_is_replaced_unseen(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    with database.transaction() as stores:
        first = process_of(stores)
    ask("SELECT pg_terminate_backend(:process, 5000)", process=first)
    with database.transaction() as stores:
        assert process_of(stores) != first


def test_a_connection_ended_within_a_transaction_is_told_and_the_block_can_be_run_again(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    def block(kill: bool) -> None:
        with database.transaction() as stores:
            stores.cycles.decided(ACCOUNT, OPEN, SESSION, "paper-1")
            if kill:
                ask("SELECT pg_terminate_backend(:process, 5000)", process=process_of(stores))
            stores.bars.upsert([a_bar()], [True], RECEIVED)

    with pytest.raises(DatabaseUnavailableError):
        block(kill=True)
    block(kill=False)
    assert ask("SELECT (SELECT count(*) FROM cycles), (SELECT count(*) FROM bars)") == [[1, 1]]


def test_nothing_listening_is_a_retryable_error(address: Address) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        there = address("tradewind")
        nowhere = DatabaseAddress(there.host, port, there.name, there.user, "off", lambda: "x")
        database = PostgresDatabase(nowhere, "tests")
        with pytest.raises(DatabaseUnavailableError, match="cannot be reached"):
            database.transaction().__enter__()


def test_a_wrong_password_is_not_worth_a_retry_and_asked_for_anew_each_time(
    address: Address,
) -> None:
    there = address("tw_record")
    passwords = iter(["outdated", there.password_source()])
    database = PostgresDatabase(
        DatabaseAddress(
            there.host, there.port, there.name, there.user, "off", lambda: next(passwords)
        ),
        "tests",
    )
    with pytest.raises(PermanentError, match="password authentication failed"):
        database.transaction().__enter__()
    with database.transaction() as stores:
        stores.accounts.add(ACCOUNT, a_snapshot(), OPEN)
    database.close()


# SQLSTATE -> what it means to us.
STATES = [
    ("40P01", DatabaseUnavailableError),  # deadlock
    ("57014", DatabaseUnavailableError),  # statement timeout
    ("53300", DatabaseUnavailableError),  # too many connections
    ("23505", InvalidInputError),
    ("22003", InvalidInputError),
    ("42P01", SchemaMismatchError),
    ("42501", PermanentError),
]


@pytest.mark.parametrize(("state", "error"), STATES)
def test_errors_are_told_in_our_words(
    database: PostgresDatabase, state: str, error: type[Exception]
) -> None:
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'so it was' USING ERRCODE = '{state}'; END $$"
    with pytest.raises(error, match=f"{state}.*so it was") as raised, database.transaction() as s:
        session_of(s).rows(raising)
    assert type(raised.value) is error
    with database.transaction() as stores:  # and the connection is as good as before
        assert stores.bars.latest(["AAPL"]) == []


def test_the_server_ends_what_a_frozen_function_left_open(
    database: PostgresDatabase,
) -> None:
    asked = "SELECT name, setting FROM pg_settings WHERE name = ANY(:names::text[]) ORDER BY name"
    names = ["statement_timeout", "idle_in_transaction_session_timeout", "TimeZone"]
    with database.transaction() as stores:
        settings = dict(session_of(stores).rows(asked, names=names))
    assert settings == {
        "TimeZone": "UTC",
        "idle_in_transaction_session_timeout": "30000",
        "statement_timeout": "10000",
    }


def test_small_packets_are_sent_at_once(database: PostgresDatabase) -> None:
    with database.transaction() as stores:
        opened = session_of(stores)._connection._usock
    assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


@pytest.mark.parametrize(
    ("change", "installed"),
    [
        ("UPDATE alembic_version SET version_num = '0000'", "schema 0000"),
        ("DELETE FROM alembic_version", "schema none"),
        ("DROP TABLE alembic_version", "alembic_version"),
    ],
)
def test_an_older_schema_is_told_before_anything_is_written(
    empty_database: DatabaseAddress, change: str, installed: str
) -> None:
    migrate(empty_database, empty_database.password_source())
    _change(empty_database, change)
    database = PostgresDatabase(empty_database, "tests")
    with pytest.raises(SchemaMismatchError, match=f"{installed}.*migrate_schema"):
        database.transaction().__enter__()
    database.close()


def test_a_newer_schema_is_taken_as_a_deployment_migrates_first(
    empty_database: DatabaseAddress,
) -> None:
    migrate(empty_database, empty_database.password_source())
    _change(empty_database, "UPDATE alembic_version SET version_num = '9999'")
    database = PostgresDatabase(empty_database, "tests")
    with database.transaction() as stores:
        assert stores.orders.open(ACCOUNT) == []
    database.close()


def _change(address: DatabaseAddress, statement: str) -> None:
    owner = open_session(address, "tests")
    owner.rows(statement)
    owner.close()

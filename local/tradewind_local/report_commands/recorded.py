"""The store of record that is reported on, opened to be read and never migrated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tradewind.adapters.postgres.connection import DatabaseAddress
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.errors import InvalidInputError

from tradewind_local.bars.database import target_of
from tradewind_local.postgres_server import PostgresServer
from tradewind_local.twin.folder import StateFolder

# A year's trades are read at once.
_STATEMENT_SECONDS = 120.0


@contextmanager
def recorded(state: Path | None, database: str | None) -> Iterator[PostgresDatabase]:
    """What ``--state`` or ``--database`` names; exactly one of them has to be given. A server of
    our own runs for the time of the block. Raises InvalidInputError."""
    if (state is None) == (database is None):
        raise InvalidInputError(
            "give --state DIR (of tradewind run) or --database DIR|URL, and not both"
        )
    if state is not None:
        with _of_state(state) as reads:
            yield reads
        return
    target = target_of(database)
    if target.address is not None:
        with _reading(target.address) as reads:
            yield reads
    elif target.folder is not None:
        with _served(target.folder, f"--database {target.name}") as reads:
            yield reads


def chosen_account(accounts: list[str], asked: str | None) -> str:
    """The account asked for, or the only one on record. Raises InvalidInputError."""
    if asked is not None and asked in accounts:
        return asked
    if not accounts:
        raise InvalidInputError("the database has no run on record")
    if asked is None and len(accounts) == 1:
        return accounts[0]
    known = ", ".join(accounts)
    if asked is None:
        raise InvalidInputError(f"several accounts are on record; give --account, one of {known}")
    raise InvalidInputError(f"--account {asked}: no run on record; on record are {known}")


@contextmanager
def _of_state(state: Path) -> Iterator[PostgresDatabase]:
    if not (state.expanduser() / "postgres" / "data").is_dir():
        raise InvalidInputError(f"--state {state}: is no folder of a former tradewind run")
    folder = StateFolder.open(state)
    try:
        with _served(folder.postgres, f"--state {state}") as reads:
            yield reads
    finally:
        folder.close()


@contextmanager
def _served(folder: Path, option: str) -> Iterator[PostgresDatabase]:
    if not (folder / "data").is_dir():
        raise InvalidInputError(f"{option}: there is no database")
    with PostgresServer(folder) as server:
        address = DatabaseAddress(
            server.host, server.port, server.database, server.user, "off", lambda: server.password
        )
        with _reading(address) as reads:
            yield reads


@contextmanager
def _reading(address: DatabaseAddress) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(address, "tradewind report", statement_seconds=_STATEMENT_SECONDS)
    try:
        yield database
    finally:
        database.close()

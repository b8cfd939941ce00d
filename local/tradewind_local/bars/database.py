"""The database that ``--database`` names: a server of our own in a folder, or one at a URL."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from tradewind.adapters.postgres.connection import DatabaseAddress
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.adapters.postgres.migrate import migrate
from tradewind.errors import InvalidInputError
from tradewind.settings import LOOPBACK_HOSTS

from tradewind_local.postgres_server import PostgresServer

_SCHEMES = ("postgresql", "postgres")
_PORT = 5432
# Importing writes in large portions, into a table that may be busy.
_STATEMENT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where bars go; exactly one of ``folder`` and ``address`` is set. ``name`` is for people and
    holds no password."""

    name: str
    folder: Path | None
    address: DatabaseAddress | None


def target_of(text: str | None, variables: Mapping[str, str] = os.environ) -> Target:
    """What ``--database`` means. InvalidInputError in one line that never shows the password."""
    if text is None:
        folder = _data_home(variables) / "tradewind" / "database"
        return Target(str(folder), folder, None)
    if not text:
        raise InvalidInputError("--database is empty; give a folder or postgresql://user@host/name")
    if "://" not in text:
        return Target(text, Path(text), None)
    return _target_at(text, variables)


@contextmanager
def opened(target: Target) -> Iterator[PostgresDatabase]:
    """The database, brought to the newest schema; a server of our own stops at the end."""
    if target.address is not None:
        with _migrated(target.address) as database:
            yield database
    elif target.folder is not None:
        with PostgresServer(target.folder) as server:
            address = DatabaseAddress(
                server.host, server.port, server.database, server.user, "off",
                lambda: server.password,
            )  # fmt: skip
            with _migrated(address) as database:
                yield database


@contextmanager
def _migrated(address: DatabaseAddress) -> Iterator[PostgresDatabase]:
    migrate(address)
    database = PostgresDatabase(address, "tradewind bars", statement_seconds=_STATEMENT_SECONDS)
    try:
        yield database
    finally:
        database.close()


def _data_home(variables: Mapping[str, str]) -> Path:
    """As the XDG base directory specification has it; a relative path counts as none."""
    home = variables.get("XDG_DATA_HOME", "")
    return Path(home) if home.startswith("/") else Path.home() / ".local" / "share"


def _target_at(text: str, variables: Mapping[str, str]) -> Target:
    try:
        url = urlsplit(text)
        port = url.port or _PORT
    except ValueError as error:
        raise InvalidInputError("--database: the URL's host or port cannot be read") from error
    host, name = url.hostname or "", unquote(url.path.removeprefix("/"))
    _check(url, host, name)
    user = unquote(url.username or "")
    password = (
        unquote(url.password) if url.password is not None else variables.get("PGPASSWORD", "")
    )
    address = DatabaseAddress(
        host=host,
        port=port,
        name=name,
        user=user,
        tls="off" if host in LOOPBACK_HOSTS else "verify-full",
        password_source=lambda: password,
    )
    return Target(f"postgresql://{user}@{host}:{port}/{name}", None, address)


def _check(url: SplitResult, host: str, name: str) -> None:
    if url.scheme not in _SCHEMES:
        raise InvalidInputError(
            f"--database: {url.scheme}:// is no PostgreSQL; give postgresql://user@host:port/name"
        )
    if not host or not name or not url.username or "/" in name:
        raise InvalidInputError(
            "--database: the URL must name user, host and database: postgresql://user@host:port/name"
        )
    if url.query or url.fragment:
        raise InvalidInputError(
            "--database: the URL takes no options; TLS is always on but for this machine"
        )

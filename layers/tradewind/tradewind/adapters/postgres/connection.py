"""One connection to PostgreSQL: how it is made, how statements run on it, how it fails.

pg8000 is imported when the first connection is made, not when a handler is imported.
"""

from __future__ import annotations

import contextlib
import io
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradewind.adapters.postgres.failures import translated

if TYPE_CHECKING:
    import ssl

    import pg8000.native

_ROOT_CERTIFICATES = Path(__file__).parent / "rds_roots.pem"

_CONNECT_SECONDS = 5.0
# How long a statement may take before the server ends it.
STATEMENT_SECONDS = 10.0
# Beyond that, only a server that is gone keeps us waiting.
_BEYOND_SECONDS = 5.0
# How long sent bytes may stay unanswered by the peer's TCP before the connection counts as dead.
# A warm environment may wake up after hours with a connection that ended without a word.
_UNACKNOWLEDGED_MILLISECONDS = 3000

# A frozen or killed function must not hold the account's lock: the server ends its transaction.
_SERVER_SETTINGS = {
    "TimeZone": "UTC",
    "idle_in_transaction_session_timeout": "30s",
}

_TIMESTAMPTZ = 1184


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where the database is and who logs in.

    ``tls`` is ``verify-full`` (certificate and host name, against the RDS roots) or ``off`` (this
    machine only). ``password_source`` is asked anew for each connection: an IAM token ages.
    """

    host: str
    port: int
    name: str
    user: str
    tls: str
    password_source: Callable[[], str]


class Session:
    """A connection on which statements run, each prepared once and then one round trip.

    Every error becomes one of Tradewind's: DatabaseUnavailableError (run the whole transaction
    again) or a PermanentError. ``broken`` says that the connection is of no more use; ``failure``
    keeps the first error of the open transaction, which cannot be committed after it.
    """

    def __init__(self, connection: pg8000.native.Connection) -> None:
        self._connection = connection
        self._prepared: dict[str, pg8000.native.PreparedStatement] = {}
        self.broken = False
        self.failure: Exception | None = None

    def rows(self, statement: str, **parameters: object) -> list[list[Any]]:
        """Run one statement with ``:name`` placeholders; its rows, if it answers any."""
        with self._failing():
            prepared = self._prepared.get(statement)
            if prepared is None:
                prepared = self._connection.prepare(statement)
                self._prepared[statement] = prepared
            return prepared.run(**parameters) or []

    def copy_in(self, statement: str, text: str) -> None:
        """Run ``COPY ... FROM STDIN`` with rows in its text format."""
        with self._failing():
            self._connection.run(statement, stream=io.BytesIO(text.encode()))

    def begin(self, read_only: bool = False) -> None:
        self.failure = None
        self._simple("BEGIN READ ONLY" if read_only else "BEGIN")

    def commit(self) -> None:
        """Commit; raises the error that a statement of the transaction had, if any was caught."""
        if self.failure is not None:
            raise self.failure
        self._simple("COMMIT")

    def rollback(self) -> None:
        self._simple("ROLLBACK")

    def close(self) -> None:
        """Give the connection back; a connection that is already gone is no error."""
        self.broken = True
        import pg8000.exceptions

        with contextlib.suppress(OSError, pg8000.exceptions.Error):
            self._connection.close()

    def _simple(self, statement: str) -> None:
        with self._failing():
            self._connection.run(statement)

    @contextlib.contextmanager
    def _failing(self) -> Any:
        import pg8000.exceptions

        try:
            yield
        except (pg8000.exceptions.Error, OSError) as error:
            failure, lost = translated(error)
            self.broken = self.broken or lost
            self.failure = self.failure or failure
            raise failure from error


def open_session(
    address: DatabaseAddress, application_name: str, statement_seconds: float = STATEMENT_SECONDS
) -> Session:
    """Connect and log in. Raises DatabaseUnavailableError or, when refused, PermanentError."""
    import pg8000.exceptions
    import pg8000.native

    try:
        connection = connect(address, application_name, pg8000.native.Connection, statement_seconds)
    except (pg8000.exceptions.Error, OSError) as error:
        raise translated(error)[0] from error
    connection.register_in_adapter(_TIMESTAMPTZ, datetime.fromisoformat)
    return Session(connection)


def connect(
    address: DatabaseAddress,
    application_name: str,
    kind: Callable[..., Any],
    statement_seconds: float = STATEMENT_SECONDS,
) -> Any:
    """A pg8000 connection of the given kind (native, or DB-API for migrations), raw errors.

    ``statement_seconds``: how long a statement may take; an answer that is later by five seconds
    counts as a lost connection.

    pg8000 leaves Nagle's algorithm on, which costs 40 ms for each statement above one segment, so
    it is handed a socket of ours. With TLS it wraps that socket itself; ``host`` is then what the
    certificate must name.
    """
    opened = socket.create_connection((address.host, address.port), _CONNECT_SECONDS)
    try:
        opened.settimeout(statement_seconds + _BEYOND_SECONDS)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            opened.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MILLISECONDS
            )
        return kind(
            address.user,
            host=address.host,
            database=address.name,
            password=address.password_source(),
            sock=opened,
            ssl_context=False if address.tls == "off" else _verify_full(),
            application_name=application_name,
            startup_params={
                **_SERVER_SETTINGS,
                "statement_timeout": str(round(statement_seconds * 1000)),
            },
        )
    except BaseException:
        opened.close()
        raise


@lru_cache(maxsize=1)
def _verify_full() -> ssl.SSLContext:
    """Checks chain and host name; that is what this context does by default."""
    import ssl

    return ssl.create_default_context(cafile=_ROOT_CERTIFICATES)

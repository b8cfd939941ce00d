"""PostgreSQL's errors in Tradewind's words: may the same transaction be run again?"""

from __future__ import annotations

from typing import Any

from tradewind.errors import (
    DatabaseUnavailableError,
    InvalidInputError,
    PermanentError,
    SchemaMismatchError,
    TradewindError,
)

# SQLSTATE codes, https://www.postgresql.org/docs/18/errcodes-appendix.html
_CONNECTION_ENDED = ("57P01", "57P02", "57P03", "57P05", "25P03", "25P04")
_TOO_BUSY = ("53300", "57014", "55P03", "40001", "40P01")
_UNKNOWN_NAME = ("42P01", "42703", "42883")


def translated(error: Exception) -> tuple[TradewindError, bool]:
    """The error to raise instead, and whether the connection is lost."""
    details: Any = error.args[0] if error.args else None
    if not isinstance(details, dict):
        # Not the server's answer: the driver or the network.
        return DatabaseUnavailableError(f"PostgreSQL cannot be reached: {error}"), True
    code = str(details.get("C", ""))
    message = f"PostgreSQL ({code}): {details.get('M', 'no message')}"
    if code.startswith("08") or code in _CONNECTION_ENDED:
        return DatabaseUnavailableError(message), True
    if code in _TOO_BUSY or code.startswith("53"):
        return DatabaseUnavailableError(message), False
    if code in _UNKNOWN_NAME:
        return SchemaMismatchError(f"{message}; run migrate_schema"), False
    if code.startswith(("22", "23")):
        where = details.get("n") or details.get("t")
        return InvalidInputError(f"{message} ({where})" if where else message), False
    return PermanentError(message), False

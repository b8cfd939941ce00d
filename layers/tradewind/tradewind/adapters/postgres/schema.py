"""Which schema this code was built for."""

from __future__ import annotations

from tradewind.adapters.postgres.connection import Session
from tradewind.errors import SchemaMismatchError

# The newest revision in migrations/versions.
SCHEMA_VERSION = "0010"

_INSTALLED = "SELECT version_num FROM alembic_version"


def check_schema(session: Session) -> None:
    """Raise SchemaMismatchError when the database is older than this code or has no schema.

    A newer schema is accepted: a deployment migrates first and shifts the functions afterwards,
    and every revision leaves the release before it working.
    """
    versions = [row[0] for row in session.rows(_INSTALLED)]
    if not versions or versions[0] < SCHEMA_VERSION:
        installed = versions[0] if versions else "none"
        raise SchemaMismatchError(
            f"the database has schema {installed}, this code needs {SCHEMA_VERSION}; "
            "run migrate_schema"
        )

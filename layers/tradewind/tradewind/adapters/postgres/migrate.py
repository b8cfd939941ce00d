"""Brings a database to the newest schema, with its roles and their grants.

Needs Alembic and SQLAlchemy, which only ``migrate_schema`` carries.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tradewind.adapters.postgres.connection import DatabaseAddress, connect
from tradewind.adapters.postgres.failures import translated

ROLES = (
    *("tw_read", "tw_trade", "tw_record", "tw_acknowledge"),
    *("tw_maintain", "tw_govern", "tw_report", "tw_research"),
)

_HERE = Path(__file__).parent

# Rewriting a large table takes its time; the function's own timeout is 15 minutes.
_STATEMENT_SECONDS = 840.0

# Any constant will do, as long as nothing else locks it.
_MIGRATION_LOCK = "SELECT pg_advisory_xact_lock(7261001)"


def migrate(address: DatabaseAddress, role_password: str | None = None) -> str:
    """Apply what is missing, in one transaction, and answer the schema's version.

    Applying it twice changes nothing. ``address`` logs in as the owner. ``role_password`` is the
    password of the roles where there is no IAM login (this machine); where there is, they get it
    granted and no password. Raises DatabaseUnavailableError or a PermanentError.
    """
    import pg8000.dbapi

    engine = create_engine(
        "postgresql+pg8000://",
        creator=lambda: connect(
            address, "migrate_schema", pg8000.dbapi.Connection, _STATEMENT_SECONDS
        ),
        poolclass=NullPool,
    )
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(_MIGRATION_LOCK)
            _upgrade(connection)
            _make_roles(connection, role_password)
            connection.exec_driver_sql((_HERE / "grants.sql").read_text(encoding="utf-8"))
            version: str = connection.exec_driver_sql(
                "SELECT version_num FROM alembic_version"
            ).scalar_one()
            return version
    except DBAPIError as error:
        raise translated(error.orig or error)[0] from error
    except OSError as error:
        raise translated(error)[0] from error
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_HERE / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _make_roles(connection: Connection, password: str | None) -> None:
    """Logins without any right of their own; what they may do is in grants.sql."""
    from pg8000.native import identifier, literal

    iam = _role_exists(connection, "rds_iam")
    for role in ROLES:
        name = identifier(role)
        if not _role_exists(connection, role):
            connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN")
        if iam:
            connection.exec_driver_sql(f"GRANT rds_iam TO {name}")
        elif password is not None:
            connection.exec_driver_sql(f"ALTER ROLE {name} PASSWORD {literal(password)}")


def _role_exists(connection: Connection, role: str) -> bool:
    found = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role})
    return found.first() is not None

"""Migrations: from nothing to the newest schema, twice without a difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tradewind.adapters.postgres.migrations as migrations
from alembic.config import Config
from alembic.script import ScriptDirectory
from tradewind.adapters.postgres import migrate as migrate_module
from tradewind.adapters.postgres.connection import DatabaseAddress, Session, open_session
from tradewind.adapters.postgres.migrate import ROLES, migrate
from tradewind.adapters.postgres.schema import SCHEMA_VERSION
from tradewind.errors import PermanentError

# Everything that makes up the schema, so that a difference shows.
_SHAPE = """
SELECT 'column', table_name::text, column_name::text, data_type::text, is_nullable::text
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname::text,
    pg_get_constraintdef(oid), ''
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index', tablename::text, indexname::text, indexdef::text, ''
FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'rights', relname::text, coalesce(relacl::text, ''), '', ''
FROM pg_class WHERE relnamespace = 'public'::regnamespace
ORDER BY 1, 2, 3, 4
"""


def read(address: DatabaseAddress, statement: str) -> list[list[Any]]:
    session: Session = open_session(address, "tests")
    rows = session.rows(statement)
    session.close()
    return rows


def install(address: DatabaseAddress) -> str:
    # Roles are the whole server's: with another password, other tests could not log in.
    return migrate(address, address.password_source())


def test_an_empty_database_gets_every_table_of_the_design(empty_database: DatabaseAddress) -> None:
    assert install(empty_database) == SCHEMA_VERSION
    tables = read(empty_database, "SELECT tablename::text FROM pg_tables WHERE schemaname='public'")
    assert {row[0] for row in tables} == {
        *("bars", "bars_default", "latest_bars", "bar_archives", "bar_traces"),
        *("empty_looks", "split_factors", "suspected_splits", "technical_indicators"),
        *("predictions", "models", "decisions", "cycles"),
        *("order_intents", "orders", "fills", "positions", "trades", "paper_trades"),
        *("account_snapshots", "trade_events", "outbox", "alerts", "alerts_log"),
        *("cash_activities", "cash_reckonings", "switch_changes"),
        *("locks", "equity_marks", "account_configurations"),
        *("position_splits", "paper_runs", "live_approvals", "session_divergences"),
        *("backtests", "corporate_actions"),
        "alembic_version",
    }


def test_migrating_again_changes_nothing(empty_database: DatabaseAddress) -> None:
    install(empty_database)
    first = read(empty_database, _SHAPE)
    assert install(empty_database) == SCHEMA_VERSION
    assert read(empty_database, _SHAPE) == first


def test_every_money_column_is_exact_and_every_time_has_a_zone(
    empty_database: DatabaseAddress,
) -> None:
    install(empty_database)
    kinds = {row[3] for row in read(empty_database, _SHAPE) if row[0] == "column"}
    assert not kinds & {
        *("real", "double precision", "money"),
        *("timestamp without time zone", "time without time zone"),
    }


def test_the_code_asks_for_the_newest_revision_of_one_unbroken_line() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    script = ScriptDirectory.from_config(config)
    revisions = [revision.revision for revision in script.walk_revisions()]
    assert script.get_heads() == [SCHEMA_VERSION]
    # Compared as text by check_schema, so they must sort as they follow each other.
    assert revisions == [f"{number:04}" for number in range(len(revisions), 0, -1)]


def test_a_migration_that_fails_leaves_nothing_behind(
    empty_database: DatabaseAddress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "grants.sql").write_text("GRANT SELECT ON no_such_table TO tw_read")
    migrations_folder = Path(migrations.__file__).parent
    (tmp_path / "migrations").symlink_to(migrations_folder)
    monkeypatch.setattr(migrate_module, "_HERE", tmp_path)
    with pytest.raises(PermanentError, match="no_such_table"):
        install(empty_database)
    assert read(empty_database, _SHAPE) == []


def test_a_right_that_is_no_longer_written_down_is_taken_away(
    empty_database: DatabaseAddress,
) -> None:
    install(empty_database)
    read(empty_database, "GRANT DELETE ON fills TO tw_trade")
    read(empty_database, "CREATE TABLE later (secret text)")
    read(empty_database, "GRANT SELECT ON later TO PUBLIC")
    install(empty_database)
    rows = read(
        empty_database,
        "SELECT has_table_privilege('tw_trade', 'fills', 'DELETE'), "
        "has_table_privilege('tw_read', 'later', 'SELECT')",
    )
    assert rows == [[False, False]]


def test_where_there_is_iam_login_the_roles_get_it(empty_database: DatabaseAddress) -> None:
    read(empty_database, "CREATE ROLE rds_iam")
    try:
        migrate(empty_database)
        rows = read(
            empty_database,
            "SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members "
            "WHERE roleid = 'rds_iam'::regrole AND member::regrole::text LIKE 'tw\\_%'",
        )
        assert sorted(rows) == sorted(["rds_iam", role] for role in ROLES)
    finally:
        read(empty_database, "DROP ROLE rds_iam")


def test_a_password_with_quotes_is_a_password(empty_database: DatabaseAddress) -> None:
    owner_password = empty_database.password_source()
    try:
        migrate(empty_database, 'it\'s "odd" %s :x')
        there = empty_database
        reader = DatabaseAddress(
            there.host, there.port, there.name, "tw_read", "off", lambda: 'it\'s "odd" %s :x'
        )
        assert read(reader, "SELECT version_num FROM alembic_version") == [[SCHEMA_VERSION]]
    finally:
        # The roles are the whole server's: the other tests log in with the server's password.
        migrate(empty_database, owner_password)

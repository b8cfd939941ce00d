"""The reads of every minute find (symbol, time) by an index, in the months they are about alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pg8000.native import to_statement
from tradewind.adapters.postgres import bars as adapter
from tradewind.adapters.postgres import gaps, queries, trading_modes
from tradewind.adapters.postgres.connection import Session, open_session
from tradewind.adapters.postgres.migrate import migrate
from tradewind_local.postgres_server import PostgresServer

from tests.integration.conftest import address_of, connection_to

SYMBOLS = [f"S{number:02}" for number in range(40)]
UNTIL = datetime(2020, 12, 10, 16, 0, tzinfo=UTC)
TEN_DAYS = timedelta(days=10)

SESSIONS = (
    '[{"number":0,"first":"2020-12-09T14:30:00Z","last":"2020-12-09T20:59:00Z"},'
    '{"number":1,"first":"2020-12-10T14:30:00Z","last":"2020-12-10T15:59:00Z"}]'
)

# A year with a bar an hour for 40 symbols, in partitions of its months, and three empty ones ahead.
_FILL = """
SELECT ensure_bar_partitions('2020-01-01', '2021-03-01');
INSERT INTO bars (symbol, start, open, high, low, close, volume, feed, in_session)
SELECT 'S' || lpad(number::text, 2, '0'), start, 1, 1, 1, 1, 1, 'iex', true
FROM generate_series('2020-01-02T00:00Z'::timestamptz, '2020-12-10T16:00Z', '1 hour') AS start,
    generate_series(0, 39) AS number;
INSERT INTO latest_bars
SELECT DISTINCT ON (symbol) symbol, start, open, high, low, close, volume, feed
FROM bars ORDER BY symbol, start DESC;
INSERT INTO empty_looks (symbol, start, first_look, last_look)
SELECT symbol, start + interval '1 minute', start + interval '2 minutes', start + interval '1 hour'
FROM bars;
ANALYZE bars; ANALYZE latest_bars; ANALYZE empty_looks;
"""


@pytest.fixture(scope="module")
def year(postgres_server: PostgresServer) -> Iterator[Session]:
    """A database with a year of bars."""
    owner = connection_to(postgres_server, postgres_server.database)
    owner.run("CREATE DATABASE year_of_bars TEMPLATE template0")
    address = address_of(postgres_server, "year_of_bars", postgres_server.user)
    migrate(address, postgres_server.password)
    filler = connection_to(postgres_server, "year_of_bars")
    filler.run(_FILL)
    filler.close()
    session = open_session(address, "tests")
    yield session
    session.close()
    owner.run("DROP DATABASE year_of_bars WITH (FORCE)")
    owner.close()


def plan_of(session: Session, statement: str, parameters: dict[str, Any]) -> str:
    return "\n".join(str(row[0]) for row in session.rows("EXPLAIN " + statement, **parameters))


def ran(session: Session, statement: str, parameters: dict[str, Any]) -> str:
    """The plan as it ran, with what was left out while it ran."""
    explained = session.rows(
        "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) " + statement,
        **parameters,
    )
    return "\n".join(str(row[0]) for row in explained)


def months_read(plan: str) -> set[str]:
    """The partitions that a plan really looks into; the default one is always among them."""
    looked_into = re.findall(r"on (bars_\w+) bars\w*( \(never executed\)| \(actual)?", plan)
    return {name for name, how in looked_into if "never" not in how} - {"bars_default"}


# (read, statement, parameters, the months it may look into)
READS = [
    (
        "newest bars until a minute",
        adapter._RECENT,
        {"symbols": SYMBOLS, "until": UNTIL, "since": UNTIL - TEN_DAYS, "count": 200},
        {"bars_2020_11", "bars_2020_12"},
    ),
    (
        "highest high since an entry",
        adapter._HIGHEST,
        {
            "symbols": "{S01}",
            "sinces": "{2020-12-10T15:00:00Z}",
            "untils": "{" + UNTIL.isoformat() + "}",
        },
        {"bars_2020_12"},
    ),
    (
        "the sessions before a date",
        adapter._DAILY,
        {
            "symbols": SYMBOLS[:2],
            "before": date(2020, 12, 10),
            "count": 3,
            "since": datetime(2020, 11, 24, tzinfo=UTC),
        },
        {"bars_2020_11", "bars_2020_12"},
    ),
    (
        "the close that bars are measured by",
        adapter._CLOSES_BEFORE,
        {"rows": '[{"symbol":"S01","before":"2020-12-10T15:00:00Z"}]', "span": TEN_DAYS},
        {"bars_2020_11", "bars_2020_12"},
    ),
    (
        "what is missing since the bars looked back to",
        gaps._MISSING,
        {"since": '{"S01":"2020-12-10T14:30:00Z"}', "sessions": SESSIONS},
        {"bars_2020_12"},
    ),
    (
        "the gaps of all symbols",
        gaps._OPEN_GAPS,
        {"symbols": SYMBOLS, "sessions": SESSIONS},
        {"bars_2020_12"},
    ),
    (
        "the availability of all symbols",
        gaps._AVAILABILITY,
        {"symbols": SYMBOLS, "sessions": SESSIONS},
        {"bars_2020_12"},
    ),
]


@pytest.mark.parametrize(("read", "statement", "parameters", "months"), READS)
def test_a_read_walks_the_key_in_its_own_months_alone(
    year: Session, read: str, statement: str, parameters: dict[str, Any], months: set[str]
) -> None:
    plan = ran(year, statement, parameters)
    assert "bars_2020_12_pkey" in plan, plan
    assert not re.search(r"Seq Scan on (bars_2020|empty_looks)", plan), plan
    assert months_read(plan) == months, plan


@pytest.mark.parametrize(("read", "statement", "parameters", "months"), READS)
def test_a_plan_for_any_parameters_walks_the_key_too(
    postgres_server: PostgresServer,
    year: Session,
    read: str,
    statement: str,
    parameters: dict[str, Any],
    months: set[str],
) -> None:
    # PostgreSQL may come to use it for a statement that a warm function has prepared.
    numbered, _ = to_statement(statement)
    connection = connection_to(postgres_server, "year_of_bars")
    explained = connection.run("EXPLAIN (GENERIC_PLAN) " + numbered)
    connection.close()
    plan = "\n".join(str(row[0]) for row in explained)
    assert "bars_2020_12_pkey" in plan, plan
    assert "Seq Scan on bars_2020" not in plan, plan


def test_what_went_wrong_is_found_without_reading_every_alert(year: Session) -> None:
    year.rows(
        """INSERT INTO alerts (alert_id, type, severity, message, timestamp, dedupe_key, account)
        SELECT gen_random_uuid(), 'position_closed', 1, 'sold', now(), number, 'paper'
        FROM generate_series(1, 5000) AS number"""
    )
    year.rows("ANALYZE alerts")
    plan = plan_of(year, trading_modes.BREACHES, {"account": "paper", "since": UNTIL})
    assert "alerts_critical" in plan, plan
    assert "Seq Scan on alerts" not in plan, plan


def test_the_newest_bars_of_all_symbols_touch_no_month_at_all(year: Session) -> None:
    plan = plan_of(year, adapter.LATEST_BARS, {"symbols": SYMBOLS})
    assert "on latest_bars" in plan
    assert "bars_20" not in plan
    status = plan_of(year, queries._STATUS, {"symbols": SYMBOLS, "account": "paper"})
    positions = plan_of(year, queries._POSITIONS, {"account": "paper"})
    assert "bars_20" not in status + positions

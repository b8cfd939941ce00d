"""PostgreSQL with 10 million bars: what each minute writes and reads, 500 symbols.

The server is the embedded one with its usual settings (64 MB of shared buffers), the connection the
adapters' own. "in PostgreSQL" is EXPLAIN ANALYZE's planning and execution time; "with the driver"
what the caller waits, rows turned into objects.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tradewind.adapters.postgres import bars as bars_adapter
from tradewind.adapters.postgres.connection import DatabaseAddress, Session, open_session
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.adapters.postgres.migrate import migrate
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session_table import default_table
from tradewind_local.postgres_server import PostgresServer

SYMBOLS = [f"S{number:03}" for number in range(500)]
FIRST_DAY, LAST_DAY = date(2020, 8, 28), date(2020, 11, 11)
RUNS = 15

# Minute by minute, as bars come: a symbol's history lies scattered over the table's pages.
_FILL = """
INSERT INTO bars (symbol, start, open, high, low, close, volume, feed, in_session)
SELECT 'S' || lpad(number::text, 3, '0'), start, 119.62, 119.70, 119.50, 119.5301, 12345, 'iex',
    true
FROM generate_series(:first::timestamptz, :last::timestamptz, '1 minute') AS start,
    generate_series(0, 499) AS number
"""

_FILL_LATEST = """
INSERT INTO latest_bars
SELECT DISTINCT ON (symbol) symbol, start, open, high, low, close, volume, feed
FROM bars WHERE start >= :since ORDER BY symbol, start DESC
"""

# What latest_bars is there to avoid.
_LATEST_BY_LOOKUP = """
SELECT b.symbol, b.start, b.open, b.high, b.low, b.close, b.volume, b.feed
FROM unnest(:symbols::text[]) AS wanted(symbol)
CROSS JOIN LATERAL (
    SELECT * FROM bars WHERE bars.symbol = wanted.symbol ORDER BY bars.start DESC LIMIT 1
) AS b
ORDER BY b.symbol
"""


def table() -> str:
    """A Markdown table; takes about two minutes, most of them to load the bars."""
    with (
        tempfile.TemporaryDirectory(prefix="tradewind-bench-") as folder,
        PostgresServer(folder) as server,
    ):
        owner = DatabaseAddress(
            server.host, server.port, server.database, server.user, "off", lambda: server.password
        )
        migrate(owner, server.password)
        session = open_session(owner, "benchmark", statement_seconds=900.0)
        stored = _fill(session)
        rows = _measured(session, PostgresDatabase(replace(owner, user="tw_trade"), "benchmark"))
        session.close()
    lines = [
        f"{stored:,} bars of {len(SYMBOLS)} symbols in months",
        "",
        "| what | with the driver ms | in PostgreSQL ms |",
        "|---|---|---|",
    ]
    lines += [f"| {what} | {took:.1f} | {inside} |" for what, took, inside in rows]
    return "\n".join(lines)


def _fill(session: Session) -> int:
    session.rows(
        "SELECT ensure_bar_partitions(:first, :last)",
        first=FIRST_DAY,
        last=LAST_DAY + timedelta(days=90),
    )
    for day in default_table().between(FIRST_DAY, LAST_DAY):
        session.rows(_FILL, first=day.open, last=day.last_bar)
    session.rows(_FILL_LATEST, since=default_table().previous(LAST_DAY).open)
    session.rows("VACUUM ANALYZE")
    stored: int = session.rows("SELECT count(*) FROM bars")[0][0]
    return stored


def _measured(session: Session, database: PostgresDatabase) -> list[tuple[str, float, str]]:
    calendar = default_table()
    today = calendar.between(LAST_DAY + timedelta(days=1), LAST_DAY + timedelta(days=1))[0]
    yesterday = calendar.previous(today.date)
    rolling = calendar.between(LAST_DAY - timedelta(days=29), LAST_DAY)
    until = yesterday.close

    def minute(number: int, of: int = 1) -> list[Bar]:
        """``of`` minutes, the newest of them new."""
        return [
            _bar(symbol, today.open + (number - back) * MINUTE)
            for symbol in SYMBOLS
            for back in range(of)
        ]

    def reads(what: Callable[[Any], object]) -> Callable[[int], object]:
        def read(_: int) -> object:
            with database.transaction() as stores:
                return what(stores)

        return read

    def writes(bars: Callable[[int], Sequence[Bar]]) -> Callable[[int], object]:
        def write(number: int) -> object:
            batch = bars(number)
            with database.transaction() as stores:
                began = time.perf_counter()
                stores.bars.upsert(batch, [True] * len(batch), batch[0].start + MINUTE)
                return time.perf_counter() - began

        return write

    latest = {"symbols": SYMBOLS}
    return [
        (
            "newest bars of 500 symbols",
            _took(reads(lambda stores: stores.bars.latest(SYMBOLS))),
            _inside(session, bars_adapter.LATEST_BARS, **latest),
        ),
        (
            "the same, looked up in the months (not used)",
            _took(lambda _: session.rows(_LATEST_BY_LOOKUP, **latest)),
            _inside(session, _LATEST_BY_LOOKUP, **latest),
        ),
        ("upsert: a minute's 500 bars, all new", _took(writes(minute)), ""),
        (
            "upsert: 5,000 bars, the last ten minutes again, 500 new",
            _took(writes(lambda number: minute(number + RUNS + 10, of=10))),
            "",
        ),
        (
            "newest 200 bars of 500 symbols",
            _took(reads(lambda stores: stores.bars.recent(SYMBOLS, until, 200)), runs=5),
            "",
        ),
        (
            "closes that 500 symbols' bars are measured by",
            _took(reads(lambda s: s.bars.closes_before(dict.fromkeys(SYMBOLS, today.open)))),
            "",
        ),
        (
            "15 sessions' ranges of 2 symbols",
            _took(reads(lambda s: s.bars.daily(SYMBOLS[:2], today.date, 15))),
            "",
        ),
        (
            "gaps of 500 symbols in 2 sessions",
            _took(reads(lambda s: s.gaps.open_gaps(SYMBOLS, [yesterday, today], until)), runs=5),
            "",
        ),
        (
            f"availability of 500 symbols over {len(rolling)} sessions",
            _took(reads(lambda s: s.gaps.availability(SYMBOLS, rolling, until)), runs=3),
            "",
        ),
    ]


def _bar(symbol: str, start: Any) -> Bar:
    low, high = Decimal("119.50"), Decimal("119.70")
    return Bar(symbol, start, Decimal("119.62"), high, low, Decimal("119.5301"), 12_345, "iex")


def _took(run: Callable[[int], object], runs: int = RUNS) -> float:
    """Median of some runs in ms; a run that measures itself answers its seconds."""
    times = []
    for number in range(runs):
        began = time.perf_counter()
        answer = run(number)
        took = time.perf_counter() - began
        times.append(answer if isinstance(answer, float) else took)
    return statistics.median(times) * 1000


def _inside(session: Session, statement: str, **parameters: Any) -> str:
    """Planning and execution, the median of some runs."""
    times = []
    for _ in range(RUNS):
        explained = session.rows("EXPLAIN (ANALYZE, TIMING OFF) " + statement, **parameters)
        text = "\n".join(str(row[0]) for row in explained)
        times.append(sum(map(float, re.findall(r"(?:Planning|Execution) Time: ([\d.]+) ms", text))))
    return f"{statistics.median(times):.1f}"

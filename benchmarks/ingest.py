"""One minute for 500 symbols: fetch, validate, store. Our own time, the network aside.

Each run reads the last ten minutes again, so 5,000 bars are parsed and judged and 500 are new.
Fetching counts our processor time alone (the simulated exchange is another process); storing counts
the wall time of the statements, PostgreSQL's part included.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.adapters.alpaca.market_data import AlpacaMarketData
from tradewind.adapters.clock import SystemClock
from tradewind.adapters.postgres.connection import DatabaseAddress
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.adapters.postgres.migrate import migrate
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session_table import default_table
from tradewind.market.validation import validate
from tradewind.market.verdict import ValidationRules
from tradewind_local.exchange.process import ExchangeProcess
from tradewind_local.postgres_server import PostgresServer

SYMBOLS = tuple(f"S{number:03d}" for number in range(500))
MINUTES = 30
REREAD = 10
DAY = date(2020, 11, 12)


def table() -> str:
    session = default_table().session_on(DAY)
    assert session is not None  # noqa: S101 - a fact of the calendar
    bars = [
        _bar(symbol, number, minute)
        for number, symbol in enumerate(SYMBOLS)
        for minute in (session.open + step * MINUTE for step in range(MINUTES))
    ]
    took: dict[str, list[float]] = {"fetch": [], "validate": [], "store": [], "sum": []}
    with (
        tempfile.TemporaryDirectory(prefix="tradewind-bench-") as folder,
        PostgresServer(Path(folder) / "postgres") as server,
        ExchangeProcess(Path(folder) / "exchange") as exchange,
    ):
        exchange.control.load_bars(bars)
        exchange.control.set_clock(session.open + timedelta(minutes=MINUTES), running=False)
        address = DatabaseAddress(
            server.host, server.port, server.database, server.user, "off", lambda: server.password
        )
        migrate(address, server.password)
        database = PostgresDatabase(address, "benchmark")
        provider = AlpacaMarketData(exchange.url, "iex", ApiKey("key", "secret"), SystemClock())
        for step in range(REREAD, MINUTES):
            newest = session.open + step * MINUTE
            _one(newest, provider, database, took)
        database.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    lines = ["| step, 500 symbols x 10 minutes, 500 new | p50 ms | p95 ms |", "|---|---|---|"]
    for name, values in took.items():
        warm = values[1:]
        p95 = statistics.quantiles(warm, n=20)[-1]
        lines.append(f"| {name} | {statistics.median(warm):.1f} | {p95:.1f} |")
    return "\n".join([*lines, "", f"peak memory of the process: {peak} MB"])


def _one(
    newest: datetime,
    provider: AlpacaMarketData,
    database: PostgresDatabase,
    took: dict[str, list[float]],
) -> None:
    started = time.process_time()
    came = provider.bars(SYMBOLS, newest - (REREAD - 1) * MINUTE, newest)
    fetched = (time.process_time() - started) * 1000
    with database.transaction() as stores:
        factors = stores.factors.table(SYMBOLS)
        started = time.perf_counter()
        judged = validate(
            came,
            as_of=newest + MINUTE,
            sessions=default_table(),
            closes_before=stores.bars.closes_before,
            factors=factors,
            rules=ValidationRules(),
        )
        validated = (time.perf_counter() - started) * 1000
        started = time.perf_counter()
        stores.bars.upsert(judged.accepted, judged.in_session, newest + 2 * MINUTE)
        stored = (time.perf_counter() - started) * 1000
    for name, value in (("fetch", fetched), ("validate", validated), ("store", stored)):
        took[name].append(value)
    took["sum"].append(fetched + validated + stored)


def _bar(symbol: str, number: int, start: datetime) -> Bar:
    price = Decimal(50 + number)
    return Bar(symbol, start, price, price + 1, price - 1, price, 1000 + number, "simulated")

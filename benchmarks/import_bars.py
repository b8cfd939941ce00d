"""Importing recorded bars: 44,356 rows of AAPL, from the file to the committed row.

The server is the embedded one with its usual settings, on this machine's disk; starting it and
migrating are not counted. What is counted is read, judged and stored as the command does it.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tradewind.adapters.postgres.connection import DatabaseAddress, open_session
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.adapters.postgres.migrate import migrate
from tradewind.market.bar_file import BarFile
from tradewind.market.csv_rows import NEW_YORK
from tradewind.market.intake import Intake
from tradewind.market.session_table import default_table
from tradewind.market.verdict import ValidationRules
from tradewind.use_cases.import_bars import PORTION, import_bars
from tradewind_local.postgres_server import PostgresServer

FILE = (
    Path(__file__).resolve().parents[2]
    / "shared/data/bars_1min/av_2020_2021/intraday_1min_AAPL.csv"
)
RUNS = 5


def table() -> str:
    """A Markdown table; a line that says why where the recording is not at hand."""
    if not FILE.exists():
        return "import of recorded bars: not measured, the recordings are not on this machine"
    with (
        tempfile.TemporaryDirectory(prefix="tradewind-bench-") as folder,
        PostgresServer(folder) as server,
    ):
        owner = DatabaseAddress(
            server.host, server.port, server.database, server.user, "off", lambda: server.password
        )
        migrate(owner)
        session = open_session(owner, "benchmark")
        database = PostgresDatabase(owner, "benchmark")
        reading = [_took(_read) for _ in range(RUNS)]
        new, again = [], []
        for _ in range(RUNS):
            session.rows("TRUNCATE bars, latest_bars, bar_traces")
            new.append(_took(lambda: _import(database, stored=_rows())))
            again.append(_took(lambda: _import(database, stored=0)))
        database.close()
        session.close()
    lines = [
        f"{FILE.name}, {_rows():,} rows",
        "",
        "| what | best s | median s |",
        "|---|---|---|",
    ]
    for what, took in (
        ("read alone", reading),
        ("import: read, judge, store", new),
        ("the same import again, nothing new", again),
    ):
        lines.append(f"| {what} | {min(took):.2f} | {statistics.median(took):.2f} |")
    return "\n".join(lines)


def _file() -> BarFile:
    return BarFile(FILE, "AAPL", "end", NEW_YORK)


def _rows() -> int:
    return _file().rows


def _read() -> None:
    for _ in _file().portions(PORTION):
        pass


def _import(database: PostgresDatabase, stored: int) -> None:
    intake: Intake = import_bars(
        _file(),
        database=database,
        sessions=default_table(),
        rules=ValidationRules(),
        as_of=datetime.now(UTC),
        progress=lambda _rows: None,
    )
    if intake.stored != stored or not intake.complete:
        raise AssertionError(f"{intake.stored} bars stored where {stored} were due")


def _took(call: Callable[[], None]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began

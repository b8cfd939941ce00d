"""A minute's decisions of 500 symbols: ``assess_risk`` warm, over a PostgreSQL on this machine.

``quiet``: nothing is held and no average crosses. ``busy``: 20 positions and 25 crosses at once.
The shares of the time are told beside it: what the store takes, and within it the bars.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from tradewind.adapters.postgres.bars import PostgresBars
from tradewind.adapters.postgres.connection import DatabaseAddress, Session
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.adapters.postgres.migrate import migrate
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.cycle import Cycle, execution_name
from tradewind.market.session_table import default_table
from tradewind.orders.control import SwitchChange, SwitchState
from tradewind.orders.model import BrokerAccount, BrokerPosition
from tradewind.portfolio.model import Holding
from tradewind.strategies.sma_crossover import SmaCrossover
from tradewind.use_cases.assess_risk import RiskRules, assess_risk
from tradewind_local.postgres_server import PostgresServer

SYMBOLS = [f"S{number:03}" for number in range(500)]
HELD, CROSSING = SYMBOLS[:20], SYMBOLS[20:45]
SESSION = default_table().between(
    datetime(2020, 11, 12, tzinfo=UTC).date(), datetime(2020, 11, 12, tzinfo=UTC).date()
)[0]
HISTORY = 120  # minutes of the session before the first decided one
RUNS = 15
CROSSOVER = SmaCrossover(20, 50)


class _Switch:
    """The trading switch without its way over the network."""

    def switch(self, account: str) -> SwitchChange:
        return SwitchChange(account, 0, SwitchState.ACTIVE, SwitchState.ACTIVE, "", "", None)


@dataclass
class _Times:
    statements: int = 0
    store: float = 0.0
    bars: float = 0.0


def table() -> str:
    """A Markdown table."""
    with (
        tempfile.TemporaryDirectory(prefix="tradewind-bench-") as folder,
        PostgresServer(folder) as server,
    ):
        owner = DatabaseAddress(
            server.host, server.port, server.database, server.user, "off", lambda: server.password
        )
        migrate(owner, server.password)
        database = PostgresDatabase(owner, "benchmark")
        _fill(database)
        trading = PostgresDatabase(replace(owner, user="tw_trade"), "benchmark")
        quiet = _measured(trading, database, first=HISTORY, crossing=())
        _hold(database)
        busy = _measured(trading, database, first=HISTORY + RUNS + 3, crossing=CROSSING)
        database.close()
        trading.close()
    return "\n".join(
        [
            "| minute of 500 symbols | median ms | slowest ms | in the store ms | "
            "bars as objects ms | statements |",
            "|---|---|---|---|---|---|",
            f"| quiet | {quiet} |",
            f"| busy: 20 held, 25 crosses | {busy} |",
        ]
    )


def _fill(database: PostgresDatabase) -> None:
    for number in range(HISTORY):
        _add(database, number, ())


def _add(database: PostgresDatabase, number: int, crossing: Sequence[str]) -> None:
    """A minute of falling prices, so that no fast average is above its slow one but where it is to
    cross."""
    start = SESSION.open + number * MINUTE
    price = Decimal("150.0000") - Decimal("0.0137") * number
    bars = []
    for symbol in SYMBOLS:
        close = price * 2 if symbol in crossing else price
        bars.append(Bar(symbol, start, close, close, close, close, 12_345, "iex"))
    with database.transaction() as stores:
        stores.bars.upsert(bars, [True] * len(bars), start + MINUTE)


def _hold(database: PostgresDatabase) -> None:
    price = Decimal(148)
    holdings = [
        Holding(symbol, CROSSOVER.name, Decimal(5), 5 * price, Decimal(0), SESSION.open)
        for symbol in HELD
    ]
    positions = [BrokerPosition(s, Decimal(5), price, price, Decimal(0)) for s in HELD]
    with database.transaction() as stores:
        stores.holdings.save("bench", holdings, SESSION.open)
        stores.holdings.confirm("bench", positions, SESSION.open)


def _measured(
    trading: PostgresDatabase, database: PostgresDatabase, first: int, crossing: Sequence[str]
) -> str:
    took, seen = [], []
    for run in range(RUNS + 3):
        # A cross is news for one minute: each run needs crossing symbols of its own minute.
        _add(database, first + run, crossing if run % 2 else ())
        bar_time = SESSION.open + (first + run) * MINUTE
        cycle = Cycle(
            "here", "bench", "paper", execution_name("bench", bar_time), bar_time, SESSION
        )
        money = Decimal(1_000_000)
        account = BrokerAccount("B1", "ACTIVE", money, money, money, money, trading_blocked=False)
        with database.transaction() as stores:
            stores.accounts.add("bench", account, cycle.run_at)
        with _counted() as times:
            began = time.perf_counter()
            assess_risk(
                cycle,
                [],
                strategies=dict.fromkeys(SYMBOLS, CROSSOVER),
                rules=RiskRules(),
                sessions=default_table(),
                database=trading,
                control=_Switch(),  # type: ignore[arg-type]
            )
            elapsed = time.perf_counter() - began
        # The first ones warm up: connection, prepared statements, caches.
        if run >= 3 and (not crossing or run % 2):
            took.append(elapsed)
            seen.append(times)
    store = statistics.median(times.store for times in seen)
    bars = statistics.median(times.bars for times in seen)
    statements = max(times.statements for times in seen)
    return (
        f"{statistics.median(took) * 1000:.0f} | {max(took) * 1000:.0f} | {store * 1000:.0f} | "
        f"{bars * 1000:.0f} | {statements}"
    )


@contextmanager
def _counted() -> Iterator[_Times]:
    times = _Times()
    rows, recent = Session.rows, PostgresBars.recent

    def timed_rows(self: Session, statement: str, **parameters: object) -> object:
        began = time.perf_counter()
        answer = rows(self, statement, **parameters)
        times.store += time.perf_counter() - began
        times.statements += 1
        return answer

    def timed_recent(self: PostgresBars, *asked: object) -> object:
        began = time.perf_counter()
        answer = recent(self, *asked)  # type: ignore[arg-type]
        times.bars += time.perf_counter() - began
        return answer

    Session.rows, PostgresBars.recent = timed_rows, timed_recent  # type: ignore[method-assign,assignment]
    try:
        yield times
    finally:
        Session.rows, PostgresBars.recent = rows, recent  # type: ignore[method-assign]


if __name__ == "__main__":
    print(table())

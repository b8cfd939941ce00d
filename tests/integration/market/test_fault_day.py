"""A whole session through fetching and storing, with a market data service on its worst day.

The real provider code over HTTP against the simulated exchange, the real PostgreSQL; only the
state machine between the two steps is a function call here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tradewind.adapters import http
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.adapters.alpaca.market_data import AlpacaMarketData
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.cycle import Cycle
from tradewind.market.ports import MarketDataProvider
from tradewind.market.session import Session
from tradewind.market.session_table import default_table
from tradewind.market.verdict import ValidationRules
from tradewind.use_cases.compute_features import Computed, compute_features
from tradewind.use_cases.fetch_bars import fetch_bars
from tradewind.use_cases.ports import PayloadRef
from tradewind_local.exchange.process import ExchangeProcess
from tradewind_local.exchange.simulated_market import simulated_bars

from tests.fakes import FakeClock
from tests.unit.use_cases.test_fetch_bars import FakePayloads, FakeTopic

DAY = date(2020, 11, 12)
SYMBOLS = ("AAPL", "MSFT")
BARS = "/v2/stocks/bars"

# What a request may meet. A stall is longer than the (shortened) time limit.
FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 429, "times": 6, "headers": {"Retry-After": "2"}},
    {"status": 429, "times": 2, "headers": {"Retry-After": "1"}},
    {"status": 503, "times": 3},
    {"status": 500, "times": 1},
    {"reset": True, "times": 2},
    {"truncate": True, "times": 2},
    {"repeat": True, "times": 1},
    {"stall": 0.4, "times": 1},
)
# Minutes of the session in which the service does not answer at all: longer than is read again.
OUTAGE = range(120, 150)


@dataclass
class HalfPages:
    """A provider that now and then leaves out bars, as if they had not been."""

    inner: MarketDataProvider
    dice: random.Random

    def bars(self, symbols: Sequence[str], first: datetime, last: datetime) -> list[Bar]:
        found = self.inner.bars(symbols, first, last)
        if self.dice.random() < 0.1:
            return [bar for bar in found if self.dice.random() < 0.5]
        return found


@dataclass
class Stepping:
    """Stands for the state machine: each started run is stored at once."""

    database: PostgresDatabase
    payloads: FakePayloads
    runs: list[Computed] = field(default_factory=list)

    def start(self, name: str, payload: Mapping[str, Any]) -> bool:
        self.runs.append(
            compute_features(
                Cycle.from_payload(payload),
                PayloadRef.from_payload(payload["bars"]),
                payload["symbols"],
                sessions=default_table(),
                rules=ValidationRules(),
                payloads=self.payloads,
                database=self.database,
            )
        )
        return True


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[ExchangeProcess]:
    with ExchangeProcess(tmp_path) as running:
        yield running


def the_session() -> Session:
    session = default_table().session_on(DAY)
    assert session is not None
    return session


def test_every_bar_of_a_day_full_of_faults_is_stored_once(
    exchange: ExchangeProcess, database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "READ_TIMEOUT", 0.2)
    session, dice = the_session(), random.Random(7)
    bars = simulated_bars(SYMBOLS, [session], seed=3)
    exchange.control.load_bars(bars)
    clock, payloads = FakeClock(session.open), FakePayloads()
    provider = HalfPages(
        AlpacaMarketData(exchange.url, "iex", ApiKey("key", "secret"), clock), dice
    )
    stepping = Stepping(database, payloads)
    for number in range(session.minutes):
        run_at = session.open + (number + 1) * MINUTE
        exchange.control.set_clock(run_at + timedelta(seconds=3), running=False)
        clock.sleep((run_at - clock.now()).total_seconds())
        if number in OUTAGE:
            faults = [{"method": "GET", "path": BARS, "status": 503, "times": 60}]
        elif dice.random() < 0.4 and number < session.minutes - 1:
            faults = [{"method": "GET", "path": BARS, **dice.choice(FAULTS)}]
        else:
            faults = []
        exchange.control.add_faults(faults)
        outcome = fetch_bars(
            run_at,
            deployment="here",
            account="paper",
            mode="paper",
            symbols=SYMBOLS,
            sessions=default_table(),
            provider=provider,
            corporate_actions=None,
            payloads=payloads,
            cycles=stepping,
            alerts=FakeTopic(),
            clock=clock,
        )
        assert outcome.outcome == "started"
        if number in OUTAGE:
            exchange.control.clear_faults()

    with database.transaction() as stores:
        gaps = stores.gaps.open_gaps(SYMBOLS, [session], session.close)
        stored = stores.bars.recent(SYMBOLS, session.last_bar, 2 * session.minutes)
        figure = stores.gaps.availability(SYMBOLS, [session], session.close)[DAY]
    assert gaps == []
    assert (figure.received, figure.no_trade, figure.expected) == (780, 0, 780)
    expected = {symbol: [bar for bar in bars if bar.symbol == symbol] for symbol in SYMBOLS}
    assert {symbol: len(found) for symbol, found in stored.items()} == {"AAPL": 390, "MSFT": 390}
    for symbol, found in stored.items():
        assert [(b.start, b.open, b.high, b.low, b.close, b.volume) for b in found] == [
            (b.start, b.open, b.high, b.low, b.close, b.volume) for b in expected[symbol]
        ]
    assert sum(run.stored for run in stepping.runs) == 780
    # The day was what it was meant to be: bars came late, and an outage was filled by asking again.
    assert any(run.gaps for run in stepping.runs)
    assert any(run.stored > len(SYMBOLS) for run in stepping.runs)

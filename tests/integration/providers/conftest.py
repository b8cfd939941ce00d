"""Both providers, talking to one simulated exchange."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.adapters.alpaca.market_data import AlpacaMarketData
from tradewind.adapters.alpha_vantage.market_data import AlphaVantageMarketData
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.ports import MarketDataProvider
from tradewind.market.session import Session
from tradewind.market.session_table import default_table
from tradewind_local.exchange.process import ExchangeProcess

from tests.fakes import FakeClock

PATHS = {"alpaca": "/v2/stocks/bars", "alpha_vantage": "/query"}
# Replays of sessions labelled in Alpha Vantage's old and new way, in winter and in summer time.
SESSIONS = ("2020-11-12", "2026-07-15")
HISTORY = 3
# The minute of the session in which all tests stand, and a minute without trades in AAPL.
MINUTES = 130
NO_TRADE = 7


@dataclass
class Venue:
    """A session's first 130 minutes, the three sessions before it, and one provider."""

    name: str
    session: Session
    exchange: ExchangeProcess
    bars: list[Bar]
    clock: FakeClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = FakeClock(self.session.open + MINUTES * MINUTE + timedelta(seconds=3))
        self.exchange.control.load_bars(self.bars)
        self.exchange.control.set_clock(self.clock.now(), running=False)

    @property
    def path(self) -> str:
        return PATHS[self.name]

    @property
    def last(self) -> datetime:
        """The newest complete bar."""
        return self.session.open + (MINUTES - 1) * MINUTE

    def provider(self) -> MarketDataProvider:
        if self.name == "alpaca":
            return AlpacaMarketData(self.exchange.url, "iex", ApiKey("key", "secret"), self.clock)
        return AlphaVantageMarketData(self.exchange.url, "key", self.clock)

    def fetch(self, symbols: Sequence[str], first: datetime, last: datetime) -> list[Bar]:
        return self.provider().bars(symbols, first, last)

    def expected(
        self, symbols: Sequence[str], first: datetime, last: datetime
    ) -> dict[tuple[str, datetime], tuple[Decimal, ...]]:
        return table(
            bar for bar in self.bars if bar.symbol in symbols and first <= bar.start <= last
        )

    def fault(self, **fault: Any) -> None:
        self.exchange.control.add_faults([{"method": "GET", "path": self.path, **fault}])

    def requests(self) -> int:
        """Requests that reached the exchange's books; a refusing fault does not."""
        counts: dict[str, int] = self.exchange.control.summary()["requests"]
        return counts.get(f"GET {self.path}", 0)


def table(bars: Any) -> dict[tuple[str, datetime], tuple[Decimal, ...]]:
    """What both providers have to agree on. A bar that comes twice fails."""
    found: dict[tuple[str, datetime], tuple[Decimal, ...]] = {}
    for bar in bars:
        assert (bar.symbol, bar.start) not in found
        found[bar.symbol, bar.start] = (bar.open, bar.high, bar.low, bar.close, bar.volume)
    return found


def bars_of(session: Session) -> list[Bar]:
    """Prices tell the minute; AAPL has no trade in minute 7, and a thin pre-market."""
    bars = []
    for minute in [-30, -1, *range(session.minutes)]:
        for symbol, base in (("AAPL", "119.62"), ("MSFT", "215.1234")):
            if symbol == "AAPL" and minute == NO_TRADE:
                continue
            price = Decimal(base) + minute * Decimal("0.01")
            bars.append(
                Bar(
                    symbol,
                    session.open + minute * MINUTE,
                    price,
                    price + 1,
                    price - 1,
                    price + Decimal("0.005"),
                    1_000 + minute,
                    "test",
                )
            )
    return bars


@pytest.fixture(params=sorted(PATHS))
def provider_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def session_date() -> str:
    """Tests of times and labels run in both eras, the others in the newer one."""
    return SESSIONS[-1]


@pytest.fixture
def venue(provider_name: str, session_date: str, tmp_path: Path) -> Iterator[Venue]:
    day = datetime.fromisoformat(session_date).replace(tzinfo=UTC).date()
    sessions = default_table()
    session = sessions.session_on(day)
    assert session is not None
    history = sessions.between(day - timedelta(days=9), day)[-HISTORY - 1 :]
    bars = [bar for past in history for bar in bars_of(past)]
    with ExchangeProcess(tmp_path / "exchange") as exchange:
        yield Venue(provider_name, session, exchange, bars)

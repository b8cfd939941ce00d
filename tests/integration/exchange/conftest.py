"""A running exchange, and the real clients that talk to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.trading.client import TradingClient
from tradewind.market.bar import MINUTE, Bar
from tradewind_local.exchange.control import ExchangeControl
from tradewind_local.exchange.process import ExchangeProcess

OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data" / "fixtures_alpaca"


def minute_bar(symbol: str, minute: int, price: str) -> Bar:
    """Flat, so that every tick of it is known."""
    return Bar(symbol, OPEN + minute * MINUTE, *(Decimal(price),) * 4, volume=500, feed="test")


def session_bars() -> list[Bar]:
    """AAPL from 100.1234 a cent up each minute, MSFT at 200; half an hour of the evening before."""
    evening = int((datetime(2020, 11, 11, 20, 30, tzinfo=UTC) - OPEN) / MINUTE)
    bars = []
    for minute in [*range(evening, evening + 30), *range(30)]:
        bars.append(minute_bar("AAPL", minute, f"{100.1234 + max(0, minute) * 0.01:.4f}"))
        bars.append(minute_bar("MSFT", minute, "200.50"))
    return bars


@dataclass(frozen=True)
class Market:
    """One exchange with an hour of bars loaded, its clock at 09:30:03 and standing still."""

    process: ExchangeProcess
    trading: TradingClient
    data: StockHistoricalDataClient

    @property
    def url(self) -> str:
        return self.process.url

    @property
    def control(self) -> ExchangeControl:
        return self.process.control

    def at(self, minute: int, second: float = 3) -> None:
        self.control.set_clock(OPEN + minute * MINUTE + timedelta(seconds=second), running=False)

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return requests.request(method, self.url + path, headers=KEYS, timeout=10, **options)


def clients(process: ExchangeProcess) -> Market:
    return Market(
        process,
        TradingClient("key", "secret", paper=True, url_override=process.url),
        StockHistoricalDataClient("key", "secret", url_override=process.url),
    )


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    with ExchangeProcess(tmp_path / "exchange") as process:
        process.control.load_bars(session_bars())
        made = clients(process)
        made.at(0)
        yield made


def recorded(name: str) -> Any:
    """A recorded body of Alpaca."""
    file = RECORDED / name
    if not file.is_file():
        pytest.skip("the recorded bodies (../shared/data) are not on this machine")
    return json.loads(file.read_text())

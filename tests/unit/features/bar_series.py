"""Bars for the feature tests: simulated ones, and tables of prices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session import Session
from tradewind.market.session_table import default_table
from tradewind_local.exchange.simulated_market import simulated_bars


def sessions_until(day: date, count: int = 3) -> list[Session]:
    return default_table().between(date(2020, 1, 1), day)[-count:]


def walk(symbol: str = "AAPL", count: int = 300, seed: int = 1) -> list[Bar]:
    """Simulated bars up to the close of 2020-11-27: a night, a holiday and a half-day are
    among the last 300."""
    return simulated_bars([symbol], sessions_until(date(2020, 11, 27)), seed)[-count:]


def from_rows(rows: Sequence[dict[str, str]]) -> list[Bar]:
    """A table's open, high, low, close and volume laid onto regular minutes."""
    minutes = [
        session.open + i * MINUTE
        for session in sessions_until(date(2020, 11, 12))
        for i in range(session.minutes)
    ]
    return [
        Bar(
            "GOLD",
            start,
            Decimal(row["open"]),
            Decimal(row["high"]),
            Decimal(row["low"]),
            Decimal(row["close"]),
            int(float(row["volume"])),
            "file",
        )
        for start, row in zip(minutes[-len(rows) :], rows, strict=True)
    ]

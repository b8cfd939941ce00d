"""The simulated market: repeatable to the digit, and enough like a share to trade on."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from statistics import mean, pstdev

import pytest
from tradewind.market.bar import Bar, bar_fault
from tradewind.market.session import Session
from tradewind_local.exchange.simulated_market import simulated_bars


def session(day: str, closes: str = "21:00") -> Session:
    return Session(
        date=datetime.fromisoformat(day).date(),
        open=datetime.fromisoformat(f"{day}T14:30").replace(tzinfo=UTC),
        close=datetime.fromisoformat(f"{day}T{closes}").replace(tzinfo=UTC),
    )


SESSIONS = [session("2020-11-10"), session("2020-11-11"), session("2020-11-12")]


def digest(bars: list[Bar]) -> str:
    text = "\n".join(
        f"{bar.symbol},{bar.start},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}"
        for bar in bars
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def test_the_same_seed_gives_the_same_digits_everywhere() -> None:
    """Written down once; it holds on every platform and Python, or runs cannot be compared."""
    assert digest(simulated_bars(["AAPL", "MSFT"], SESSIONS, seed=1)) == "8b9bed9e20b712c9"


def test_another_seed_or_symbol_gives_another_market() -> None:
    markets = [
        simulated_bars(["AAPL"], SESSIONS, seed=1),
        simulated_bars(["AAPL"], SESSIONS, seed=2),
        simulated_bars(["MSFT"], SESSIONS, seed=1),
    ]
    assert len({tuple(bar.close for bar in bars) for bars in markets}) == 3


def test_a_symbol_does_not_depend_on_its_company() -> None:
    together = simulated_bars(["AAPL", "MSFT"], SESSIONS, seed=3)
    assert [bar for bar in together if bar.symbol == "MSFT"] == simulated_bars(
        ["MSFT"], SESSIONS, seed=3
    )


def test_regular_minutes_only_half_days_too() -> None:
    bars = simulated_bars(["A", "B"], [session("2020-11-25"), session("2020-11-27", "18:00")], 1)
    assert len(bars) == 2 * (390 + 210)
    assert [bar.symbol for bar in bars[:4]] == ["A", "B", "A", "B"]
    assert bars[0].start == SESSIONS[0].open.replace(day=25)
    assert bars[-1].start == datetime(2020, 11, 27, 17, 59, tzinfo=UTC)
    assert all(later.start >= earlier.start for earlier, later in pairwise(bars))


@pytest.mark.parametrize("seed", range(1, 9))
def test_it_looks_like_a_share(seed: int) -> None:
    bars = simulated_bars(["AAPL"], SESSIONS, seed)
    assert [bar_fault(bar) for bar in bars if bar_fault(bar)] == []
    prices = [price for bar in bars for price in (bar.open, bar.high, bar.low, bar.close)]
    assert all(price == price.quantize(Decimal("0.01")) for price in prices)
    closes = [bar.close for bar in bars]
    moves = [float(after / before - 1) for before, after in pairwise(closes)]
    assert 0.0005 < pstdev(moves) < 0.001  # 0.05 to 0.1 % a minute
    assert 0.8 < float(max(closes) / min(closes)) < 1.25
    assert mean(bar.volume for bar in bars) > 10_000
    assert {bar.feed for bar in bars} == {"simulated"}


@pytest.mark.parametrize("seed", range(1, 9))
def test_averages_of_20_and_50_cross_several_times_a_session(seed: int) -> None:
    closes = [bar.close for bar in simulated_bars(["AAPL"], SESSIONS, seed)]
    above = [
        sum(closes[minute - 19 : minute + 1]) * 5 > sum(closes[minute - 49 : minute + 1]) * 2
        for minute in range(49, len(closes))
    ]
    crossings = sum(before != after for before, after in pairwise(above))
    assert 3 * len(SESSIONS) <= crossings <= 12 * len(SESSIONS)

"""How many shares, and which cap decided it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.market.ports import DailyBar
from tradewind.risk.limits import RiskLimits
from tradewind.risk.sizing import Size, daily_atr, entry_size

LIMITS = RiskLimits()


def size(**changes: object) -> Size:
    given_ = {
        "equity": D(100_000),
        "exposure": D(0),
        "buying_power": D(100_000),
        "limit_price": D(100),
        "stop_price": D("98.50"),
        "atr": None,
        "limits": LIMITS,
    }
    return entry_size(**{**given_, **changes})  # type: ignore[arg-type]


CASES = [
    # (what differs from 100,000 USD, a 100 USD share, a stop at 98.50; shares, decided by)
    ("2 % over a 1.5 % stop asks for 133 %: the symbol's cap decides", {}, 250,
     "exposure per symbol"),
    ("twice a daily ATR of 2.55 % asks for 39 %", {"atr": D("2.55")}, 250, "exposure per symbol"),
    ("a wild symbol: twice 10 % asks for 10 %", {"atr": D(10)}, 100, "risk per trade"),
    ("an ATR narrower than the stop changes nothing", {"atr": D("0.10")}, 250,
     "exposure per symbol"),
    ("most is in use", {"exposure": D("90050")}, 99, "exposure in all"),
    ("everything is in use", {"exposure": D(100_000)}, 0, "exposure in all"),
    ("more than everything is in use", {"exposure": D(120_000)}, 0, "exposure in all"),
    ("little cash", {"buying_power": D("1099.99")}, 10, "buying power"),
    ("below the smallest order worth sending", {"buying_power": D("99.99")}, 0, "buying power"),
    ("a stop above the limit", {"stop_price": D(101)}, 0, "no valid stop"),
    ("a share dearer than the cap", {"limit_price": D(30_000), "stop_price": D(29_000)}, 0,
     "exposure per symbol"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "shares", "by"), [row[1:] for row in CASES], ids=[str(row[0]) for row in CASES]
)
def test_size(changes: dict[str, D], shares: int, by: str) -> None:
    assert size(**changes) == Size(D(shares), by)


money = st.decimals(min_value=0, max_value=10_000_000, places=2)
prices = st.decimals(min_value="0.50", max_value=5_000, places=2)


@given(money, money, money, prices, st.none() | prices)
def test_no_cap_is_ever_exceeded(equity: D, exposure: D, power: D, price: D, atr: D | None) -> None:
    got = size(
        equity=equity,
        exposure=exposure,
        buying_power=power,
        limit_price=price,
        stop_price=price * D("0.985"),
        atr=atr,
    )
    spent = got.quantity * price
    assert got.quantity >= 0
    assert got.quantity == got.quantity.to_integral_value()
    assert spent <= power
    assert spent <= equity * LIMITS.max_symbol_exposure
    assert got.quantity == 0 or spent + exposure <= equity * LIMITS.max_exposure
    assert got.quantity == 0 or spent >= LIMITS.min_notional


@given(money, money)
def test_more_equity_never_buys_less(one: D, other: D) -> None:
    less, more = sorted((one, other))
    assert size(equity=less).quantity <= size(equity=more).quantity


def day(number: int, low: str, high: str, close: str) -> DailyBar:
    when = date(2020, 11, 2) + timedelta(days=number)
    return DailyBar("AAPL", when, D(close), D(high), D(low), D(close))


def test_the_daily_atr_counts_gaps() -> None:
    # true ranges: 110 - 100 (gap up from 100), then 112 - 108
    sessions = [day(0, "99", "101", "100"), day(1, "106", "110", "109"),
                day(2, "108", "112", "111")]  # fmt: skip
    assert daily_atr(sessions, 2) == D(7)


def test_the_daily_atr_needs_a_close_before_its_first_session() -> None:
    sessions = [day(n, "99", "101", "100") for n in range(14)]
    assert daily_atr(sessions, 14) is None
    assert daily_atr([*sessions, day(14, "99", "101", "100")], 14) == D(2)


def test_older_sessions_change_nothing() -> None:
    recent = [day(n, "99", "101", "100") for n in range(3)]
    assert daily_atr([day(-1, "1", "900", "5"), *recent], 2) == daily_atr(recent, 2)

"""What holds for a backtest on any bars: caps, no short sale, no debt, bounded losses, no view of
what comes later."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session import Session
from tradewind.orders.model import IntentKind, Side
from tradewind.risk.limits import RiskLimits

from tests.unit.backtest.invented import (
    HALF_DAY,
    AlwaysLong,
    Told,
    assert_losses_are_bounded,
    at,
    backtest,
    told,
)

# A session shorter than any, so that many can be tried.
MINUTES = 40
SHORT_DAY = Session(HALF_DAY.date, HALF_DAY.open, at(MINUTES, HALF_DAY))
SYMBOLS = ("AAPL", "MSFT", "WMT")


@st.composite
def markets(draw: st.DrawFn) -> list[Bar]:
    """Bars in cents that jump, crash, recover and stay away. Few levels, so that stops and limits
    are often met exactly."""
    bars: list[Bar] = []
    for symbol in SYMBOLS[: draw(st.integers(1, 3))]:
        cents = draw(st.sampled_from((150, 10_000, 90_017)))
        jumps = draw(
            st.lists(
                st.sampled_from((0, 0, 0, 0, 1, -1, 3, -5, 15, -15, 40, -120, 130, None)),
                min_size=MINUTES,
                max_size=MINUTES,
            )
        )
        reach = draw(st.sampled_from((0, 2, 20)))
        for minute, jump in enumerate(jumps):
            if jump is None:
                continue
            opened = max(2, cents + cents * jump // 1000)
            cents = max(2, opened + opened * draw(st.integers(-reach, reach)) // 1000)
            high = max(opened, cents) + max(opened, cents) * draw(st.integers(0, reach)) // 1000
            low = max(
                1, min(opened, cents) - min(opened, cents) * draw(st.integers(0, reach)) // 1000
            )
            prices = [D(value) / 100 for value in (opened, high, low, cents)]
            bars.append(Bar(symbol, at(minute, HALF_DAY), *prices, 1000, "file"))
    return bars


LIMITS = st.builds(
    RiskLimits,
    risk_per_trade=st.sampled_from((D("0.02"), D(1))),
    max_symbol_exposure=st.sampled_from((D("0.25"), D("0.6"), D(1))),
    max_exposure=st.sampled_from((D("0.5"), D(1))),
)
TOLD = st.builds(
    lambda enter, leave: told(enter, leave, HALF_DAY),
    st.sets(st.integers(0, MINUTES - 1)),
    st.sets(st.integers(0, MINUTES - 1)),
)


@settings(max_examples=60)
@given(
    markets(), LIMITS, st.one_of(TOLD, st.just(AlwaysLong())), st.sampled_from(("1000", "100000"))
)
def test_caps_money_and_losses(
    bars: list[Bar], limits: RiskLimits, strategy: Told | AlwaysLong, cash: str
) -> None:
    result = backtest(bars, strategy, SHORT_DAY, limits=limits, cash=D(cash))

    held: dict[str, D] = {}
    money = D(cash)
    for fill in result.fills:
        sign = 1 if fill.side is Side.BUY else -1
        held[fill.symbol] = held.get(fill.symbol, D(0)) + sign * fill.quantity
        money -= sign * fill.quantity * fill.price
        assert held[fill.symbol] >= 0
        assert money >= 0

    for point in result.equity:
        entries = [
            intent.quantity * intent.limit_price
            for intent in result.intents
            if intent.kind is IntentKind.ENTRY
            and intent.limit_price is not None
            and intent.bar_time + MINUTE == point.at
        ]
        money = D(cash) + sum(
            (
                fill.quantity * fill.price * (-1 if fill.side is Side.BUY else 1)
                for fill in result.fills
                if fill.at < point.at
            ),
            D(0),
        )
        assert all(one <= limits.max_symbol_exposure * point.equity for one in entries)
        in_all = sum(entries, point.equity - money)
        assert not entries or in_all <= limits.max_exposure * point.equity
        assert sum(entries) <= money

    assert_losses_are_bounded(result, bars)


@settings(max_examples=40)
@given(
    markets(),
    st.one_of(TOLD, st.just(AlwaysLong())),
    st.integers(0, MINUTES - 1),
    st.sampled_from((D("0.5"), D("0.97"), D("1.02"), D(3))),
)
def test_what_comes_later_changes_no_earlier_decision(
    bars: list[Bar], strategy: Told | AlwaysLong, cut: int, factor: D
) -> None:
    """Later bars at other prices, and later bars that are not there at all."""
    last = at(cut, HALF_DAY)
    known = [bar for bar in bars if bar.start <= last]
    if not known:
        return
    other = [
        bar if bar.start <= last else replace(
            bar, open=bar.open * factor, high=bar.high * factor,
            low=bar.low * factor, close=bar.close * factor,
        )
        for bar in bars
    ]  # fmt: skip
    results = [backtest(of, strategy, SHORT_DAY) for of in (bars, other, known)]
    symbols = {bar.symbol for bar in known}

    def until(number: int) -> tuple[object, ...]:
        result = results[number]
        return (
            [d for d in result.decisions if d.bar_time <= last and d.symbol in symbols],
            [i for i in result.intents if i.bar_time <= last],
            [f for f in result.fills if f.at <= last],
            [e for e in result.equity if e.at <= last],
        )

    assert until(0) == until(1)
    if symbols == {bar.symbol for bar in bars}:
        assert until(0) == until(2)

"""What holds for the figures of any backtest, and that the compiled passes say what a plain
restatement in pandas says."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tradewind.backtest.breakdown import (
    breakdown,
    by_hour,
    by_weekday,
    drawdown_series,
    monthly_returns,
    worst_drawdowns,
)
from tradewind.backtest.metrics import CurveMetrics, Metrics, daily_returns, summarise
from tradewind.backtest.outcome import ExitReason, Outcome

from tests.unit.backtest.outcomes import Trip, outcome_of

CASH = 10_000.0


@st.composite
def curves(draw: st.DrawFn, least: float = 1.0) -> list[list[float]]:
    """Sessions of equity. Few levels, so that peaks are met exactly."""
    level = st.one_of(
        st.sampled_from((CASH, CASH, 0.9 * CASH, 1.1 * CASH, 12_345.67)),
        st.floats(least, 5 * CASH),
    )
    return draw(st.lists(st.lists(level, min_size=1, max_size=8), min_size=1, max_size=30))


@st.composite
def traded(draw: st.DrawFn) -> Outcome:
    """One share after another of a price that jumps, in and out as told, at a cost: equity and
    trades that belong together."""
    lengths = draw(st.lists(st.integers(1, 8), min_size=1, max_size=30))
    minutes = sum(lengths)
    jumps = st.sampled_from((0.0, 0.0, 0.01, -0.01, 0.03, -0.04))
    changes = draw(st.lists(jumps, min_size=minutes, max_size=minutes))
    prices = 100 * np.cumprod(1 + np.array(changes))
    wished = draw(st.lists(st.booleans(), min_size=minutes, max_size=minutes))
    fee, quantity = draw(st.sampled_from((0.0, 1.5))), draw(st.sampled_from((10.0, 70.0)))

    money, entry = CASH, None
    equity, invested, trips = [], [], []
    for at, (price, wish) in enumerate(zip(prices.tolist(), wished, strict=True)):
        if entry is not None and (not wish or at == minutes - 1):
            of, seen = float(prices[entry]), prices[entry : at + 1] / prices[entry] - 1
            reason = ExitReason.SIGNAL if not wish else ExitReason.END
            gained = (price - of) * quantity - 2 * fee
            money += price * quantity - fee
            trips.append(
                Trip(entry, at, gained, of, quantity, price, 2 * fee, reason,
                     min(0.0, float(seen.min())), max(0.0, float(seen.max())))
            )  # fmt: skip
            entry = None
        elif entry is None and wish and at < minutes - 1:
            entry, money = at, money - price * quantity - fee
        invested.append(quantity * price if entry is not None else 0.0)
        equity.append(money + invested[-1])
    ends = np.cumsum(lengths).tolist()
    sessions = [equity[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    return outcome_of(sessions, trips, cash=CASH, invested=invested, hold=prices * CASH / prices[0])


@settings(max_examples=150)
@given(curves(least=-CASH))
@example([[CASH], [1e-308], [CASH]])
@example([[0.0, CASH, 0.0, -1.0]])
def test_a_drawdown_lies_between_none_and_all(equity: list[list[float]]) -> None:
    outcome = outcome_of(equity, cash=CASH)
    found = summarise(outcome)
    series = drawdown_series(outcome)
    assert 0 <= found.max_drawdown <= 1
    assert ((series >= 0) & (series <= 1)).all()
    assert found.max_drawdown == series.max()
    worst = worst_drawdowns(outcome, 1)
    assert [(one.depth, one.minutes, one.sessions) for one in worst] == (
        [(found.max_drawdown, found.max_drawdown_minutes, found.max_drawdown_sessions)]
        if found.max_drawdown
        else []
    )
    # Undefined or a number, whatever the equity.
    json.dumps(found.as_json(), allow_nan=False)
    json.dumps(breakdown(outcome).as_json(), allow_nan=False)


@settings(max_examples=60)
@given(traded(), st.sampled_from((2.0**-20, 0.37, 8.0, 1e6)))
def test_twice_the_money_is_the_same_result(outcome: Outcome, factor: float) -> None:
    trades = outcome.trades
    scaled = replace(
        outcome,
        settings=replace(outcome.settings, cash=Decimal(CASH * factor)),
        equity=outcome.equity * factor,
        invested=outcome.invested * factor,
        buy_and_hold=outcome.buy_and_hold * factor,
        trades=replace(
            trades,
            quantity=trades.quantity * factor,
            pnl=trades.pnl * factor,
            fees=trades.fees * factor,
        ),
    )
    of_money = {"final_equity", "expectancy", "fees"}
    before, after = summarise(outcome).as_json(), summarise(scaled).as_json()

    def assert_scaled(one: dict[str, Any], other: dict[str, Any]) -> None:
        for name, value in one.items():
            if isinstance(value, dict):
                assert_scaled(value, other[name])
            elif isinstance(value, float):
                wanted = value * factor if name in of_money else value
                assert other[name] == pytest.approx(wanted, rel=1e-6, abs=1e-9 * factor), name
            else:
                assert other[name] == value, name

    # Other factors than powers of two round the equity: falls of one last digit appear.
    if factor in (2.0**-20, 8.0):
        assert_scaled(before, after)
    else:
        for name in ("total_return", "max_drawdown", "exposure", "win_rate", "turnover"):
            assert after[name] == (
                None if before[name] is None else pytest.approx(before[name], abs=1e-9)
            )


@settings(max_examples=100)
@given(traded())
def test_trades_rates_and_parts(outcome: Outcome) -> None:
    found = summarise(outcome)
    gained = found.final_equity - CASH
    assert outcome.trades.pnl.sum() == pytest.approx(gained, abs=1e-6)
    if found.trades:
        assert found.win_rate is not None
        assert found.worst_mae is not None
        assert found.best_mfe is not None
        assert 0 <= found.win_rate <= 1
        assert found.worst_mae <= found.mean_mae <= 0 <= found.mean_mfe <= found.best_mfe  # type: ignore[operator]
        assert found.expectancy == pytest.approx(gained / found.trades, abs=1e-6)
    assert 0 <= found.exposure <= 1
    for rows in (by_hour(outcome), by_weekday(outcome)):
        assert sum(row.profit_loss for row in rows) == pytest.approx(gained, abs=1e-6)
        assert sum(row.trade_profit_loss for row in rows) == pytest.approx(gained, abs=1e-6)
        assert sum(row.trades for row in rows) == found.trades
    reasons = breakdown(outcome).reasons
    assert sum(row.trades for row in reasons) == found.trades
    assert sum(row.profit_loss for row in reasons) == pytest.approx(gained, abs=1e-6)


@settings(max_examples=60)
@given(curves())
def test_months_and_days_compound_to_the_whole(equity: list[list[float]]) -> None:
    outcome = outcome_of(equity, cash=CASH)
    whole = 1 + summarise(outcome).total_return
    years = monthly_returns(outcome)
    months = [month for year in years for month in year.months if month is not None]
    assert math.prod(1 + month for month in months) == pytest.approx(whole)
    assert math.prod(1 + (year.total or 0) for year in years) == pytest.approx(whole)
    assert math.prod(1 + daily_returns(outcome)) == pytest.approx(whole)


@settings(max_examples=100)
@given(traded())
def test_the_compiled_passes_say_what_pandas_says(outcome: Outcome) -> None:
    found = summarise(outcome)
    assert_like_pandas(found, outcome, outcome.equity)
    assert_like_pandas(found.buy_and_hold, outcome, outcome.buy_and_hold)
    trades = pd.DataFrame(
        {name: getattr(outcome.trades, name) for name in outcome.trades.__dataclass_fields__}
    )
    won, lost = trades[trades.pnl > 0], trades[trades.pnl <= 0]
    assert found.win_rate == maybe(len(won) / len(trades) if len(trades) else math.nan)
    losses = -lost.pnl.sum()
    assert found.profit_factor == maybe(won.pnl.sum() / losses if losses else math.nan)
    bought = trades.entry_price * trades.quantity
    assert found.expectancy_return == maybe((trades.pnl / bought).mean())
    assert (found.mean_mae, found.best_mfe) == (maybe(trades.mae.mean()), maybe(trades.mfe.max()))

    session_of = pd.Series(outcome.session, index=outcome.time)
    by_session = pd.Series(outcome.equity).groupby(outcome.session).last() * 0
    by_session = by_session.add(
        bought.groupby(trades.entry_time.map(session_of)).sum(), fill_value=0
    )
    closed = trades[trades.reason != ExitReason.END]
    sold = (closed.exit_price * closed.quantity).groupby(closed.exit_time.map(session_of)).sum()
    by_session = by_session.add(sold, fill_value=0)
    ends = pd.Series(outcome.equity).groupby(outcome.session).last()
    assert found.turnover == maybe((by_session / ends).mean())
    assert found.exposure == (outcome.invested > 0).mean()
    assert found.mean_invested == maybe(outcome.invested.mean() / outcome.equity.mean())


def maybe(value: float) -> Any:
    return None if math.isnan(value) else pytest.approx(value, rel=1e-9, abs=1e-12)


def assert_like_pandas(found: CurveMetrics | Metrics, outcome: Outcome, values: Any) -> None:
    curve = pd.Series(values)
    ends = curve.groupby(outcome.session).last()
    daily = (ends / ends.shift(fill_value=CASH)) - 1
    deviation = daily.std(ddof=1) if daily.std(ddof=1) > 1e-12 else math.nan
    assert found.sharpe == maybe(daily.mean() / deviation * math.sqrt(252))
    downside = math.sqrt((daily.clip(upper=0) ** 2).mean())
    down = downside if downside > 1e-12 else math.nan
    assert found.sortino == maybe(daily.mean() / down * math.sqrt(252))
    assert found.volatility == maybe(daily.std(ddof=1) * math.sqrt(252))
    assert found.total_return == pytest.approx(curve.iloc[-1] / CASH - 1)
    peak = curve.cummax().clip(lower=CASH)
    fall = (peak - curve) / peak
    assert found.max_drawdown == fall.max()
    # The lowest points' run below the peak: rows that follow each other.
    runs = (fall <= 0).cumsum()[fall > 0]
    if len(runs):
        longest = runs[runs == runs[fall.idxmax()]].index
        assert found.max_drawdown_minutes == len(longest)
        assert found.max_drawdown_sessions == len(set(outcome.session[longest]))
        assert found.max_drawdown_recovered == bool(longest[-1] < len(curve) - 1)
    if found.calmar is not None:
        assert found.calmar == pytest.approx(
            ((1 + found.total_return) ** (252 / len(ends)) - 1) / fall.max()
        )

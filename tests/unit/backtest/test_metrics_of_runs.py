"""The figures of whole runs over recorded bars: trades, equity and parts add up."""

from __future__ import annotations

import json
from decimal import Decimal as D
from functools import cache
from pathlib import Path

import pytest
from tradewind.backtest.arrays import BarArrays, arrays_of
from tradewind.backtest.breakdown import break_even_cost, breakdown, cost_sensitivity
from tradewind.backtest.engine import backtest
from tradewind.backtest.metrics import summarise
from tradewind.backtest.outcome import Outcome
from tradewind.backtest.settings import BacktestSettings, FillConvention, Fixed
from tradewind.market.csv_bars import read_bars
from tradewind.market.session_table import default_table
from tradewind.strategies.sma_crossover import SmaCrossover

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "bars_1min" / "av_2020_2021"
pytestmark = pytest.mark.skipif(not RECORDED.exists(), reason="needs the recorded bars")
AT_A_COST = {"slippage": Fixed(D("0.0002")), "commission": D("0.0001")}


@cache
def recorded(symbol: str) -> BarArrays:
    path = RECORDED / f"intraday_1min_{symbol}.csv"
    return arrays_of(symbol, read_bars(path, symbol, "end"), default_table())


def run(settings: BacktestSettings, *symbols: str) -> Outcome:
    return backtest([recorded(one) for one in symbols], SmaCrossover(fast=20, slow=50), settings)


@pytest.mark.parametrize("fill", [FillConvention.NEXT_OPEN, FillConvention.VECTORBT])
@pytest.mark.parametrize("symbols", [("AAPL",), ("AAPL", "MSFT")])
def test_the_trades_make_the_equity(fill: FillConvention, symbols: tuple[str, ...]) -> None:
    outcome = run(BacktestSettings.of(fill, **AT_A_COST), *symbols)
    found, parts = summarise(outcome), breakdown(outcome)
    gained = pytest.approx(found.final_equity - 100_000, abs=1e-4)
    assert outcome.trades.pnl.sum() == gained
    assert sum(row.profit_loss for row in parts.hours) == gained
    assert sum(row.trade_profit_loss for row in parts.weekdays) == gained
    assert sum(row.profit_loss for row in parts.reasons) == gained
    assert [row.period for row in parts.hours] == [f"{hour:02d}:00" for hour in range(9, 16)]
    assert found.trades == len(outcome.trades) > 200
    assert found.fees == pytest.approx(outcome.trades.fees.sum())
    json.dumps([found.as_json(), parts.as_json()], allow_nan=False)


def test_an_edge_of_five_basis_points_dies_at_two_a_side() -> None:
    """AAPL's crossovers earn some 5 bp a trade without cost; two sides of 2 bp leave little."""
    settings = BacktestSettings.of(FillConvention.NEXT_OPEN, slippage=Fixed(D("0.0002")))
    cases = cost_sensitivity(lambda at_cost: run(at_cost, "AAPL"), settings)
    profits = [case.profit_loss for case in cases]
    assert profits == sorted(profits, reverse=True)
    assert cases[0].expectancy_return == pytest.approx(0.0005, abs=0.0001)
    gone = break_even_cost(cases)
    assert gone is not None
    assert 1 < gone < 1.5

"""The compiled engine as the cloud's runs of a backtest ask for it: JSON, and files of trials.

Imported by the research image alone, as it brings numba along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tradewind.backtest.arrays import BarArrays
from tradewind.backtest.engine import backtest
from tradewind.backtest.metrics import daily_returns, summarise
from tradewind.backtest.outcome import ExitReason, Outcome
from tradewind.backtest.request import BacktestRequest
from tradewind.backtest.trials import FIGURES, Trials
from tradewind.strategies.sma_crossover import SmaCrossover


class CompiledEngine:
    """Implements the use cases' ``Engine``. The same request on the same bars gives the same bytes:
    how long it took is not among them."""

    def run(self, bars: Sequence[BarArrays], request: BacktestRequest) -> dict[str, Any]:
        outcome = backtest(bars, request.strategy_asked_for(), request.settings)
        return {"metrics": summarise(outcome).as_json(), "trades": _trades(outcome)}

    def sweep(self, bars: BarArrays, request: BacktestRequest, fast: Sequence[int]) -> Trials:
        pairs = [(short, slow) for short in fast for slow in request.slow if short < slow]
        outcomes = [backtest([bars], SmaCrossover(*pair), request.settings) for pair in pairs]
        figures = [summarise(outcome).as_json() for outcome in outcomes]
        return Trials(
            bars.symbol,
            bars.session_dates,
            np.array(pairs, np.int64),
            np.array([[_number(one[name]) for name in FIGURES] for one in figures], np.float64),
            np.array([len(outcome.trades) for outcome in outcomes], np.int64),
            np.array([daily_returns(outcome) for outcome in outcomes]),
        )


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _trades(outcome: Outcome) -> list[dict[str, Any]]:
    trades = outcome.trades
    return [
        {
            "symbol": outcome.symbols[int(trades.symbol[row])],
            "entry_time": int(trades.entry_time[row]),
            "entry_price": float(trades.entry_price[row]),
            "exit_time": int(trades.exit_time[row]),
            "exit_price": float(trades.exit_price[row]),
            "quantity": float(trades.quantity[row]),
            "pnl": float(trades.pnl[row]),
            "exit_reason": ExitReason(int(trades.reason[row])).word,
        }
        for row in range(len(trades))
    ]

"""The compiled engine as the cloud's runs of a backtest ask for it: JSON, and files of trials.

Imported by the research image alone, as it brings numba along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from tradewind.backtest.arrays import BarArrays
from tradewind.backtest.breakdown import cost_sensitivity
from tradewind.backtest.engine import backtest
from tradewind.backtest.linter import findings
from tradewind.backtest.metrics import summarise
from tradewind.backtest.outcome import ExitReason, Outcome
from tradewind.backtest.request import BacktestRequest
from tradewind.backtest.sweep import sweep
from tradewind.backtest.trials import FIGURES, Trials
from tradewind.market.session_table import default_table


class CompiledEngine:
    """Implements the use cases' ``Engine``. The same request on the same bars gives the same bytes:
    how long it took is not among them."""

    def run(self, bars: Sequence[BarArrays], request: BacktestRequest) -> dict[str, Any]:
        strategy, settings = request.strategy_asked_for(), request.settings
        outcome = backtest(bars, strategy, settings)
        metrics = summarise(outcome)
        costs = cost_sensitivity(lambda other: backtest(bars, strategy, other), settings)
        found = findings(
            outcome,
            metrics,
            parameters=len(outcome.parameters),
            bars=bars,
            cost_cases=costs,
            warm_up=strategy.bars_needed,
            calendar=default_table(),
        )
        return {
            "metrics": metrics.as_json(),
            "costs": [case.as_json() for case in costs],
            "findings": [asdict(finding) for finding in found],
            "trades": _trades(outcome),
        }

    def sweep(self, bars: BarArrays, request: BacktestRequest, fast: Sequence[int]) -> Trials:
        swept = sweep(bars, fast, request.slow, request.settings)
        return Trials(
            bars.symbol,
            bars.session_dates,
            swept.parameters,
            np.column_stack([getattr(swept, name) for name in FIGURES]),
            swept.trades,
            swept.daily_returns,
        )


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

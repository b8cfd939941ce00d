"""The trials of a sweep in order, the best first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tradewind.backtest.overfitting import deflate
from tradewind.backtest.sweep import SweepOutcome


@dataclass(frozen=True, slots=True)
class Ranked:
    """``trial``: its row in the sweep. ``deflated``: its deflated Sharpe ratio, a probability, None
    where its daily returns tell nothing. The others as in the sweep, None where undefined."""

    trial: int
    fast: int
    slow: int
    total_return: float
    sharpe: float | None
    sortino: float | None
    max_drawdown: float
    profit_factor: float | None
    trades: int
    deflated: float | None


def ranked(swept: SweepOutcome, count: int, *, trials: int | None) -> list[Ranked]:
    """The ``count`` with the highest Sharpe ratios, of equal ones the shorter averages first; those
    without one come last. ``trials``: all that were ever tried; None: those of the sweep."""
    order = np.lexsort(
        (swept.parameters[:, 1], swept.parameters[:, 0], -np.nan_to_num(swept.sharpe, nan=-np.inf))
    )
    returns = swept.daily_returns.T
    found = []
    for trial in order[:count].tolist():
        deflation = deflate(returns, trial, trials=trials)
        found.append(
            Ranked(
                trial,
                int(swept.parameters[trial, 0]),
                int(swept.parameters[trial, 1]),
                float(swept.total_return[trial]),
                defined(swept.sharpe[trial]),
                defined(swept.sortino[trial]),
                float(swept.max_drawdown[trial]),
                defined(swept.profit_factor[trial]),
                int(swept.trades[trial]),
                None if deflation is None else deflation.deflated,
            )
        )
    return found


def defined(value: float) -> float | None:
    """None for NaN and infinity."""
    return float(value) if np.isfinite(value) else None

"""Thousands of crossovers over the bars of one symbol, every one of them kept in the count.

Each trial runs the very passes of a single backtest; threads share the cores, because compiled
passes need no interpreter. Memory holds one trial's curves for each core, and a return a session
for each trial.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.arrays import BarArrays
from tradewind.backtest.compiled import compiled_allocating
from tradewind.backtest.crossing_kernel import CASH, PNL, crossing_pass, parameters_of
from tradewind.backtest.engine import backtest, refuse_fees
from tradewind.backtest.metrics import (
    NO_DEVIATION,
    SESSIONS_A_YEAR,
    daily_returns,
    summarise,
)
from tradewind.backtest.metrics_kernel import daily_moments, deepest_drawdown
from tradewind.backtest.settings import BacktestSettings, FillConvention
from tradewind.backtest.signals import crossover_signals
from tradewind.errors import InvalidInputError
from tradewind.strategies.sma_crossover import SmaCrossover

# Trials that a thread takes at a time: few, so that all end together and progress is seen.
_PORTION = 8
# Columns of a trial's figures.
_TOTAL, _SHARPE, _SORTINO, _DRAWDOWN, _PROFIT, _TRADES = range(6)


@dataclass(frozen=True, slots=True)
class SweepOutcome:
    """k trials. ``parameters`` [k, 2]: fast and slow. ``daily_returns`` [k, sessions]. The figures
    [k] are those of ``metrics.summarise``, NaN where it has None. ``trades`` [k]: round trips."""

    parameters: NDArray[np.int64]
    daily_returns: NDArray[np.float64]
    total_return: NDArray[np.float64]
    sharpe: NDArray[np.float64]
    sortino: NDArray[np.float64]
    max_drawdown: NDArray[np.float64]
    profit_factor: NDArray[np.float64]
    trades: NDArray[np.int64]
    engine_ms: float


def sweep(
    bars: BarArrays,
    fast: Sequence[int],
    slow: Sequence[int],
    settings: BacktestSettings,
    *,
    progress: Callable[[int], None] | None = None,
) -> SweepOutcome:
    """Every pair of ``fast`` and ``slow`` with fast < slow, in the order given, each once.

    ``progress`` is told how many trials are done. InvalidInputError for no such pair and for
    lengths that :class:`SmaCrossover` does not take.
    """
    live = settings.fill is FillConvention.LIVE_PARITY
    if not live:
        refuse_fees(settings)
    began = time.perf_counter()
    pairs = pairs_of(fast, slow)
    last = np.flatnonzero(np.diff(bars.session, append=-1))
    daily = np.empty((len(pairs), len(last)))
    figures = np.empty((len(pairs), 6))
    numbers = parameters_of(settings, float(settings.cash))

    def portion(first: int) -> int:
        some = slice(first, first + _PORTION)
        if live:
            _in_turn(bars, pairs[some], settings, daily[some], figures[some])
            return len(pairs[some])
        _trials(
            bars.open, bars.high, bars.low, bars.close, bars.volume, bars.session, last,
            pairs[some], numbers, daily[some], figures[some],
        )  # fmt: skip
        return len(pairs[some])

    with ThreadPoolExecutor(_cores()) as threads:
        running = [threads.submit(portion, first) for first in range(0, len(pairs), _PORTION)]
        _await(running, progress)
    return SweepOutcome(
        parameters=pairs,
        daily_returns=daily,
        total_return=figures[:, _TOTAL].copy(),
        sharpe=figures[:, _SHARPE].copy(),
        sortino=figures[:, _SORTINO].copy(),
        max_drawdown=figures[:, _DRAWDOWN].copy(),
        profit_factor=figures[:, _PROFIT].copy(),
        trades=figures[:, _TRADES].astype(np.int64),
        engine_ms=(time.perf_counter() - began) * 1000,
    )


def pairs_of(fast: Sequence[int], slow: Sequence[int]) -> NDArray[np.int64]:
    """The trials of a sweep [k, 2]: every one counts for how likely the best is luck."""
    pairs = list(dict.fromkeys((one, other) for one in fast for other in slow if one < other))
    if not pairs:
        raise InvalidInputError("no pair with fast < slow: give slow lengths above the fast ones")
    for one, other in pairs:
        SmaCrossover(one, other)
    return np.array(pairs, np.int64)


def _await(running: Sequence[Future[int]], progress: Callable[[int], None] | None) -> None:
    done = 0
    try:
        for one in as_completed(running):
            done += one.result()
            if progress is not None:
                progress(done)
    finally:
        # After Ctrl-C or a fault nobody waits for trials that have not begun.
        for one in running:
            one.cancel()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_turn(
    bars: BarArrays,
    pairs: NDArray[np.int64],
    settings: BacktestSettings,
    daily: NDArray[np.float64],
    figures: NDArray[np.float64],
) -> None:
    """As ``_trials``, for the convention whose pass keeps more than curves and round trips."""
    for trial, (fast, slow) in enumerate(pairs.tolist()):
        outcome = backtest([bars], SmaCrossover(fast, slow), settings)
        found = summarise(outcome)
        daily[trial] = daily_returns(outcome)
        figures[trial] = [
            np.nan if figure is None else figure
            for figure in (found.total_return, found.sharpe, found.sortino, found.max_drawdown,
                           found.profit_factor, found.trades)
        ]  # fmt: skip


@compiled_allocating
def _trials(
    opens: NDArray[np.int64],
    highs: NDArray[np.int64],
    lows: NDArray[np.int64],
    closes: NDArray[np.int64],
    volumes: NDArray[np.int64],
    session: NDArray[np.int32],
    last: NDArray[np.int64],
    pairs: NDArray[np.int64],
    parameters: NDArray[np.float64],
    daily: NDArray[np.float64],
    figures: NDArray[np.float64],
) -> None:
    """``last`` [sessions]: each session's last bar. Writes a row of ``daily`` and ``figures`` for
    each of ``pairs``."""
    bars = len(closes)
    cash = parameters[CASH]
    enter, leave = np.empty(bars, np.bool_), np.empty(bars, np.bool_)
    equity, invested = np.empty(bars), np.empty(bars)
    ends = np.empty(len(last))
    for trial in range(len(pairs)):
        crossover_signals(closes, pairs[trial, 0], pairs[trial, 1], enter, leave)
        most = enter.sum()
        numbers, places = np.empty((most, 8)), np.empty((most, 3), np.int64)
        count = crossing_pass(
            opens, highs, lows, closes, volumes, session, enter, leave, parameters,
            equity, invested, numbers, places,
        )  # fmt: skip
        before = cash
        for number in range(len(last)):
            ends[number] = equity[last[number]]
            daily[trial, number] = ends[number] / before - 1.0 if before > 0.0 else np.nan
            before = ends[number]
        profit = loss = 0.0
        for number in range(count):
            earned = numbers[number, PNL]
            if earned > 0.0:
                profit += earned
            else:
                loss -= earned
        mean, deviation, downside = daily_moments(ends, cash)
        yearly = mean * sqrt(float(SESSIONS_A_YEAR))
        figures[trial, _TOTAL] = ends[-1] / cash - 1.0
        figures[trial, _SHARPE] = yearly / deviation if deviation > NO_DEVIATION else np.nan
        figures[trial, _SORTINO] = yearly / downside if downside > NO_DEVIATION else np.nan
        figures[trial, _DRAWDOWN] = deepest_drawdown(equity, cash)[0]
        figures[trial, _PROFIT] = profit / loss if loss > 0.0 else np.nan
        figures[trial, _TRADES] = count

"""The passes over equity and trades that ``metrics`` is made of, compiled.

Only ``metrics`` and ``breakdown`` import this: numba is in the research image and the run
environment, not in the zip functions. Definitions and sources are told in ``metrics``.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.compiled import compiled, compiled_sums
from tradewind.backtest.outcome import ExitReason

# Compiled functions know module constants, not enums.
_STILL_OPEN = int(ExitReason.END)


@compiled
def deepest_drawdown(values: NDArray[np.float64], cash: float) -> tuple[float, int, int]:
    """(depth, peak, recovery) of the deepest fall below the highest value so far.

    The depth is a fraction of the peak, 0 .. 1: debt is no deeper than nothing. ``peak`` is the
    index of the last point at the peak, -1 for the starting cash; ``recovery`` the first point at
    the peak again, the number of points where there is none. (0, -1, -1) without a fall. Of
    equally deep ones the first. Divides once a fall and not once a point.
    """
    depth, first, again = 0.0, -1, -1
    peak, peak_at, low = cash, -1, cash
    for at in range(len(values)):
        value = values[at]
        if value >= peak:
            if low < peak:
                fall = min((peak - low) / peak, 1.0)
                if fall > depth:
                    depth, first, again = fall, peak_at, at
            peak, peak_at, low = value, at, value
        elif value < low:
            low = value
    fall = min((peak - low) / peak, 1.0)
    if fall > depth:
        depth, first, again = fall, peak_at, len(values)
    return depth, first, again


@compiled
def daily_moments(ends: NDArray[np.float64], cash: float) -> tuple[float, float, float]:
    """(mean, standard deviation with ddof 1, downside deviation) of the sessions' returns.

    NaN where undefined: all three where a session began without money; the standard deviation of
    fewer than two returns.
    """
    sessions = len(ends)
    total, below = 0.0, 0.0
    before = cash
    for number in range(sessions):
        if before <= 0.0:
            return np.nan, np.nan, np.nan
        change = ends[number] / before - 1.0
        total += change
        if change < 0.0:
            below += change * change
        before = ends[number]
    mean = total / sessions
    if sessions < 2:
        return mean, np.nan, sqrt(below / sessions)
    squares = 0.0
    before = cash
    for number in range(sessions):
        distance = ends[number] / before - 1.0 - mean
        squares += distance * distance
        before = ends[number]
    return mean, sqrt(squares / (sessions - 1)), sqrt(below / sessions)


@compiled_sums
def curve_sums(
    equity: NDArray[np.float64], invested: NDArray[np.float64], hold: NDArray[np.float64]
) -> tuple[float, float, float, int]:
    """(sum of equity, of money in positions, of buy-and-hold, points with a position)."""
    total, at_work, held = 0.0, 0.0, 0.0
    points = 0
    for at in range(len(equity)):
        total += equity[at]
        at_work += invested[at]
        held += hold[at]
        points += invested[at] != 0.0
    return total, at_work, held, points


@compiled
def trade_figures(
    pnl: NDArray[np.float64],
    entry_price: NDArray[np.float64],
    exit_price: NDArray[np.float64],
    quantity: NDArray[np.float64],
    entry_time: NDArray[np.int64],
    exit_time: NDArray[np.int64],
    reason: NDArray[np.int8],
    last_time: NDArray[np.int64],
    ends: NDArray[np.float64],
) -> tuple[int, float, float, float, int, float]:
    """(winners, gross profit, gross loss, sum of returns on the entry's value, trades still open,
    sum over fills of value / equity at the end of the fill's session).

    ``last_time`` and ``ends`` are the sessions' last bar start and equity. The mark of a trade
    that is still open is no fill.
    """
    wins, still_open = 0, 0
    profit, loss, returns, turned = 0.0, 0.0, 0.0, 0.0
    bought_in, sold_in, newest = 0, 0, len(ends) - 1
    for row in range(len(pnl)):
        gained = pnl[row]
        if gained > 0.0:
            wins += 1
            profit += gained
        else:
            loss -= gained
        value = entry_price[row] * quantity[row]
        returns += gained / value
        # Fills come nearly in order of time: walk from session to session, mostly not at all.
        while bought_in > 0 and entry_time[row] <= last_time[bought_in - 1]:
            bought_in -= 1
        while bought_in < newest and entry_time[row] > last_time[bought_in]:
            bought_in += 1
        turned += value / ends[bought_in]
        if reason[row] == _STILL_OPEN:
            still_open += 1
            continue
        while sold_in > 0 and exit_time[row] <= last_time[sold_in - 1]:
            sold_in -= 1
        while sold_in < newest and exit_time[row] > last_time[sold_in]:
            sold_in += 1
        turned += exit_price[row] * quantity[row] / ends[sold_in]
    return wins, profit, loss, returns, still_open, turned

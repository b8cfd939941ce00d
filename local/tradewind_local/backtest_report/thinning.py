"""Fewer points that look the same: what a page can hold and a browser can draw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tradewind.backtest.arrays import PRICE_SCALE, BarArrays


def kept_points(values: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Ascending indices of at most about ``most`` points: both ends, and the lowest and highest
    of equally long stretches, so that no peak and no trough is lost."""
    count = len(values)
    if count <= most:
        return np.arange(count)
    length = -(-2 * count // most)
    whole = count // length * length
    stretches = values[:whole].reshape(-1, length)
    first = np.arange(0, whole, length)
    rest = values[whole:]
    extremes = [first + stretches.argmin(axis=1), first + stretches.argmax(axis=1)]
    if len(rest):
        extremes.append(np.array([whole + rest.argmin(), whole + rest.argmax()]))
    return np.unique(np.concatenate([*extremes, [0, count - 1]]))


def candles(bars: BarArrays, most: int) -> dict[str, NDArray[np.int64] | NDArray[np.float64]]:
    """``bar`` (index of the first one within), ``open``, ``high``, ``low`` and ``close`` (USD) of
    candles of equally many bars, none over the end of a session: all bars where they are no more
    than ``most``, and otherwise at most about that many and one a session."""
    size = max(1, -(-len(bars) // most))
    begins = np.searchsorted(bars.session, np.arange(len(bars.session_dates)))
    within = np.arange(len(bars)) - begins[bars.session]
    first = np.flatnonzero(within % size == 0)
    last = np.append(first[1:], len(bars)) - 1
    return {
        "bar": first,
        "open": bars.open[first] / PRICE_SCALE,
        "high": np.maximum.reduceat(bars.high, first) / PRICE_SCALE,
        "low": np.minimum.reduceat(bars.low, first) / PRICE_SCALE,
        "close": bars.close[last] / PRICE_SCALE,
    }

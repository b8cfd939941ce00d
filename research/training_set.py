"""Windows and labels from simulated bars, and the walk-forward split over sessions.

Windows come from the same function that serves them (``tradewind.features.windows``), one row for
each bar that ends a window; a test holds the two equal bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from tradewind.features.arrays import Floats, Prices
from tradewind.features.definition import FEATURE_BARS, TIMESTEPS
from tradewind.features.windows import Window, window_array
from tradewind.market.bar import Bar
from tradewind.market.session import Session

# The label: the sign of the logarithmic return over the next 15 minutes, flat within the band.
HORIZON = 15
FLAT_BAND = 0.0015

# Windows that end one minute apart are nearly the same; every seventh is enough, and seven has
# no part in common with the horizon, so that labels begin at every minute of it.
STRIDE = 7

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Examples:
    """``windows`` (n, TIMESTEPS, features), ``labels`` (n), ``past`` (n) the label of the past
    HORIZON minutes, ``sessions`` (n) the index of the session in which the window ends."""

    windows: Window
    labels: Labels
    past: Labels
    sessions: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> Examples:
        return Examples(
            self.windows[chosen], self.labels[chosen], self.past[chosen], self.sessions[chosen]
        )


def examples_of(bars: Sequence[Bar], sessions: Sequence[Session]) -> Examples:
    """One symbol's examples. ``bars``: every regular minute of the sessions, oldest first.

    A window may reach back over nights, as it does when serving; a label may not: its horizon
    ends in the session of its window.
    """
    length = [session.minutes for session in sessions]
    session = np.repeat(np.arange(len(sessions)), length)
    minute = np.concatenate([np.arange(count) for count in length])
    minutes = np.repeat(length, length)
    if len(bars) != len(session):
        raise ValueError(f"{len(bars)} bars for sessions of {len(session)} minutes")

    ends = np.arange(FEATURE_BARS - 1, len(bars), STRIDE)
    ends = ends[(minute[ends] + HORIZON < minutes[ends]) & (minute[ends] >= HORIZON)]
    close = _column([float(bar.close) for bar in bars])
    prices = Prices(
        high=_rows([float(bar.high) for bar in bars], ends),
        low=_rows([float(bar.low) for bar in bars], ends),
        close=_rows([float(bar.close) for bar in bars], ends),
        volume=_rows([float(bar.volume) for bar in bars], ends),
    )
    positions = sliding_window_view(minute / minutes, TIMESTEPS)[ends - TIMESTEPS + 1]
    return Examples(
        windows=window_array(prices, positions),
        labels=_label(np.log(close[ends + HORIZON] / close[ends])),
        past=_label(np.log(close[ends] / close[ends - HORIZON])),
        sessions=session[ends],
    )


def joined(parts: Sequence[Examples]) -> Examples:
    return Examples(
        np.concatenate([part.windows for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.past for part in parts]),
        np.concatenate([part.sessions for part in parts]),
    )


@dataclass(frozen=True, slots=True)
class Fold:
    """Sessions 0..train_until-1 are learnt from, then one is left out, the rest is scored."""

    train_until: int
    test_from: int
    test_until: int


def walk_forward(sessions: int, folds: int) -> Iterator[Fold]:
    """Expanding training, always on the past; the folds' tests follow one another to the end.

    One session between the two is used by neither. A window reaches back 200 bars and a label
    looks 15 ahead, less than a session together, so no bar is on both sides. A half-day counts
    as a session too: 210 minutes still cover the 200.
    """
    size = sessions // (folds + 2)
    first = sessions - folds * size
    for fold in range(folds):
        test_from = first + fold * size
        yield Fold(train_until=test_from - 1, test_from=test_from, test_until=test_from + size)


def _label(returns: Floats) -> Labels:
    """0 down, 1 flat, 2 up: the columns of ``tradewind.prediction.model.TRENDS``."""
    return 1 + np.sign(np.where(np.abs(returns) > FLAT_BAND, returns, 0.0)).astype(np.int64)


def _column(values: list[float]) -> Floats:
    return np.array(values, np.float64)


def _rows(values: list[float], ends: NDArray[np.int64]) -> Floats:
    """For each end the FEATURE_BARS values up to it, rows contiguous as TA-Lib wants them."""
    view = sliding_window_view(_column(values), FEATURE_BARS)[ends - FEATURE_BARS + 1]
    return np.ascontiguousarray(view)

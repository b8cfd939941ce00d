"""The minutes of several symbols as one line of time, and what holding them would have earned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.arrays import BarArrays
from tradewind.backtest.compiled import compiled
from tradewind.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Timeline:
    """``time`` [m]: every minute in which some symbol has a bar, seconds since 1970 UTC, ascending.
    ``session`` [m]: index into ``session_dates``."""

    time: NDArray[np.int64]
    session: NDArray[np.int32]
    session_dates: tuple[date, ...]

    def newest(self, own: BarArrays) -> NDArray[np.int64]:
        """[m] Which bar of a symbol is its newest at each minute, -1 before its first."""
        return np.searchsorted(own.start, self.time, side="right") - 1


def timeline_of(bars: Sequence[BarArrays]) -> Timeline:
    """InvalidInputError for no symbol, and for one that is there twice."""
    symbols = [own.symbol for own in bars]
    if not symbols:
        raise InvalidInputError("a backtest needs the bars of one symbol at least")
    if len(set(symbols)) < len(symbols):
        raise InvalidInputError(f"a symbol is there twice: {', '.join(symbols)}")
    if len(bars) == 1:
        own = bars[0]
        return Timeline(own.start, own.session, own.session_dates)
    time = np.unique(np.concatenate([own.start for own in bars]))
    dates = tuple(sorted({day for own in bars for day in own.session_dates}))
    number = {day: index for index, day in enumerate(dates)}
    session = np.empty(len(time), np.int32)
    for own in bars:
        numbers = np.array([number[day] for day in own.session_dates], np.int32)
        session[np.searchsorted(time, own.start)] = numbers[own.session]
    return Timeline(time, session, dates)


def buy_and_hold(
    bars: Sequence[BarArrays], timeline: Timeline, cash: float, out: NDArray[np.float64]
) -> None:
    """Writes the USD at each minute [m] of ``cash`` spread evenly over the symbols at each one's
    first close, in parts of shares; a symbol's part of the money is cash until then."""
    share = cash / len(bars)
    if len(bars) == 1:
        scaled_closes(bars[0].close, share / bars[0].close[0], out)
        return
    out[:] = 0.0
    for own in bars:
        worth = np.empty(len(own))
        scaled_closes(own.close, share / own.close[0], worth)
        out += carried_forward(worth, timeline.newest(own), share)


@compiled
def scaled_closes(close: NDArray[np.int64], factor: float, out: NDArray[np.float64]) -> None:
    """``out`` = ``close`` x ``factor``, in one pass and without a copy."""
    for t in range(len(close)):
        out[t] = close[t] * factor


def carried_forward(
    values: NDArray[np.float64], newest: NDArray[np.int64], before: float
) -> NDArray[np.float64]:
    """One symbol's values [n] on the line of time [m]; ``before`` until its first bar."""
    return np.where(newest >= 0, values[np.maximum(newest, 0)], before)

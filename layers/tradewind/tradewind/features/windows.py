"""The model's input: the last TIMESTEPS bars of a symbol, each as ten scale-free numbers.

Nothing here depends on the price level or on how many shares usually change hands, so symbols
share one model. Every number is finite for constant prices and for zero volume, and lies within
the definition's LIMIT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from tradewind.errors import InvalidInputError
from tradewind.features import definition as d
from tradewind.features.arrays import BarBlock, Floats, Prices, block_of
from tradewind.features.talib_loader import talib
from tradewind.market.bar import Bar
from tradewind.market.session import Session

Window = NDArray[np.float32]

# The session in whose regular hours a bar starts: ``SessionTable.session_of``.
SessionOf = Callable[[datetime], Session | None]


def feature_window(bars: Sequence[Bar], session_of: SessionOf) -> Window | None:
    """One symbol's window, float32 of shape (TIMESTEPS, features), from exactly its last
    FEATURE_BARS bars (closed regular-session bars, oldest first); None while there are fewer."""
    if not bars:
        return None
    symbol = bars[-1].symbol
    return windows_of(block_of({symbol: bars}), session_of).get(symbol)


def windows_of(block: BarBlock, session_of: SessionOf) -> dict[str, Window]:
    """The window of every symbol of a block, float32 of shape (TIMESTEPS, features).

    InvalidInputError for a bar outside regular hours and for prices that are not positive.
    """
    positions = session_positions([starts[-d.TIMESTEPS :] for starts in block.starts], session_of)
    return dict(zip(block.symbols, window_array(block.prices, positions), strict=True))


def session_positions(starts: Sequence[Sequence[datetime]], session_of: SessionOf) -> Floats:
    """How far through its session each bar starts: 0 at the open, towards 1 at the close, by
    the session's own length, so a half-day ends at 1 too. Same shape as ``starts``."""
    known: dict[datetime, float] = {}
    for start in {start for row in starts for start in row}:
        session = session_of(start)
        if session is None:
            raise InvalidInputError(
                f"the bar at {start} lies outside regular trading hours: features use regular "
                "bars only"
            )
        known[start] = (start - session.open) / (session.close - session.open)
    positions = [known[start] for row in starts for start in row]
    return np.array(positions, np.float64).reshape(len(starts), d.TIMESTEPS)


def window_array(prices: Prices, session_position: Floats) -> Window:
    """Windows for many rows at once: float32 of shape (rows, TIMESTEPS, features).

    ``prices``: columns of shape (rows, FEATURE_BARS); ``session_position``: (rows, TIMESTEPS).
    Training calls this with every bar of its history as a row's end, serving with one row a
    symbol.
    """
    high, low, close, volume = prices.high, prices.low, prices.close, prices.volume
    if (low <= 0).any():
        raise InvalidInputError("features need positive prices")
    last = slice(-d.TIMESTEPS, None)
    now_high, now_low, now_close = high[:, last], low[:, last], close[:, last]
    spread = now_high - now_low

    features: Mapping[str, Floats] = {
        "return_1": _moves(close, 1),
        f"return_{d.RETURN_BARS}": _moves(close, d.RETURN_BARS),
        "range": spread / now_close / d.MOVE_UNIT,
        # -1 closed at the low, +1 at the high, 0 in the middle or without any range
        "close_in_range": np.divide(
            2 * now_close - now_high - now_low, spread, out=np.zeros_like(spread), where=spread > 0
        ),
        f"rsi_{d.RSI}": _rsi(close)[:, last] / 50 - 1,
        f"macd_hist_{d.MACD_FAST}_{d.MACD_SLOW}_{d.MACD_SIGNAL}": (
            _by_row(_macd_histogram, close)[:, last] / now_close / d.MOVE_UNIT
        ),
        f"atr_{d.ATR}": _by_row(_atr, high, low, close)[:, last] / now_close / d.MOVE_UNIT,
        f"sma_{d.SMA_SHORT}_distance": (now_close / _mean(close, d.SMA_SHORT) - 1) / d.MOVE_UNIT,
        # one share more on both sides: a bar without trades stays finite
        f"volume_to_mean_{d.VOLUME_MEAN}": np.log(
            (volume[:, last] + 1) / (_mean(volume, d.VOLUME_MEAN) + 1)
        ),
        "time_of_session": 2 * session_position - 1,
    }
    columns = np.stack([features[name] for name in d.FEATURES], axis=-1)
    if not np.isfinite(columns).all():
        raise InvalidInputError("features are not finite: a price or volume is not a number")
    return np.clip(columns, -d.LIMIT, d.LIMIT).astype(np.float32)


def _moves(close: Floats, bars: int) -> Floats:
    """Logarithmic returns over ``bars`` bars, in units of MOVE_UNIT."""
    logarithm = np.log(close[:, -(d.TIMESTEPS + bars) :])
    moves: Floats = (logarithm[:, bars:] - logarithm[:, :-bars]) / d.MOVE_UNIT
    return moves


def _mean(column: Floats, length: int) -> Floats:
    """The mean of the last ``length`` values at each of the TIMESTEPS newest."""
    values = column[:, -(d.TIMESTEPS + length - 1) :]
    means: Floats = np.lib.stride_tricks.sliding_window_view(values, length, axis=1).mean(axis=-1)
    return means


def _rsi(close: Floats) -> Floats:
    """RSI, with 50 where the close has not moved since the row began: TA-Lib says 0 there, as if
    it had only fallen."""
    moved = np.logical_or.accumulate(close != close[:, :1], axis=1)
    return np.where(moved, _by_row(lambda row: talib.RSI(row, d.RSI), close), 50.0)


def _macd_histogram(close: Floats) -> Floats:
    histogram: Floats = talib.MACD(close, d.MACD_FAST, d.MACD_SLOW, d.MACD_SIGNAL)[2]
    return histogram


def _atr(high: Floats, low: Floats, close: Floats) -> Floats:
    values: Floats = talib.ATR(high, low, close, d.ATR)
    return values


def _by_row(indicator: Callable[..., Floats], *columns: Floats) -> Floats:
    """A TA-Lib indicator, which knows one series at a time, over every row."""
    values = np.empty_like(columns[0])
    for index, rows in enumerate(zip(*columns, strict=True)):
        values[index] = indicator(*rows)
    return values

"""What a backtest gives: its round trips and its equity, minute by minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.settings import BacktestSettings


class ExitReason(IntEnum):
    SIGNAL = 0
    STOP = 1
    FLAT = 2  # before the session's close
    END = 3  # still open, marked to the last close
    DRAWDOWN = 4

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Trades:
    """k round trips as columns [k], in the order of their exits.

    ``symbol``: index into the outcome's symbols. ``entry_bar``, ``exit_bar``: indices into that
    symbol's bars. ``entry_time``, ``exit_time``: seconds since 1970 UTC; of a fill inside a bar,
    the bar's start. ``entry_price``, ``exit_price``: USD as filled, slippage within. ``quantity``:
    shares. ``fees``: USD of both sides. ``pnl``: USD after fees. ``reason``: ExitReason. ``mae``,
    ``mfe``: the worst and the best price seen while held against the entry's, as fractions (<= 0,
    >= 0). ``gap_loss``: USD lost beyond the stop because the market opened below it.
    """

    symbol: NDArray[np.int32]
    entry_bar: NDArray[np.int64]
    exit_bar: NDArray[np.int64]
    entry_time: NDArray[np.int64]
    exit_time: NDArray[np.int64]
    entry_price: NDArray[np.float64]
    exit_price: NDArray[np.float64]
    quantity: NDArray[np.float64]
    fees: NDArray[np.float64]
    pnl: NDArray[np.float64]
    reason: NDArray[np.int8]
    mae: NDArray[np.float64]
    mfe: NDArray[np.float64]
    gap_loss: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.symbol)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run over m minutes, the union of its symbols' bars.

    ``time`` [m]: the bars' starts, seconds since 1970 UTC. ``session`` [m]: index into
    ``session_dates``. ``equity`` and ``invested`` [m]: USD at the end of each minute at the newest
    closes, all and in positions. ``buy_and_hold`` [m]: the equity of the same cash spread evenly
    over the symbols at each one's first close, in parts of shares and at no cost. ``engine_ms``:
    what signals and fills took, without reading bars.
    """

    symbols: tuple[str, ...]
    settings: BacktestSettings
    strategy: str
    parameters: Mapping[str, int | float | str]
    time: NDArray[np.int64]
    session: NDArray[np.int32]
    session_dates: tuple[date, ...]
    equity: NDArray[np.float64]
    invested: NDArray[np.float64]
    trades: Trades
    buy_and_hold: NDArray[np.float64]
    engine_ms: float

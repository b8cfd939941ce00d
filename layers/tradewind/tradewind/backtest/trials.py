"""The trials of a sweep: kept as files by those who work them out, then gathered and ranked."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.overfitting import BLOCKS, deflate, overfitting_probability
from tradewind.errors import PayloadMismatchError

# Of a ranking, what is kept beside the request and shown; all of it lies in the file.
SHOWN = 50

FIGURES = ("total_return", "sharpe", "sortino", "max_drawdown", "profit_factor")


@dataclass(frozen=True, slots=True)
class Trials:
    """k trials of the crossover on one symbol, in the order of their lengths.

    ``parameters`` [k, 2]: fast and slow in bars. ``figures`` [k, 5]: FIGURES, fractions and ratios;
    NaN or infinite where undefined. ``trades`` [k]. ``daily_returns`` [k, sessions]: fractions.
    """

    symbol: str
    session_dates: tuple[date, ...]
    parameters: NDArray[np.int64]
    figures: NDArray[np.float64]
    trades: NDArray[np.int64]
    daily_returns: NDArray[np.float64]

    def packed(self) -> bytes:
        """As a file (``.npz``); equal trials make equal bytes."""
        file = io.BytesIO()
        np.savez_compressed(
            file,
            symbol=np.array(self.symbol),
            session_dates=np.array([day.isoformat() for day in self.session_dates]),
            parameters=self.parameters,
            figures=self.figures,
            trades=self.trades,
            daily_returns=self.daily_returns,
        )
        return file.getvalue()

    @classmethod
    def unpacked(cls, content: bytes) -> Trials:
        """PayloadMismatchError for what is no such file."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as columns:
                return cls(
                    str(columns["symbol"]),
                    tuple(date.fromisoformat(str(day)) for day in columns["session_dates"]),
                    columns["parameters"],
                    columns["figures"],
                    columns["trades"],
                    columns["daily_returns"],
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise PayloadMismatchError(f"not a file of trials: {error}") from error


def ranking(parts: Sequence[Trials]) -> list[dict[str, Any]]:
    """All trials as JSON-ready rows, the best Sharpe ratio first; undefined ones last. Equal ones:
    by total return, then in the order given."""
    rows = [
        {
            "symbol": part.symbol,
            "fast": int(fast),
            "slow": int(slow),
            **{
                name: float(value) if math.isfinite(value) else None
                for name, value in zip(FIGURES, figures, strict=True)
            },
            "trades": int(trades),
        }
        for part in parts
        for (fast, slow), figures, trades in zip(
            part.parameters, part.figures, part.trades, strict=True
        )
    ]

    def place(row: dict[str, Any]) -> tuple[bool, float, float]:
        return row["sharpe"] is None, -(row["sharpe"] or 0.0), -(row["total_return"] or 0.0)

    return sorted(rows, key=place)


def luck(parts: Sequence[Trials]) -> dict[str, Any]:
    """How likely the best trial is a fluke, JSON-ready: its deflated Sharpe ratio, all trials
    counted, and the probability of backtest overfitting. None where there is too little to tell:
    one trial, no trades, fewer than two sessions a block."""
    table = _returns(parts)
    sessions, trials = table.shape
    sharpe = np.concatenate([part.figures[:, FIGURES.index("sharpe")] for part in parts])
    best = int(np.argmax(np.where(np.isfinite(sharpe), sharpe, -np.inf)))
    deflation = deflate(table, best)
    tells = trials > 1 and sessions >= 2 * BLOCKS
    return {
        "deflated_sharpe": None if deflation is None else deflation.deflated,
        "overfitting_probability": overfitting_probability(table).probability if tells else None,
    }


def _returns(parts: Sequence[Trials]) -> NDArray[np.float64]:
    """Daily returns [sessions, trials] over the sessions of all symbols: in one that a symbol has
    no bars of, its trials earn nothing, nor do those that have lost everything (NaN)."""
    dates = sorted({day for part in parts for day in part.session_dates})
    row = {day: number for number, day in enumerate(dates)}
    table = np.zeros((len(dates), sum(len(part.trades) for part in parts)))
    first = 0
    for part in parts:
        after = first + len(part.trades)
        rows = [row[day] for day in part.session_dates]
        table[rows, first:after] = np.nan_to_num(part.daily_returns.T, nan=0.0)
        first = after
    return table

"""Bars as arrays: the one place where exact decimals become floating-point numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from tradewind.features.definition import FEATURE_BARS
from tradewind.market.bar import Bar

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prices:
    """The columns that the features use, each float64 of shape (symbols, FEATURE_BARS), oldest
    bar first, rows contiguous in memory. Prices in USD, volume in shares."""

    high: Floats
    low: Floats
    close: Floats
    volume: Floats


@dataclass(frozen=True, slots=True)
class BarBlock:
    """The last FEATURE_BARS bars of some symbols: row i of ``prices`` is ``symbols[i]``, whose
    bars start at ``starts[i]`` (aware UTC)."""

    symbols: tuple[str, ...]
    starts: tuple[tuple[datetime, ...], ...]
    prices: Prices


def block_of(bars_by_symbol: Mapping[str, Sequence[Bar]]) -> BarBlock:
    """The newest FEATURE_BARS bars of each symbol (closed regular-session bars, oldest first).
    A symbol with fewer is not ready, and absent from the block."""
    ready = {
        symbol: bars[-FEATURE_BARS:]
        for symbol, bars in bars_by_symbol.items()
        if len(bars) >= FEATURE_BARS
    }
    rows = list(ready.values())
    return BarBlock(
        symbols=tuple(ready),
        starts=tuple(tuple(bar.start for bar in bars) for bars in rows),
        prices=Prices(
            high=_column([bar.high for bars in rows for bar in bars]),
            low=_column([bar.low for bars in rows for bar in bars]),
            close=_column([bar.close for bars in rows for bar in bars]),
            volume=_column([bar.volume for bars in rows for bar in bars]),
        ),
    )


def _column(values: Iterable[Decimal | int]) -> Floats:
    return np.fromiter(map(float, values), np.float64).reshape(-1, FEATURE_BARS)

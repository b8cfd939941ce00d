"""Bars as arrays: the one place where exact decimals become floating-point numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from tradewind.features.definition import FEATURE_BARS
from tradewind.market.bar import Bar
from tradewind.market.bar_series import closes_of, highs_of, lows_of, starts_of, volumes_of

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
        starts=tuple(tuple(starts_of(bars)) for bars in rows),
        prices=Prices(
            high=_column(highs_of(bars) for bars in rows),
            low=_column(lows_of(bars) for bars in rows),
            close=_column(closes_of(bars) for bars in rows),
            volume=_column(volumes_of(bars) for bars in rows),
        ),
    )


def _column(rows: Iterable[Sequence[Decimal | int]]) -> Floats:
    values = map(float, chain.from_iterable(rows))
    return np.fromiter(values, np.float64).reshape(-1, FEATURE_BARS)

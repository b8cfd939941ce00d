"""Jumps between two sessions that look like a split nobody adjusted the bars for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np

from tradewind.backtest.arrays import PRICE_SCALE, BarArrays
from tradewind.market.adjustment import split_like

# Of the logarithm of a jump: the smallest that may look like a split, 3:2 less its tolerance.
_SPLIT_FROM = 0.3


@dataclass(frozen=True, slots=True)
class SplitJump:
    """From the last close of a session to the next one's first open, in USD; ``looks`` is what
    :func:`tradewind.market.adjustment.split_like` takes it for."""

    last_day: date
    next_day: date
    before: float
    after: float
    looks: Fraction

    @property
    def words(self) -> str:
        return (
            f"go from {self.before:g} at the end of {self.last_day} to {self.after:g} on "
            f"{self.next_day}, which looks like a split ({self.looks})"
        )


def split_jumps(bars: BarArrays) -> Iterator[SplitJump]:
    """The oldest first."""
    first = np.flatnonzero(np.diff(bars.session)) + 1
    for bar in first[np.abs(np.log(bars.open[first] / bars.close[first - 1])) > _SPLIT_FROM]:
        before, after = int(bars.close[bar - 1]), int(bars.open[bar])
        looks = split_like(Decimal(before), Decimal(after))
        if looks is not None:
            last_day, next_day = (bars.session_dates[bars.session[at]] for at in (bar - 1, bar))
            yield SplitJump(last_day, next_day, before / PRICE_SCALE, after / PRICE_SCALE, looks)

"""Long while the fast moving average is above the slow one.

Ties of moving averages decide trades, and floating-point averages get the sign of a tie wrong. So
nothing is divided or rounded: closes become integers on one common scale, and the averages
``fast_sum / fast`` and ``slow_sum / slow`` are compared as ``fast_sum * slow`` and
``slow_sum * fast``.

Entries act on an event, exits on a state:

- flat: enter on an up-cross at the newest bar (at or below on the bar before, above now). A cross
  on an earlier bar is history: its price is gone.
- long: exit while fast is below slow, whenever that began. A minute that was never decided delays
  an exit and cannot lose it. A tie is not yet below; it keeps the position, as the mirrored
  down-cross (at or above before, below now) does.

With every minute decided, the two give the same trades as two events would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tradewind.errors import InvalidInputError
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Wish

LONGEST_AVERAGE = 400


@dataclass(frozen=True, slots=True)
class SmaCrossover:
    """``fast`` and ``slow`` are the averages' lengths in bars, 2 <= fast < slow <= 400."""

    fast: int
    slow: int

    def __post_init__(self) -> None:
        if not 2 <= self.fast < self.slow <= LONGEST_AVERAGE:
            raise InvalidInputError(
                f"SMA lengths fast={self.fast}, slow={self.slow}: "
                f"need 2 <= fast < slow <= {LONGEST_AVERAGE}"
            )

    @property
    def name(self) -> str:
        return f"sma_crossover_{self.fast}_{self.slow}"

    @property
    def bars_needed(self) -> int:
        """The slow window now, and the same window one bar earlier."""
        return self.slow + 1

    @property
    def needs_prediction(self) -> bool:
        return False

    def decide(self, view: MarketView) -> Wish:
        closes = scaled(view.closes[-self.bars_needed :])
        return self._while_long(closes) if view.holding else self._while_flat(closes)

    def _while_long(self, closes: Sequence[int]) -> Wish:
        if len(closes) < self.slow:
            return Wish(Action.HOLD, "not_enough_bars", self._too_few(len(closes), self.slow))
        if self._side(closes) < 0:
            return Wish(
                Action.EXIT,
                "fast_below_slow",
                f"SMA {self.fast} is below SMA {self.slow}",
            )
        return Wish(
            Action.HOLD, "fast_not_below_slow", f"SMA {self.fast} is not below SMA {self.slow}"
        )

    def _while_flat(self, closes: Sequence[int]) -> Wish:
        if len(closes) < self.bars_needed:
            return Wish(
                Action.WAIT, "not_enough_bars", self._too_few(len(closes), self.bars_needed)
            )
        before, now = self._side(closes[:-1]), self._side(closes)
        if before <= 0 < now:
            return Wish(Action.ENTER, "up_cross", f"SMA {self.fast} crossed above SMA {self.slow}")
        if now > 0:
            return Wish(
                Action.WAIT,
                "no_new_cross",
                f"SMA {self.fast} is above SMA {self.slow}, but crossed on an earlier bar",
            )
        return Wish(
            Action.WAIT, "fast_not_above_slow", f"SMA {self.fast} is not above SMA {self.slow}"
        )

    def _side(self, closes: Sequence[int]) -> int:
        """Positive when fast is above slow at the last close, negative below, zero on a tie."""
        return sum(closes[-self.fast :]) * self.slow - sum(closes[-self.slow :]) * self.fast

    def _too_few(self, there: int, needed: int) -> str:
        return f"{there} regular bars of {needed} needed for SMA {self.slow}"


def scaled(prices: Sequence[Decimal]) -> list[int]:
    """The prices as integers on their smallest common power of ten, exactly, whatever their
    digits."""
    ratios = [price.as_integer_ratio() for price in prices]
    common = math.lcm(*(denominator for _, denominator in ratios))
    scale = 1
    while scale % common:
        scale *= 10
    return [numerator * (scale // denominator) for numerator, denominator in ratios]

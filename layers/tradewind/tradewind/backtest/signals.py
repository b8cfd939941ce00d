"""What a strategy wants at each close, as two columns that a compiled engine can run over.

The crossover is restated in compiled form over integer prices; a property test holds it to
:mod:`tradewind.strategies.sma_crossover` bar by bar. Any other strategy is asked itself, twice a
bar, which is slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.arrays import PRICE_SCALE, BarArrays
from tradewind.backtest.compiled import compiled
from tradewind.market.bar import Bar
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Strategy
from tradewind.strategies.sma_crossover import SmaCrossover

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Signals:
    """``enter`` [n] bool: wants in at this bar's close, being flat: an event. ``leave`` [n] bool:
    wants out at this bar's close, being long: a state, however long it has lasted.
    ``bars_needed``: how many bars the strategy looks at; a hole among them refuses an entry."""

    enter: NDArray[np.bool_]
    leave: NDArray[np.bool_]
    bars_needed: int


def signals_of(bars: BarArrays, strategy: Strategy) -> Signals:
    """The strategy's wishes on each bar, from bars up to it alone. Without predictions."""
    enter, leave = np.empty((2, len(bars)), np.bool_)
    if isinstance(strategy, SmaCrossover):
        crossover_signals(bars.close, strategy.fast, strategy.slow, enter, leave)
    else:
        _ask(bars, strategy, enter, leave)
    return Signals(enter, leave, strategy.bars_needed)


@compiled
def crossover_signals(
    close: NDArray[np.int64],
    fast: int,
    slow: int,
    enter: NDArray[np.bool_],
    leave: NDArray[np.bool_],
) -> None:
    """Writes :class:`Signals` of the crossover. Exact: ``fast_sum * slow`` against ``slow_sum *
    fast`` in integers, which cannot overflow below ``MOST_PRICE``."""
    bars = len(close)
    slow_sum = fast_sum = 0
    for t in range(min(slow, bars)):
        slow_sum += close[t]
        if t >= slow - fast:
            fast_sum += close[t]
        enter[t] = False
        leave[t] = False
    if bars < slow:
        return
    side = fast_sum * slow - slow_sum * fast
    leave[slow - 1] = side < 0
    # From bar to bar both sums gain the newest close and lose one each: of the comparison's two
    # sides that is a difference of three products.
    newest, of_fast = close[slow:], close[slow - fast :]
    enters, leaves = enter[slow:], leave[slow:]
    weight = slow - fast
    for t in range(len(newest)):
        before = side
        side += weight * newest[t] - slow * of_fast[t] + fast * close[t]
        enters[t] = (before <= 0) & (side > 0)
        leaves[t] = side < 0


def _ask(
    bars: BarArrays, strategy: Strategy, enter: NDArray[np.bool_], leave: NDArray[np.bool_]
) -> None:
    known = bars_of(bars)
    for t, bar in enumerate(known):
        seen = known[max(0, t + 1 - strategy.bars_needed) : t + 1]
        flat = MarketView(bars.symbol, bar.start, seen, prediction=None, holding=False)
        long = MarketView(bars.symbol, bar.start, seen, prediction=None, holding=True)
        enter[t] = strategy.decide(flat).action is Action.ENTER
        leave[t] = strategy.decide(long).action is Action.EXIT


def bars_of(arrays: BarArrays) -> list[Bar]:
    """The same bars one by one, prices exact to the millionth."""
    unit = Decimal(1) / PRICE_SCALE
    columns = (arrays.start, arrays.open, arrays.high, arrays.low, arrays.close, arrays.volume)
    return [
        Bar(
            arrays.symbol,
            _EPOCH + timedelta(seconds=start),
            opened * unit,
            high * unit,
            low * unit,
            close * unit,
            volume,
            "file",
        )
        for start, opened, high, low, close, volume in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]

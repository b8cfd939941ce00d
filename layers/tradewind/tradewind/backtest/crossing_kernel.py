"""The fills of ``next_open_no_entry_bar_stop`` and ``vectorbt``: one compiled pass over the bars.

Rules, in the order in which a bar b is worked off; t is the bar before it:

1. Long, and the strategy wanted out at the close of t: sold at open[b].
2. Long, and low[b] <= stop: sold at min(open[b], stop).
3. Flat at the close of t, and the strategy wanted in: bought at open[b], floor(equity x min(1,
   risk / stop) / open[b]) whole shares. Wishes to enter while long are ignored.
4. After b, being long: stop = max((1 - stop) x entry, (1 - trail) x the highest high since the
   entry), from b + 1 on. So there is no stop on the entry's own bar, and it never falls.
5. What is open after the last bar is marked to its close, without costs of a sale.

``vectorbt`` differs twice: 2 goes before 1, and the entry bar's high does not count in 4.

Prices are double precision here, as the peers compute them, so that an exact touch of a stop is
decided as they decide it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.arrays import PRICE_SCALE, BarArrays
from tradewind.backtest.compiled import compiled, within
from tradewind.backtest.outcome import ExitReason, Trades
from tradewind.backtest.settings import BacktestSettings, FillConvention, Fixed, HalfSpread
from tradewind.backtest.signals import Signals

_SCALE: Final = float(PRICE_SCALE)
_SIGNAL: Final = int(ExitReason.SIGNAL)
_STOP: Final = int(ExitReason.STOP)
_END: Final = int(ExitReason.END)
_BUY: Final = 1.0
_SELL: Final = -1.0

# Columns of the table of numbers that the kernel writes, one row a round trip.
ENTRY_PRICE, EXIT_PRICE, QUANTITY, FEES, PNL, MAE, MFE, GAP_LOSS = range(8)
# and of the table of whole numbers.
ENTRY_BAR, EXIT_BAR, REASON = range(3)

# Places in the vector of parameters.
CASH, STOP, TRAIL, FRACTION, COMMISSION, RATE, USD, IMPACT, SHARE, DRAWDOWN, STOP_FIRST = range(11)


def parameters_of(settings: BacktestSettings, cash: float) -> NDArray[np.float64]:
    """The settings as the kernel takes them; ``cash`` is this account's, in USD."""
    values = np.zeros(11)
    values[CASH] = cash
    values[STOP] = float(settings.stop)
    values[TRAIL] = float(settings.trail)
    values[FRACTION] = min(1.0, float(settings.risk / settings.stop))
    values[COMMISSION] = float(settings.commission)
    values[SHARE] = np.inf
    slippage = settings.slippage
    if isinstance(slippage, Fixed):
        values[RATE] = float(slippage.fraction)
    elif isinstance(slippage, HalfSpread):
        values[USD] = float(slippage.usd)
    else:
        values[IMPACT] = float(slippage.impact)
        values[SHARE] = float(slippage.share)
    values[DRAWDOWN] = np.inf
    if settings.daily_drawdown is not None:
        values[DRAWDOWN] = float(settings.daily_drawdown)
    values[STOP_FIRST] = float(settings.fill is FillConvention.VECTORBT)
    return values


@within
def _filled(
    price: float, side: float, quantity: float, volume: int, parameters: NDArray[np.float64]
) -> float:
    """The price with slippage, in USD; worse for either side, never below zero."""
    worse = price * parameters[RATE] + parameters[USD]
    if parameters[IMPACT] > 0.0:
        part = min(1.0, quantity / volume) if volume > 0 else 1.0
        worse += price * parameters[IMPACT] * part * part
    return float(max(0.0, price + side * worse))


@within
def _affordable(equity: float, price: float, volume: int, parameters: NDArray[np.float64]) -> float:
    """Whole shares that the part of equity buys at an open, all costs of the purchase within."""
    budget = equity * parameters[FRACTION]
    quantity = budget / price
    if parameters[SHARE] < np.inf:
        quantity = min(quantity, parameters[SHARE] * volume)
    # The impact grows with the size, so what is affordable at its price stays so when it shrinks.
    unit = _filled(price, _BUY, quantity, volume, parameters) * (1.0 + parameters[COMMISSION])
    quantity = np.floor(min(quantity, budget / unit))
    # A quotient just below a whole number may have been rounded up to it.
    if quantity * unit > budget:
        quantity -= 1.0
    return float(quantity)


@within
def _stop_of(entry: float, top: int, parameters: NDArray[np.float64]) -> float:
    """The stop in USD of a position; ``top``: the highest high that counts, 0 before any."""
    peak = max(entry, top / _SCALE)
    return float(max((1.0 - parameters[STOP]) * entry, (1.0 - parameters[TRAIL]) * peak))


@within
def _halted(
    t: int,
    session: NDArray[np.int32],
    equity: NDArray[np.float64],
    parameters: NDArray[np.float64],
) -> bool:
    """Whether entries stop at the close of bar t: since the previous session's end equity was, at
    some close of this one, down by the daily drawdown."""
    if parameters[DRAWDOWN] == np.inf:
        return False
    first = t
    lowest = equity[t]
    while first > 0 and session[first - 1] == session[t]:
        first -= 1
        lowest = min(lowest, equity[first])
    before = equity[first - 1] if first > 0 else parameters[CASH]
    return bool(lowest <= before * (1.0 - parameters[DRAWDOWN]))


@compiled
def crossing_pass(
    opens: NDArray[np.int64],
    highs: NDArray[np.int64],
    lows: NDArray[np.int64],
    closes: NDArray[np.int64],
    volumes: NDArray[np.int64],
    session: NDArray[np.int32],
    enter: NDArray[np.bool_],
    leave: NDArray[np.bool_],
    parameters: NDArray[np.float64],
    equity: NDArray[np.float64],
    invested: NDArray[np.float64],
    numbers: NDArray[np.float64],
    places: NDArray[np.int64],
) -> int:
    """Writes equity and invested [n] in USD and a row of ``numbers`` and ``places`` for each round
    trip; returns how many. Both tables need a row for each bar on which ``enter`` is set."""
    keep_stop = 1.0 - parameters[STOP]
    keep_trail = 1.0 - parameters[TRAIL]
    commission = parameters[COMMISSION]
    stop_first = parameters[STOP_FIRST] > 0.0
    last = len(opens) - 1
    cash = parameters[CASH]
    count = 0
    t = 0
    while t <= last:
        # Flat, up to and with the bar at whose close the strategy wants in.
        while t < last and not enter[t]:
            equity[t] = cash
            invested[t] = 0.0
            t += 1
        equity[t] = cash
        invested[t] = 0.0
        if t < last and _halted(t, session, equity, parameters):
            t += 1
            continue
        t += 1
        if t > last:
            break

        opened = opens[t] / _SCALE
        quantity = _affordable(cash, opened, volumes[t], parameters)
        if quantity <= 0.0:
            continue
        entry = _filled(opened, _BUY, quantity, volumes[t], parameters)
        paid = quantity * entry * commission
        cash -= quantity * entry + paid
        held = quantity / _SCALE
        entry_bar = t
        best, worst = highs[t], lows[t]
        top = 0 if stop_first else best
        invested[t] = held * closes[t]
        equity[t] = cash + invested[t]

        # Long, from the next bar on until one on which something sells. Whether a bar makes a new
        # high is a coin's toss, so nothing branches on it: the stop is only worked out for a low
        # that comes within a millionth of it.
        first_stop = max(keep_stop, keep_trail) * entry * _SCALE
        t += 1
        while t <= last and not leave[t - 1]:
            near = max(first_stop, keep_trail * top) + 1.0
            if lows[t] <= near and lows[t] / _SCALE <= _stop_of(entry, top, parameters):
                break
            top = max(top, highs[t])
            best = max(best, highs[t])
            worst = min(worst, lows[t])
            value = held * closes[t]
            invested[t] = value
            equity[t] = cash + value
            t += 1
        stop = _stop_of(entry, top, parameters)

        lowest, highest = worst / _SCALE, best / _SCALE
        gap_loss = 0.0
        if t > last:
            places[count, EXIT_BAR] = last
            places[count, REASON] = _END
            price = closes[last] / _SCALE
        else:
            opened = opens[t] / _SCALE
            by_signal = leave[t - 1] and not (stop_first and lows[t] / _SCALE <= stop)
            market = opened if by_signal else min(opened, stop)
            if not by_signal:
                gap_loss = quantity * (stop - market)
            lowest, highest = min(lowest, market), max(highest, opened)
            places[count, EXIT_BAR] = t
            places[count, REASON] = _SIGNAL if by_signal else _STOP
            price = _filled(market, _SELL, quantity, volumes[t], parameters)
            cash += quantity * price * (1.0 - commission)
            paid += quantity * price * commission
        places[count, ENTRY_BAR] = entry_bar
        numbers[count, ENTRY_PRICE] = entry
        numbers[count, EXIT_PRICE] = price
        numbers[count, QUANTITY] = quantity
        numbers[count, FEES] = paid
        numbers[count, PNL] = quantity * (price - entry) - paid
        numbers[count, MAE] = min(0.0, lowest / entry - 1.0)
        numbers[count, MFE] = max(0.0, highest / entry - 1.0)
        numbers[count, GAP_LOSS] = gap_loss
        count += 1
    return count


def run_crossing(
    bars: BarArrays,
    signals: Signals,
    settings: BacktestSettings,
    cash: float,
    equity: NDArray[np.float64],
    invested: NDArray[np.float64],
) -> Trades:
    """The round trips of one symbol on an account of its own; writes equity and invested [n]."""
    most = int(np.count_nonzero(signals.enter))
    numbers = np.empty((most, 8))
    places = np.empty((most, 3), np.int64)
    count = crossing_pass(
        bars.open, bars.high, bars.low, bars.close, bars.volume, bars.session,
        signals.enter, signals.leave, parameters_of(settings, cash),
        equity, invested, numbers, places,
    )  # fmt: skip
    numbers, places = numbers[:count], places[:count]
    entry_bar, exit_bar = places[:, ENTRY_BAR].copy(), places[:, EXIT_BAR].copy()
    return Trades(
        symbol=np.zeros(count, np.int32),
        entry_bar=entry_bar,
        exit_bar=exit_bar,
        entry_time=bars.start[entry_bar],
        exit_time=bars.start[exit_bar],
        entry_price=numbers[:, ENTRY_PRICE].copy(),
        exit_price=numbers[:, EXIT_PRICE].copy(),
        quantity=numbers[:, QUANTITY].copy(),
        fees=numbers[:, FEES].copy(),
        pnl=numbers[:, PNL].copy(),
        reason=places[:, REASON].astype(np.int8),
        mae=numbers[:, MAE].copy(),
        mfe=numbers[:, MFE].copy(),
        gap_loss=numbers[:, GAP_LOSS].copy(),
    )

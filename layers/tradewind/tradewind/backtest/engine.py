"""A strategy over bars, by the settings' fill convention: compiled, milliseconds a year."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.arrays import BarArrays
from tradewind.backtest.crossing_kernel import run_crossing
from tradewind.backtest.live import run_live
from tradewind.backtest.outcome import Outcome, Trades
from tradewind.backtest.settings import BacktestSettings, FillConvention
from tradewind.backtest.signals import Signals, signals_of
from tradewind.backtest.timeline import Timeline, buy_and_hold, carried_forward, timeline_of
from tradewind.errors import InvalidInputError
from tradewind.strategies.protocol import Strategy


def backtest(
    bars: Sequence[BarArrays],
    strategy: Strategy,
    settings: BacktestSettings,
    *,
    trade_from: date | None = None,
) -> Outcome:
    """Trades ``bars``, one element a symbol, with ``strategy`` on each.

    With live_parity the symbols share one portfolio. The peers' conventions know one symbol: there
    the cash is spread evenly and each symbol trades an account of its own. Sessions before
    ``trade_from`` are history: the strategy sees them, and no entry is decided in them.
    InvalidInputError for no symbol, one named twice, and regulatory fees where only live_parity
    knows them.
    """
    # A stopwatch, not the time of day: no decision depends on it.
    began = time.perf_counter()
    signals = [signals_of(own, strategy) for own in bars]
    if trade_from is not None:
        for own, wishes in zip(bars, signals, strict=True):
            history = bisect_left(own.session_dates, trade_from)
            wishes.enter[: np.searchsorted(own.session, history)] = False
    if settings.fill is FillConvention.LIVE_PARITY:
        outcome = run_live(bars, signals, settings)
    else:
        outcome = _run_apart(bars, signals, settings)
    took = (time.perf_counter() - began) * 1000
    return replace(
        outcome, strategy=strategy.name, parameters=parameters_of(strategy), engine_ms=took
    )


def parameters_of(strategy: Strategy) -> Mapping[str, int | float | str]:
    """A strategy's own fields, decimals and whatever else is no number as text."""
    names = getattr(strategy, "__dataclass_fields__", ())
    values = {name: getattr(strategy, name) for name in names}
    return {
        name: value if isinstance(value, int | float) else str(value)
        for name, value in values.items()
    }


def _run_apart(
    bars: Sequence[BarArrays], signals: Sequence[Signals], settings: BacktestSettings
) -> Outcome:
    refuse_fees(settings)
    line = timeline_of(bars)
    cash = float(settings.cash)
    # One block: allocated and given back as a whole, it is not cleared anew by each run.
    equity, invested, held = np.empty((3, len(line.time)))
    if len(bars) == 1:
        trades = run_crossing(bars[0], signals[0], settings, cash, equity, invested)
    else:
        trades = _each_apart(bars, signals, settings, line, equity, invested)
    buy_and_hold(bars, line, cash, held)
    return Outcome(
        symbols=tuple(own.symbol for own in bars),
        settings=settings,
        strategy="",
        parameters={},
        time=line.time,
        session=line.session,
        session_dates=line.session_dates,
        equity=equity,
        invested=invested,
        trades=trades,
        buy_and_hold=held,
        engine_ms=0.0,
    )


def refuse_fees(settings: BacktestSettings) -> None:
    """The peers' conventions know no regulatory fees (InvalidInputError)."""
    if settings.regulatory_fees:
        raise InvalidInputError(
            f"regulatory fees belong to the fill convention {FillConvention.LIVE_PARITY}: leave "
            f"them out with {settings.fill}"
        )


def _each_apart(
    bars: Sequence[BarArrays],
    signals: Sequence[Signals],
    settings: BacktestSettings,
    line: Timeline,
    equity: NDArray[np.float64],
    invested: NDArray[np.float64],
) -> Trades:
    share = float(settings.cash) / len(bars)
    equity[:] = 0.0
    invested[:] = 0.0
    of_symbols = []
    for own, wishes in zip(bars, signals, strict=True):
        own_equity, own_invested = np.empty((2, len(own)))
        of_symbols.append(run_crossing(own, wishes, settings, share, own_equity, own_invested))
        newest = line.newest(own)
        equity += carried_forward(own_equity, newest, share)
        invested += carried_forward(own_invested, newest, 0.0)
    return _in_order(of_symbols)


def _in_order(of_symbols: Sequence[Trades]) -> Trades:
    """The symbols' round trips in one, by exit, then by symbol."""
    numbered = [
        replace(own, symbol=np.full(len(own), number, np.int32))
        for number, own in enumerate(of_symbols)
    ]
    columns = {
        one.name: np.concatenate([getattr(own, one.name) for own in numbered])
        for one in fields(Trades)
    }
    order = np.lexsort((columns["symbol"], columns["exit_time"]))
    return Trades(**{name: column[order] for name, column in columns.items()})

"""``live_parity`` over bars: as live trading does, at the speed of the compiled pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tradewind.backtest.arrays import PRICE_SCALE, BarArrays
from tradewind.backtest.live_fields import ACCOUNT, TRIP, Table
from tradewind.backtest.live_kernel import trade_live
from tradewind.backtest.live_market import Integers, check_level, live_market
from tradewind.backtest.live_rules import live_rules
from tradewind.backtest.outcome import Outcome, Trades
from tradewind.backtest.settings import BacktestSettings
from tradewind.backtest.signals import Signals
from tradewind.backtest.timeline import buy_and_hold, timeline_of
from tradewind.market.session_table import SessionTable, default_table


def run_live(
    bars: Sequence[BarArrays],
    signals: Sequence[Signals],
    settings: BacktestSettings,
    calendar: SessionTable | None = None,
) -> Outcome:
    """The symbols share one portfolio; ``signals`` are theirs, in the same order. ``calendar``:
    New York's where none is given. Strategy, parameters and ``engine_ms`` are left open.

    InvalidInputError for bars outside regular hours, for amounts that whole millionths of a USD
    cannot hold, and for what looks like a split where positions are held overnight.
    """
    line = timeline_of(bars)
    market = live_market(bars, line, calendar or default_table())
    if settings.limits.hold_overnight:
        for own in bars:
            check_level(own)
    order = sorted(range(len(bars)), key=lambda number: bars[number].symbol)
    if len(bars) == 1:
        enter, leave = signals[0].enter, signals[0].leave
        entering = enter
    else:
        enter = np.concatenate([signals[number].enter for number in order])
        leave = np.concatenate([signals[number].leave for number in order])
        entering = np.zeros(len(line.time), np.bool_)
        for row in market.bar_at:
            entering |= (row >= 0) & enter[row]
    equity, invested, held = np.empty((3, len(line.time)))
    buy_and_hold(bars, line, float(settings.cash), held)
    trips = np.empty(int(np.count_nonzero(enter)), TRIP)
    symbols = market.symbols.copy()
    symbols["bars_needed"] = [signals[number].bars_needed for number in order]
    count = trade_live(
        market,
        live_rules(settings),
        enter,
        leave,
        entering,
        np.zeros(1, ACCOUNT),
        symbols,
        equity,
        invested,
        trips,
    )
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
        trades=_trades(bars, order, trips[:count], market.symbols["first_bar"]),
        buy_and_hold=held,
        engine_ms=0.0,
    )


def _trades(
    bars: Sequence[BarArrays], order: Sequence[int], trips: Table, first_bar: Integers
) -> Trades:
    row = trips["symbol"]
    entry_bar = trips["entry_bar"] - first_bar[row]
    exit_bar = trips["exit_bar"] - first_bar[row]
    entry_time, exit_time = np.empty(len(row), np.int64), np.empty(len(row), np.int64)
    for number, place in enumerate(order):
        own = row == number
        entry_time[own] = bars[place].start[entry_bar[own]]
        exit_time[own] = bars[place].start[exit_bar[own]]
    entry, left = trips["entry_price"], trips["exit_price"]
    quantity, fees = trips["quantity"], trips["fees"]
    return Trades(
        symbol=np.array(order, np.int32)[row],
        entry_bar=entry_bar,
        exit_bar=exit_bar,
        entry_time=entry_time,
        exit_time=exit_time,
        entry_price=entry / PRICE_SCALE,
        exit_price=left / PRICE_SCALE,
        quantity=quantity.astype(np.float64),
        fees=fees / PRICE_SCALE,
        pnl=(quantity * (left - entry) - fees) / PRICE_SCALE,
        reason=trips["reason"].astype(np.int8),
        mae=np.minimum(trips["worst"] / entry - 1, 0.0),
        mfe=np.maximum(trips["best"] / entry - 1, 0.0),
        gap_loss=trips["gap_loss"] / PRICE_SCALE,
    )

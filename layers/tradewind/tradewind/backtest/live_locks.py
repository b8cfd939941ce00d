"""The protections of the compiled pass: when entries stand still, and when they are halved.

Restates :mod:`tradewind.risk.protections` and :mod:`tradewind.risk.equity`. A lock is kept as the
regular minute at which it ends. The peak is that of equity itself; live trading keeps an index that
is rounded to 10^-12 each minute.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.compiled import within
from tradewind.backtest.live_fields import Row, Table
from tradewind.backtest.live_rules import MILLION, NEVER
from tradewind.backtest.whole_numbers import part

# Profits are added up in these parts of what the shares cost.
_PROFIT: Final = 1e12


@within
def book_locks(rules: Row, account: Row, held: Table, trips: Table, first: int) -> None:
    """The locks that follow from the round trips closed in this minute, from ``first`` on.

    Each counts itself and the earlier ones, and those that ended with it too: of these the last one
    alone would count all, and lock the same.
    """
    # Within a minute the rows are not in the order of their ends.
    longest = 60 * rules.stop_window + 60
    if rules.low_profit_window > rules.stop_window:
        longest = 60 * rules.low_profit_window + 60
    for newest in range(first, account.trips):
        trip = trips[newest]
        stops, stops_of_symbol, trips_of_symbol, earned = 0, 0, 0, 0.0
        for number in range(account.trips - 1, -1, -1):
            other = trips[number]
            earlier = trip.closed_at - other.closed_at
            if earlier >= longest:
                break
            if earlier < 0:
                continue
            of_symbol = other.symbol == trip.symbol
            if other.by_stop and earlier < 60 * rules.stop_window:
                stops += 1
                if of_symbol:
                    stops_of_symbol += 1
            if of_symbol and earlier < 60 * rules.low_profit_window:
                trips_of_symbol += 1
                gained = other.exit_price - other.entry_price
                earned += np.rint(gained / other.entry_price * _PROFIT)
        minute = (trip.closed_at + 59) // 60
        until = minute + rules.cooldown
        if trip.by_stop and stops_of_symbol >= rules.stops_in_symbol:
            until = max(until, minute + rules.stop_lock)
        least = rules.low_profit * (_PROFIT / MILLION)
        if trips_of_symbol >= rules.low_profit_trades and earned < least:
            until = max(until, minute + rules.low_profit_lock)
        own = held[trip.symbol]
        own.locked_until = max(own.locked_until, until)
        if trip.by_stop and stops >= rules.stops_in_all:
            account.all_locked_until = max(account.all_locked_until, minute + rules.stop_lock)


@within
def drawdown_locks(
    rules: Row,
    account: Row,
    sessions: Table,
    ends: NDArray[np.int64],
    session: int,
    run_at: int,
) -> None:
    """What the equity of a run locks: of a regular minute, in a session."""
    if account.equity > account.peak:
        account.peak = account.equity
        account.peak_at = run_at
    daily = rules.daily_drawdown
    if daily < MILLION and account.equity <= part(account.last_equity, MILLION - daily):
        account.day_locked = 1
    if rules.locking_drawdown >= MILLION:
        return
    if account.equity > part(account.peak, MILLION - rules.locking_drawdown):
        return
    run_before = run_at - 1
    if run_before == sessions[session].before and session > 0:
        run_before = sessions[session - 1].before + sessions[session - 1].length
    if run_before < account.peak_locked_until and account.peak_locked == account.peak_at:
        return
    last = sessions[session].rank + rules.locking_sessions - 1
    account.peak_locked = account.peak_at
    account.peak_locked_until = NEVER
    if last < len(ends):
        account.peak_locked_until = ends[last]


@within
def is_locked(account: Row, own: Row, run_at: int) -> bool:
    """Whether a symbol may not be entered in the run of a regular minute."""
    return bool(
        account.day_locked
        or run_at < own.locked_until
        or run_at < account.all_locked_until
        or run_at < account.peak_locked_until
    )


@within
def is_halved(rules: Row, account: Row) -> bool:
    if rules.halving_drawdown >= MILLION:
        return False
    return bool(account.equity <= part(account.peak, MILLION - rules.halving_drawdown))

"""The fills and rules of ``live_parity`` in one compiled pass: minutes outside, symbols inside.

Restates, in whole numbers, what :mod:`tradewind.backtest.run` does with the code of live trading:
``SimulatedBroker.trade`` in :func:`_trade`, ``due_care`` in :func:`_why_exit`, :func:`_care` and
:func:`_between`, ``entry_size`` and ``size_refusal`` in :func:`_quantity`, the protections in
:mod:`tradewind.backtest.live_locks`. tests/property/test_live_kernel_properties.py holds the two
together, tests/unit/backtest/test_live_parity_fills.py says the fills in tables.

While nothing is held and nobody wants in, minutes are skipped: nothing is decided in them, and the
equity stays.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.compiled import compiled, within
from tradewind.backtest.live_fields import (
    EXITING,
    FLAT,
    HOLDING,
    NAKED,
    PENDING,
    Row,
    Table,
)
from tradewind.backtest.live_locks import (
    book_locks,
    drawdown_locks,
    is_halved,
    is_locked,
)
from tradewind.backtest.live_market import Integers, LiveMarket
from tradewind.backtest.live_rules import MILLION
from tradewind.backtest.outcome import ExitReason
from tradewind.backtest.whole_numbers import (
    ceil_to_tick,
    commission,
    floor_to_tick,
    part,
    ratio,
    sale_fees,
    worse_by,
)

_LEFT_BY_SIGNAL: Final = int(ExitReason.SIGNAL)
_LEFT_BY_STOP: Final = int(ExitReason.STOP)
_LEFT_FLAT: Final = int(ExitReason.FLAT)
_LEFT_AT_THE_END: Final = int(ExitReason.END)
_STAYS: Final = -1
_LOWEST_PRICE: Final = 100
# Where in its minute a fill is booked that does not happen at the open, as the reference does.
_WITHIN_THE_MINUTE: Final = 59

Flags = NDArray[np.bool_]
Usd = NDArray[np.float64]
Minutes = NDArray[np.int32]


@compiled
def trade_live(
    market: LiveMarket,
    rules_in_force: Table,
    enter: Flags,
    leave: Flags,
    entering: Flags,
    accounts: Table,
    held: Table,
    equity: Usd,
    invested: Usd,
    trips: Table,
) -> int:
    """Writes ``equity`` and ``invested`` [m] in USD and a row of ``trips`` (TRIP) for each round
    trip; returns how many. ``enter`` and ``leave`` [n] are the wishes at each bar, ``entering`` [m]
    says whether any symbol wants in at a minute. ``accounts`` (ACCOUNT, one row) has to be zero,
    ``held`` a copy of the market's symbols with their ``bars_needed``; ``trips`` needs a row for
    each bar on which ``enter`` is set."""
    rules = rules_in_force[0]
    sessions, days = market.sessions, market.days
    line_session, line_minute, bar_at = market.line_session, market.line_minute, market.bar_at
    symbols, minutes = len(held), len(line_session)
    # A single symbol's bars are the line's minutes.
    single = symbols == 1
    account = accounts[0]
    account.cash = account.equity = account.last_equity = account.peak = rules.cash
    account.peak_locked = -1
    session = line_session[0] - 1
    gaps = market.gaps
    gap = now = 0
    while now < minutes:
        if account.active == 0:
            cash = account.cash / MILLION
            while now < minutes and not entering[now]:
                equity[now] = cash
                invested[now] = 0.0
                now += 1
            if now == minutes:
                break
        elif line_session[now] != session or line_minute[now] != line_minute[now - 1] + 1:
            _between(
                rules, sessions, leave, held, account, session, line_minute[now - 1],
                line_session[now], line_minute[now],
            )  # fmt: skip
        if line_session[now] != session:
            session = line_session[now]
            account.last_equity = account.equity
            account.day_locked = account.entries_today = account.capital_today = 0
        minute = line_minute[now]
        run_at = sessions[session].before + minute + 1
        left = sessions[session].length - minute - 1

        # The market first, for the orders of the runs before.
        trips_before = account.trips
        account.worth = 0
        for symbol in range(symbols):
            own = held[symbol]
            bar = now if single else bar_at[symbol, now]
            if own.state != FLAT and bar >= 0:
                _trade(
                    rules, account, own, trips, symbol, bar, run_at - 1, market.open[bar],
                    market.high[bar], market.low[bar], market.close[bar], market.volume[bar],
                )  # fmt: skip
            if own.state >= HOLDING:
                account.worth += own.quantity * own.close
        if account.trips > trips_before:
            book_locks(rules, account, held, trips, trips_before)
        account.equity = account.cash + account.worth
        equity[now] = account.equity / MILLION
        invested[now] = account.worth / MILLION
        drawdown_locks(rules, account, sessions, market.ends, session, run_at)

        # Then the run that decides on it; none orders anything at the close.
        wanted = entering[now] and left > 0
        flat_is_due = left <= rules.flat_before and not rules.hold_overnight
        account.power, account.exposure = account.cash, account.worth
        entered = 0
        if wanted:
            # An open entry still keeps its money in the run that cancels it.
            for symbol in range(symbols):
                if held[symbol].state == PENDING:
                    account.power -= held[symbol].quantity * held[symbol].limit
                    account.exposure += held[symbol].quantity * held[symbol].limit
            in_window = run_at - sessions[session].before >= rules.first_entry
            wanted = in_window and left > rules.last_entry
        for symbol in range(symbols):
            own = held[symbol]
            if left == 0:
                break
            if own.state == PENDING:
                own.state = FLAT
                account.active -= 1
            elif own.state == HOLDING or own.state == NAKED:
                _care(own, _why_exit(own, leave[own.bar], flat_is_due))
            elif own.state == FLAT and wanted:
                bar = now if single else bar_at[symbol, now]
                # A bar of this minute: so trading is not halted, and the data are not stale.
                if bar < 0 or not enter[bar] or is_locked(account, own, run_at):
                    continue
                if entered >= rules.entries_per_minute:
                    continue
                if account.entries_today >= rules.entries_per_day:
                    continue
                while gap < len(gaps) and gaps[gap].minute <= now:
                    gap += 1
                oldest = bar - own.bars_needed + 1
                if oldest < own.first_bar:
                    oldest = own.first_bar
                if gap > 0 and _has_hole(gaps, gap, bar_at[symbol], oldest, now, run_at - 1):
                    continue
                day = market.day[bar]
                atr_from = day - rules.atr_sessions - 1
                ranges = days[day].ranges * 0
                if atr_from >= own.first_day:
                    ranges = days[day - 1].ranges - days[atr_from].ranges
                _order(rules, account, own, market.close[bar], ranges)
                if own.state == PENDING:
                    entered += 1
        now += 1
        if single and held[0].state == HOLDING and rules.locking_drawdown >= MILLION:
            now = _quiet(
                rules, account, held[0], market.high, market.low, market.close, leave,
                line_session, line_minute, sessions[session], equity, invested, now,
            )  # fmt: skip
    for symbol in range(symbols):
        own = held[symbol]
        if own.state >= HOLDING:
            _write(trips[account.trips], own, symbol, own.bar, own.close)
            trips[account.trips].reason = _LEFT_AT_THE_END
            account.trips += 1
    return int(account.trips)


@within
def _quiet(
    rules: Row,
    account: Row,
    own: Row,
    high: Integers,
    low: Integers,
    close: Integers,
    leave: Flags,
    line_session: Minutes,
    line_minute: Minutes,
    session: Row,
    equity: Usd,
    invested: Usd,
    now: int,
) -> int:
    """Goes over the minutes from ``now`` on in which nothing happens to the only position but that
    its stop follows, and returns the first in which something might. Most minutes are such: this
    is for speed alone."""
    number = line_session[now - 1]
    last = session.length - 2
    if not rules.hold_overnight:
        last -= rules.flat_before
    day_floor = -1
    if rules.daily_drawdown < MILLION:
        day_floor = part(account.last_equity, MILLION - rules.daily_drawdown)
    cash, quantity, stop, target, best = account.cash, own.quantity, own.stop, own.target, own.best
    worst, peak, value, begins = own.worst, account.peak, account.worth, now
    while now < len(line_session):
        minute = line_minute[now]
        if line_session[now] != number or minute != line_minute[now - 1] + 1 or minute > last:
            break
        newest = quantity * close[now]
        if low[now] <= stop or leave[now] or cash + newest <= day_floor:
            break
        raised = target
        if high[now] > best:
            raised = _target(rules, own, high[now])
        if close[now] <= raised:
            break
        if high[now] > best:
            best, target = high[now], raised
            if stop < target:
                stop = target
        value = newest
        if cash + value > peak:
            peak = cash + value
            account.peak_at = session.before + minute + 1
        if low[now] < worst:
            worst = low[now]
        equity[now] = (cash + value) / MILLION
        invested[now] = value / MILLION
        now += 1
    if now > begins:
        own.bar, own.close, own.worst = now - 1, close[now - 1], worst
        own.best, own.target, own.stop = best, target, stop
        account.peak, account.worth, account.equity = peak, value, cash + value
    return now


@within
def _has_hole(
    gaps: Table, passed: int, bar_at: Integers, oldest: int, now: int, position: int
) -> bool:
    """Whether minutes are missing between a symbol's bar ``oldest`` and the line's minute ``now``,
    which is the regular minute ``position``; ``passed`` gaps are before it. ``bar_at`` is the
    symbol's, empty for a single one."""
    begins = oldest
    if len(bar_at) > 0:
        begins = now
        while bar_at[begins] != oldest:
            begins -= 1
    for gap in range(passed - 1, -1, -1):
        if gaps[gap].minute <= begins:
            break
        if gaps[gap].settled_at > position:
            return True
    return False


@within
def _trade(
    rules: Row,
    account: Row,
    own: Row,
    trips: Table,
    symbol: int,
    bar: int,
    regular_minute: int,
    opened: int,
    high: int,
    low: int,
    close: int,
    volume: int,
) -> None:
    """A symbol's bar. What waits for the open comes first, then the stop, which a position has from
    its entry's fill on. Where a bar could do two things, it does the worse."""
    if own.state == PENDING:
        bought = own.quantity
        if rules.volume_share > 0:
            bought = min(bought, part(volume, rules.volume_share))
        if low > own.limit or bought == 0:
            return
        worse = MILLION + worse_by(bought, volume, rules)
        price = ceil_to_tick(opened * worse + rules.half_spread * MILLION)
        if price > own.limit:
            price = own.limit
        own.paid = commission(bought * price, rules)
        account.cash -= bought * price + own.paid
        own.state = HOLDING
        own.quantity = bought
        own.entry_bar = bar
        own.entry_price = own.worst = price
        own.best = 0
    stopped = own.state == HOLDING and low <= own.stop
    if stopped or own.state == EXITING:
        reached, stop, second = opened, own.target, 0
        if stopped:
            reached, stop = min(opened, own.stop), own.stop
            second = 0 if opened < stop else _WITHIN_THE_MINUTE
        worse = MILLION - worse_by(own.quantity, volume, rules)
        price = floor_to_tick(reached * worse - rules.half_spread * MILLION)
        if price < _LOWEST_PRICE:
            price = _LOWEST_PRICE
        costs = commission(own.quantity * price, rules) + sale_fees(own.quantity, price, rules)
        account.cash += own.quantity * price - costs
        own.paid += costs
        own.state = FLAT
        account.active -= 1
        trip = trips[account.trips]
        account.trips += 1
        _write(trip, own, symbol, bar, price)
        trip.reason = _LEFT_BY_STOP if stopped else own.exit_reason
        trip.by_stop = stopped
        trip.closed_at = regular_minute * 60 + second
        if opened < stop:
            trip.gap_loss = max(0, stop - max(price, opened)) * own.quantity
        return
    own.bar = bar
    own.close = close
    own.worst = min(own.worst, low)
    if high > own.best:
        own.best = high
        own.target = _target(rules, own, high)


@within
def _target(rules: Row, own: Row, best: int) -> int:
    """Where the stop of a position with this highest high belongs."""
    return floor_to_tick(max(own.entry_price * rules.stop_kept, best * rules.trail_kept))


@within
def _write(trip: Row, own: Row, symbol: int, bar: int, price: int) -> None:
    trip.symbol = symbol
    trip.entry_bar = own.entry_bar
    trip.exit_bar = bar
    trip.entry_price = own.entry_price
    trip.exit_price = price
    trip.quantity = own.quantity
    trip.fees = own.paid
    trip.worst = min(own.worst, price)
    trip.best = max(own.best, price)
    trip.gap_loss = 0
    trip.by_stop = 0


@within
def _why_exit(own: Row, leaves: bool, flat_is_due: bool) -> int:
    if flat_is_due:
        return _LEFT_FLAT
    if leaves:
        return _LEFT_BY_SIGNAL
    if own.close <= own.target:
        return _LEFT_BY_STOP
    return _STAYS


@within
def _care(own: Row, why_exit: int) -> None:
    """A run's word on a position: out for a reason, or its stop where it belongs."""
    if why_exit != _STAYS:
        own.state = EXITING
        own.exit_reason = why_exit
    elif own.state == NAKED or own.stop < own.target:
        own.state = HOLDING
        own.stop = own.target


@within
def _between(
    rules: Row,
    sessions: Table,
    leave: Flags,
    held: Table,
    account: Row,
    last_session: int,
    last_minute: int,
    session: int,
    minute: int,
) -> None:
    """What the runs of minutes without any bar decide, between two minutes of the line, and what is
    put in order before a session."""
    first_run = last_minute + 1 if session == last_session else 0
    # The first minutes whose runs close positions, which the run of the last minute never does.
    flat_from = sessions[session].length - rules.flat_before - 1
    last_flat_from = sessions[last_session].length - rules.flat_before - 1
    last_run = sessions[last_session].length - 2
    sells = not rules.hold_overnight
    for symbol in range(len(held)):
        own = held[symbol]
        if own.state == PENDING:
            own.state = FLAT
            account.active -= 1
        if own.state == FLAT:
            continue
        if session != last_session:
            # An exit that found no market ends with the day; the stop that it took away is put
            # again before the open, if the price still allows one.
            if own.state == EXITING or (sells and max(last_flat_from, last_minute + 1) <= last_run):
                own.state = NAKED
            if own.state == NAKED and own.close > own.target:
                own.state = HOLDING
                own.stop = own.target
        if own.state != EXITING and first_run < minute:
            why_exit = _why_exit(own, leave[own.bar], sells and first_run >= flat_from)
            if why_exit == _STAYS and sells and minute > flat_from:
                why_exit = _LEFT_FLAT
            _care(own, why_exit)


@within
def _order(rules: Row, account: Row, own: Row, close: int, ranges: int) -> None:
    """The entry that its size and the checks of it allow; without one the symbol stays flat.
    ``ranges``: the true ranges of the last ``atr_sessions`` days, 0 without so many."""
    limit = ceil_to_tick(close * rules.collar)
    stop = floor_to_tick(close * rules.stop_kept)
    if stop >= limit or (limit - close) * MILLION > rules.price_deviation * close:
        return
    equity, distance = account.equity, limit - stop
    quantity = part(equity, rules.risk) // distance
    if rules.atr_multiple * ranges > distance * MILLION * rules.atr_sessions:
        quantity = ratio(equity, rules.risk * rules.atr_sessions, rules.atr_multiple * ranges)
    quantity = min(quantity, part(equity, rules.symbol_exposure) // limit)
    quantity = min(quantity, (part(equity, rules.exposure) - account.exposure) // limit)
    quantity = min(quantity, account.power // limit)
    if quantity <= 0 or quantity * limit < rules.min_notional:
        return
    if is_halved(rules, account):
        quantity = part(quantity, rules.reduced_size)
    notional = quantity * limit
    if quantity == 0 or notional < rules.min_notional or notional > rules.max_notional:
        return
    if account.capital_today + notional > rules.capital_per_day:
        return
    account.entries_today += 1
    account.capital_today += notional
    account.power -= notional
    account.exposure += notional
    account.active += 1
    own.state = PENDING
    own.quantity = quantity
    own.limit = limit
    own.stop = stop

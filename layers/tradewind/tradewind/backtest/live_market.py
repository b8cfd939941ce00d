"""Several symbols' bars on one line of time, as the compiled pass of ``live_parity`` reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.arrays import PRICE_SCALE, BarArrays
from tradewind.backtest.live_fields import DAY, GAP, SESSION, SYMBOL, Table
from tradewind.backtest.live_rules import NEVER
from tradewind.backtest.split_jumps import split_jumps
from tradewind.backtest.timeline import Timeline
from tradewind.errors import InvalidInputError
from tradewind.market.answer import REREAD
from tradewind.market.bar import MINUTE
from tradewind.market.gap_ledger import AROUND, LOOKS_APART
from tradewind.market.session_table import SessionTable

# USD. Up to here a price times a fraction in millionths stays inside 64 bits.
MOST_PRICE = 1_000_000

Integers = NDArray[np.int64]
Number = TypeVar("Number", np.int32, np.int64)


class LiveMarket(NamedTuple):
    """n bars of all symbols behind each other, in the order of their names, in which live trading
    decides; m minutes in which one has a bar; s sessions; d days of symbols, again behind each
    other. Prices in millionths of a USD.
    """

    open: Integers  # [n]
    high: Integers
    low: Integers
    close: Integers
    volume: Integers
    day: NDArray[np.int32]  # [n] the symbol's day, into ``days``
    symbols: Table  # SYMBOL, as they begin
    # [symbols, m] the bar of a minute, -1 for none; [1, 0] for a single symbol, whose bars they are
    bar_at: Integers
    line_session: NDArray[np.int32]  # [m] into ``sessions``
    line_minute: NDArray[np.int32]  # [m] of its session
    gaps: Table  # GAP, ascending
    sessions: Table  # [s] SESSION
    days: Table  # [d] DAY
    ends: Integers  # [calendar's sessions] regular minutes until its close


def live_market(bars: Sequence[BarArrays], line: Timeline, calendar: SessionTable) -> LiveMarket:
    """``line`` is that of ``bars``. InvalidInputError for bars outside regular hours and for
    prices of more than ``MOST_PRICE``."""
    of_symbols = sorted(bars, key=lambda own: own.symbol)
    firsts = [_first_bars(own) for own in of_symbols]
    for own, first in zip(of_symbols, firsts, strict=True):
        _check(own, first)
    sizes = np.array([len(own) for own in of_symbols])
    counts = np.array([len(own.session_dates) for own in of_symbols])
    first_bar = np.cumsum(sizes) - sizes
    first_day = np.cumsum(counts) - counts
    symbols = np.zeros(len(bars), SYMBOL)
    symbols["first_bar"], symbols["first_day"] = first_bar, first_day
    bar_at = _bars_at(of_symbols, line, first_bar)
    sessions, ends = _sessions(line.session_dates, calendar)
    numbers = {day: number for number, day in enumerate(line.session_dates)}
    days = np.zeros(first_day[-1] + len(of_symbols[-1].session_dates), DAY)
    days["session"] = [numbers[day] for own in of_symbols for day in own.session_dates]
    days["ranges"] = _joined(
        [_true_ranges(own, first) for own, first in zip(of_symbols, firsts, strict=True)]
    )
    minute = _joined([own.minute for own in of_symbols])
    line_minute = minute
    if len(bars) > 1:
        line_minute = np.empty(len(line.time), np.int32)
        for row in bar_at:
            line_minute[row >= 0] = minute[row[row >= 0]]
    return LiveMarket(
        open=_joined([own.open for own in of_symbols]),
        high=_joined([own.high for own in of_symbols]),
        low=_joined([own.low for own in of_symbols]),
        close=_joined([own.close for own in of_symbols]),
        volume=_joined([own.volume for own in of_symbols]),
        day=_joined(
            [own.session + np.int32(first) if first else own.session
             for own, first in zip(of_symbols, first_day, strict=True)]
        ),
        symbols=symbols,
        bar_at=bar_at,
        line_session=line.session,
        line_minute=line_minute,
        gaps=_gaps(line.session, line_minute, sessions),
        sessions=sessions,
        days=days,
        ends=ends,
    )  # fmt: skip


def _joined(columns: Sequence[NDArray[Number]]) -> NDArray[Number]:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def _first_bars(own: BarArrays) -> Integers:
    """[days] the index of each day's first bar."""
    return np.searchsorted(own.session, np.arange(len(own.session_dates), dtype=np.int32))


def _check(own: BarArrays, first: Integers) -> None:
    last = np.append(first[1:], len(own)) - 1
    outside = (own.minute[first] < 0) | (own.minute[last] >= own.session_minutes)
    if outside.any():
        day = own.session_dates[int(np.flatnonzero(outside)[0])]
        raise InvalidInputError(
            f"{own.symbol}: bars of {day} lie outside regular hours: live_parity trades regular "
            "sessions only, give it no others"
        )
    if own.high.max() > MOST_PRICE * PRICE_SCALE:
        raise InvalidInputError(
            f"{own.symbol}: live_parity counts prices up to {MOST_PRICE:,} USD exactly, and "
            f"{own.high.max() / PRICE_SCALE:,.2f} is more"
        )


def check_level(own: BarArrays) -> None:
    """InvalidInputError for a jump between two sessions that looks like a split: a position that is
    held overnight would earn or lose by it."""
    for jump in split_jumps(own):
        raise InvalidInputError(
            f"bars of {own.symbol} {jump.words}: bring them to one price level to hold overnight"
        )


def _true_ranges(own: BarArrays, first: Integers) -> Integers:
    last = np.append(first[1:], len(own)) - 1
    high, low = np.maximum.reduceat(own.high, first), np.minimum.reduceat(own.low, first)
    before = own.close[last[:-1]]
    added = np.zeros(len(first), np.int64)
    np.cumsum(np.maximum(high[1:], before) - np.minimum(low[1:], before), out=added[1:])
    return added


def _bars_at(of_symbols: Sequence[BarArrays], line: Timeline, first_bar: Integers) -> Integers:
    if len(of_symbols) == 1:
        return np.empty((1, 0), np.int64)
    rows = np.full((len(of_symbols), len(line.time)), -1, np.int64)
    for row, own, offset in zip(rows, of_symbols, first_bar, strict=True):
        row[np.searchsorted(line.time, own.start)] = offset + np.arange(len(own))
    return rows


def _gaps(session: NDArray[np.int32], minute: NDArray[np.int32], sessions: Table) -> Table:
    """The compiled pass's view of :class:`~tradewind.market.gap_ledger.GapLedger`, as
    :class:`~tradewind.backtest.market.Market` feeds it.

    There, each run looks at the newest ten minutes again, and a minute that twice was not there
    though bars lie around it counts as one without trades. Before each session those before it are
    looked at as a whole. So what one symbol lacks and another has is never a hole, and a gap of all
    symbols is one until its last minute was looked at often enough.
    """
    first = np.searchsorted(session, np.arange(len(sessions), dtype=np.int32))
    there = np.diff(np.append(first, len(session)))
    if (there == sessions["length"]).all():
        number = first[1:][np.diff(sessions["rank"]) > 1]
    else:
        number = np.flatnonzero(np.diff(sessions["before"][session] + minute) > 1) + 1
    if not len(number):
        return np.empty(0, GAP)
    position = sessions["before"][session[[number - 1, number]]] + minute[[number - 1, number]]
    before, after = position
    count = after - before - 1
    gap = np.repeat(np.arange(len(number)), count)
    begins = np.cumsum(count) - count
    missing = before[gap] + 1 + np.arange(len(gap)) - begins[gap]
    own = np.searchsorted(sessions["before"], missing, side="right") - 1
    opens, length = sessions["before"][own], sessions["length"][own]
    of_day = missing - opens
    since = np.where(session[number - 1][gap] == own, missing - before[gap], NEVER)
    until = np.where(session[number][gap] == own, after[gap] - missing, NEVER)
    near = AROUND // MINUTE
    at_open, at_close = of_day < near, of_day >= length - near
    # Minutes of a session of which nobody has a bar are never settled.
    shown = (at_open | (since <= near)) & (at_close | (until <= near)) & (of_day < length)
    # How many minutes after it the first and the last look that shows it empty happen.
    first = np.where(at_close, 0, until)
    last = REREAD // MINUTE - 1 - np.where(at_open, 0, since)
    apart = LOOKS_APART // MINUTE
    after_the_close = np.where(shown, opens + length, NEVER)
    settles = np.where(shown & (last - first >= apart), missing + first + apart, after_the_close)
    gaps = np.empty(len(number), GAP)
    gaps["minute"], gaps["settled_at"] = number, np.maximum.reduceat(settles, begins)
    return gaps


@lru_cache(maxsize=8)
def _sessions(dates: tuple[date, ...], calendar: SessionTable) -> tuple[Table, Integers]:
    """SESSION of each date, and ``ends`` of all of the calendar's sessions from the first of them
    to the last."""
    known = calendar.between(dates[0], dates[-1])
    lengths = np.array([session.minutes for session in known], np.int64)
    ends = np.cumsum(lengths)
    places = {session.date: number for number, session in enumerate(known)}
    rank = np.array([places[day] for day in dates], np.int64)
    table = np.zeros(len(dates), SESSION)
    table["rank"], table["length"], table["before"] = rank, lengths[rank], (ends - lengths)[rank]
    return table, ends

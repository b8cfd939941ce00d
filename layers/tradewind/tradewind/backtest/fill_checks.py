"""What is wrong with a backtest's fills, with their costs, and with the bars they were made of."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from tradewind.backtest.arrays import PRICE_SCALE
from tradewind.backtest.finding import Finding, Judged, percent, usd
from tradewind.backtest.outcome import ExitReason
from tradewind.backtest.split_jumps import split_jumps

# A decision on a minute's bar is carried out in the next; beyond this its price is another one.
STALE_SECONDS = 5 * 60
# Of the fills: below it a matter for a note.
FEW_FILLS = 0.01
# Of the prices. A bar's vendor rounds now and then; an adjustment touches them all.
OFF_THE_GRID = 0.01
# Of the sessions. Some symbols do trade for the first time in their second minute now and then.
MOST_OPENS = 0.5


# -- the fills and their costs ----------------------------------------------------------------


def stale_fills(run: Judged) -> Iterator[Finding]:
    """What is no stop is decided on the bar before the one it is filled in."""
    trades, fills, stale, longest = run.outcome.trades, 0, 0, 0
    for number, own in enumerate(run.bars):
        mine = trades.symbol == number
        sold = mine & (trades.reason != ExitReason.STOP) & (trades.reason != ExitReason.END)
        at = np.concatenate((trades.entry_bar[mine], trades.exit_bar[sold]))
        at = at[at > 0]
        # From the end of the bar decided on to the start of the bar of the fill.
        waited = own.start[at] - own.start[at - 1] - 60
        fills += len(at)
        stale += int(np.count_nonzero(waited > STALE_SECONDS))
        longest = max(longest, int(waited.max(initial=0)))
    if stale:
        yield Finding(
            "stale_fills",
            "warning" if stale >= FEW_FILLS * fills else "note",
            f"{stale} of {fills} fills came more than {STALE_SECONDS // 60} minutes after their "
            f"decision, the latest {longest // 60:,} minutes: their prices were not there when "
            "it was made; use fuller bars, or a convention that is flat at the close.",
        )


def fills_beyond_the_volume(run: Judged) -> Iterator[Finding]:
    trades, fills, beyond, without = run.outcome.trades, 0, 0, 0
    for number, own in enumerate(run.bars):
        mine = trades.symbol == number
        for at in (trades.entry_bar[mine], trades.exit_bar[mine]):
            volume = own.volume[at]
            fills += len(at)
            beyond += int(np.count_nonzero(trades.quantity[mine] > volume))
            without += int(np.count_nonzero(volume == 0))
    if beyond:
        yield Finding(
            "fills_beyond_volume",
            "warning" if beyond >= FEW_FILLS * fills else "note",
            f"{beyond} of {fills} fills are larger than all that was traded in their minute, "
            f"{without} of them in minutes without any volume: trade less, or cap fills at a share "
            "of the volume.",
        )


def no_costs(run: Judged) -> Iterator[Finding]:
    settings = run.outcome.settings
    free = settings.at_cost(Decimal(0))
    fees = settings.regulatory_fees and settings.fee_factor > 0
    same = (settings.commission, settings.slippage) == (free.commission, free.slippage)
    if len(run.outcome.trades) and same and not fees:
        yield Finding(
            "no_costs",
            "warning",
            f"{len(run.outcome.trades)} trades at no cost: give slippage and commission before "
            "believing a profit.",
        )


def dies_at_twice_the_cost(run: Judged) -> Iterator[Finding]:
    profits = {case.factor: case.profit_loss for case in run.cost_cases}
    once, twice = profits.get(1.0), profits.get(2.0)
    if once is not None and twice is not None and once > 0 >= twice:
        yield Finding(
            "dies_at_twice_the_cost",
            "error",
            f"{usd(once)} at the assumed costs are {usd(twice)} at twice as much: the edge is "
            "smaller than what is not known about costs; trade less often.",
        )


# -- the data ---------------------------------------------------------------------------------


def sessions_missing(run: Judged) -> Iterator[Finding]:
    if run.calendar is None:
        return
    for symbol, dates in [(own.symbol, own.session_dates) for own in run.bars] or [
        (", ".join(run.outcome.symbols), run.outcome.session_dates)
    ]:
        held = set(dates)
        expected = [one.date for one in run.calendar.between(dates[0], dates[-1])]
        missing = [day for day in expected if day not in held]
        if missing:
            yield Finding(
                "sessions_missing",
                "warning",
                f"{symbol}: {len(missing)} of {len(expected)} sessions from {dates[0]} to "
                f"{dates[-1]} have no bars, {missing[0]} the first: averages jump over them; "
                "fill the gap or end before it.",
            )


def bars_of_several_minutes(run: Judged) -> Iterator[Finding]:
    for own in run.bars:
        within = np.diff(own.start)[np.diff(own.session) == 0]
        apart = int(np.median(within)) // 60 if len(within) else 1
        if apart > 1:
            yield Finding(
                "bars_of_several_minutes",
                "error",
                f"{own.symbol}: bars are {apart} minutes apart: averages count them as minutes and "
                "live_parity enters nothing where minutes are missing; give one-minute bars.",
            )


def first_minutes_missing(run: Judged) -> Iterator[Finding]:
    """What rows labelled with their minute's end look like when read as labelled with its start."""
    for own in run.bars:
        opens = np.flatnonzero(np.diff(own.session, prepend=-1))
        late = int(np.count_nonzero(own.minute[opens] == 1))
        if late > MOST_OPENS * len(opens) and np.count_nonzero(own.minute == 0) == 0:
            yield Finding(
                "first_minutes_missing",
                "warning",
                f"{own.symbol}: no session has its first minute and {late} of {len(opens)} begin "
                "with the second: are the rows labelled with their minute's end (--label end)?",
            )


def splits_in_the_bars(run: Judged) -> Iterator[Finding]:
    for own in run.bars:
        for jump in split_jumps(own):
            yield Finding(
                "split_in_the_bars",
                "error",
                f"{own.symbol}: the bars {jump.words}: averages, positions held over that night "
                "and buying and holding take it for a gain or a loss; give bars at one price "
                "level.",
            )


def prices_off_the_grid(run: Judged) -> Iterator[Finding]:
    for own in run.bars:
        prices = np.concatenate((own.open, own.high, own.low, own.close))
        tick = np.where(prices >= PRICE_SCALE, PRICE_SCALE // 100, PRICE_SCALE // 10_000)
        off = float(np.mean(prices % tick != 0))
        if off > OFF_THE_GRID:
            yield Finding(
                "prices_off_the_tick_grid",
                "note",
                f"{own.symbol}: {percent(off)} of the prices are no multiple of the tick, as "
                "adjusted prices are: shares and stops are not those of the day; use raw bars.",
            )

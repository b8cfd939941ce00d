"""What is wrong with a backtest's result: how it was found, and where its profit comes from."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.finding import Finding, Judged, percent, ratio, session_ends, usd
from tradewind.backtest.look_ahead import Cause
from tradewind.backtest.outcome import ExitReason
from tradewind.backtest.overfitting import (
    CONFIDENCE,
    minimum_track_record,
    probabilistic_sharpe,
    track_record,
)

# A mean of fewer trades is known to no useful precision, whatever the trades are.
FEW_TRADES = 100
HARDLY_ANY_TRADES = 30
# Ten observations a fitted parameter are the usual least in regression, thirty the wish.
TRADES_A_PARAMETER = 30
LEAST_TRADES_A_PARAMETER = 10
# From a coin's toss on, choosing the best in sample chooses nothing.
OVERFITTED = 0.5
SUSPECT = 0.2
DRAWDOWN_LIMIT = 0.10


# -- the strategy -----------------------------------------------------------------------------


def looks_ahead(run: Judged) -> Iterator[Finding]:
    for one in run.look_ahead:
        if one.difference is None:
            continue
        future = one.difference.cause is Cause.FUTURE
        todo = "decide on bars up to the minute alone" if future else "keep nothing between minutes"
        code = "look_ahead" if future else "memory"
        yield Finding(code, "error", f"{one.difference.sentence}: {todo}.")


def trades_before_warm(run: Judged) -> Iterator[Finding]:
    early = np.flatnonzero(run.outcome.trades.entry_bar < run.warm_up)
    if len(early):
        first = int(early[0])
        yield Finding(
            "warm_up_traded",
            "error",
            f"{len(early)} of {len(run.outcome.trades)} trades were entered before {run.warm_up} "
            f"bars were known, the first in {run.where(first)} after "
            f"{int(run.outcome.trades.entry_bar[first])}: give more history before the first "
            "session that is traded.",
        )


def trades_tuned_sessions(run: Judged) -> Iterator[Finding]:
    until, trades = run.tuned_until, run.outcome.trades
    if until is None:
        return
    following = next((n for n, day in enumerate(run.outcome.session_dates) if day > until), None)
    first = None if following is None else int(np.searchsorted(run.outcome.session, following))
    inside = (
        len(trades)
        if first is None
        else int(np.count_nonzero(trades.entry_time < run.outcome.time[first]))
    )
    if inside:
        yield Finding(
            "tuned_sessions_traded",
            "error",
            f"{inside} of {len(trades)} trades were entered in sessions up to {until}, on which "
            "the parameters were chosen: judge the later sessions alone, or walk forward.",
        )


def too_few_trades(run: Judged) -> Iterator[Finding]:
    count, sessions = len(run.outcome.trades), len(run.outcome.session_dates)
    if not count:
        yield Finding(
            "no_trades",
            "error",
            f"nothing was traded in {sessions} sessions: give more sessions, other parameters or "
            "more cash.",
        )
    elif count < FEW_TRADES:
        yield Finding(
            "too_few_trades",
            "error" if count < HARDLY_ANY_TRADES else "warning",
            f"{count} trades{_error_of_the_mean(run.outcome.trades.pnl)}: below {FEW_TRADES} an "
            "average says little; test more sessions or symbols.",
        )


def _error_of_the_mean(pnl: NDArray[np.float64]) -> str:
    if len(pnl) < 2:
        return ""
    mean, error = float(pnl.mean()), float(pnl.std(ddof=1)) / math.sqrt(len(pnl))
    return f" of {usd(mean)} on average, give or take {usd(1.96 * error)}"


def too_many_parameters(run: Judged) -> Iterator[Finding]:
    count = len(run.outcome.trades)
    if run.parameters < 1 or not count or count >= TRADES_A_PARAMETER * run.parameters:
        return
    grave = count < LEAST_TRADES_A_PARAMETER * run.parameters
    yield Finding(
        "too_many_parameters",
        "error" if grave else "warning",
        f"{run.parameters} parameters for {count} trades are "
        f"{count / run.parameters:.1f} trades each, of {TRADES_A_PARAMETER} wished for: fix some "
        "of them, or test more sessions.",
    )


# -- where the profit comes from --------------------------------------------------------------


def one_of_many(run: Judged) -> Iterator[Finding]:
    """All of the profit in one trade, one day or one symbol."""
    outcome, trades, profit = run.outcome, run.outcome.trades, run.profit
    if profit <= 0 or not len(trades):
        return
    best = int(trades.pnl.argmax())
    changes = np.diff(session_ends(outcome), prepend=float(outcome.settings.cash))
    day = int(changes.argmax())
    symbols = np.bincount(trades.symbol, trades.pnl, len(outcome.symbols))
    symbol = int(symbols.argmax())
    parts = [
        ("one_trade", f"the best trade ({run.where(best)})", trades.pnl, best),
        ("one_day", f"the best day ({outcome.session_dates[day]})", changes, day),
        ("one_symbol", f"the best symbol ({outcome.symbols[symbol]})", symbols, symbol),
    ]
    for code, name, of, number in parts:
        part = float(of[number])
        if len(of) > 1 and part >= profit:
            yield Finding(
                code,
                "warning",
                f"{name} made {usd(part)} of {usd(profit)} in all, the rest "
                f"{usd(profit - part)}: one event is no edge; test more sessions or symbols.",
            )


def open_at_the_end(run: Judged) -> Iterator[Finding]:
    trades, profit = run.outcome.trades, run.profit
    still_open = trades.reason == ExitReason.END
    part = float(trades.pnl[still_open].sum())
    if profit > 0 and part >= profit:
        yield Finding(
            "open_at_the_end",
            "warning",
            f"positions still open at the end carry {usd(part)} of {usd(profit)}; what was "
            f"closed made {usd(profit - part)}: the result hangs on where the data ends.",
        )


def worse_than_holding(run: Judged) -> Iterator[Finding]:
    own, held = run.metrics, run.metrics.buy_and_hold
    if own.total_return >= held.total_return:
        return
    steadier = own.sharpe is not None and own.sharpe > (held.sharpe or 0.0)
    yield Finding(
        "worse_than_buy_and_hold",
        "note" if steadier else "warning",
        f"{percent(own.total_return)} (Sharpe {ratio(own.sharpe)}) where buying and holding made "
        f"{percent(held.total_return)} (Sharpe {ratio(held.sharpe)}): "
        + ("it pays only for its smaller risk." if steadier else "holding was better."),
    )


def drawdown(run: Judged) -> Iterator[Finding]:
    if run.metrics.max_drawdown > run.drawdown_limit:
        yield Finding(
            "drawdown_beyond_limit",
            "error",
            f"the largest fall is {percent(run.metrics.max_drawdown)}, the limit "
            f"{percent(run.drawdown_limit)}: risk less a trade.",
        )


# -- luck -------------------------------------------------------------------------------------


def short_track_record(run: Judged) -> Iterator[Finding]:
    ends = session_ends(run.outcome)
    before = np.concatenate(([float(run.outcome.settings.cash)], ends[:-1]))
    record = track_record(ends / before - 1) if (before > 0).all() else None
    if record is None or record.sharpe <= 0:
        return
    probability = probabilistic_sharpe(record)
    needed = minimum_track_record(record)
    if probability < CONFIDENCE and needed is not None:
        yield Finding(
            "short_track_record",
            "warning",
            f"a Sharpe ratio of {record.annual_sharpe:.2f} over {record.sessions} sessions is "
            f"above 0 with a probability of {percent(probability)}: {percent(CONFIDENCE)} take "
            f"{math.ceil(needed):,} sessions like these.",
        )


def many_trials(run: Judged) -> Iterator[Finding]:
    if run.trials > 1 and run.deflation is None:
        yield Finding(
            "trials_not_deflated",
            "warning",
            f"the best of {run.trials:,} trials is shown without the luck of choosing it: deflate "
            "its Sharpe ratio with all trials.",
        )
    one = run.deflation
    if one is not None and one.deflated < CONFIDENCE:
        yield Finding(
            "luck_of_many_trials",
            "error",
            f"the best of {one.trials:,} trials without any edge would show a Sharpe ratio of "
            f"{one.annual_luck:.2f} and this shows {one.record.annual_sharpe:.2f}: it is better "
            f"than luck with a probability of {percent(one.deflated)}, of {percent(CONFIDENCE)} "
            "asked for.",
        )
    choice = run.overfitting
    if choice is not None and choice.probability > SUSPECT:
        yield Finding(
            "overfitted",
            "error" if choice.probability > OVERFITTED else "warning",
            f"the trial that is best in one half of the sessions is in the lower half of all "
            f"{choice.trials:,} in the other with a probability of "
            f"{percent(choice.probability)}: try fewer variants, or simpler ones.",
        )

"""How much a sweep's best variant is to be believed: all that there is enough data for."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from tradewind.backtest.arrays import BarArrays
from tradewind.backtest.metrics import summarise
from tradewind.backtest.overfitting import (
    BLOCKS,
    BacktestOverfitting,
    deflate,
    overfitting_probability,
)
from tradewind.backtest.settings import BacktestSettings
from tradewind.backtest.sweep import SweepOutcome, sweep
from tradewind.backtest.walk_forward import WalkForward, walk_forward
from tradewind.errors import InvalidInputError

from tradewind_local.backtest_commands.ranking import Ranked
from tradewind_local.backtest_commands.verdict import Verdict
from tradewind_local.bars.progress import progress

# Of the sessions: what a window of the walk forward chooses on, and how much of that it trades.
_CHOSEN_ON = 2
_TRADED = 4
_LEAST_SESSIONS = 12
# Fewer blocks make halves that say nothing.
_LEAST_BLOCKS = 6


def judge(
    console: Console,
    bars: BarArrays,
    fast: Sequence[int],
    slow: Sequence[int],
    settings: BacktestSettings,
    swept: SweepOutcome,
    best: Ranked,
    trials: int | None,
) -> Verdict:
    """``trials``: all that were ever tried on these bars; None: those of the sweep."""
    missing: list[str] = []
    overfitting = _overfitting(swept, missing)
    forward = _walk_forward(console, bars, fast, slow, settings, missing)
    return Verdict(
        best.fast,
        best.slow,
        trials or len(swept.parameters),
        deflate(swept.daily_returns.T, best.trial, trials=trials),
        overfitting,
        forward,
        None if forward is None else summarise(forward.outcome).sharpe,
        tuple(missing),
    )


def _overfitting(swept: SweepOutcome, missing: list[str]) -> BacktestOverfitting | None:
    trials, sessions = swept.daily_returns.shape
    blocks = min(BLOCKS, sessions // 4 * 2)
    if trials < 2 or blocks < _LEAST_BLOCKS:
        missing.append(
            f"No probability of overfitting: it takes 2 variants and {2 * _LEAST_BLOCKS} sessions."
        )
        return None
    return overfitting_probability(swept.daily_returns.T, blocks=blocks)


def _walk_forward(
    console: Console,
    bars: BarArrays,
    fast: Sequence[int],
    slow: Sequence[int],
    settings: BacktestSettings,
    missing: list[str],
) -> WalkForward | None:
    sessions = len(bars.session_dates)
    in_sample = sessions // _CHOSEN_ON
    out_of_sample = max(1, in_sample // _TRADED)
    if sessions < _LEAST_SESSIONS:
        missing.append(f"No walk forward: it takes {_LEAST_SESSIONS} sessions.")
        return None
    windows = -(-(sessions - in_sample) // out_of_sample)
    try:
        with progress(console, "Walk forward", windows, "windows") as step:
            done = 0

            def one_more(count: int) -> None:
                nonlocal done
                done += count
                step(done)

            return walk_forward(
                bars,
                fast,
                slow,
                settings,
                sweep,
                in_sample=in_sample,
                out_of_sample=out_of_sample,
                progress=one_more,
            )
    except InvalidInputError as error:
        missing.append(f"No walk forward: {error}.")
        return None

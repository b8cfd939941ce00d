"""What is wrong with a backtest, or with what is concluded from it.

Each finding has a code, a severity, and a sentence that gives the figures and says what to do.
``error``: the result says nothing about the strategy. ``warning``: it says less than it seems to.
``note``: good to know. Where a finding needs more than the outcome (bars, reruns at other costs,
the trials of a sweep) and was not given it, it is not looked for. ``docs/overfitting.md`` lists
the codes and thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from tradewind.backtest import fill_checks, result_checks
from tradewind.backtest.arrays import BarArrays
from tradewind.backtest.finding import AtCost, Finding, Judged, Severity
from tradewind.backtest.look_ahead import LookAhead
from tradewind.backtest.outcome import Outcome
from tradewind.backtest.overfitting import BacktestOverfitting, Deflation
from tradewind.errors import InvalidInputError
from tradewind.market.session_table import SessionTable

if TYPE_CHECKING:
    from tradewind.backtest.metrics import Metrics

_BY_WEIGHT: tuple[Severity, ...] = ("error", "warning", "note")
# A fraction: what a day may lose in live trading before entries stop.
DRAWDOWN_LIMIT = 0.10

_CHECKS: tuple[Callable[[Judged], Iterator[Finding]], ...] = (
    result_checks.looks_ahead,
    result_checks.trades_before_warm,
    result_checks.trades_tuned_sessions,
    result_checks.too_few_trades,
    result_checks.too_many_parameters,
    result_checks.many_trials,
    fill_checks.dies_at_twice_the_cost,
    fill_checks.no_costs,
    result_checks.drawdown,
    result_checks.one_of_many,
    result_checks.open_at_the_end,
    result_checks.worse_than_holding,
    result_checks.short_track_record,
    fill_checks.stale_fills,
    fill_checks.fills_beyond_the_volume,
    fill_checks.bars_of_several_minutes,
    fill_checks.first_minutes_missing,
    fill_checks.splits_in_the_bars,
    fill_checks.sessions_missing,
    fill_checks.prices_off_the_grid,
)


def findings(
    outcome: Outcome,
    metrics: Metrics,
    *,
    parameters: int,
    trials: int = 1,
    bars: Sequence[BarArrays] = (),
    cost_cases: Sequence[AtCost] = (),
    look_ahead: Sequence[LookAhead] = (),
    warm_up: int = 0,
    tuned_until: date | None = None,
    deflation: Deflation | None = None,
    overfitting: BacktestOverfitting | None = None,
    calendar: SessionTable | None = None,
    drawdown_limit: float = DRAWDOWN_LIMIT,
) -> tuple[Finding, ...]:
    """Everything that is wrong, the gravest first.

    ``parameters``: how many the strategy has. ``trials``: how many variants were tried on these
    bars, this one among them. ``bars``: what was traded, in the order of the outcome's symbols.
    ``cost_cases``: the same run at multiples of its costs. ``warm_up``: the strategy's bars_needed.
    ``tuned_until``: the last session on which parameters were chosen. ``calendar``: which sessions
    there were. ``drawdown_limit``: the largest fall (fraction) that is put up with.
    InvalidInputError for bars of other symbols than the outcome's.
    """
    if bars and tuple(own.symbol for own in bars) != outcome.symbols:
        raise InvalidInputError(
            f"bars of {', '.join(own.symbol for own in bars)} for an outcome of "
            f"{', '.join(outcome.symbols)}"
        )
    run = Judged(
        outcome,
        metrics,
        parameters,
        trials,
        bars,
        cost_cases,
        look_ahead,
        warm_up,
        tuned_until,
        deflation,
        overfitting,
        calendar,
        drawdown_limit,
    )
    found = [one for check in _CHECKS for one in check(run)]
    return tuple(sorted(found, key=lambda one: _BY_WEIGHT.index(one.severity)))

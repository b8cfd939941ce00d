"""Walk-forward analysis of the crossover: choose parameters in sample, trade them out of sample.

The sessions are walked through in windows. In each, every pair of lengths is tried on the in-sample
sessions, the one with the highest Sharpe ratio is traded on the sessions that follow, and the
window moves on by these. What all windows made out of sample, joined, is what the *way of choosing*
would have made (Pardo, "The Evaluation and Optimization of Trading Strategies", 2nd ed. 2008,
chapter 11).

Nothing leaks: a window's choice is made on bars that end with its in-sample sessions. The sessions
before a window that the longest average needs are history: seen, never counted, and never traded
out of sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.arrays import BarArrays
from tradewind.backtest.engine import backtest
from tradewind.backtest.outcome import Outcome, Trades
from tradewind.backtest.overfitting import sharpes, track_record
from tradewind.backtest.settings import BacktestSettings
from tradewind.errors import InvalidInputError
from tradewind.strategies.sma_crossover import SmaCrossover

Floats = NDArray[np.float64]


class Start(StrEnum):
    """Where the in-sample sessions of a window begin: always with the first one, or so many before
    the window's end."""

    ANCHORED = "anchored"
    ROLLING = "rolling"


class Tried(Protocol):
    """All pairs of a sweep: ``parameters`` [trials, 2], fast and slow; ``daily_returns`` [trials,
    sessions]."""

    @property
    def parameters(self) -> NDArray[np.int64]: ...

    @property
    def daily_returns(self) -> Floats: ...


class Sweep(Protocol):
    """Tries every pair with fast < slow on all sessions of the bars."""

    def __call__(
        self,
        bars: BarArrays,
        fast: Sequence[int],
        slow: Sequence[int],
        settings: BacktestSettings,
        /,
    ) -> Tried: ...


@dataclass(frozen=True, slots=True)
class Window:
    """Sessions by number: in sample first <= n < end, out of sample end <= n < last_end."""

    first: int
    end: int
    last_end: int


@dataclass(frozen=True, slots=True)
class Step:
    """What a window chose and made. Dates are those of its first and last sessions; Sharpe ratios
    are annualised, None where the returns do not vary; ``trades`` are those out of sample."""

    in_sample: tuple[date, date]
    out_of_sample: tuple[date, date]
    fast: int
    slow: int
    in_sample_sharpe: float | None
    in_sample_return: float
    out_of_sample_sharpe: float | None
    out_of_sample_return: float
    trades: int


@dataclass(frozen=True, slots=True)
class WalkForward:
    """``outcome``: the out-of-sample sessions of all windows, joined; each window begins with the
    equity that the one before left. Its trades' bars are numbers in the bars that were given.

    ``trials``: pairs tried in each window. ``efficiency``: mean daily return out of sample over
    that in sample, None where nothing was made in sample. ``stability``: the part of the windows
    that chose the pair chosen most often. ``moves``: the mean change of a length from window to
    window, as a fraction; None with one window.
    """

    start: Start
    trials: int
    steps: tuple[Step, ...]
    outcome: Outcome
    efficiency: float | None
    stability: float
    moves: float | None


def walk_forward(
    bars: BarArrays,
    fast: Sequence[int],
    slow: Sequence[int],
    settings: BacktestSettings,
    sweep: Sweep,
    *,
    in_sample: int,
    out_of_sample: int,
    start: Start = Start.ROLLING,
    progress: Callable[[int], None] | None = None,
) -> WalkForward:
    """Walk through the sessions of one symbol.

    ``in_sample``, ``out_of_sample``: lengths in sessions (an anchored window grows from the first);
    the last window takes what is left. ``sweep`` tries the pairs. ``progress`` is called with 1
    after each window. Protections and drawdowns begin anew with each window, and a position that
    is open at its end is closed at the last close. InvalidInputError where the sessions are not
    enough for one window.
    """
    if not any(one < other for one in fast for other in slow):
        raise InvalidInputError("no pair with fast < slow: there is nothing to choose from")
    # What the crossover of the longest average looks at.
    needed = max(slow) + 1
    # What sizing looks at where it can, as live trading does.
    days = settings.limits.daily_atr_sessions + 1
    history = _history(bars, needed)
    steps: list[Step] = []
    runs: list[tuple[Outcome, int]] = []
    returns_in: list[Floats] = []
    cash = settings.cash
    trials = 0
    for window in windows(len(bars.session_dates), history, in_sample, out_of_sample, start):
        if cash <= 0:
            break
        seen, _ = _sessions(bars, window.first, window.end, needed, days)
        tried = sweep(seen, fast, slow, settings)
        counted = tried.daily_returns[:, -(window.end - window.first) :].T
        best = int(sharpes(counted).argmax())
        trials = len(tried.parameters)
        chosen = SmaCrossover(*(int(length) for length in tried.parameters[best]))

        following, offset = _sessions(bars, window.end, window.last_end, needed, days)
        begins = bars.session_dates[window.end]
        run = _from(
            backtest([following], chosen, replace(settings, cash=cash), trade_from=begins), begins
        )
        runs.append((run, offset))
        returns_in.append(counted[:, best])
        steps.append(_step(bars, window, chosen, counted[:, best], run))
        # The shortest decimal that is this float: live_parity's millionths come back as they were.
        cash = Decimal(str(float(run.equity[-1])))
        if progress is not None:
            progress(1)
    made_in = float(np.concatenate(returns_in).mean())
    made_out = float(np.concatenate([_daily_returns(run) for run, _ in runs]).mean())
    often = Counter((step.fast, step.slow) for step in steps).most_common(1)[0][1]
    return WalkForward(
        start,
        trials,
        tuple(steps),
        _joined(bars, settings, runs),
        made_out / made_in if made_in > 0 else None,
        often / len(steps),
        _moves(steps),
    )


def windows(
    sessions: int, history: int, in_sample: int, out_of_sample: int, start: Start
) -> list[Window]:
    """Of so many sessions, of which the first ``history`` only warm the averages. The out-of-sample
    parts follow each other without gap or overlap."""
    for name, length in (("in_sample", in_sample), ("out_of_sample", out_of_sample)):
        if length < 1:
            raise InvalidInputError(f"{name} is {length}: give 1 session or more")
    if in_sample < 2:
        raise InvalidInputError("in_sample is 1: a Sharpe ratio needs 2 sessions or more")
    first_end = history + in_sample
    if first_end >= sessions:
        raise InvalidInputError(
            f"{sessions} sessions are too few: {history} warm the averages and {in_sample} are in "
            "sample, which leaves none to trade; give more sessions or a shorter in_sample"
        )
    return [
        Window(
            history if start is Start.ANCHORED else end - in_sample,
            end,
            min(end + out_of_sample, sessions),
        )
        for end in range(first_end, sessions, out_of_sample)
    ]


def _history(bars: BarArrays, needed: int) -> int:
    """How many sessions from the first on have to be seen before one can be traded."""
    begins = np.flatnonzero(np.diff(bars.session, prepend=-1))
    return int(np.searchsorted(begins, needed))


def _sessions(
    bars: BarArrays, first: int, end: int, before: int, days: int
) -> tuple[BarArrays, int]:
    """The sessions first <= n < end, after as many whole ones as hold ``before`` bars, or ``days``
    where that is more and there are so many; and the number of its first bar."""
    begins = np.append(np.flatnonzero(np.diff(bars.session, prepend=-1)), len(bars))
    enough = int(np.searchsorted(begins, begins[first] - before, side="right")) - 1
    known = min(enough, max(first - days, 0))
    return bars.part(int(begins[known]), int(begins[end])), int(begins[known])


def _from(outcome: Outcome, begins: date) -> Outcome:
    """Without the history, in which nothing was traded."""
    number = outcome.session_dates.index(begins)
    kept = slice(int(np.searchsorted(outcome.session, number)), None)
    return replace(
        outcome,
        time=outcome.time[kept],
        session=outcome.session[kept] - np.int32(number),
        session_dates=outcome.session_dates[number:],
        equity=outcome.equity[kept],
        invested=outcome.invested[kept],
        buy_and_hold=outcome.buy_and_hold[kept],
    )


def _step(
    bars: BarArrays, window: Window, chosen: SmaCrossover, made: Floats, run: Outcome
) -> Step:
    dates, out = bars.session_dates, _daily_returns(run)
    return Step(
        in_sample=(dates[window.first], dates[window.end - 1]),
        out_of_sample=(dates[window.end], dates[window.last_end - 1]),
        fast=chosen.fast,
        slow=chosen.slow,
        in_sample_sharpe=_annual_sharpe(made),
        in_sample_return=float(np.prod(1 + made)) - 1,
        out_of_sample_sharpe=_annual_sharpe(out),
        out_of_sample_return=float(np.prod(1 + out)) - 1,
        trades=len(run.trades),
    )


def _daily_returns(run: Outcome) -> Floats:
    """[sessions], the first against the starting cash."""
    last = np.flatnonzero(np.diff(run.session, append=run.session[-1] + 1))
    ends = np.concatenate(([float(run.settings.cash)], run.equity[last]))
    return ends[1:] / ends[:-1] - 1


def _annual_sharpe(returns: Floats) -> float | None:
    record = track_record(returns)
    return None if record is None else record.annual_sharpe


def _joined(
    bars: BarArrays, settings: BacktestSettings, runs: Sequence[tuple[Outcome, int]]
) -> Outcome:
    """One after the other. Buying and holding begins with the first close out of sample."""
    outcomes = [run for run, _ in runs]
    time = np.concatenate([run.time for run in outcomes])
    counts = np.cumsum([0, *(len(run.session_dates) for run in outcomes[:-1])])
    first = int(np.searchsorted(bars.start, time[0]))
    closes = bars.close[first : first + len(time)]
    trades = [
        replace(run.trades, entry_bar=run.trades.entry_bar + offset,
                exit_bar=run.trades.exit_bar + offset)
        for run, offset in runs
    ]  # fmt: skip
    return Outcome(
        symbols=(bars.symbol,),
        settings=settings,
        strategy="walk_forward(sma_crossover)",
        parameters={},
        time=time,
        session=np.concatenate(
            [run.session + np.int32(count) for run, count in zip(outcomes, counts, strict=True)]
        ),
        session_dates=tuple(day for run in outcomes for day in run.session_dates),
        equity=np.concatenate([run.equity for run in outcomes]),
        invested=np.concatenate([run.invested for run in outcomes]),
        trades=Trades(
            **{
                one.name: np.concatenate([getattr(own, one.name) for own in trades])
                for one in fields(Trades)
            }
        ),
        buy_and_hold=float(settings.cash) * closes / closes[0],
        engine_ms=sum(run.engine_ms for run in outcomes),
    )


def _moves(steps: Sequence[Step]) -> float | None:
    changes = [
        abs(now - before) / before
        for one, other in pairwise(steps)
        for before, now in ((one.fast, other.fast), (one.slow, other.slow))
    ]
    return sum(changes) / len(changes) if changes else None

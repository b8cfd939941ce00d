"""Where a backtest's money came from: by hour, weekday and month, by trade, and at what cost.

Hours and weekdays are the exchange's own (New York). Equity's changes are seen minute by minute:
what a night's gap brought lies in the session's first minute. Needs numba, as ``metrics``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from math import isfinite, sqrt
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.metrics import (
    NO_DEVIATION,
    SESSIONS_A_YEAR,
    Floats,
    daily_returns,
    session_ends,
    summarise,
)
from tradewind.backtest.outcome import ExitReason, Outcome
from tradewind.backtest.settings import BacktestSettings
from tradewind.errors import InvalidInputError

NEW_YORK = ZoneInfo("America/New_York")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# Live trading costs more than a backtest says: a strategy that dies at twice the cost is dead.
COST_FACTORS = (Decimal(0), Decimal(1), Decimal(2), Decimal(3))


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """``period``: "09:00" for 9:00 to 9:59 New York, or a weekday's name.

    ``profit_loss``: USD that equity changed in these minutes, positions at their closes; all rows
    together are final equity - cash. ``trades`` that were entered in it, what they made in USD
    after fees (``trade_profit_loss``) and their ``win_rate`` (None without one).
    """

    period: str
    profit_loss: float
    trades: int
    trade_profit_loss: float
    win_rate: float | None


@dataclass(frozen=True, slots=True)
class YearReturns:
    """``months`` [12]: equity at the month's last session over the month before's, less 1 (the
    first over the starting cash); None where no session lies or no money was left. ``total``: the
    months compounded."""

    year: int
    months: tuple[float | None, ...]
    total: float | None


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A fall of equity below its highest value so far, at minute closes.

    ``depth``: fraction of the peak, 0 .. 1. ``begin``: the last minute at the peak (the first
    minute of all where the starting cash is the peak); ``trough``: the lowest minute;
    ``recovery``: the first minute at the peak again, None while it lasts. Starts of bars, UTC.
    ``minutes`` and ``sessions`` below the peak, as in ``CurveMetrics``.
    """

    depth: float
    begin: datetime
    trough: datetime
    recovery: datetime | None
    minutes: int
    sessions: int


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """The trades that ended for one reason (``ExitReason.word``). USD after fees."""

    reason: str
    trades: int
    profit_loss: float
    win_rate: float


@dataclass(frozen=True, slots=True)
class HoldingTime:
    """Bars of the symbol from the fill in to the fill out; 0 for both in one bar."""

    shortest: int
    median: float
    mean: float
    longest: int


@dataclass(frozen=True, slots=True)
class GapLosses:
    """What markets that opened below a stop cost beyond it, apart from the rest.

    ``trades`` hit, ``loss`` in USD (>= 0), ``largest`` in USD, and ``profit_loss_without``: the
    profit of all trades as if each had been sold at its stop.
    """

    trades: int
    loss: float
    largest: float
    profit_loss_without: float


@dataclass(frozen=True, slots=True)
class Breakdown:
    """``hours`` with at least one minute, in order; all five trading ``weekdays`` and others with
    a session; ``holding`` is None without trades; ``reasons`` that occurred."""

    hours: tuple[PeriodRow, ...]
    weekdays: tuple[PeriodRow, ...]
    years: tuple[YearReturns, ...]
    drawdowns: tuple[Drawdown, ...]
    reasons: tuple[ReasonRow, ...]
    holding: HoldingTime | None
    gaps: GapLosses

    def as_json(self) -> dict[str, Any]:
        """Strict JSON: times as ISO 8601, None for what is undefined."""
        found = asdict(self)
        for one in found["drawdowns"]:
            for name in ("begin", "trough", "recovery"):
                one[name] = None if one[name] is None else one[name].isoformat()
        return found


@dataclass(frozen=True, slots=True)
class TradeDetails:
    """Columns [k] in the order of the trades. ``holding`` in bars as in ``HoldingTime``;
    ``returns``: profit after fees over the entry's value; ``mae`` (<= 0) and ``mfe`` (>= 0) as
    fractions of the entry price; ``gap_loss`` in USD."""

    holding: NDArray[np.int64]
    returns: Floats
    mae: Floats
    mfe: Floats
    gap_loss: Floats


@dataclass(frozen=True, slots=True)
class CostCase:
    """A run with commission, slippage and fees times ``factor``."""

    factor: float
    profit_loss: float
    total_return: float
    annual_return: float | None
    sharpe: float | None
    profit_factor: float | None
    expectancy_return: float | None
    trades: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def breakdown(outcome: Outcome, worst: int = 5) -> Breakdown:
    """All of it, with the ``worst`` drawdowns. Errors as ``summarise``."""
    summarise(outcome)
    return Breakdown(
        hours=by_hour(outcome),
        weekdays=by_weekday(outcome),
        years=monthly_returns(outcome),
        drawdowns=worst_drawdowns(outcome, worst),
        reasons=by_reason(outcome),
        holding=holding_time(outcome),
        gaps=gap_losses(outcome),
    )


def by_hour(outcome: Outcome) -> tuple[PeriodRow, ...]:
    last = session_ends(outcome)
    # Clocks change on Sundays at two: a session has one distance from UTC.
    offsets = np.array([_offset(int(outcome.time[at])) for at in last], np.int64)
    hour = (outcome.time + offsets[outcome.session]) // 3600 % 24
    entry = outcome.trades.entry_time
    entered = (entry + offsets[_session_of(outcome, last, entry)]) // 3600 % 24
    rows = _rows(outcome, hour, entered, 24)
    there = np.bincount(hour, minlength=24) > 0
    return tuple(
        PeriodRow(f"{number:02d}:00", *row) for number, row in enumerate(rows) if there[number]
    )


def by_weekday(outcome: Outcome) -> tuple[PeriodRow, ...]:
    last = session_ends(outcome)
    weekdays = np.array([one.weekday() for one in outcome.session_dates], np.int64)
    entered = weekdays[_session_of(outcome, last, outcome.trades.entry_time)]
    rows = _rows(outcome, weekdays[outcome.session], entered, 7)
    there = {*range(5), *weekdays.tolist()}
    return tuple(PeriodRow(WEEKDAYS[day], *row) for day, row in enumerate(rows) if day in there)


def monthly_returns(outcome: Outcome) -> tuple[YearReturns, ...]:
    """All years from the first session's to the last's."""
    ends = outcome.equity[session_ends(outcome)]
    of_month = {
        (day.year, day.month): float(end)
        for day, end in zip(outcome.session_dates, ends, strict=True)
    }
    before = float(outcome.settings.cash)
    found: dict[int, list[float | None]] = {}
    totals: dict[int, float | None] = {}
    began = before
    for (year, month), end in of_month.items():
        if year not in found:
            found[year], began = [None] * 12, before
        found[year][month - 1] = _change(before, end)
        totals[year] = _change(began, end)
        before = end
    return tuple(YearReturns(year, tuple(months), totals[year]) for year, months in found.items())


def rolling_sharpe(
    outcome: Outcome, sessions: int = 21
) -> tuple[tuple[date, ...], tuple[float | None, ...]]:
    """The Sharpe ratio (as in ``CurveMetrics``) of each ``sessions`` sessions in a row, by the
    date of the last of them. Empty where there are fewer; None where the returns do not vary or
    are undefined.

    Raises InvalidInputError for fewer than two sessions.
    """
    if sessions < 2:
        raise InvalidInputError(f"a rolling Sharpe ratio over {sessions} sessions: give 2 or more")
    returns = daily_returns(outcome)
    if len(returns) < sessions:
        return (), ()
    windows = np.lib.stride_tricks.sliding_window_view(returns, sessions)
    deviation = windows.std(axis=1, ddof=1)
    values = tuple(
        float(mean / spread * sqrt(SESSIONS_A_YEAR)) if NO_DEVIATION < spread < np.inf else None
        for mean, spread in zip(windows.mean(axis=1), deviation, strict=True)
    )
    return outcome.session_dates[sessions - 1 :], values


def drawdown_series(outcome: Outcome) -> Floats:
    """How far equity is below its highest value so far, as a fraction of it [minutes], 0 .. 1."""
    peak = np.maximum(np.maximum.accumulate(outcome.equity), float(outcome.settings.cash))
    found: Floats = np.minimum((peak - outcome.equity) / peak, 1.0)
    return found


def worst_drawdowns(outcome: Outcome, count: int = 5) -> tuple[Drawdown, ...]:
    """The ``count`` deepest, deepest first; of equally deep ones the earlier."""
    session_ends(outcome)
    depth = drawdown_series(outcome)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], depth > 0, [False])).astype(np.int8)))
    falls, recoveries = edges[::2], edges[1::2]
    if not len(falls):
        return ()
    depths = np.maximum.reduceat(depth, falls)
    found = []
    for row in np.argsort(-depths, kind="stable")[:count]:
        first, again = int(falls[row]), int(recoveries[row])
        trough = first + int(outcome.equity[first:again].argmin())
        found.append(
            Drawdown(
                depth=float(depths[row]),
                begin=_moment(outcome, max(first - 1, 0)),
                trough=_moment(outcome, trough),
                recovery=_moment(outcome, again) if again < len(depth) else None,
                minutes=again - first,
                sessions=int(outcome.session[again - 1] - outcome.session[first]) + 1,
            )
        )
    return tuple(found)


def by_reason(outcome: Outcome) -> tuple[ReasonRow, ...]:
    trades = outcome.trades
    found = []
    for reason in ExitReason:
        gained = trades.pnl[trades.reason == reason]
        if len(gained):
            rate = float(np.count_nonzero(gained > 0) / len(gained))
            found.append(ReasonRow(reason.word, len(gained), float(gained.sum()), rate))
    return tuple(found)


def holding_time(outcome: Outcome) -> HoldingTime | None:
    held = outcome.trades.exit_bar - outcome.trades.entry_bar
    if not len(held):
        return None
    return HoldingTime(int(held.min()), float(np.median(held)), float(held.mean()), int(held.max()))


def gap_losses(outcome: Outcome) -> GapLosses:
    lost = outcome.trades.gap_loss
    total = float(lost.sum())
    return GapLosses(
        trades=int(np.count_nonzero(lost)),
        loss=total,
        largest=float(lost.max(initial=0.0)),
        profit_loss_without=float(outcome.trades.pnl.sum()) + total,
    )


def trade_details(outcome: Outcome) -> TradeDetails:
    trades = outcome.trades
    return TradeDetails(
        holding=trades.exit_bar - trades.entry_bar,
        returns=trades.pnl / (trades.entry_price * trades.quantity),
        mae=trades.mae,
        mfe=trades.mfe,
        gap_loss=trades.gap_loss,
    )


def cost_sensitivity(
    run: Callable[[BacktestSettings], Outcome], settings: BacktestSettings
) -> tuple[CostCase, ...]:
    """The run at 0, 1, 2 and 3 times the settings' cost."""
    found = []
    for factor in COST_FACTORS:
        figures = summarise(run(settings.at_cost(factor)))
        found.append(
            CostCase(
                factor=float(factor),
                profit_loss=figures.final_equity - float(settings.cash),
                total_return=figures.total_return,
                annual_return=figures.annual_return,
                sharpe=figures.sharpe,
                profit_factor=figures.profit_factor,
                expectancy_return=figures.expectancy_return,
                trades=figures.trades,
            )
        )
    return tuple(found)


def break_even_cost(cases: tuple[CostCase, ...]) -> float | None:
    """The factor of cost at which the profit is gone, linearly between two cases.

    0 where there is none even without cost; None where it is still there at the last case.
    """
    if cases and cases[0].profit_loss <= 0:
        return 0.0
    for cheaper, dearer in pairwise(cases):
        if dearer.profit_loss <= 0:
            part = cheaper.profit_loss / (cheaper.profit_loss - dearer.profit_loss)
            return cheaper.factor + part * (dearer.factor - cheaper.factor)
    return None


def _rows(
    outcome: Outcome, minute: NDArray[np.int64], entered: NDArray[np.int64], periods: int
) -> list[tuple[float, int, float, float | None]]:
    """A row's figures for each period, from the period of each minute and of each entry."""
    change = np.diff(outcome.equity, prepend=float(outcome.settings.cash))
    gained = outcome.trades.pnl
    profit = np.bincount(minute, weights=change, minlength=periods)
    trades = np.bincount(entered, minlength=periods)
    of_trades = np.bincount(entered, weights=gained, minlength=periods)
    wins = np.bincount(entered[gained > 0], minlength=periods)
    return [
        (
            float(profit[at]),
            int(trades[at]),
            float(of_trades[at]),
            float(wins[at] / trades[at]) if trades[at] else None,
        )
        for at in range(periods)
    ]


def _change(before: float, end: float) -> float | None:
    """As a fraction; None where there was nothing, or too little for a float."""
    found = end / before - 1 if before > 0 else np.inf
    return found if isfinite(found) else None


def _session_of(
    outcome: Outcome, last: NDArray[np.int64], moment: NDArray[np.int64]
) -> NDArray[np.int64]:
    found: NDArray[np.int64] = np.searchsorted(outcome.time[last], moment)
    return np.minimum(found, len(last) - 1)


def _offset(seconds: int) -> int:
    """New York's distance from UTC in seconds, negative."""
    away = datetime.fromtimestamp(seconds, NEW_YORK).utcoffset()
    return int(away.total_seconds()) if away is not None else 0


def _moment(outcome: Outcome, at: int) -> datetime:
    return datetime.fromtimestamp(int(outcome.time[at]), UTC)

"""The figures of a backtest, beside those of buying and holding and of holding cash.

Definitions, said once (docs/metrics.md is the table):

- *Daily return*: equity at a session's end over equity at the previous session's end, less 1; the
  first over the starting cash. Night gaps are in it, extended hours only where the bars are.
- A year has 252 sessions; the risk-free rate is 0.
- *Drawdowns* are seen minute by minute, at the closes, from the starting cash on: deeper than
  drawdowns of daily values.
- A figure is None where its definition divides by nothing: never NaN, infinity or a made-up 0.
- A standard or downside deviation of at most 1e-12 counts as none at all: of 10 billion USD that
  is a cent, less than the sums of floats are exact to.

Needs numba (``metrics_kernel``): not for the zip functions.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from math import isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest import metrics_kernel as kernel
from tradewind.backtest.outcome import Outcome
from tradewind.errors import InvalidInputError

Floats = NDArray[np.float64]

SESSIONS_A_YEAR = 252
NO_DEVIATION = 1e-12


@dataclass(frozen=True, slots=True)
class CurveMetrics:
    """What an equity curve alone tells. Fractions unless the name says otherwise.

    ``final_equity``: USD at the last close, open positions at that close.

    ``total_return``: final equity / starting cash - 1.

    ``annual_return``: (final equity / starting cash) ^ (252 / sessions) - 1, empyrical's
    annual_return. None below 0 USD or beyond the range of a float. A few sessions make it absurd.

    ``volatility``: standard deviation of the daily returns (ddof 1) x sqrt(252), quantstats' and
    empyrical's. None with fewer than two sessions, or where one began without money.

    ``max_drawdown``: the deepest fall, (peak - trough) / peak, at minute closes from the starting
    cash on, >= 0; 1 where equity fell to 0 or below. LEAN's, quantstats' on daily values.

    ``max_drawdown_minutes``, ``_sessions``, ``_days``: how long that fall lasted: points of the
    curve below the peak until it was reached again (or to the end), sessions with such a point,
    calendar days from the first such session to the last, both counted (as quantstats counts
    days). 0 without a drawdown. ``max_drawdown_recovered``: whether the peak was reached again;
    None without a drawdown.

    ``sharpe``: mean daily return / its standard deviation (ddof 1) x sqrt(252), quantstats 0.0.86.
    None where volatility is None or there is none.

    ``sortino``: mean daily return / sqrt(sum of squares of the negative ones / number of all) x
    sqrt(252), quantstats 0.0.86 (after Rollinger & Hoffman, Red Rock Capital, 2013). None where no
    session lost.

    ``calmar``: annual return / max drawdown, empyrical's (the drawdown here is of minutes). None
    without a drawdown.
    """

    final_equity: float
    total_return: float
    annual_return: float | None
    volatility: float | None
    max_drawdown: float
    max_drawdown_minutes: int
    max_drawdown_sessions: int
    max_drawdown_days: int
    max_drawdown_recovered: bool | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None

    def as_json(self) -> dict[str, Any]:
        """By name; what is undefined is None. Strict JSON: no NaN, no infinity."""
        found: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            found[one.name] = value.as_json() if isinstance(value, CurveMetrics) else value
        return found


@dataclass(frozen=True, slots=True)
class Metrics(CurveMetrics):
    """A backtest's figures. Of the curve: see ``CurveMetrics``; of exposure and trades:

    ``bars``, ``sessions``: points of the equity curve and sessions they lie in.

    ``exposure``: part of the minutes that ended with a position (backtesting.py's Exposure Time).

    ``mean_invested``: money in positions over equity, both summed over the minutes (AmiBroker's
    Exposure, weighted by equity). None where the summed equity is not above 0.

    ``exposure_adjusted_return``: annual return / exposure (AmiBroker's risk-adjusted return,
    quantstats' rar). None without exposure.

    ``turnover``: USD bought and sold in a session over equity at its end, mean of all sessions, a
    day (LEAN's Portfolio Turnover). A position still open was bought and not sold. None where a
    session ended without money.

    ``fees``: USD in all. ``trades``: round trips, those still open at the end included at their
    mark. ``open_trades``: how many of them that is. Figures of trades are None without trades:

    ``win_rate``: trades with a profit after fees / trades.

    ``profit_factor``: sum of profits / sum of losses, USD after fees. None without a loss.

    ``expectancy``: mean profit of a trade, USD after fees. ``expectancy_return``: mean profit over
    the entry's value (backtesting.py's Expectancy); times 10,000 the edge in basis points.

    ``mean_mae``, ``worst_mae`` (<= 0), ``mean_mfe``, ``best_mfe`` (>= 0): maximum adverse and
    favourable excursion of a trade: worst and best price while held against the entry's (Sweeney,
    1996).

    ``gap_loss``: USD lost beyond the stops because the market opened below them.

    ``buy_and_hold``: the same cash spread evenly over the symbols at the first close, no cost.
    ``cash``: the same cash kept.
    """

    bars: int
    sessions: int
    exposure: float
    mean_invested: float | None
    exposure_adjusted_return: float | None
    turnover: float | None
    fees: float
    trades: int
    open_trades: int
    win_rate: float | None
    profit_factor: float | None
    expectancy: float | None
    expectancy_return: float | None
    mean_mae: float | None
    worst_mae: float | None
    mean_mfe: float | None
    best_mfe: float | None
    gap_loss: float
    buy_and_hold: CurveMetrics
    cash: CurveMetrics


def summarise(outcome: Outcome) -> Metrics:
    """The figures of a run. A pass over each curve and one over the trades.

    Raises InvalidInputError naming what is wrong: no bars, columns of different lengths, sessions
    not numbered 0, 1, 2 .., cash not above 0, equity or a trade's figure NaN or infinite.
    """
    cash = _starting_cash(outcome)
    last = session_ends(outcome)
    equity, trades = outcome.equity, outcome.trades
    bars, sessions = len(equity), len(last)
    total, at_work, held, minutes_in = kernel.curve_sums(
        equity, outcome.invested, outcome.buy_and_hold
    )
    if not (isfinite(total) and isfinite(at_work) and isfinite(held)):
        _tell_broken_curve(outcome)
    ends = equity[last]
    own = _curve(outcome, equity, ends, cash)
    hold = _curve(outcome, outcome.buy_and_hold, outcome.buy_and_hold[last], cash)
    wins, profit, loss, returns, still_open, turned = kernel.trade_figures(
        trades.pnl, trades.entry_price, trades.exit_price, trades.quantity, trades.entry_time,
        trades.exit_time, trades.reason, outcome.time[last], ends,
    )  # fmt: skip
    fees, gap_loss = float(trades.fees.sum()), float(trades.gap_loss.sum())
    adverse, favourable = float(trades.mae.sum()), float(trades.mfe.sum())
    count = len(trades)
    if not isfinite(profit + loss + returns + turned + fees + gap_loss + adverse + favourable):
        _tell_broken_trade(outcome)
    exposure = minutes_in / bars
    return Metrics(
        own.final_equity, own.total_return, own.annual_return, own.volatility,
        own.max_drawdown, own.max_drawdown_minutes, own.max_drawdown_sessions,
        own.max_drawdown_days, own.max_drawdown_recovered, own.sharpe, own.sortino, own.calmar,
        bars=bars,
        sessions=sessions,
        exposure=exposure,
        mean_invested=_ratio(at_work, total),
        exposure_adjusted_return=_ratio(own.annual_return, exposure),
        turnover=turned / sessions if ends.min() > 0 else None,
        fees=fees,
        trades=count,
        open_trades=still_open,
        win_rate=_ratio(wins, count),
        profit_factor=_ratio(profit, loss),
        expectancy=_ratio(profit - loss, count),
        expectancy_return=_ratio(returns, count),
        mean_mae=_ratio(adverse, count),
        worst_mae=float(trades.mae.min()) if count else None,
        mean_mfe=_ratio(favourable, count),
        best_mfe=float(trades.mfe.max()) if count else None,
        gap_loss=gap_loss,
        buy_and_hold=hold,
        cash=_kept(cash, sessions),
    )  # fmt: skip


def session_ends(outcome: Outcome) -> NDArray[np.int64]:
    """The index of each session's last minute [sessions].

    Raises InvalidInputError where there is no minute, a session has none, or columns differ in
    length.
    """
    bars, dates = len(outcome.equity), outcome.session_dates
    for name in ("time", "session", "invested", "buy_and_hold"):
        if len(getattr(outcome, name)) != bars:
            raise InvalidInputError(
                f"the outcome's {name} has {len(getattr(outcome, name))} minutes, its equity {bars}"
            )
    if not bars:
        raise InvalidInputError("the outcome has no minute: a run needs at least one bar")
    numbers = np.arange(len(dates), dtype=outcome.session.dtype)
    last: NDArray[np.int64] = outcome.session.searchsorted(numbers, side="right") - 1
    if not len(last) or last[-1] != bars - 1 or (outcome.session[last] != numbers).any():
        raise InvalidInputError(
            f"the outcome's minutes have to lie in its sessions 0 to {len(dates) - 1}, each with at"
            " least one, in order"
        )
    return last


def daily_returns(outcome: Outcome) -> Floats:
    """Each session's return [sessions], as in ``CurveMetrics``; NaN after a session that ended
    without money."""
    ends = np.concatenate(([_starting_cash(outcome)], outcome.equity[session_ends(outcome)]))
    before = np.where(ends[:-1] > 0, ends[:-1], np.nan)
    found: Floats = ends[1:] / before - 1
    return found


def _curve(outcome: Outcome, values: Floats, ends: Floats, cash: float) -> CurveMetrics:
    """Of finite values, at least one."""
    final = float(values[-1])
    sessions = len(ends)
    depth, peak, recovery = kernel.deepest_drawdown(values, cash)
    mean, deviation, downside = kernel.daily_moments(ends, cash)
    annual = annualised(final / cash, sessions)
    year = sqrt(SESSIONS_A_YEAR)
    lasted, span, days = 0, 0, 0
    if depth > 0:
        lasted = recovery - peak - 1
        first, until = int(outcome.session[peak + 1]), int(outcome.session[recovery - 1])
        span = until - first + 1
        days = (outcome.session_dates[until] - outcome.session_dates[first]).days + 1
    return CurveMetrics(
        final_equity=final,
        total_return=final / cash - 1,
        annual_return=annual,
        volatility=deviation * year if isfinite(deviation) else None,
        max_drawdown=depth,
        max_drawdown_minutes=lasted,
        max_drawdown_sessions=span,
        max_drawdown_days=days,
        max_drawdown_recovered=recovery < len(values) if depth > 0 else None,
        sharpe=_ratio(mean * year, deviation, NO_DEVIATION),
        sortino=_ratio(mean * year, downside, NO_DEVIATION),
        calmar=_ratio(annual, depth),
    )


def _kept(cash: float, sessions: int) -> CurveMetrics:
    """Cash that is kept earns nothing and risks nothing."""
    volatility = 0.0 if sessions > 1 else None
    return CurveMetrics(cash, 0.0, 0.0, volatility, 0.0, 0, 0, 0, None, None, None, None)


def annualised(growth: float, sessions: int) -> float | None:
    """growth ^ (252 / sessions) - 1; None for a negative growth or beyond a float's range."""
    if growth < 0:
        return None
    try:
        return float(growth ** (SESSIONS_A_YEAR / sessions) - 1)
    except OverflowError:
        return None


def _ratio(of: float | None, to: float, least: float = 0.0) -> float | None:
    """None where there is nothing to divide, or nothing above ``least`` to divide by."""
    if of is None or not to > least:
        return None
    found = of / to
    return found if isfinite(found) else None


def _starting_cash(outcome: Outcome) -> float:
    cash = float(outcome.settings.cash)
    if not (isfinite(cash) and cash > 0):
        raise InvalidInputError(f"cash is {outcome.settings.cash}: give USD above 0")
    return cash


def _tell_broken_curve(outcome: Outcome) -> None:
    for name in ("equity", "invested", "buy_and_hold"):
        values = getattr(outcome, name)
        broken = np.flatnonzero(~np.isfinite(values))
        if len(broken):
            at = int(broken[0])
            when = datetime.fromtimestamp(int(outcome.time[at]), UTC)
            raise InvalidInputError(
                f"the outcome's {name} is {values[at]} in minute {at}"
                f" ({when:%Y-%m-%d %H:%M} UTC): it has to be a finite number of USD"
            )


def _tell_broken_trade(outcome: Outcome) -> None:
    trades = outcome.trades
    for name in ("pnl", "fees", "entry_price", "exit_price", "quantity", "mae", "mfe", "gap_loss"):
        values = getattr(trades, name)
        broken = np.flatnonzero(~np.isfinite(values))
        if len(broken):
            at = int(broken[0])
            raise InvalidInputError(
                f"{name} of trade {at} is {values[at]}: it has to be a finite number"
            )
    worthless = np.flatnonzero(trades.entry_price * trades.quantity == 0)
    if len(worthless):
        raise InvalidInputError(
            f"trade {int(worthless[0])} has no value: its entry price or quantity is 0"
        )

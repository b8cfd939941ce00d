"""Equity, drawdown and rolling Sharpe ratio of a backtest as figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from tradewind.backtest.breakdown import drawdown_series, rolling_sharpe
from tradewind.backtest.outcome import Outcome

from tradewind_local.backtest_report.clock import TradingClock
from tradewind_local.backtest_report.style import BAD, MARKET, STRATEGY, figure
from tradewind_local.backtest_report.thinning import kept_points

# Of each line; a screen has no more.
_MOST_POINTS = 3_000
ROLLING_SESSIONS = 21


def equity_figure(outcome: Outcome, clock: TradingClock) -> go.Figure:
    """Account and buy-and-hold in USD, minute by minute."""
    made = _two_lines(
        outcome, clock, outcome.equity, outcome.buy_and_hold, STRATEGY, "{:,.0f} USD", height=380
    )
    cash = float(outcome.settings.cash)
    made.add_hline(y=cash, line={"color": MARKET, "width": 1, "dash": "dot"})
    made.update_yaxes(title="USD", tickformat=",.0f")
    return made


def drawdown_figure(outcome: Outcome, clock: TradingClock) -> go.Figure:
    """Loss from the highest equity so far, in percent."""
    made = _two_lines(
        outcome,
        clock,
        -100 * drawdown_series(outcome),
        -100 * drawdown_series(_holding(outcome)),
        BAD,
        "{:.2f} %",
        height=240,
    )
    made.update_traces(selector={"name": "strategy"}, fill="tozeroy")
    made.update_yaxes(title="percent", ticksuffix=" %")
    return made


def rolling_sharpe_figure(outcome: Outcome) -> go.Figure | None:
    """Over ROLLING_SESSIONS sessions, annual; None where there are too few for a line."""
    dates, sharpe = rolling_sharpe(outcome, ROLLING_SESSIONS)
    if len(dates) < 2:
        return None
    _, held = rolling_sharpe(_holding(outcome), ROLLING_SESSIONS)
    made = figure(260, hovermode="x unified")
    for name, values, colour in (("buy and hold", held, MARKET), ("strategy", sharpe, STRATEGY)):
        made.add_trace(
            go.Scatter(
                x=[day.isoformat() for day in dates],
                y=[None if one is None else round(one, 4) for one in values],
                name=name, mode="lines", line={"color": colour, "width": 1.8},
                hovertemplate="%{y:.2f}",
            )
        )  # fmt: skip
    made.update_yaxes(title="Sharpe ratio", zeroline=True)
    return made


def _holding(outcome: Outcome) -> Outcome:
    """As if the account had bought and held."""
    return replace(outcome, equity=outcome.buy_and_hold)


def _two_lines(
    outcome: Outcome,
    clock: TradingClock,
    own: NDArray[np.float64],
    held: NDArray[np.float64],
    colour: str,
    form: str,
    *,
    height: int,
) -> go.Figure:
    """The strategy's line before buy-and-hold's; ``form`` of their values under the pointer."""
    points = np.union1d(kept_points(own, _MOST_POINTS), kept_points(held, _MOST_POINTS))
    x = clock.places(outcome.time[points])
    shown = [
        f"{when}<br>strategy {form.format(mine)}<br>buy and hold {form.format(market)}"
        for when, mine, market in zip(
            clock.texts(outcome.time[points]), own[points], held[points], strict=True
        )
    ]
    made = figure(height, hovermode="x")
    made.add_trace(
        go.Scatter(
            x=x, y=held[points].round(3), name="buy and hold", mode="lines",
            line={"color": MARKET, "width": 1.5}, hoverinfo="skip",
        )
    )  # fmt: skip
    # Without "x" in hoverinfo the place on the axis is not shown beside the text.
    made.add_trace(
        go.Scatter(
            x=x, y=own[points].round(3), name="strategy", mode="lines", text=shown,
            line={"color": colour, "width": 1.8}, hoverinfo="text",
        )
    )  # fmt: skip
    return made

"""Where a backtest's profit comes from, as figures: hours, weekdays, single trades, costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from tradewind.backtest.breakdown import CostCase, PeriodRow
from tradewind.backtest.outcome import ExitReason, Trades

from tradewind_local.backtest_report.style import (
    BAD,
    GOOD,
    MARKET,
    figure,
    signed_colours,
)

# More marks than that hide each other.
_MOST_MARKS = 3_000


def periods_figure(rows: Sequence[PeriodRow]) -> go.Figure:
    """Change of equity in USD by hours or weekdays, with the trades entered in them."""
    made = figure(280, hovermode="closest")
    usd = [round(row.profit_loss, 2) for row in rows]
    made.add_trace(
        go.Bar(
            x=[row.period for row in rows], y=usd, marker={"color": signed_colours(usd)},
            customdata=[[row.trades, round(row.trade_profit_loss, 2)] for row in rows],
            hovertemplate="%{x}: equity %{y:+,.2f} USD<br>%{customdata[0]} trades entered, "
            "%{customdata[1]:+,.2f} USD<extra></extra>",
        )
    )  # fmt: skip
    made.update_xaxes(type="category")
    made.update_yaxes(title="USD", tickformat=",.0f", zeroline=True)
    return made


def excursion_figure(trades: Trades, side: str) -> go.Figure:
    """Each trade's result over its worst (``mae``) or best (``mfe``) price while held, in percent
    of the entry price."""
    excursions = trades.mae if side == "mae" else trades.mfe
    results = trades.pnl / (trades.entry_price * trades.quantity)
    step = max(1, -(-len(trades) // _MOST_MARKS))
    made = figure(340, hovermode="closest")
    for name, chosen, colour in (
        ("won", trades.pnl > 0, GOOD),
        ("lost", trades.pnl <= 0, BAD),
    ):
        (places,) = np.nonzero(chosen)
        places = places[::step]
        made.add_trace(
            go.Scatter(
                x=(excursions[places] * 100).round(3), y=(results[places] * 100).round(3),
                name=name, mode="markers", marker={"color": colour, "size": 6, "opacity": 0.65},
                text=[ExitReason(int(trades.reason[one])).word for one in places],
                hovertemplate="%{x:.2f} % → %{y:+.2f} %, exit: %{text}<extra></extra>",
            )
        )  # fmt: skip
    extreme = "lowest" if side == "mae" else "highest"
    made.update_xaxes(title=f"{extreme} price while held, % from entry", ticksuffix=" %")
    made.update_yaxes(title="result", ticksuffix=" %", zeroline=True)
    return made


def cost_figure(cases: Sequence[CostCase], buy_and_hold: float) -> go.Figure:
    """Total return in percent at so many times the cost, beside buy-and-hold."""
    made = figure(300, hovermode="closest")
    percent = [round(case.total_return * 100, 3) for case in cases]
    made.add_trace(
        go.Bar(
            x=[f"{case.factor:g} x" for case in cases], y=percent,
            marker={"color": signed_colours(percent)}, text=[f"{one:+.2f} %" for one in percent],
            textposition="auto", hovertemplate="%{x} the cost: %{y:+.2f} %<extra></extra>",
        )
    )  # fmt: skip
    made.add_hline(
        y=round(buy_and_hold * 100, 3),
        line={"color": MARKET, "dash": "dash", "width": 1.5},
        annotation={"text": f"buy and hold {buy_and_hold * 100:+.2f} %"},
        annotation_position="top left",
    )
    made.update_xaxes(type="category")
    made.update_yaxes(title="total return", ticksuffix=" %", zeroline=True)
    return made

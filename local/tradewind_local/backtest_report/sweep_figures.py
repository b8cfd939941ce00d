"""A sweep as figures: a map of its trials, and how the best do where they were not chosen."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from tradewind.backtest.overfitting import BacktestOverfitting
from tradewind.backtest.sweep import SweepOutcome

from tradewind_local.backtest_report.style import BAD, GOOD, MARKET, STRATEGY, figure

_SCALE = [[0.0, BAD], [0.5, "rgba(139,149,165,0.18)"], [1.0, GOOD]]
_MOST_DOTS = 3_000


def map_figure(swept: SweepOutcome, values: NDArray[np.float64], name: str, form: str) -> go.Figure:
    """``values`` [trials] over the lengths of the averages; ``form``: plotly's, of one value. Where
    there is no pair, or its value is undefined, the map is empty."""
    fast, slow = (np.unique(swept.parameters[:, column]) for column in (0, 1))
    rows = np.searchsorted(fast, swept.parameters[:, 0])
    columns = np.searchsorted(slow, swept.parameters[:, 1])
    table = np.full((len(fast), len(slow)), np.nan)
    table[rows, columns] = values
    trades = np.zeros(table.shape, np.int64)
    trades[rows, columns] = swept.trades
    made = figure(420)
    made.add_trace(
        go.Heatmap(
            x=[str(length) for length in slow],
            y=[str(length) for length in fast],
            z=[[None if np.isnan(one) else round(float(one), 4) for one in row] for row in table],
            customdata=trades.tolist(),
            colorscale=_SCALE,
            zmid=0,
            xgap=1,
            ygap=1,
            colorbar={"thickness": 12, "outlinewidth": 0},
            hovertemplate=(
                f"fast %{{y}}, slow %{{x}}<br>{name} %{{z:{form}}}<br>"
                "%{customdata} trades<extra></extra>"
            ),
        )
    )
    made.update_xaxes(title="slow average, bars", type="category")
    made.update_yaxes(title="fast average, bars", type="category")
    return made


def degradation_figure(found: BacktestOverfitting) -> go.Figure:
    """For each split: the Sharpe ratio of the one that was chosen, where it was chosen and where
    it was not."""
    step = max(1, -(-len(found.in_sample) // _MOST_DOTS))
    x, y = found.in_sample[::step], found.out_of_sample[::step]
    made = figure(360)
    made.add_trace(
        go.Scatter(
            x=x.round(3), y=y.round(3), mode="markers", name="splits",
            marker={"color": STRATEGY, "size": 5, "opacity": 0.35},
            hovertemplate="chosen with %{x:.2f}, then %{y:.2f}<extra></extra>",
        )
    )  # fmt: skip
    ends = np.array([found.in_sample.min(), found.in_sample.max()])
    made.add_trace(
        go.Scatter(
            x=ends.round(3), y=(found.intercept + found.slope * ends).round(3), mode="lines",
            name="trend", line={"color": BAD, "width": 2}, hoverinfo="skip",
        )
    )  # fmt: skip
    made.add_hline(y=0, line={"color": MARKET, "width": 1, "dash": "dot"})
    made.update_xaxes(title="Sharpe ratio where it was chosen")
    made.update_yaxes(title="Sharpe ratio elsewhere")
    return made


def rank_figure(found: BacktestOverfitting) -> go.Figure:
    """How the chosen one ranks where it was not chosen: the part of all trials it is better than
    there, over all splits."""
    ranks = 100 / (1 + np.exp(-found.logits))
    edges = np.linspace(0, 100, 21)
    counts, _ = np.histogram(ranks, edges)
    middles = (edges[1:] + edges[:-1]) / 2
    made = figure(360)
    made.add_trace(
        go.Bar(
            x=middles, y=(100 * counts / len(ranks)).round(2),
            marker={"color": [BAD if middle <= 50 else GOOD for middle in middles]},
            hovertemplate="better than about %{x:.0f} %: %{y:.1f} % of the splits<extra></extra>",
        )
    )  # fmt: skip
    made.update_xaxes(title="better than so many of the others elsewhere", ticksuffix=" %")
    made.update_yaxes(title="splits", ticksuffix=" %")
    made.update_layout(bargap=0.08)
    return made

"""A symbol's price with the trades on it: the figure, and the bars and trades that it draws.

The browser draws as many candles as can be told apart in the part that is looked at (``page.js``),
so that all of the history and each single minute can be seen.
"""

from __future__ import annotations

import base64

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from tradewind.backtest.arrays import BarArrays
from tradewind.backtest.outcome import ExitReason, Outcome

from tradewind_local.backtest_report.clock import TradingClock
from tradewind_local.backtest_report.style import BAD, GOOD, SECOND, STRATEGY, figure
from tradewind_local.backtest_report.thinning import candles


def price_figure(bars: BarArrays) -> go.Figure:
    """Without data: the candles, the trades' ways (won, lost), entries, exits and stops."""
    made = figure(520, hovermode="closest", dragmode="zoom")
    made.add_trace(
        go.Candlestick(
            name=bars.symbol,
            increasing={"line": {"color": GOOD, "width": 1}, "fillcolor": GOOD},
            decreasing={"line": {"color": BAD, "width": 1}, "fillcolor": BAD},
            opacity=0.6,
            hoverinfo="text",
            showlegend=False,
        )
    )
    for name, colour in (("won", GOOD), ("lost", BAD)):
        line = {"color": colour, "width": 2}
        made.add_trace(go.Scatter(name=name, mode="lines", line=line, hoverinfo="skip"))
    for name, sign, colour in (
        ("bought", "triangle-up", STRATEGY),
        ("sold", "triangle-down", SECOND),
        ("stopped out", "x", BAD),
    ):
        marker = {"symbol": sign, "size": 10, "color": colour, "line": {"width": 0}}
        made.add_trace(go.Scatter(name=name, mode="markers", marker=marker, hoverinfo="text"))
    made.update_xaxes(rangeslider={"visible": False})
    made.update_yaxes(title="USD", fixedrange=True)
    made.add_annotation(
        text="", x=0.5, y=0.97, xref="paper", yref="paper", showarrow=False, font={"size": 14}
    )
    return made


def price_data(
    bars: BarArrays,
    outcome: Outcome,
    clock: TradingClock,
    number: int,
    *,
    most_candles: int,
    most_trades: int,
) -> dict[str, object]:
    """What ``page.js`` draws of symbol ``number`` of the outcome: at most about ``most_candles``
    candles, and those of its trades that are among the outcome's first ``most_trades``. Times are
    places on the clock's axis."""
    made = candles(bars, most_candles)
    starts = bars.start[made["bar"].astype(np.int64)]
    packed: dict[str, object] = {"place": _packed(clock.places(starts).astype("<i4"))}
    for name in ("open", "high", "low", "close"):
        packed[name] = _packed(made[name].astype("<f4"))
    trades = outcome.trades
    (chosen,) = np.nonzero(trades.symbol[:most_trades] == number)
    entered, left = trades.entry_time[chosen], trades.exit_time[chosen]
    packed["trades"] = {
        "number": chosen.tolist(),
        "entry": clock.places(entered).tolist(),
        "exit": clock.places(left).tolist(),
        "bought": trades.entry_price[chosen].round(4).tolist(),
        "sold": trades.exit_price[chosen].round(4).tolist(),
        "pnl": trades.pnl[chosen].round(2).tolist(),
        "stopped": (trades.reason[chosen] == ExitReason.STOP).astype(int).tolist(),
        "text": [
            f"{came} → {went}<br>{trades.quantity[i]:,.10g} shares, "
            f"{trades.entry_price[i]:,.4f} → {trades.exit_price[i]:,.4f}<br>"
            f"{trades.pnl[i]:+,.2f} USD, exit: {ExitReason(int(trades.reason[i])).word}"
            for i, came, went in zip(chosen, clock.texts(entered), clock.texts(left), strict=True)
        ],
    }
    return packed


def _packed(values: NDArray[np.generic]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")

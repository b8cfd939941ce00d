"""What the figures of the pages have in common. Text and grid take the page's light or dark
colours in the browser; the colours here can be told apart on both, and by colour-blind people."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

STRATEGY = "#3f8ae0"
MARKET = "#8b95a5"
GOOD = "#12a07c"
BAD = "#e0603a"
SECOND = "#b07cd8"
_CLEAR = "rgba(0,0,0,0)"


def figure(height: int, **layout: Any) -> go.Figure:
    """An empty figure; ``layout`` as plotly names it."""
    made = go.Figure()
    made.update_layout(
        template="none",
        height=height,
        margin={"l": 76, "r": 16, "t": 16, "b": 40},
        paper_bgcolor=_CLEAR,
        plot_bgcolor=_CLEAR,
        font={"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
        modebar={"bgcolor": _CLEAR},
        xaxis={"automargin": True, "zeroline": False},
        yaxis={"zeroline": False},
    )
    made.update_layout(**layout)
    return made


def signed_colours(values: list[float]) -> list[str]:
    return [BAD if value < 0 else GOOD for value in values]

"""The report's plots as inline SVG, by pygal: no script, no external address, described in words.

Times on the axes are New York's; the x axis counts minutes from the session's open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

import pygal
from pygal.style import Style

from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session import Session
from tradewind.orders.model import Side
from tradewind.portfolio.executions import Execution
from tradewind.portfolio.statement import EquityPoint

_NEW_YORK = ZoneInfo("America/New_York")
_LABEL_EVERY = 30  # minutes

# Blue, vermilion and green of Okabe and Ito, which colour-blind people tell apart; the marks of
# purchases and sales differ by their series' names in the legend, too.
_STYLE = Style(
    background="transparent",
    plot_background="transparent",
    colors=("#0072b2", "#009e73", "#d55e00"),
    font_family="system-ui, sans-serif",
)
# pygal names its makers' pages in comments, and dresses buttons for a script that is not there.
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SCRIPT = re.compile(r"<script.*?</script>", re.DOTALL)


def equity_chart(session: Session, curve: Sequence[EquityPoint]) -> str:
    chart = _chart(session, "Equity of the account in US dollars", lambda y: f"{y:,.0f}")
    chart.add("equity", [(_minute(session, p.at), float(p.equity)) for p in curve])
    return _svg(chart)


def drawdown_chart(session: Session, curve: Sequence[EquityPoint]) -> str:
    chart = _chart(session, "Drawdown in percent", lambda y: f"{y:.2f}")
    for name, drawdowns in (
        ("since the previous close", [point.daily for point in curve]),
        ("from the peak", [point.peak for point in curve]),
    ):
        points = zip(curve, drawdowns, strict=True)
        chart.add(name, [(_minute(session, p.at), float(down * 100)) for p, down in points])
    return _svg(chart)


def price_chart(
    session: Session, symbol: str, bars: Sequence[Bar], executions: Sequence[Execution]
) -> str:
    """The closes of a symbol and its executions on them."""
    chart = _chart(session, f"{symbol}: price in US dollars, and our trades", lambda y: f"{y:.2f}")
    chart.add("close", [(_minute(session, b.start + MINUTE), float(b.close)) for b in bars])
    for name, side in (("bought", Side.BUY), ("sold", Side.SELL)):
        marks = [
            (_minute(session, one.at), float(one.price)) for one in executions if one.side is side
        ]
        chart.add(name, marks, stroke=False, show_dots=True, dots_size=5)
    return _svg(chart)


def _chart(session: Session, title: str, value_text: Callable[[float], str]) -> Any:
    return pygal.XY(
        js=(),
        title=title,
        width=900,
        height=320,
        explicit_size=False,
        show_dots=False,
        disable_xml_declaration=True,
        style=_STYLE,
        legend_at_bottom=True,
        x_labels=[
            {"value": minute, "label": _clock(session.open + minute * MINUTE)}
            for minute in range(0, session.minutes + 1, _LABEL_EVERY)
        ],
        value_formatter=value_text,
        xrange=(0, session.minutes),
        no_data_text="nothing on record",
    )


def _svg(chart: Any) -> str:
    """The image as people and their readers get it: one picture with a name."""
    title = chart.config.title
    # pygal's own id is drawn by chance; one session's report has the same bytes each time.
    chart.uuid = re.sub(r"[^a-z0-9]+", "-", title.lower())
    svg: str = chart.render(is_unicode=True)
    svg = _SCRIPT.sub("", _COMMENT.sub("", svg))
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)


def _minute(session: Session, moment: datetime) -> float:
    """Where a moment lies on the x axis; what was read around the session, at its ends."""
    return min(max((moment - session.open) / MINUTE, 0.0), float(session.minutes))


def _clock(moment: datetime) -> str:
    return moment.astimezone(_NEW_YORK).strftime("%H:%M")

"""A page that stands alone: style, script and plotly's own script are in it, and a policy that
lets the browser load nothing from anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from tradewind.backtest.finding import Finding
from tradewind.backtest.metrics import Metrics

from tradewind_local.backtest_report.words import curve_rows, trading_rows

_HERE = Path(__file__).parent
# blob: and data: are pictures that a figure is saved as.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)


class Page:
    """Sections are added in their order; ``text`` gives the whole page, always the same bytes for
    the same content. Whatever is given as ``html`` is put in as it is."""

    def __init__(self, title: str, introduction: str, labels: Iterable[str]) -> None:
        self._title = title
        self._introduction = introduction
        self._labels = list(labels)
        self._sections: list[str] = []
        self._links: list[str] = []
        self._data: list[str] = []

    def section(self, heading: str, html: str) -> None:
        name = heading.lower().replace(" ", "-")
        self._links.append(f'<a href="#{name}">{escape(heading)}</a>')
        self._sections.append(
            f'<section id="{name}" aria-labelledby="{name}-heading">'
            f'<h2 id="{name}-heading">{escape(heading)}</h2>\n{html}\n</section>'
        )

    def figure(
        self,
        name: str,
        made: go.Figure,
        described: str,
        *,
        trading_time: bool = False,
        symbol: int | None = None,
    ) -> str:
        """The place of a figure, to be put into a section. ``described``: what it shows, for those
        who hear the page. ``trading_time``: its x axis has places on the clock of
        ``data('clock', ...)``. ``symbol``: a price, drawn from ``data('bars-<symbol>', ...)``."""
        self._data.append(_json_script(f"figure-{name}", made.to_json()))
        of = " data-clock" if trading_time else ""
        if symbol is not None:
            of += f' data-symbol="{symbol}"'
        return (
            f'<div class="plot" id="{name}"{of} role="img" aria-label="{escape(described)}" '
            f'style="min-height:{made.layout.height}px"></div>'
        )

    def data(self, name: str, content: Mapping[str, object]) -> None:
        self._data.append(_json_script(name, json.dumps(content, separators=(",", ":"))))

    def text(self) -> str:
        style, script = (
            (_HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js")
        )
        labels = "".join(f'<span class="label">{escape(label)}</span>' for label in self._labels)
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
            '<meta name="color-scheme" content="light dark">\n'
            f"<title>{escape(self._title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
            f"<header><h1>{escape(self._title)}</h1>\n"
            f'<p class="soft">{escape(self._introduction)}</p>\n{labels}</header>\n'
            f'<nav aria-label="Sections"><div>{"".join(self._links)}</div></nav>\n<main>\n'
            + "\n".join(self._sections)
            + "\n</main>\n<footer>Tradewind. Times are New York's. A backtest says what would have "
            "happened under its assumptions; it promises nothing.</footer>\n"
            + "\n".join(self._data)
            + f"\n<script>{get_plotlyjs()}</script>\n<script>{script}</script>\n"
            "</body>\n</html>\n"
        )


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Iterable[int] = (),
) -> str:
    """Texts, each escaped here; ``numbers``: the columns that are set to the right. The first
    column names its row."""
    right = set(numbers)

    def classed(column: int) -> str:
        return ' class="number"' if column in right else ""

    head = "".join(
        f'<th scope="col"{classed(column)}>{escape(text)}</th>' for column, text in enumerate(heads)
    )
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(
            f"<td{classed(column)}>{escape(text)}</td>"
            for column, text in enumerate(row[1:], start=1)
        )
        + "</tr>\n"
        for row in rows
    )
    return (
        f'<div class="wide"><table><caption>{escape(caption)}</caption><thead><tr>{head}</tr>'
        f"</thead><tbody>\n{body}</tbody></table></div>"
    )


def cards(shown: Iterable[tuple[str, str, float | None, str]]) -> str:
    """Large figures: name, value, what its sign is judged by (None: not at all), what stands
    beside it."""
    return (
        '<div class="cards">'
        + "".join(
            f'<div class="card"><div class="name">{escape(name)}</div>'
            f'<div class="value{sign_class(judged)}">{escape(value)}</div>'
            f'<div class="beside">{escape(beside)}</div></div>'
            for name, value, judged, beside in shown
        )
        + "</div>"
    )


def sign_class(value: float | None) -> str:
    return "" if not value else " good" if value > 0 else " bad"


def figures_tables(metrics: Metrics) -> str:
    return (
        '<div class="pair">'
        + table(
            "Beside buying and holding, and keeping the cash",
            ["", "Strategy", "Buy and hold", "Cash"],
            curve_rows(metrics),
            numbers=(1, 2, 3),
        )
        + table("Trading", ["", ""], trading_rows(metrics), numbers=(1,))
        + "</div>"
    )


def findings_list(findings: Sequence[Finding]) -> str:
    if not findings:
        return "<p>The linter found nothing to say against this backtest.</p>"
    return (
        '<ul class="findings">'
        + "".join(
            f'<li class="{escape(one.severity)}"><b>{escape(one.severity.capitalize())}:</b> '
            f'{escape(one.sentence)} <span class="soft">({escape(one.code)})</span></li>'
            for one in findings
        )
        + "</ul>"
    )


def sentences(items: Iterable[str]) -> str:
    return '<ul class="plain">' + "".join(f"<li>{escape(one)}</li>" for one in items) + "</ul>"


def _json_script(name: str, text: str) -> str:
    # A sentence or a symbol may hold what would end the script.
    text = text.replace("<", "\\u003c")
    return f'<script type="application/json" id="{escape(name)}">{text}</script>'

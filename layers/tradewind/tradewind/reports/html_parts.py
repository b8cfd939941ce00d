"""What the report's pages are built from: sections, tables, and figures as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from html import escape
from zoneinfo import ZoneInfo

_NEW_YORK = ZoneInfo("America/New_York")


def section(heading: str, body: str) -> str:
    name = heading.lower().replace(" ", "-")
    return f'<section aria-labelledby="{name}">\n<h2 id="{name}">{heading}</h2>\n{body}\n</section>'


def table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: set[int]
) -> str:
    """``numbers``: the columns that are set to the right. The first column names its row."""

    def classed(column: int) -> str:
        return ' class="number"' if column in numbers else ""

    lines = [
        f'<div class="wide"><table><caption>{escape(caption)}</caption>',
        "<thead><tr>"
        + "".join(
            f'<th scope="col"{classed(column)}>{escape(head)}</th>'
            for column, head in enumerate(heads)
        )
        + "</tr></thead><tbody>",
    ]
    for row in rows:
        cells = [f'<th scope="row">{escape(row[0])}</th>']
        cells += [
            f"<td{classed(column)}>{escape(cell)}</td>"
            for column, cell in enumerate(row[1:], start=1)
        ]
        lines.append("<tr>" + "".join(cells) + "</tr>")
    return "\n".join([*lines, "</tbody></table></div>"])


def money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def signed(amount: Decimal) -> str:
    return f"{amount:+,.2f}"


def price(price: Decimal | None) -> str:
    return "none" if price is None else f"{price:,.4f}".removesuffix("00")


def quantity(quantity: Decimal) -> str:
    return f"{quantity.normalize():,f}"


def percent(fraction: Decimal | None) -> str:
    return "unknown" if fraction is None else f"{fraction * 100:+.2f} %"


def time_text(moment: datetime) -> str:
    return moment.astimezone(_NEW_YORK).strftime("%Y-%m-%d %H:%M:%S")

"""The daily report as one HTML page: no script, nothing loaded from anywhere, readable by ear."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from html import escape
from zoneinfo import ZoneInfo

from tradewind.alerts.model import WARNING
from tradewind.reports.charts import drawdown_chart, equity_chart, price_chart
from tradewind.reports.daily import NO_BACKTEST, DailyReport, JudgedTrade

_NEW_YORK = ZoneInfo("America/New_York")

# More pictures than that are not looked at, and 500 symbols would make a page of 15 MB.
_MOST_PRICE_CHARTS = 12

_STYLE = """
body{font-family:system-ui,sans-serif;line-height:1.45;max-width:62rem;margin:0 auto;padding:1rem;
color:#1a1a1a;background:#fff}
table{border-collapse:collapse;margin:.5rem 0 1rem;font-variant-numeric:tabular-nums}
caption{text-align:left;padding:.25rem 0}
th,td{border-bottom:1px solid #767676;padding:.2rem .6rem;text-align:left;vertical-align:top}
.number{text-align:right}
.wide{overflow-x:auto}
.notice{border:2px solid #8a4b00;padding:.5rem 1rem;font-weight:600}
svg{width:100%;height:auto}
"""


def report_html(report: DailyReport) -> str:
    """A whole page; the same report always gives the same bytes."""
    title = f"Tradewind: {report.account}, session of {report.session.date}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _head(report),
        _statement(report),
        _curves(report),
        _trades(report),
        _prices(report),
        _left(report),
        _shortfall(report),
        _refusals(report),
        _divergence(report),
        _alerts(report),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _head(report: DailyReport) -> str:
    notice = (
        '<p class="notice">SIMULATED market: a simulated profit says nothing.</p>\n'
        if report.simulated
        else ""
    )
    session = report.session
    return (
        f"{notice}<p>Open {_time(session.open)}, close {_time(session.close)}, on record up to "
        f"{_time(report.until)}. Times are New York's. Minutes decided on: "
        f"{report.cycles.decided} of {session.minutes}; recorded to their end: "
        f"{report.cycles.finished}. Closed round trips: {len(report.trades)}, with "
        f"{_signed(report.profit_loss)} USD before fees.</p>"
    )


def _statement(report: DailyReport) -> str:
    one = report.statement
    if one is None:
        return _section("Statement", "<p>The broker was not read in this session.</p>")
    rows = [
        ("Equity at the previous close", _money(one.equity_before)),
        ("Realised profit and loss", _signed(one.realised)),
        ("Change of the unrealised profit and loss", _signed(one.unrealised_change)),
        ("Fees, dividends, interest and other", _signed(one.fees_and_other)),
        ("Deposits less withdrawals", _signed(one.transfers)),
        ("Foreign positions and the broker's valuation", _signed(one.unexplained)),
        (f"Equity at {_time(one.as_of)}", _money(one.equity_now)),
        ("Unrealised profit and loss now", _signed(one.unrealised)),
        ("Realised since the first trade", _signed(one.realised_ever)),
        ("Change since the previous close, without transfers", _percent(one.daily_drawdown)),
        ("Lowest of that in the session", _percent(report.worst_drawdown)),
        ("Drawdown from the peak", _percent(one.peak_drawdown)),
    ]
    return _section("Statement", _table("Amounts in US dollars", ["", "Amount"], rows, {1}))


def _curves(report: DailyReport) -> str:
    if not report.curve:
        return ""
    return _section(
        "Equity and drawdown",
        equity_chart(report.session, report.curve) + drawdown_chart(report.session, report.curve),
    )


def _trades(report: DailyReport) -> str:
    if not report.trades:
        return _section("Trades", "<p>No position was closed.</p>")
    rows = [
        (
            one.trip.symbol,
            one.trip.strategy,
            _quantity(one.trip.quantity),
            f"{_time(one.trip.entry_at)} at {_price(one.trip.entry_price)}",
            f"{_time(one.trip.exit_at)} at {_price(one.trip.exit_price)}",
            _signed(one.trip.profit_loss),
            one.trip.exit_reason,
            _price(one.trip.stop_price),
            _money(one.trip.gap_loss),
            _stop_verdict(one),
        )
        for one in report.trades
    ]
    table = _table(
        "Closed round trips, worst first, at average cost and before fees. A gap loss is the part "
        "that the market jumped over beyond the stop.",
        ["Symbol", "Strategy", "Shares", "Entry", "Exit", "Profit and loss, USD", "Exit reason",
         "Stop", "Gap loss, USD", "Stop or gap kept?"],
        rows,
        {2, 5, 7, 8},
    )  # fmt: skip
    return _section("Trades", table)


def _stop_verdict(one: JudgedTrade) -> str:
    if one.kept is None or one.allowed is None:
        return "no stop known"
    beyond, allowed = _money(one.trip.exit_slippage), _money(one.allowed)
    return (
        f"yes: {beyond} USD below it, allowed {allowed}"
        if one.kept
        else f"NO: {beyond} USD below it, allowed {allowed}"
    )


def _prices(report: DailyReport) -> str:
    traded = {one.symbol for one in report.executions}
    weight = dict.fromkeys(traded, Decimal(0))
    for one in report.trades:
        weight[one.trip.symbol] += abs(one.trip.profit_loss)
    ranked = sorted(traded, key=lambda symbol: (-weight[symbol], symbol))
    shown = [symbol for symbol in ranked[:_MOST_PRICE_CHARTS] if report.bars.get(symbol)]
    if not shown:
        return ""
    charts = [
        price_chart(
            report.session,
            symbol,
            report.bars[symbol],
            [one for one in report.executions if one.symbol == symbol],
        )
        for symbol in shown
    ]
    left_out = len(traded) - len(shown)
    note = (
        f"<p>Shown are the symbols with the largest results; {left_out} more were traded.</p>"
        if left_out
        else ""
    )
    return _section("Trades on the price", note + "".join(charts))


def _left(report: DailyReport) -> str:
    ours = [
        (
            one.symbol,
            one.strategy,
            _quantity(one.quantity),
            _price(one.average_price),
            _price(one.price),
            _signed(one.unrealised),
        )
        for one in report.positions_left
    ]
    body = (
        _table(
            "Ours after the session",
            ["Symbol", "Strategy", "Shares", "Average price", "Last price", "Unrealised, USD"],
            ours,
            {2, 3, 4, 5},
        )
        if ours
        else "<p>Nothing of ours is left.</p>"
    )
    if report.foreign:
        body += _table(
            "Foreign positions, counted and not touched",
            ["Symbol", "Shares", "Broker's price", "As of"],
            [
                (one.symbol, _quantity(one.quantity), _price(one.price), _time(one.as_of))
                for one in report.foreign
            ],
            {1, 2},
        )
    return _section("Positions left", body)


def _shortfall(report: DailyReport) -> str:
    body = f"<p>{escape(report.slippage)}</p>"
    if report.shortfalls:
        body += _table(
            "By kind of order; a cost is positive",
            ["Kind", "Orders", "USD", "Mean, basis points", "Median, basis points"],
            [
                (
                    one.purpose or "entries and exits",
                    str(one.orders),
                    _signed(one.usd),
                    f"{one.mean:+.1f}",
                    f"{one.median:+.1f}",
                )
                for one in report.shortfall_summaries
            ],
            {1, 2, 3, 4},
        ) + _table(
            "Each order: entries and exits against the close decided on, stops against their stop "
            "price",
            ["Time", "Symbol", "Kind", "Shares", "Reference", "Price", "USD", "Basis points"],
            [
                (
                    _time(one.first_fill_at),
                    one.symbol,
                    one.purpose,
                    _quantity(one.quantity),
                    _price(one.reference),
                    _price(one.price),
                    _signed(one.usd),
                    f"{one.basis_points:+.1f}",
                )
                for one in report.shortfalls
            ],
            {3, 4, 5, 6, 7},
        )
    return _section("Implementation shortfall", body)


def _refusals(report: DailyReport) -> str:
    if not report.refusals:
        return _section("Refusals", "<p>Nothing was refused.</p>")
    return _section(
        "Refusals",
        _table(
            "By reason, most frequent first",
            ["Refused by", "What", "Reason", "Times", "For example"],
            [(one.by, one.what, one.code, str(one.count), one.example) for one in report.refusals],
            {3},
        ),
    )


def _divergence(report: DailyReport) -> str:
    one = report.divergence
    if one is None:
        return _section("Live against backtest", f"<p>{NO_BACKTEST}</p>")
    return _section(
        "Live against backtest",
        _table(
            f"Live less backtest in US dollars; trades of both {one.matched}, of live alone "
            f"{one.only_live}, of the backtest alone {one.only_backtest}",
            ["Part", "Amount"],
            [
                ("Signal", _signed(one.signal)),
                ("Fill", _signed(one.fill)),
                ("Cost", _signed(one.cost)),
                ("Timing", _signed(one.timing)),
                ("In all", _signed(one.total)),
            ],
            {1},
        ),
    )


def _alerts(report: DailyReport) -> str:
    grave = [alert for alert in report.alerts if alert.severity >= WARNING]
    body = f"<p>Alerts: {len(report.alerts)}; of severity {WARNING} or above: {len(grave)}.</p>"
    if grave:
        body += _table(
            f"Severity {WARNING} (warning) to 5 (critical)",
            ["Time", "Severity", "Type", "Message"],
            [
                (_time(alert.timestamp), str(alert.severity), alert.type, alert.message)
                for alert in grave
            ],
            {1},
        )
    return _section("Alerts", body)


def _section(heading: str, body: str) -> str:
    name = heading.lower().replace(" ", "-")
    return f'<section aria-labelledby="{name}">\n<h2 id="{name}">{heading}</h2>\n{body}\n</section>'


def _table(
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


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _signed(amount: Decimal) -> str:
    return f"{amount:+,.2f}"


def _price(price: Decimal | None) -> str:
    return "none" if price is None else f"{price:,.4f}".removesuffix("00")


def _quantity(quantity: Decimal) -> str:
    return f"{quantity.normalize():,f}"


def _percent(fraction: Decimal | None) -> str:
    return "unknown" if fraction is None else f"{fraction * 100:+.2f} %"


def _time(moment: datetime) -> str:
    return moment.astimezone(_NEW_YORK).strftime("%Y-%m-%d %H:%M:%S")

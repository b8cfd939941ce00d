"""The daily report as one HTML page: no script, nothing loaded from anywhere, readable by ear."""

from __future__ import annotations

from decimal import Decimal
from html import escape

from tradewind.alerts.model import WARNING
from tradewind.portfolio.round_trips import DECLARED_SLIPPAGE
from tradewind.reports.charts import drawdown_chart, equity_chart, price_chart
from tradewind.reports.daily import DailyReport, JudgedTrade
from tradewind.reports.html_divergence import divergence_section
from tradewind.reports.html_parts import (
    money,
    percent,
    price,
    quantity,
    section,
    signed,
    table,
    time_text,
)

# More pictures than that are not looked at, and 500 symbols would make a page of 15 MB.
_MOST_PRICE_CHARTS = 12

_STYLE = """
body{font-family:system-ui,sans-serif;line-height:1.45;max-width:62rem;margin:0 auto;padding:1rem;
color:#1a1a1a;background:#fff}
table{border-collapse:collapse;min-width:24rem;margin:.5rem 0 1rem;
font-variant-numeric:tabular-nums}
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
        _stops(report),
        _prices(report),
        _left(report),
        _shortfall(report),
        _refusals(report),
        divergence_section(report),
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
        f"{notice}<p>Open {time_text(session.open)}, close {time_text(session.close)}, on record "
        f"up to {time_text(report.until)}. Times are New York's. Minutes decided on: "
        f"{report.cycles.decided} of {session.minutes}; recorded to their end: "
        f"{report.cycles.finished}. Closed round trips: {len(report.trades)}, with "
        f"{signed(report.profit_loss)} USD before fees.</p>"
    )


def _statement(report: DailyReport) -> str:
    one = report.statement
    if one is None:
        return section("Statement", "<p>The broker was not read in this session.</p>")
    rows = [
        ("Equity at the previous close", money(one.equity_before)),
        ("Realised profit and loss", signed(one.realised)),
        ("Change of the unrealised profit and loss", signed(one.unrealised_change)),
        ("Fees, dividends, interest and other", signed(one.fees_and_other)),
        ("Deposits less withdrawals", signed(one.transfers)),
        ("Foreign positions and the broker's valuation", signed(one.unexplained)),
        (f"Equity at {time_text(one.as_of)}", money(one.equity_now)),
        ("Unrealised profit and loss now", signed(one.unrealised)),
        ("Realised since the first trade", signed(one.realised_ever)),
        ("Change since the previous close, without transfers", percent(one.daily_drawdown)),
        ("Lowest of that in the session", percent(report.worst_drawdown)),
        ("Drawdown from the peak", percent(one.peak_drawdown)),
    ]
    return section("Statement", table("Amounts in US dollars", ["", "Amount"], rows, {1}))


def _curves(report: DailyReport) -> str:
    if not report.curve:
        return ""
    return section(
        "Equity and drawdown",
        equity_chart(report.session, report.curve) + drawdown_chart(report.session, report.curve),
    )


def _trades(report: DailyReport) -> str:
    if not report.trades:
        return section("Trades", "<p>No position was closed.</p>")
    rows = [
        (
            one.trip.symbol,
            one.trip.strategy,
            quantity(one.trip.quantity),
            f"{time_text(one.trip.entry_at)} at {price(one.trip.entry_price)}",
            f"{time_text(one.trip.exit_at)} at {price(one.trip.exit_price)}",
            signed(one.trip.profit_loss),
            one.trip.exit_reason,
        )
        for one in report.trades
    ]
    return section(
        "Trades",
        table(
            "Closed round trips, worst first, at average cost and before fees",
            ["Symbol", "Strategy", "Shares", "Entry", "Exit", "Profit and loss, USD",
             "Exit reason"],
            rows,
            {2, 5},
        ),
    )  # fmt: skip


def _stops(report: DailyReport) -> str:
    if not report.trades:
        return ""
    rows = [
        (
            one.trip.symbol,
            time_text(one.trip.exit_at),
            price(one.trip.stop_price),
            price(one.gap_price),
            price(one.trip.exit_price),
            money(one.loss),
            "unknown" if one.most is None else money(one.most),
            money(one.trip.gap_loss),
            money(one.trip.night_gap_loss),
            _verdict(one),
        )
        for one in report.trades
    ]
    return section(
        "Stops and gaps",
        table(
            "What each trade lost, and the most it may lose: down to its stop, or to the gap where "
            "the market opened beyond it, and from there a tick and the declared slippage of "
            f"{DECLARED_SLIPPAGE * 100:.2f} %. A gap loss is the part that was jumped over; "
            f"all of them together: {money(report.gap_loss)} USD, of it between two sessions, by "
            f"holding overnight: {money(report.night_gap_loss)} USD.",
            ["Symbol", "Exit", "Stop", "Gap", "Exit price", "Loss, USD", "At most, USD",
             "Gap loss, USD", "Overnight, USD", "Within?"],
            rows,
            {2, 3, 4, 5, 6, 7, 8},
        ),
    )  # fmt: skip


def _verdict(one: JudgedTrade) -> str:
    if one.within is None or one.allowed is None:
        return "no stop known"
    beyond, allowed = money(one.trip.exit_slippage), money(one.allowed)
    return f"{'yes' if one.within else 'NO'}: {beyond} USD below stop or gap, allowed {allowed}"


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
    return section("Trades on the price", note + "".join(charts))


def _left(report: DailyReport) -> str:
    ours = [
        (
            one.symbol,
            one.strategy,
            quantity(one.quantity),
            price(one.average_price),
            price(one.price),
            signed(one.unrealised),
        )
        for one in report.positions_left
    ]
    body = (
        table(
            "Ours after the session",
            ["Symbol", "Strategy", "Shares", "Average price", "Last price", "Unrealised, USD"],
            ours,
            {2, 3, 4, 5},
        )
        if ours
        else "<p>Nothing of ours is left.</p>"
    )
    if report.foreign:
        body += table(
            "Foreign positions, counted and not touched",
            ["Symbol", "Shares", "Broker's price", "As of"],
            [
                (one.symbol, quantity(one.quantity), price(one.price), time_text(one.as_of))
                for one in report.foreign
            ],
            {1, 2},
        )
    return section("Positions left", body)


def _shortfall(report: DailyReport) -> str:
    body = f"<p>{escape(report.slippage.sentence)}</p>"
    if report.shortfalls:
        body += table(
            "By kind of order; a cost is positive",
            ["Kind", "Orders", "USD", "Mean, basis points", "Median, basis points"],
            [
                (
                    one.purpose or "entries and exits",
                    str(one.orders),
                    signed(one.usd),
                    f"{one.mean:+.1f}",
                    f"{one.median:+.1f}",
                )
                for one in report.shortfall_summaries
            ],
            {1, 2, 3, 4},
        ) + table(
            "Each order: entries and exits against the close decided on, stops against their stop "
            "price",
            ["Time", "Symbol", "Kind", "Shares", "Reference", "Price", "USD", "Basis points"],
            [
                (
                    time_text(one.first_fill_at),
                    one.symbol,
                    one.purpose,
                    quantity(one.quantity),
                    price(one.reference),
                    price(one.price),
                    signed(one.usd),
                    f"{one.basis_points:+.1f}",
                )
                for one in report.shortfalls
            ],
            {3, 4, 5, 6, 7},
        )
    return section("Implementation shortfall", body)


def _refusals(report: DailyReport) -> str:
    if not report.refusals:
        return section("Refusals", "<p>Nothing was refused.</p>")
    return section(
        "Refusals",
        table(
            "By reason, most frequent first",
            ["Refused by", "What", "Reason", "Times", "For example"],
            [(one.by, one.what, one.code, str(one.count), one.example) for one in report.refusals],
            {3},
        ),
    )


def _alerts(report: DailyReport) -> str:
    grave = [alert for alert in report.alerts if alert.severity >= WARNING]
    body = f"<p>Alerts: {len(report.alerts)}; of severity {WARNING} or above: {len(grave)}.</p>"
    if grave:
        body += table(
            f"Severity {WARNING} (warning) to 5 (critical)",
            ["Time", "Severity", "Type", "Message"],
            [
                (time_text(alert.timestamp), str(alert.severity), alert.type, alert.message)
                for alert in grave
            ],
            {1},
        )
    return section("Alerts", body)

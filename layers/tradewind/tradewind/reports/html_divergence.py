"""The report's comparison of a session with its backtest, as a section of the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tradewind.reports.daily import DailyReport
from tradewind.reports.divergence import ComparedTrade, Divergence, Remark
from tradewind.reports.html_parts import price, quantity, section, signed, table, time_text


def divergence_section(report: DailyReport) -> str:
    one, reference = report.divergence, report.reference
    parts = [_no_backtest(reference.not_compared)] if one is None else [_figure(report)]
    if one is not None:
        parts += [_parts(one), _trades(one)]
        if reference.not_compared:
            parts.append(
                _remarks("Not compared, and in neither side of the figures", reference.not_compared)
            )
    if reference.unlike:
        parts.append(_remarks("Unlike the backtest, and part of the difference", reference.unlike))
    return section("Live against backtest", "".join(parts))


def _no_backtest(why: Sequence[Remark]) -> str:
    return "<p>Nothing was compared.</p>" + _remarks("Why", why)


def _figure(report: DailyReport) -> str:
    points, reference = report.divergence_basis_points, report.reference
    figure = (
        "The equity at the previous close is not known."
        if points is None
        else f"Divergence: {points:+.2f} basis points of the equity at the previous close."
    )
    return (
        f"<p>{figure} Compared were {escape(', '.join(sorted(reference.symbols)))}: "
        f"{report.compared_share * 100:.0f} % of the session. Of "
        f"{reference.decisions} decisions in them {reference.alike} had the backtest's action and "
        "reason.</p>"
    )


def _parts(one: Divergence) -> str:
    return table(
        f"Live less backtest in US dollars; trades of both {one.matched}, of live alone "
        f"{one.only_live}, of the backtest alone {one.only_backtest}",
        ["Part", "Amount"],
        [
            ("Signal", signed(one.signal)),
            ("Fill", signed(one.fill)),
            ("Cost", signed(one.cost)),
            ("Timing", signed(one.timing)),
            ("In all", signed(one.total)),
        ],
        {1},
    )


def _trades(one: Divergence) -> str:
    if not one.trades:
        return "<p>Neither side traded.</p>"
    return table(
        "Trade by trade, in US dollars; what was open at the close is valued at the last price",
        ["Symbol", "Decided", "Live", "Backtest", "Signal", "Fill", "Cost", "Timing", "In all"],
        [
            (
                trade.symbol,
                time_text(trade.entry_decided_at),
                _side(trade.live),
                _side(trade.backtest),
                signed(trade.signal),
                signed(trade.fill),
                signed(trade.cost),
                signed(trade.timing),
                signed(trade.total),
            )
            for trade in one.trades
        ],
        {4, 5, 6, 7, 8},
    )


def _side(trade: ComparedTrade | None) -> str:
    if trade is None:
        return "none"
    return (
        f"{quantity(trade.quantity)} from {price(trade.entry_price)} to {price(trade.exit_price)}: "
        f"{signed(trade.profit)}"
    )


def _remarks(caption: str, remarks: Sequence[Remark]) -> str:
    return table(caption, ["What", "Why"], [(one.what, one.why) for one in remarks], set())

"""The page of one backtest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from tradewind.backtest.arrays import BarArrays
from tradewind.backtest.breakdown import CostCase, by_hour, by_weekday, monthly_returns
from tradewind.backtest.finding import Finding
from tradewind.backtest.metrics import Metrics
from tradewind.backtest.outcome import ExitReason, Outcome

from tradewind_local.backtest_report.clock import TradingClock, clock_of
from tradewind_local.backtest_report.curves import (
    ROLLING_SESSIONS,
    drawdown_figure,
    equity_figure,
    rolling_sharpe_figure,
)
from tradewind_local.backtest_report.distributions import (
    cost_figure,
    excursion_figure,
    periods_figure,
)
from tradewind_local.backtest_report.page import (
    Page,
    cards,
    figures_tables,
    findings_list,
    sentences,
    sign_class,
    table,
)
from tradewind_local.backtest_report.price import price_data, price_figure
from tradewind_local.backtest_report.words import (
    cost_sentence,
    percent,
    price,
    ratio,
    shares,
    usd,
)

# A candle takes 27 bytes: with plotly's own 4.8 MB the page stays below 8 MB.
_MOST_CANDLES = 60_000
# Pictures and rows beyond that are not looked at.
_MOST_PRICES = 12
_MOST_ROWS = 1_000
_MOST_TRADES_ON_PRICE = 5_000
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """What the page tells. ``labels``: what is special about the data, such as SIMULATED;
    ``data``: sentences about each file."""

    outcome: Outcome
    bars: Sequence[BarArrays]
    metrics: Metrics
    cost_cases: Sequence[CostCase]
    findings: Sequence[Finding]
    assumptions: Sequence[str]
    data: Sequence[str]
    labels: Sequence[str]


def backtest_html(report: BacktestReport) -> str:
    """The whole page."""
    outcome = report.outcome
    dates = outcome.session_dates
    symbols = ", ".join(outcome.symbols)
    page = Page(
        f"{symbols}: {outcome.strategy}",
        f"{len(dates):,} sessions from {dates[0]} to {dates[-1]}, {report.metrics.bars:,} minutes; "
        f"fills after {outcome.settings.fill}; {outcome.settings.cash:,} USD at the start",
        report.labels,
    )
    clock = clock_of(outcome.time, outcome.session, dates)
    page.data("clock", clock.as_json())
    page.section("Summary", _summary(report))
    page.section("Equity and drawdown", _equity(page, outcome, clock))
    page.section("Trades on the price", _prices(page, report, clock))
    page.section("Monthly returns", _months(outcome))
    page.section("Rolling Sharpe ratio", _rolling(page, outcome))
    page.section("When it earns", _when(page, outcome))
    page.section("Best and worst price of trades", _excursions(page, outcome))
    page.section("Cost sensitivity", _costs(page, report))
    page.section("All figures", figures_tables(report.metrics))
    page.section("Assumptions", sentences(report.assumptions) + sentences(report.data))
    page.section("Trade list", _trades(outcome, clock))
    return page.text()


def _summary(report: BacktestReport) -> str:
    figures, held = report.metrics, report.metrics.buy_and_hold
    shown = [
        ("Total return", percent(figures.total_return, signed=True), figures.total_return,
         f"buy and hold {percent(held.total_return, signed=True)}, cash 0.00 %"),
        ("Sharpe ratio", ratio(figures.sharpe), figures.sharpe,
         f"buy and hold {ratio(held.sharpe)}"),
        ("Max drawdown", percent(figures.max_drawdown), None,
         f"buy and hold {percent(held.max_drawdown)}"),
        ("Trades", f"{figures.trades:,}", None, f"{percent(figures.win_rate)} won"),
        ("Profit factor", ratio(figures.profit_factor),
         None if figures.profit_factor is None else figures.profit_factor - 1,
         f"{usd(figures.expectancy, signed=True)} USD a trade"),
        ("Exposure", percent(figures.exposure), None, "time in the market"),
    ]  # fmt: skip
    return (
        cards(shown)
        + "\n<h3>What speaks against believing it</h3>\n"
        + findings_list(report.findings)
    )


def _equity(page: Page, outcome: Outcome, clock: TradingClock) -> str:
    return page.figure(
        "equity",
        equity_figure(outcome, clock),
        "Equity of strategy and of buying and holding over time",
        trading_time=True,
    ) + page.figure(
        "drawdown",
        drawdown_figure(outcome, clock),
        "Loss from the highest equity so far",
        trading_time=True,
    )


def _prices(page: Page, report: BacktestReport, clock: TradingClock) -> str:
    outcome = report.outcome
    shown = report.bars[:_MOST_PRICES]
    parts = [
        '<p class="soft">Drag over a part to see it closely, down to single minutes; a double '
        "click shows all of it.</p>"
    ]
    if len(shown) < len(report.bars):
        parts.append(f"<p>Shown are the first {len(shown)} of {len(report.bars)} symbols.</p>")
    for number, bars in enumerate(shown):
        data = price_data(
            bars,
            outcome,
            clock,
            number,
            most_candles=_MOST_CANDLES // len(shown),
            most_trades=_MOST_TRADES_ON_PRICE,
        )
        page.data(f"bars-{number}", data)
        parts.append(f"<h3>{escape(bars.symbol)}</h3>")
        parts.append(
            page.figure(
                f"price-{number}",
                price_figure(bars),
                f"Price of {bars.symbol} with entries and exits",
                trading_time=True,
                symbol=number,
            )
        )
    return "".join(parts)


def _months(outcome: Outcome) -> str:
    years = monthly_returns(outcome)
    returns = [one for year in years for one in year.months if one is not None]
    largest = max((abs(one) for one in returns), default=0.0) or 1.0

    def cell(value: float | None) -> str:
        if value is None:
            return '<td class="month"></td>'
        strength = round(10 + 60 * min(1.0, abs(value) / largest))
        colour = f"var(--{'good' if value >= 0 else 'bad'}) {strength}%"
        return (
            f'<td class="month" style="background:color-mix(in srgb, {colour}, var(--paper))">'
            f"{percent(value, signed=True)}</td>"
        )

    heads = "".join(f'<th scope="col" class="month">{name}</th>' for name in (*_MONTHS, "Year"))
    rows = "".join(
        f'<tr><th scope="row">{year.year}</th>'
        + "".join(map(cell, year.months))
        + f'<td class="month"><b>{percent(year.total, signed=True)}</b></td></tr>'
        for year in years
    )
    return (
        f'<div class="wide"><table><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _rolling(page: Page, outcome: Outcome) -> str:
    made = rolling_sharpe_figure(outcome)
    if made is None:
        return f"<p>Too few sessions: it takes more than {ROLLING_SESSIONS}.</p>"
    return f'<p class="soft">Of the last {ROLLING_SESSIONS} sessions, annual.</p>' + page.figure(
        "rolling", made, "Sharpe ratio of the last sessions over time"
    )


def _when(page: Page, outcome: Outcome) -> str:
    return (
        "<p class=\"soft\">Change of equity by New York's hour and by weekday; what a night's gap "
        'brought lies in the first hour.</p><div class="pair">'
        + page.figure("hours", periods_figure(by_hour(outcome)), "Change of equity by hour")
        + page.figure("weekdays", periods_figure(by_weekday(outcome)), "Change of equity by day")
        + "</div>"
    )


def _excursions(page: Page, outcome: Outcome) -> str:
    if not len(outcome.trades):
        return "<p>There was no trade.</p>"
    return (
        '<p class="soft">Each trade: how far the price went against it (MAE) and for it (MFE) '
        'while it was held, and what it brought.</p><div class="pair">'
        + page.figure("mae", excursion_figure(outcome.trades, "mae"), "Result over worst price")
        + page.figure("mfe", excursion_figure(outcome.trades, "mfe"), "Result over best price")
        + "</div>"
    )


def _costs(page: Page, report: BacktestReport) -> str:
    cases = report.cost_cases
    rows = [
        (
            f"{case.factor:g} x", percent(case.total_return, signed=True),
            usd(case.profit_loss, signed=True), ratio(case.sharpe), ratio(case.profit_factor),
            percent(case.expectancy_return, signed=True), f"{case.trades:,}",
        )
        for case in cases
    ]  # fmt: skip
    return (
        f"<p>{escape(cost_sentence(cases, report.outcome.settings))}</p>"
        + page.figure(
            "costs",
            cost_figure(cases, report.metrics.buy_and_hold.total_return),
            "Total return at 0, 1, 2 and 3 times the cost",
        )
        + table(
            "Commission, slippage and fees times the factor",
            ["Cost", "Total return", "Profit, USD", "Sharpe", "Profit factor",
             "Mean result a trade", "Trades"],
            rows,
            numbers=range(1, 7),
        )
    )  # fmt: skip


def _trades(outcome: Outcome, clock: TradingClock) -> str:
    trades = outcome.trades
    count = len(trades)
    if not count:
        return "<p>There was no trade.</p>"
    shown = min(count, _MOST_ROWS)
    note = "" if shown == count else f" The first {shown:,} of {count:,}; --json has all."
    entered, left = clock.texts(trades.entry_time[:shown]), clock.texts(trades.exit_time[:shown])
    rows = []
    for i in range(shown):
        symbol = int(trades.symbol[i])
        pnl = float(trades.pnl[i])
        result = pnl / float(trades.entry_price[i] * trades.quantity[i])
        link = (
            f'<button type="button" data-of="{symbol}" data-trade="{i}">{i + 1}</button>'
            if symbol < _MOST_PRICES and i < _MOST_TRADES_ON_PRICE
            else str(i + 1)
        )
        cells = [
            f'<td data-value="{i + 1}">{link}</td><td>{escape(outcome.symbols[symbol])}</td>'
            f"<td>{entered[i]}</td><td>{left[i]}</td>"
        ]
        cells += [
            f'<td class="number{sign}" data-value="{value:.10g}">{text}</td>'
            for value, text, sign in (
                (trades.quantity[i], shares(trades.quantity[i]), ""),
                (trades.entry_price[i], price(trades.entry_price[i]), ""),
                (trades.exit_price[i], price(trades.exit_price[i]), ""),
                (pnl, usd(pnl, signed=True), sign_class(pnl)),
                (result, percent(result, signed=True), sign_class(pnl)),
            )
        ]
        rows.append(f"<tr>{''.join(cells)}<td>{ExitReason(int(trades.reason[i])).word}</td></tr>")
    heads = "".join(
        f'<th scope="col"{numeric}>{name}</th>'
        for name, numeric in (
            ("No.", ""), ("Symbol", ""), ("Entry", ""), ("Exit", ""), *(
                (name, ' class="number"')
                for name in ("Shares", "Entry price", "Exit price", "P&amp;L, USD", "Result")
            ), ("Exit reason", ""),
        )
    )  # fmt: skip
    return (
        '<p class="soft">A click on a heading sorts; a number shows its trade on the price.'
        f'{note}</p><div class="long"><table class="trades"><thead><tr>{heads}</tr></thead>'
        "<tbody>\n" + "\n".join(rows) + "</tbody></table></div>"
    )

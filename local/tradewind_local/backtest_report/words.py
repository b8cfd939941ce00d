"""Figures as people read them, in the terminal and on the pages. ``–``: not defined here."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from tradewind.backtest.breakdown import CostCase, break_even_cost
from tradewind.backtest.metrics import CurveMetrics, Metrics
from tradewind.backtest.settings import BacktestSettings

NOTHING = "–"


def percent(fraction: float | None, *, signed: bool = False) -> str:
    if fraction is None:
        return NOTHING
    if abs(fraction) >= 1000:
        return f"{fraction * 100:{'+' if signed else ''},.0f} %"
    return f"{fraction * 100:{'+' if signed else ''},.2f} %"


def ratio(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.2f}"


def usd(value: float | None, *, signed: bool = False) -> str:
    return NOTHING if value is None else f"{value:{'+' if signed else ''},.2f}"


def shares(value: float) -> str:
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def price(value: float) -> str:
    return f"{value:,.4f}"


def curve_rows(metrics: Metrics) -> list[tuple[str, str, str, str]]:
    """What an equity curve tells: its name, the strategy's, buy-and-hold's, cash's."""
    curves: tuple[CurveMetrics, ...] = (metrics, metrics.buy_and_hold, metrics.cash)

    def row(name: str, *texts: str) -> tuple[str, str, str, str]:
        strategy, held, cash = texts
        return name, strategy, held, cash

    return [
        row("Final equity, USD", *(usd(one.final_equity) for one in curves)),
        row("Total return", *(percent(one.total_return, signed=True) for one in curves)),
        row("Annual return", *(percent(one.annual_return, signed=True) for one in curves)),
        row("Volatility, annual", *(percent(one.volatility) for one in curves)),
        row("Max drawdown", *(percent(one.max_drawdown) for one in curves)),
        row("  its length, sessions", *(str(one.max_drawdown_sessions) for one in curves)),
        row("Sharpe ratio", *(ratio(one.sharpe) for one in curves)),
        row("Sortino ratio", *(ratio(one.sortino) for one in curves)),
        row("Calmar ratio", *(ratio(one.calmar) for one in curves)),
    ]


def trading_rows(metrics: Metrics) -> list[tuple[str, str]]:
    """What only trading has."""
    still = f", {metrics.open_trades} still open at the end" if metrics.open_trades else ""
    return [
        ("Trades", f"{metrics.trades:,}{still}"),
        ("Win rate", percent(metrics.win_rate)),
        ("Profit factor", ratio(metrics.profit_factor)),
        ("Expectancy a trade, USD", usd(metrics.expectancy, signed=True)),
        ("  of the entry's value", percent(metrics.expectancy_return, signed=True)),
        ("Exposure (time in the market)", percent(metrics.exposure)),
        ("Exposure-adjusted return, annual",
         percent(metrics.exposure_adjusted_return, signed=True)),
        ("Money at work, mean", percent(metrics.mean_invested)),
        ("Turnover a session, of equity", percent(metrics.turnover)),
        ("Fees, USD", usd(metrics.fees)),
        ("Worst price while held (MAE), mean", percent(metrics.mean_mae)),
        ("Best price while held (MFE), mean", percent(metrics.mean_mfe)),
        ("Lost beyond stops through gaps, USD", usd(metrics.gap_loss)),
    ]  # fmt: skip


def cost_sentence(cases: Sequence[CostCase], settings: BacktestSettings) -> str:
    """How much cost the profit bears."""
    free = settings.at_cost(Decimal(0))
    same = (settings.commission, settings.slippage) == (free.commission, free.slippage)
    if same and not settings.regulatory_fees:
        return "Nothing is charged here, so more of it is nothing either: real trading costs."
    factor = break_even_cost(tuple(cases))
    if factor is None:
        return f"The profit is still there at {cases[-1].factor:g} times the cost."
    if factor == 0:
        return "There is no profit even without any cost."
    return f"The profit is gone at {factor:.1f} times the cost."

"""The page of one sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from tradewind.backtest.finding import Finding
from tradewind.backtest.metrics import Metrics
from tradewind.backtest.outcome import Outcome
from tradewind.backtest.overfitting import BacktestOverfitting
from tradewind.backtest.sweep import SweepOutcome
from tradewind.backtest.walk_forward import WalkForward

from tradewind_local.backtest_commands.ranking import Ranked
from tradewind_local.backtest_commands.verdict import Verdict
from tradewind_local.backtest_report.clock import clock_of
from tradewind_local.backtest_report.curves import equity_figure
from tradewind_local.backtest_report.page import (
    Page,
    cards,
    figures_tables,
    findings_list,
    sentences,
    table,
)
from tradewind_local.backtest_report.sweep_figures import (
    degradation_figure,
    map_figure,
    rank_figure,
)
from tradewind_local.backtest_report.words import percent, ratio


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What the page tells. ``outcome``, ``metrics`` and ``findings`` are the best variant's."""

    swept: SweepOutcome
    top: Sequence[Ranked]
    verdict: Verdict
    outcome: Outcome
    metrics: Metrics
    findings: Sequence[Finding]
    assumptions: Sequence[str]
    data: Sequence[str]
    labels: Sequence[str]


def sweep_html(report: SweepReport) -> str:
    """The whole page."""
    outcome, verdict = report.outcome, report.verdict
    dates = outcome.session_dates
    page = Page(
        f"{outcome.symbols[0]}: {len(report.swept.parameters):,} variants of sma_crossover",
        f"{len(dates):,} sessions from {dates[0]} to {dates[-1]}, {report.metrics.bars:,} minutes, "
        f"fills after {outcome.settings.fill}",
        report.labels,
    )
    page.section("Verdict", _verdict(report))
    page.section("All variants", _maps(page, report.swept))
    page.section("The best ones", _best(report))
    if verdict.overfitting is not None:
        page.section("Where it was not chosen", _elsewhere(page, verdict.overfitting))
    if verdict.forward is not None:
        page.section("Walk forward", _forward(page, verdict.forward))
    page.section("The best one's figures", figures_tables(report.metrics))
    page.section("Assumptions", sentences(report.assumptions) + sentences(report.data))
    return page.text()


def _verdict(report: SweepReport) -> str:
    verdict, figures = report.verdict, report.metrics
    deflation, overfitting = verdict.deflation, verdict.overfitting
    deflated = None if deflation is None else deflation.deflated
    return (
        f'<p class="verdict"><b>{escape(verdict.sentence)}</b></p>'
        + cards(
            [
                ("Best variant", f"{verdict.fast} / {verdict.slow}", None,
                 f"of {verdict.trials:,} tried"),
                ("Its Sharpe ratio", ratio(figures.sharpe), None,
                 "by luck " + ratio(None if deflation is None else deflation.annual_luck)),
                ("Deflated Sharpe ratio", percent(deflated), None,
                 "probability of more than luck"),
                ("Overfitting (PBO)",
                 percent(None if overfitting is None else overfitting.probability), None,
                 "of the splits: worse half elsewhere"),
                ("Walk-forward Sharpe", ratio(verdict.forward_sharpe), verdict.forward_sharpe,
                 "on sessions it had not seen"),
                ("Total return", percent(figures.total_return, signed=True), figures.total_return,
                 f"buy and hold {percent(figures.buy_and_hold.total_return, signed=True)}"),
            ]
        )
        + sentences(verdict.details)
        + "<h3>What speaks against believing it</h3>"
        + findings_list(report.findings)
    )  # fmt: skip


def _maps(page: Page, swept: SweepOutcome) -> str:
    finite = np.where(np.isfinite(swept.sharpe), swept.sharpe, np.nan)
    return (
        '<p class="soft">A broad region of one colour is worth more than a single bright field.</p>'
        '<div class="pair"><div><h3>Sharpe ratio</h3>'
        + page.figure(
            "map-sharpe", map_figure(swept, finite, "Sharpe ratio", ".2f"), "Sharpe ratios of all"
        )
        + "</div><div><h3>Total return, percent</h3>"
        + page.figure(
            "map-return",
            map_figure(swept, 100 * swept.total_return, "total return, %", "+.2f"),
            "Total returns of all",
        )
        + "</div></div>"
    )


def _best(report: SweepReport) -> str:
    return table(
        f"By Sharpe ratio; deflated: the probability that it is more than the luck of the best of "
        f"{report.verdict.trials:,}",
        ["Rank", "Fast", "Slow", "Total return", "Sharpe", "Deflated", "Sortino", "Max drawdown",
         "Profit factor", "Trades"],
        [
            (
                str(rank), str(one.fast), str(one.slow), percent(one.total_return, signed=True),
                ratio(one.sharpe), percent(one.deflated), ratio(one.sortino),
                percent(one.max_drawdown), ratio(one.profit_factor), f"{one.trades:,}",
            )
            for rank, one in enumerate(report.top, 1)
        ],
        numbers=range(1, 10),
    )  # fmt: skip


def _elsewhere(page: Page, found: BacktestOverfitting) -> str:
    return (
        f'<p class="soft">The sessions are cut into {found.blocks} blocks; in each of '
        f"{len(found.logits):,} ways to take half of them the best variant of that half is looked "
        'at in the other half.</p><div class="pair">'
        + page.figure("degradation", degradation_figure(found), "Sharpe ratio here and elsewhere")
        + page.figure("ranks", rank_figure(found), "Rank of the chosen one elsewhere")
        + "</div>"
    )


def _forward(page: Page, forward: WalkForward) -> str:
    outcome = forward.outcome
    clock = clock_of(outcome.time, outcome.session, outcome.session_dates)
    page.data("clock", clock.as_json())
    return (
        '<p class="soft">In each window the best variant of the sessions before is traded on '
        "sessions that the choice had not seen.</p>"
        + page.figure(
            "forward",
            equity_figure(outcome, clock),
            "Equity of the walk forward",
            trading_time=True,
        )
        + table(
            "Windows",
            ["Chosen on", "Traded on", "Fast", "Slow", "Sharpe there", "Sharpe then",
             "Return then", "Trades"],
            [
                (
                    f"{step.in_sample[0]} to {step.in_sample[1]}",
                    f"{step.out_of_sample[0]} to {step.out_of_sample[1]}",
                    str(step.fast), str(step.slow), ratio(step.in_sample_sharpe),
                    ratio(step.out_of_sample_sharpe),
                    percent(step.out_of_sample_return, signed=True), f"{step.trades:,}",
                )
                for step in forward.steps
            ],
            numbers=range(2, 8),
        )
    )  # fmt: skip

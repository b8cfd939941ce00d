"""What the commands say in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text
from tradewind.backtest.breakdown import CostCase
from tradewind.backtest.finding import Finding
from tradewind.backtest.metrics import Metrics
from tradewind.backtest.outcome import Outcome

from tradewind_local.backtest_commands.assumptions import fills_in_words
from tradewind_local.backtest_report.words import (
    cost_sentence,
    curve_rows,
    percent,
    ratio,
    trading_rows,
    usd,
)
from tradewind_local.bars.progress import say

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def print_heading(console: Console, title: str, labels: Sequence[str], data: Sequence[str]) -> None:
    console.print(Text(title, style="bold"))
    for label in labels:
        console.print(Text(label, style="bold yellow"))
    for sentence in data:
        say(console, sentence)


def print_backtest(
    console: Console,
    outcome: Outcome,
    metrics: Metrics,
    cases: Sequence[CostCase],
    findings: Sequence[Finding],
) -> None:
    say(console, f"Fills after {outcome.settings.fill}: {fills_in_words(outcome.settings)}")
    curves = plain_table("", "strategy", "buy and hold", "cash")
    for row in curve_rows(metrics):
        curves.add_row(*row)
    console.print(curves)
    trading = plain_table("", "")
    for pair in trading_rows(metrics):
        trading.add_row(*pair)
    console.print(trading)
    costs = plain_table("at so many times the cost", *(f"{case.factor:g} x" for case in cases))
    costs.add_row("Total return", *(percent(one.total_return, signed=True) for one in cases))
    costs.add_row("Profit, USD", *(usd(one.profit_loss, signed=True) for one in cases))
    costs.add_row("Sharpe ratio", *(ratio(one.sharpe) for one in cases))
    console.print(costs)
    say(console, cost_sentence(cases, outcome.settings))
    print_findings(console, findings)
    say(console, f"The engine took {outcome.engine_ms:.2f} ms for {metrics.bars:,} minutes")


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    if not findings:
        say(console, "The linter found nothing to say against it")
    for one in findings:
        line = Text(f"{one.severity}: ", style=_COLOURS[one.severity])
        line.append(one.sentence, style="none")
        console.print(line, soft_wrap=True)


def plain_table(first: str, *heads: str) -> Table:
    made = Table(show_header=bool(first or any(heads)), header_style="bold", box=None)
    made.add_column(first)
    for head in heads:
        made.add_column(head, justify="right")
    return made

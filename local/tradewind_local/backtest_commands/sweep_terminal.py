"""What ``tradewind sweep`` says in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text
from tradewind.backtest.finding import Finding
from tradewind.backtest.metrics import Metrics
from tradewind.backtest.sweep import SweepOutcome

from tradewind_local.backtest_commands.ranking import Ranked
from tradewind_local.backtest_commands.terminal import plain_table, print_findings
from tradewind_local.backtest_commands.verdict import Verdict
from tradewind_local.backtest_report.words import percent, ratio
from tradewind_local.bars.progress import say


def print_sweep(
    console: Console,
    swept: SweepOutcome,
    top: Sequence[Ranked],
    verdict: Verdict,
    metrics: Metrics,
    findings: Sequence[Finding],
) -> None:
    best = plain_table(
        "rank", "fast", "slow", "total return", "Sharpe", "deflated", "Sortino", "max drawdown",
        "profit factor", "trades",
    )  # fmt: skip
    for rank, one in enumerate(top, 1):
        best.add_row(
            str(rank), str(one.fast), str(one.slow), percent(one.total_return, signed=True),
            ratio(one.sharpe), percent(one.deflated), ratio(one.sortino),
            percent(one.max_drawdown), ratio(one.profit_factor), f"{one.trades:,}",
        )  # fmt: skip
    console.print(best)
    held = metrics.buy_and_hold
    say(
        console,
        f"Buying and holding made {percent(held.total_return, signed=True)} (Sharpe "
        f"{ratio(held.sharpe)}); deflated: the probability that a variant's Sharpe ratio is more "
        "than the luck of the best of all",
    )
    console.print(Text(verdict.sentence, style="bold"), soft_wrap=True)
    for sentence in verdict.details:
        say(console, sentence)
    print_findings(console, findings)
    say(
        console,
        f"The engine took {swept.engine_ms:.0f} ms for {len(swept.parameters):,} backtests of "
        f"{metrics.bars:,} minutes",
    )

"""What ``tradewind backtest`` does, once its options are read."""

from __future__ import annotations

from pathlib import Path

from tradewind.backtest.breakdown import CostCase, breakdown, cost_sensitivity
from tradewind.backtest.engine import backtest
from tradewind.backtest.linter import findings
from tradewind.backtest.metrics import summarise
from tradewind.backtest.outcome import Outcome
from tradewind.backtest.settings import BacktestSettings, FillConvention
from tradewind.market.session_table import default_table
from tradewind.strategies.protocol import Strategy

from tradewind_local.backtest_commands.assumptions import assumptions_of
from tradewind_local.backtest_commands.bars_options import (
    BarsOptions,
    LoadedBars,
    check_bars,
    load,
)
from tradewind_local.backtest_commands.data_words import data_sentences, labels_of
from tradewind_local.backtest_commands.payload import backtest_payload
from tradewind_local.backtest_commands.second_process import meanwhile
from tradewind_local.backtest_commands.settings_options import SettingsOptions, settings_of
from tradewind_local.backtest_commands.strategy_options import PARAMETERS, strategy_of
from tradewind_local.backtest_commands.terminal import print_backtest, print_heading
from tradewind_local.bars.progress import console_for_output, say
from tradewind_local.json_file import write_json_file
from tradewind_local.output_file import write_output_file

_SHORT_PASS = BacktestSettings.of(FillConvention.NEXT_OPEN)


def run_backtest(
    files: BarsOptions,
    strategy_name: str,
    fast: int,
    slow: int,
    trials: int,
    typed: SettingsOptions,
    json_file: Path | None,
    report_file: Path | None,
) -> None:
    """Trade, judge, say it and write the files that were asked for. Raises InvalidInputError before
    a bar is read for whatever can be said then."""
    strategy = strategy_of(strategy_name, fast, slow)
    settings = settings_of(typed)
    check_bars(files, settings.fill, json_file, report_file)
    loaded = load(files, strategy.bars_needed)
    # The first run waits for compiled code to be there; the second one's time is the engine's. The
    # figures of metrics are compiled beside the longest pass, in a run that has the short one.
    with meanwhile(lambda: summarise(backtest(loaded.arrays, strategy, _SHORT_PASS))):
        backtest(loaded.arrays, strategy, settings)
    outcome = backtest(loaded.arrays, strategy, settings)
    metrics = summarise(outcome)
    cases = _cost_cases(loaded, strategy, outcome)
    found = findings(
        outcome,
        metrics,
        parameters=PARAMETERS,
        trials=trials,
        bars=loaded.arrays,
        cost_cases=cases,
        warm_up=strategy.bars_needed,
        calendar=default_table(),
    )
    console = console_for_output()
    data = data_sentences(loaded, files)
    labels = labels_of(loaded, found)
    print_heading(console, f"{', '.join(outcome.symbols)}: {outcome.strategy}", labels, data)
    print_backtest(console, outcome, metrics, cases, found)
    assumptions = assumptions_of(settings)
    if json_file is not None:
        payload = backtest_payload(
            outcome, loaded, metrics, breakdown(outcome), cases, found, assumptions
        )
        write_json_file(json_file, payload)
        say(console, f"Everything as JSON: {json_file}")
    if report_file is not None:
        # plotly; nobody else has to wait for it
        from tradewind_local.backtest_report.backtest_page import BacktestReport, backtest_html

        page = backtest_html(
            BacktestReport(outcome, loaded.arrays, metrics, cases, found, assumptions, data, labels)
        )
        write_output_file("--report", report_file, page)
        say(console, f"The report: {report_file}")


def _cost_cases(loaded: LoadedBars, strategy: Strategy, outcome: Outcome) -> tuple[CostCase, ...]:
    """At the cost as it is, the outcome is there already."""
    settings = outcome.settings
    return cost_sensitivity(
        lambda other: outcome if other == settings else backtest(loaded.arrays, strategy, other),
        settings,
    )

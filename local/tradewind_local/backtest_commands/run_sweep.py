"""What ``tradewind sweep`` does, once its options are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tradewind.backtest.breakdown import cost_sensitivity
from tradewind.backtest.engine import backtest
from tradewind.backtest.linter import findings
from tradewind.backtest.metrics import summarise
from tradewind.backtest.sweep import sweep
from tradewind.errors import InvalidInputError
from tradewind.market.session_table import default_table
from tradewind.strategies.sma_crossover import SmaCrossover

from tradewind_local.backtest_commands.assumptions import assumptions_of
from tradewind_local.backtest_commands.bars_options import BarsOptions, check_bars, load
from tradewind_local.backtest_commands.data_words import data_sentences, labels_of
from tradewind_local.backtest_commands.grid import grid_of
from tradewind_local.backtest_commands.judge_sweep import judge
from tradewind_local.backtest_commands.ranking import ranked
from tradewind_local.backtest_commands.settings_options import SettingsOptions, settings_of
from tradewind_local.backtest_commands.strategy_options import PARAMETERS, check_name
from tradewind_local.backtest_commands.sweep_payload import sweep_payload
from tradewind_local.backtest_commands.sweep_terminal import print_sweep
from tradewind_local.backtest_commands.terminal import print_heading
from tradewind_local.bars.progress import console_for_output, progress, say
from tradewind_local.json_file import write_json_file
from tradewind_local.output_file import write_output_file

_MOST_PAIRS = 20_000


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """As they were typed."""

    strategy: str
    fast: str
    slow: str
    trials: int | None
    top: int


def run_sweep(
    files: BarsOptions,
    typed: SweepOptions,
    typed_settings: SettingsOptions,
    json_file: Path | None,
    report_file: Path | None,
) -> None:
    """Try all pairs, rank and judge them, say it and write the files that were asked for. Raises
    InvalidInputError before a bar is read for whatever can be said then."""
    check_name(typed.strategy)
    fast, slow = grid_of("--fast", typed.fast), grid_of("--slow", typed.slow)
    pairs = _pairs(fast, slow)
    if typed.trials is not None and typed.trials < pairs:
        raise InvalidInputError(f"--trials {typed.trials}: this sweep alone tries {pairs:,}")
    settings = settings_of(typed_settings)
    check_bars(files, settings.fill, json_file, report_file)
    if len(files.files) + len(files.simulate) > 1:
        raise InvalidInputError("a sweep tries the bars of one symbol: name one")
    loaded = load(files, slow[-1] + 1)
    (bars,) = loaded.arrays
    console = console_for_output()
    # The first trial waits for compiled code to be there; the others' time is the engine's.
    sweep(bars, fast[:1], slow[-1:], settings)
    with progress(console, f"Sweep of {bars.symbol}", pairs, "backtests") as step:
        swept = sweep(bars, fast, slow, settings, progress=step)
    top = ranked(swept, typed.top, trials=typed.trials)
    verdict = judge(console, bars, fast, slow, settings, swept, top[0], typed.trials)
    best = SmaCrossover(verdict.fast, verdict.slow)
    outcome = backtest([bars], best, settings)
    metrics = summarise(outcome)
    cases = cost_sensitivity(
        lambda other: outcome if other == settings else backtest([bars], best, other), settings
    )
    found = findings(
        outcome,
        metrics,
        parameters=PARAMETERS,
        trials=verdict.trials,
        bars=[bars],
        cost_cases=cases,
        warm_up=best.bars_needed,
        deflation=verdict.deflation,
        overfitting=verdict.overfitting,
        calendar=default_table(),
    )
    data, labels = data_sentences(loaded, files), labels_of(loaded, found)
    print_heading(console, f"{bars.symbol}: {pairs:,} variants of sma_crossover", labels, data)
    print_sweep(console, swept, top, verdict, metrics, found)
    assumptions = assumptions_of(settings)
    if json_file is not None:
        payload = sweep_payload(
            swept, loaded, settings, top[0], verdict, metrics, found, assumptions
        )
        write_json_file(json_file, payload)
        say(console, f"Everything as JSON: {json_file}")
    if report_file is not None:
        # plotly; nobody else has to wait for it
        from tradewind_local.backtest_report.sweep_page import SweepReport, sweep_html

        report = SweepReport(
            swept, top, verdict, outcome, metrics, found, assumptions, data, labels
        )
        write_output_file("--report", report_file, sweep_html(report))
        say(console, f"The report: {report_file}")


def _pairs(fast: list[int], slow: list[int]) -> int:
    pairs = sum(1 for one in fast for other in slow if one < other)
    if not pairs:
        raise InvalidInputError(
            f"no pair to try: the least of --fast, {fast[0]}, has to be less than the largest of "
            f"--slow, {slow[-1]}"
        )
    if pairs > _MOST_PAIRS:
        raise InvalidInputError(
            f"{pairs:,} pairs are too many for one sweep: give a coarser grid of at most "
            f"{_MOST_PAIRS:,}"
        )
    return pairs

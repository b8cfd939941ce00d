"""``tradewind backtest`` and ``tradewind sweep``: options, help, exit codes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from tradewind.market.csv_rows import Label

from tradewind_local.backtest_commands.tools import ensure_tools
from tradewind_local.command_end import in_one_line
from tradewind_local.json_file import check_json_file
from tradewind_local.output_file import check_output_file

_EXIT_CODES = """Exit codes: 0 done; 1 what backtests need could not be installed; 2 the input is
wrong, one line says what, and nothing was written; 130 Ctrl-C."""


@contextmanager
def _no_collector() -> Iterator[None]:
    """Compiling makes a million objects, and they stay: to look for unreachable ones among them
    again and again takes a seventh of a cold start. Arrays are given back without it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _look_for_garbage_less_often() -> None:
    """Importing and compiling make many objects that stay: looking through them again and again for
    cycles to free is a tenth of a command's time."""
    gc.set_threshold(50_000, 50, 50)


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that both commands have, in the order in which help shows them."""
    for option in (
        click.option(
            "--report",
            "report_file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Write a page with figures to this file; it stands alone and loads nothing.",
        ),
        click.option(
            "--json",
            "json_file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Write everything to this file as JSON.",
        ),
        click.option(
            "--trials",
            type=click.IntRange(min=1),
            metavar="N",
            help="How many variants were ever tried on these bars, earlier ones included; default: "
            "those of this command. Who forgets the others flatters the best.",
        ),
        click.option(
            "--seed", type=int, default=1, show_default=True, help="Of what is simulated."
        ),
        click.option(
            "--sessions",
            type=click.IntRange(1, 1_000),
            default=60,
            show_default=True,
            metavar="N",
            help="How many are simulated.",
        ),
        click.option(
            "--simulate",
            multiple=True,
            metavar="SYMBOL",
            help="Instead of --bars: a simulated market, which says so wherever it shows; to try "
            "the command out.",
        ),
        click.option(
            "--timezone",
            default="America/New_York",
            show_default=True,
            help="Time zone of row times without an offset.",
        ),
        click.option(
            "--label",
            type=click.Choice(["start", "end"]),
            default="start",
            show_default=True,
            help="Whether a row's time is its minute's first instant or the first instant after "
            "it.",
        ),
        click.option(
            "--session",
            type=click.Choice(["regular", "all"]),
            default="regular",
            show_default=True,
            help="Which bars count: those of regular hours, or every one in the file (not "
            "with live_parity). Which bars feed the averages decides the trades.",
        ),
        click.option(
            "--without",
            "off",
            multiple=True,
            metavar="PROTECTION",
            help="live_parity without one of live trading's protections: cooldown, stop_guard, "
            "daily_drawdown, peak_drawdown, low_profit, or all. May be repeated.",
        ),
        click.option(
            "--daily-drawdown",
            metavar="FRACTION",
            help="At this loss since the previous close entries stop for the day, as in 0.10; "
            "default: never.",
        ),
        click.option(
            "--slippage",
            metavar="COST",
            help="What each fill is worse by: a fraction of its price (0.0002), spread:0.01 (USD, "
            "of which a fill pays half), or volume:0.1:0.1 (an entry takes at most that share of "
            "the bar's volume; impact times its share squared). Default: 0.0002 for live_parity, "
            "else 0.",
        ),
        click.option(
            "--commission",
            default="0",
            show_default=True,
            metavar="FRACTION",
            help="Of the value of each purchase and sale.",
        ),
        click.option(
            "--cash", default="100000", show_default=True, metavar="USD", help="At the start."
        ),
        click.option(
            "--risk",
            default="0.02",
            show_default=True,
            metavar="FRACTION",
            help="Of equity that an entry may lose at its stop.",
        ),
        click.option(
            "--trail",
            default="0.015",
            show_default=True,
            metavar="FRACTION",
            help="Trailing stop: so far below the highest price since entry.",
        ),
        click.option(
            "--stop",
            default="0.015",
            show_default=True,
            metavar="FRACTION",
            help="Stop: so far below the entry.",
        ),
        click.option(
            "--fill",
            type=click.Choice(["live_parity", "next_open_no_entry_bar_stop", "vectorbt"]),
            default="live_parity",
            show_default=True,
            help="Who is believed about fills: live trading's own rules, at 2 basis points a side "
            "and fees, or what backtesting.py and backtrader, or vectorbt, agree on, at no cost.",
        ),
    ):
        command = option(command)
    return command


@click.command("backtest", epilog=_EXIT_CODES, short_help="Trade recorded bars, and judge it.")
@click.option(
    "--bars",
    "bars_options",
    multiple=True,
    metavar="SYMBOL=FILE",
    help="One-minute bars (CSV) of a symbol; several symbols share one account.",
)
@click.option(
    "--strategy", default="sma_crossover", show_default=True, help="Which strategy trades."
)
@click.option(
    "--fast", type=int, default=20, show_default=True, metavar="BARS", help="The fast average."
)
@click.option(
    "--slow", type=int, default=50, show_default=True, metavar="BARS", help="The slow average."
)
@_common
def backtest(
    bars_options: tuple[str, ...],
    strategy: str,
    fast: int,
    slow: int,
    session: str,
    label: Label,
    timezone: str,
    simulate: tuple[str, ...],
    sessions: int,
    seed: int,
    trials: int | None,
    json_file: Path | None,
    report_file: Path | None,
    **assumed: Any,
) -> None:
    """Trade recorded one-minute bars with a strategy and say what it would have earned, beside
    buying and holding and beside keeping the cash; what it would have cost; and what speaks
    against believing it.

    A file has the columns timestamp, open, high, low, close and volume, in any order, oldest or
    newest first. A bar that cannot be true refuses the file.

    \b
    Examples:
      tradewind backtest --simulate SIM --report report.html
      tradewind backtest --bars AAPL=aapl.csv --fast 20 --slow 50 --report aapl.html
      tradewind backtest --bars AAPL=aapl.csv --bars MSFT=msft.csv --label end --json out.json
      tradewind backtest --bars AAPL=aapl.csv --fill next_open_no_entry_bar_stop --stop 0.002 \\
          --trail 0.002
    """
    with in_one_line("tradewind backtest"), _no_collector():
        check_json_file(json_file)
        check_output_file("--report", report_file)
        ensure_tools()
        _look_for_garbage_less_often()
        # half a second of imports, after the checks
        from tradewind_local.backtest_commands.bars_options import BarsOptions
        from tradewind_local.backtest_commands.run_backtest import run_backtest
        from tradewind_local.backtest_commands.settings_options import SettingsOptions

        run_backtest(
            BarsOptions(bars_options, simulate, sessions, seed, session, label, timezone),
            strategy,
            fast,
            slow,
            trials or 1,
            SettingsOptions(**assumed),
            json_file,
            report_file,
        )


@click.command("sweep", epilog=_EXIT_CODES, short_help="Try many parameters, and judge the best.")
@click.option(
    "--bars",
    "bars_options",
    multiple=True,
    metavar="SYMBOL=FILE",
    help="One-minute bars (CSV) of one symbol.",
)
@click.option(
    "--strategy", default="sma_crossover", show_default=True, help="Which strategy trades."
)
@click.option(
    "--fast",
    default="5:60:5",
    show_default=True,
    metavar="GRID",
    help="The fast averages: 5:60:5 is 5, 10, ... 60; lists as in 5,8,13 and 5:20:5,30 work too.",
)
@click.option(
    "--slow", default="20:200:10", show_default=True, metavar="GRID", help="The slow averages."
)
@click.option(
    "--top", type=click.IntRange(1, 100), default=10, show_default=True, help="Rows of the table."
)
@_common
def sweep(
    bars_options: tuple[str, ...],
    strategy: str,
    fast: str,
    slow: str,
    top: int,
    session: str,
    label: Label,
    timezone: str,
    simulate: tuple[str, ...],
    sessions: int,
    seed: int,
    trials: int | None,
    json_file: Path | None,
    report_file: Path | None,
    **assumed: Any,
) -> None:
    """Backtest every pair of a fast and a slower average, rank them, and say how likely the best
    one is a fluke: deflated Sharpe ratio, probability of backtest overfitting, and a walk forward
    over bars that the choice had not seen.

    \b
    Examples:
      tradewind sweep --bars AAPL=aapl.csv --fast 5:60:5 --slow 20:200:10 --report sweep.html
      tradewind sweep --bars AAPL=aapl.csv --fast 5,8,13,21 --slow 34,55,89 --json sweep.json
    """
    with in_one_line("tradewind sweep"), _no_collector():
        check_json_file(json_file)
        check_output_file("--report", report_file)
        ensure_tools()
        _look_for_garbage_less_often()
        # half a second of imports, after the checks
        from tradewind_local.backtest_commands.bars_options import BarsOptions
        from tradewind_local.backtest_commands.run_sweep import SweepOptions, run_sweep
        from tradewind_local.backtest_commands.settings_options import SettingsOptions

        run_sweep(
            BarsOptions(bars_options, simulate, sessions, seed, session, label, timezone),
            SweepOptions(strategy, fast, slow, trials, top),
            SettingsOptions(**assumed),
            json_file,
            report_file,
        )

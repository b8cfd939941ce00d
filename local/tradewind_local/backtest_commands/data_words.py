"""What the bars are, in words: how many, whose, and what is special about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tradewind.backtest.finding import Finding

from tradewind_local.backtest_commands.bars_options import BarsOptions, LoadedBars

SIMULATED = "SIMULATED bars: a simulated profit says nothing about a market"
ADJUSTED = "ADJUSTED prices: not those that were paid on the day"
_OFF_THE_TICK_GRID = "prices_off_the_tick_grid"


def data_sentences(loaded: LoadedBars, options: BarsOptions) -> list[str]:
    hours = "of regular hours" if options.session == "regular" else "of all hours"
    return [
        f"{bars.symbol}: {len(bars):,} bars {hours} in {len(bars.session_dates):,} sessions, "
        f"{bars.session_dates[0]} to {bars.session_dates[-1]}, from {Path(source).name} "
        f"(SHA-256 of the bars {bars.fingerprint()[:12]}…)"
        for bars, source in zip(loaded.arrays, loaded.sources, strict=True)
    ]


def labels_of(loaded: LoadedBars, findings: Sequence[Finding]) -> list[str]:
    labels = [SIMULATED] if loaded.simulated else []
    if any(one.code == _OFF_THE_TICK_GRID for one in findings):
        labels.append(ADJUSTED)
    return labels

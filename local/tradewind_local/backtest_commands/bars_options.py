"""The bars that the options name, as arrays. Each error is one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

from tradewind.backtest.arrays import BarArrays, arrays_of
from tradewind.backtest.bar_file import read_arrays
from tradewind.backtest.settings import FillConvention
from tradewind.errors import InvalidInputError
from tradewind.market.csv_rows import Label
from tradewind.market.session_table import default_table
from tradewind.market.symbol import check_symbol

from tradewind_local.bars.options import named_files, zone_of
from tradewind_local.exchange.simulated_market import simulated_bars

_SIMULATED_FROM = date(2020, 1, 1)
MOST_SIMULATED_SESSIONS = 1_000


@dataclass(frozen=True, slots=True)
class BarsOptions:
    """As they were typed."""

    files: Sequence[str]
    simulate: Sequence[str]
    sessions: int
    seed: int
    session: str
    label: Label
    timezone: str


@dataclass(frozen=True, slots=True)
class LoadedBars:
    """``arrays[i]`` is what is used of ``sources[i]``, a file's name or what was simulated."""

    arrays: tuple[BarArrays, ...]
    sources: tuple[str, ...]
    simulated: bool


def check_bars(options: BarsOptions, fill: FillConvention, *written: Path | None) -> None:
    """What can be said before a file is read. ``written``: the files that results go to."""
    if options.session == "all" and fill is FillConvention.LIVE_PARITY:
        others = " or ".join(one for one in FillConvention if one is not fill)
        raise InvalidInputError(
            f"--session all: {fill} trades regular hours only, as live trading does; give --fill "
            f"{others} with it"
        )
    if bool(options.files) == bool(options.simulate):
        raise InvalidInputError("give either --bars SYMBOL=FILE or --simulate SYMBOL")
    zone_of(options.timezone)
    named = named_files(options.files)
    for symbol in options.simulate:
        check_symbol(symbol)
    option = "--bars" if options.files else "--simulate"
    seen: set[str] = set()
    for symbol in (*(one.symbol for one in named), *options.simulate):
        if symbol in seen:
            raise InvalidInputError(f"{option} names {symbol} twice; a symbol has one series")
        seen.add(symbol)
    results = [path.resolve() for path in written if path is not None]
    for one in named:
        if one.path.resolve() in results:
            raise InvalidInputError(f"{one.path} would be written over the bars of {one.symbol}")
    if len(set(results)) < len(results):
        raise InvalidInputError(f"--json and --report both name {results[0].name}")


def load(options: BarsOptions, needed: int) -> LoadedBars:
    """Reads the files, or simulates. Raises InvalidInputError for a file or a row that cannot be
    traded on, and for fewer bars of a symbol than are ``needed`` to decide on one."""
    loaded = _simulated(options) if options.simulate else _recorded(options)
    for bars, source in zip(loaded.arrays, loaded.sources, strict=True):
        if len(bars) < needed:
            hours = "regular hours" if options.session == "regular" else "all"
            raise InvalidInputError(
                f"{source}: {len(bars):,} bars of {hours} are too few: {needed} are needed to "
                "decide anything"
            )
    return loaded


def _recorded(options: BarsOptions) -> LoadedBars:
    zone, calendar = zone_of(options.timezone), default_table()
    named = named_files(options.files)
    arrays = tuple(
        read_arrays(
            one.path,
            one.symbol,
            calendar,
            label=options.label,
            timezone=zone,
            regular_only=options.session == "regular",
        )
        for one in named
    )
    return LoadedBars(arrays, tuple(str(one.path) for one in named), simulated=False)


def _simulated(options: BarsOptions) -> LoadedBars:
    """The market that ``tradewind run`` simulates, over the sessions from 2020 on."""
    calendar = default_table()
    last = _SIMULATED_FROM + timedelta(days=2 * MOST_SIMULATED_SESSIONS)
    sessions = list(islice(calendar.between(_SIMULATED_FROM, last), options.sessions))
    arrays = tuple(
        arrays_of(symbol, simulated_bars([symbol], sessions, options.seed), calendar)
        for symbol in options.simulate
    )
    source = f"simulated, seed {options.seed}"
    return LoadedBars(arrays, (source,) * len(arrays), simulated=True)

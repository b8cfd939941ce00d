"""``tradewind bars backfill``: check everything, open the database, ask, store, report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rich.console import Console
from tradewind.adapters.clock import SystemClock
from tradewind.errors import InvalidInputError, KeyRefusedError, OutsideCalendarError
from tradewind.market.bar import MINUTE, to_iso
from tradewind.market.intake import availability_of
from tradewind.market.session import Session
from tradewind.market.session_table import default_table
from tradewind.market.verdict import ValidationRules
from tradewind.use_cases.backfill_bars import Backfilled, backfill_bars
from tradewind.use_cases.ports import Clock
from tradewind.use_cases.store_bars import covered_sessions

from tradewind_local.bars.database import opened, target_of
from tradewind_local.bars.options import dates_of, split_factors, symbols_of
from tradewind_local.bars.progress import console_for_output, progress, say
from tradewind_local.bars.provider import KEYS, source_of
from tradewind_local.bars.report import NEW_YORK, print_report, report_payload


@dataclass(frozen=True, slots=True)
class BackfillOptions:
    """The command line's texts, unchecked."""

    symbols: str
    first: str
    last: str
    provider: str
    feed: str
    requests: str | None
    url: str | None
    again: bool
    database: str | None
    splits: Sequence[str]


def run_backfill(options: BackfillOptions) -> dict[str, Any]:
    """The report. What is wrong with an option is an InvalidInputError before anything is asked
    and before the database is touched."""
    console = console_for_output()
    clock = SystemClock()
    symbols = symbols_of(options.symbols)
    sessions = _sessions(options, clock)
    factors = split_factors(options.splits, clock.now())
    source = source_of(
        options.provider, options.feed, options.requests, options.url, os.environ, clock
    )
    target = target_of(options.database)
    with opened(target) as store:
        say(console, f"database {target.name}, {len(sessions)} sessions from {source.name}")
        with store.transaction() as stores:
            stores.factors.learn(factors)
        title, pairs = "backfill", len(symbols) * len(sessions)
        with progress(console, title, pairs, "sessions of symbols") as step:
            done = backfill_bars(
                symbols,
                sessions,
                source=source,
                database=store,
                sessions=default_table(),
                rules=ValidationRules(),
                clock=clock,
                again=options.again,
                progress=step,
            )
        as_of = clock.now()
        wanted = dict.fromkeys(symbols, sessions)
        covered = covered_sessions(wanted, database=store, until=as_of)
    intakes = list(done.intakes.values())
    print_report(console, intakes, covered)
    _say_ending(console, done, options.provider)
    report = report_payload("backfill", target.name, as_of, intakes, covered)
    missing = availability_of(covered).missing
    report["complete"] = report["complete"] and not (done.stopped or done.unknown or missing)
    return {**report, **_ending(done)}


def _sessions(options: BackfillOptions, clock: Clock) -> list[Session]:
    """Those asked for that have begun."""
    first, last = dates_of(options.first, options.last)
    try:
        wanted = default_table().between(first, last)
    except OutsideCalendarError as error:
        raise InvalidInputError(f"--from, --to: {error}") from error
    now = clock.now()
    begun = [session for session in wanted if session.open + MINUTE <= now]
    if not begun:
        cause = "has no session" if not wanted else "has not traded yet"
        raise InvalidInputError(f"--from {first} --to {last}: the exchange {cause} in these days")
    return begun


def _ending(done: Backfilled) -> dict[str, Any]:
    stopped = None
    if done.stopped is not None:
        at = done.stopped.go_on_at
        stopped = {
            "error": done.stopped.error,
            "cause": done.stopped.cause,
            "go_on_at": None if at is None else to_iso(at),
        }
    return {
        "asked": done.asked,
        "skipped": done.skipped,
        "unknown_symbols": done.unknown,
        "stopped": stopped,
    }


def _say_ending(console: Console, done: Backfilled, provider: str) -> None:
    if done.skipped:
        say(console, f"{done.skipped} sessions of symbols were complete and not asked for")
    for symbol, cause in done.unknown.items():
        say(console, f"{symbol}: {cause}")
    if done.stopped is not None:
        when = "later"
        if done.stopped.go_on_at is not None:
            # Rounded up: a second too early is refused again.
            at = done.stopped.go_on_at + timedelta(seconds=60)
            when = f"after {at.astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York"
        say(console, f"stopped: {done.stopped.error}: {done.stopped.cause}")
        if done.stopped.error == KeyRefusedError.__name__:
            say(console, f"The key comes from {' and '.join(KEYS[provider])} in the environment.")
            return
        say(console, f"Run the same command {when}: it goes on from here.")

"""What an import or a backfill did: as JSON, and as tables for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from tradewind.market.adjustment import SuspectedSplit
from tradewind.market.availability import Availability
from tradewind.market.bar import to_iso
from tradewind.market.gap_ledger import MinuteRange
from tradewind.market.intake import Intake, SessionCoverage, availability_of, percent

from tradewind_local.bars.progress import say

NEW_YORK = ZoneInfo("America/New_York")
# The terminal shows so many sessions with gaps; JSON holds them all.
_GAPS_SHOWN = 12
_RANGES_SHOWN = 6
_TOTALS = ("read", "stored", "corrected", "unchanged", "repeated", "less_complete")


def report_payload(
    command: str,
    database: str,
    as_of: datetime,
    intakes: Sequence[Intake],
    covered: Sequence[SessionCoverage],
) -> dict[str, Any]:
    """Everything that happened, JSON-ready; times in UTC, prices as strings."""
    rejected = sum((intake.rejected for intake in intakes), Counter[str]())
    held = sum((intake.held for intake in intakes), Counter[str]())
    return {
        "command": command,
        "database": database,
        "as_of": to_iso(as_of),
        "complete": all(intake.complete for intake in intakes),
        **_counts(intakes),
        "rejected": rejected.total(),
        "rejected_by_reason": dict(sorted(rejected.items())),
        "held": held.total(),
        "held_by_reason": dict(sorted(held.items())),
        "sources": [_source(intake) for intake in intakes],
        "suspected_splits": [_suspected(seen) for intake in intakes for seen in intake.suspected],
        "availability": _availability(availability_of(covered)),
        "gaps_by_session": [_session(entry) for entry in covered],
    }


def _counts(intakes: Sequence[Intake]) -> dict[str, int]:
    totals = {name: sum(getattr(intake, name) for intake in intakes) for name in _TOTALS}
    return {"rows_read": totals.pop("read"), **totals}


def _source(intake: Intake) -> dict[str, Any]:
    return {
        "symbol": intake.symbol,
        "source": intake.source,
        **_counts([intake]),
        "rejected": dict(sorted(intake.rejected.items())),
        "held": dict(sorted(intake.held.items())),
        "examples": [
            {
                "reason": reason,
                "row": example.row,
                "start": None if example.start is None else _time(example.start),
                "cause": example.cause,
            }
            for reason, examples in sorted(intake.examples.items())
            for example in examples
        ],
    }


def _time(start: datetime) -> str:
    # A bar is rejected for having no zone, too.
    return start.isoformat() if start.tzinfo is None else to_iso(start)


def _suspected(seen: SuspectedSplit) -> dict[str, Any]:
    return {
        "symbol": seen.symbol,
        "effective": seen.effective.isoformat(),
        "ratio": f"{seen.ratio.numerator}/{seen.ratio.denominator}",
        "close_before": str(seen.before.close),
        "close_after": str(seen.after),
    }


def _availability(minutes: Availability) -> dict[str, Any]:
    return {
        "expected": minutes.expected,
        "received": minutes.received,
        "no_trade": minutes.no_trade,
        "missing": minutes.missing,
        "percent": percent(minutes.figure),
    }


def _session(entry: SessionCoverage) -> dict[str, Any]:
    return {
        "symbol": entry.symbol,
        "session": entry.session.date.isoformat(),
        **_availability(entry.minutes),
        "missing_minutes": [[to_iso(gap.first), to_iso(gap.last)] for gap in entry.missing],
    }


# -- for people -----------------------------------------------------------------------------------


def print_report(
    console: Console, intakes: Sequence[Intake], covered: Sequence[SessionCoverage]
) -> None:
    _print(console, _what_became(intakes))
    if not all(intake.complete for intake in intakes):
        _print(console, _what_was_not_stored(intakes))
    for seen in (seen for intake in intakes for seen in intake.suspected):
        ratio = f"{seen.ratio.numerator}/{seen.ratio.denominator}"
        say(
            console,
            f"{seen.symbol} went from {seen.before.close} to {seen.after} into {seen.effective}, "
            f"which looks like a split. Run this again with --split "
            f"{seen.symbol}={seen.effective}:{ratio}, or :1/1 if the price really moved.",
        )
    if covered:
        _print(console, _what_is_there(covered))
    _say_gaps(console, covered)


def _print(console: Console, table: Table) -> None:
    console.print(table, markup=False, highlight=False)


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in headings:
        text = heading in ("symbol", "source", "reason", "row", "what is wrong", "first", "last")
        table.add_column(heading, justify="left" if text else "right", overflow="fold")
    return table


def _what_became(intakes: Sequence[Intake]) -> Table:
    table = _table(
        "symbol", "source", "read", "stored", "corrected", "unchanged", "repeated", "held",
        "rejected",
    )  # fmt: skip
    for intake in intakes:
        numbers = (
            intake.read, intake.stored, intake.corrected, intake.unchanged,
            intake.repeated + intake.less_complete, intake.held.total(), intake.rejected.total(),
        )  # fmt: skip
        table.add_row(
            intake.symbol, Path(intake.source).name, *(f"{number:,}" for number in numbers)
        )
    return table


def _what_was_not_stored(intakes: Sequence[Intake]) -> Table:
    table = _table("symbol", "reason", "rows", "row", "what is wrong")
    for intake in intakes:
        for reason, count in sorted((intake.rejected + intake.held).items()):
            fate = f"{reason} (held)" if reason in intake.held else reason
            for number, example in enumerate(intake.examples[reason]):
                head = ("", "", "") if number else (intake.symbol, fate, f"{count:,}")
                row = "" if example.row is None else str(example.row)
                when = "" if example.start is None else f"{_time(example.start)}: "
                table.add_row(*head, row, when + example.cause)
    return table


def _what_is_there(covered: Sequence[SessionCoverage]) -> Table:
    table = _table(
        "symbol", "first", "last", "sessions", "expected", "received", "no trade", "missing",
        "availability",
    )  # fmt: skip
    symbols = dict.fromkeys(entry.symbol for entry in covered)
    for symbol in symbols:
        of_symbol = [entry for entry in covered if entry.symbol == symbol]
        minutes = availability_of(of_symbol)
        table.add_row(
            symbol,
            of_symbol[0].session.date.isoformat(),
            of_symbol[-1].session.date.isoformat(),
            f"{len(of_symbol):,}",
            f"{minutes.expected:,}",
            f"{minutes.received:,}",
            f"{minutes.no_trade:,}",
            f"{minutes.missing:,}",
            f"{percent(minutes.figure):.3f} %",
        )
    return table


def _say_gaps(console: Console, covered: Sequence[SessionCoverage]) -> None:
    with_gaps = [entry for entry in covered if entry.missing]
    for entry in with_gaps[:_GAPS_SHOWN]:
        ranges = ", ".join(map(_range_text, entry.missing[:_RANGES_SHOWN]))
        more = len(entry.missing) - _RANGES_SHOWN
        say(
            console,
            f"{entry.symbol} {entry.session.date}: {entry.minutes.missing} of "
            f"{entry.minutes.expected} minutes missing: {ranges}"
            + (f" and {more} more" if more > 0 else "")
            + " New York",
        )
    if len(with_gaps) > _GAPS_SHOWN:
        left = len(with_gaps) - _GAPS_SHOWN
        say(console, f"... and {left} more sessions with gaps: --json FILE has them all")


def _range_text(minutes: MinuteRange) -> str:
    first, last = (f"{m.astimezone(NEW_YORK):%H:%M}" for m in (minutes.first, minutes.last))
    return first if first == last else f"{first}-{last}"

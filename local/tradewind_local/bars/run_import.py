"""``tradewind bars import``: check everything, open the database, import, report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tradewind.market.bar_file import BarFile
from tradewind.market.csv_rows import Label
from tradewind.market.intake import Intake, SessionCoverage, availability_of, sessions_of
from tradewind.market.session_table import default_table
from tradewind.market.verdict import ValidationRules
from tradewind.use_cases.import_bars import import_bars
from tradewind.use_cases.store_bars import covered_sessions

from tradewind_local.bars.database import opened, target_of
from tradewind_local.bars.options import named_files, split_factors, zone_of
from tradewind_local.bars.progress import console_for_output, progress, say
from tradewind_local.bars.report import print_report, report_payload

# Shares of all minutes and of all sessions.
_USUAL_AVAILABILITY, _NEARLY_ALL = 0.9, 0.9


def run_import(
    files: Sequence[str],
    label: Label,
    timezone: str,
    database: str | None,
    splits: Sequence[str],
) -> dict[str, Any]:
    """The report. What is wrong with an option or a whole file is an InvalidInputError before the
    database is touched."""
    console = console_for_output()
    as_of = datetime.now(UTC)
    zone = zone_of(timezone)
    factors = split_factors(splits, as_of)
    target = target_of(database)
    sources = [BarFile(named.path, named.symbol, label, zone) for named in named_files(files)]
    sessions = default_table()
    intakes: list[Intake] = []
    with opened(target) as store:
        say(console, f"database {target.name}")
        with store.transaction() as stores:
            stores.factors.learn(factors)
        for source in sources:
            with progress(console, _title(source), source.rows, "rows") as step:
                intakes.append(
                    import_bars(
                        source,
                        database=store,
                        sessions=sessions,
                        rules=ValidationRules(),
                        as_of=as_of,
                        progress=step,
                    )
                )
        wanted = sessions_of(intakes, sessions)
        covered = covered_sessions(wanted, database=store, until=as_of)
    print_report(console, intakes, covered)
    if (doubt := label_doubt(label, covered)) is not None:
        say(console, doubt)
    return report_payload("import", target.name, as_of, intakes, covered)


def _title(source: BarFile) -> str:
    return f"{source.symbol} {Path(source.name).name}"


def label_doubt(label: Label, covered: Sequence[SessionCoverage]) -> str | None:
    """What to say when the label's side is probably the wrong one: nearly every session lacks its
    first minute (read as START) or its last (read as END) and little else. None otherwise."""
    received = [entry for entry in covered if entry.minutes.received]
    if not received or availability_of(received).figure < _USUAL_AVAILABILITY:
        return None
    lacking = sum(
        any((gap.first if label == "start" else gap.last) == edge for gap in entry.missing)
        for entry in received
        for edge in [entry.session.open if label == "start" else entry.session.last_bar]
    )
    if lacking < len(received) * _NEARLY_ALL:
        return None
    which, other = ("first", "end") if label == "start" else ("last", "start")
    return (
        f"{lacking} of {len(received)} sessions lack their {which} minute: are the rows labelled "
        f"with their minute's {other}? Then import them into another database with --label {other}."
    )

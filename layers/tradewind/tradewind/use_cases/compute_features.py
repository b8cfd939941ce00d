"""Store the minute's bars, and turn each symbol's newest bars into indicators and a window."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tradewind.alerts.rules import alert_of_faulty_bar
from tradewind.features.arrays import block_of
from tradewind.features.definition import FEATURE_BARS, fingerprint
from tradewind.features.indicators import indicators_of
from tradewind.features.window_pack import pack_windows
from tradewind.features.windows import windows_of
from tradewind.market.bar import Bar, bar_fault
from tradewind.market.cycle import Cycle
from tradewind.market.session_table import SessionTable
from tradewind.tradelog.rules import message_of_alert
from tradewind.use_cases.ports import PayloadRef, Payloads
from tradewind.use_cases.unit_of_work import Database


@dataclass(frozen=True, slots=True)
class Computed:
    """``windows`` holds one window per symbol that has its decided bar and enough history."""

    stored: int
    corrected: int
    refused: int
    fingerprint: str
    windows: PayloadRef


def compute_features(
    cycle: Cycle,
    ref: PayloadRef,
    symbols: Sequence[str],
    *,
    sessions: SessionTable,
    payloads: Payloads,
    database: Database,
) -> Computed:
    """A bar that cannot be true is refused and told of; it never reaches a feature."""
    bars = [Bar.from_payload(item) for item in json.loads(payloads.get(ref))]
    faults = [(bar, fault) for bar in bars if (fault := bar_fault(bar)) is not None]
    refused = {id(bar) for bar, _ in faults}
    good = [bar for bar in bars if id(bar) not in refused]
    with database.transaction() as stores:
        in_session = [sessions.in_session(bar.start) for bar in good]
        written = stores.bars.upsert(good, in_session, cycle.run_at)
        recent = stores.bars.recent(symbols, cycle.bar_time, FEATURE_BARS)
        current = {
            symbol: rows for symbol, rows in recent.items() if rows[-1].start == cycle.bar_time
        }
        block = block_of(current)
        stores.indicators.save(indicators_of(block))
        if faults:
            stores.outbox.add(
                [message_of_alert(alert_of_faulty_bar(bar, fault)) for bar, fault in faults]
            )
    windows = windows_of(block, sessions.session_of)
    pack = payloads.put(
        f"cycles/{cycle.execution}/windows.npy", pack_windows(windows), len(windows)
    )
    return Computed(written.stored, written.corrected, len(faults), fingerprint(), pack)

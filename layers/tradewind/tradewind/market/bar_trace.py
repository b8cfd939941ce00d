"""The trace that late and corrected bars leave: what was known before, what is known now, since
when. The ``bars`` row holds the newest values only; a decision is explained by the older ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tradewind.market.bar import MINUTE, Bar
from tradewind.market.gap_ledger import ON_TIME

# A new bar of a minute longer ago is history that is read in: it never was awaited.
HISTORY_AFTER = timedelta(days=7)


class TraceKind(StrEnum):
    LATE = "late"  # came too late for its own run
    CORRECTED = "corrected"  # the same minute was stored with other values before


@dataclass(frozen=True, slots=True)
class BarTrace:
    """``old`` is None for a late bar. ``received_at``: when the new values arrived."""

    kind: TraceKind
    old: Bar | None
    new: Bar
    received_at: datetime


def traces_of(
    bars: Iterable[Bar], stored: Mapping[tuple[str, datetime], Bar], received_at: datetime
) -> list[BarTrace]:
    """What storing these bars is worth remembering of; ``stored`` holds the bars of the same
    (symbol, start) as they are now. Equal bars and bars on time leave no trace; nor does another
    feed that says the same, nor history that is new."""
    traces = []
    for bar in bars:
        old = stored.get((bar.symbol, bar.start))
        if old is None:
            if bar.start + MINUTE + ON_TIME < received_at <= bar.start + HISTORY_AFTER:
                traces.append(BarTrace(TraceKind.LATE, None, bar, received_at))
        elif not bar.same_values(old):
            traces.append(BarTrace(TraceKind.CORRECTED, old, bar, received_at))
    return traces

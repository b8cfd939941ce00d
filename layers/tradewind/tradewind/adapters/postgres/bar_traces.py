"""The ``bar_traces`` table; its rows are written by the statement that writes bars."""

from __future__ import annotations

from datetime import datetime

from tradewind.adapters.postgres.connection import Session
from tradewind.market.bar import Bar
from tradewind.market.bar_trace import BarTrace, TraceKind

_OF = """
SELECT kind, received_at, old_open, old_high, old_low, old_close, old_volume, old_feed,
    start, open, high, low, close, volume, feed
FROM bar_traces
WHERE symbol = :symbol AND start >= :first AND start <= :last
ORDER BY start, received_at
"""


class PostgresBarTraces:
    """Implements ``BarTraceStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, symbol: str, first: datetime, last: datetime) -> list[BarTrace]:
        found = []
        for kind, received_at, *values in self._session.rows(
            _OF, symbol=symbol, first=first, last=last
        ):
            old, start, new = values[:6], values[6], values[7:]
            found.append(
                BarTrace(
                    TraceKind(kind),
                    Bar(symbol, start, *old) if kind == TraceKind.CORRECTED else None,
                    Bar(symbol, start, *new),
                    received_at,
                )
            )
        return found

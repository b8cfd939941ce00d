"""What PostgreSQL, the store of record, says about a replay. Read as the database's owner."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pg8000.native
from tradewind.market.bar import Bar, to_iso
from tradewind.market.session import Session

# Tables whose new rows a replay reports, under the name it reports them by.
_COUNTED = {
    "predictions": "predictions",
    "decisions": "decisions",
    "intents": "order_intents",
    "orders": "orders",
    "fills": "fills",
    "trade_events": "trade_events",
    "alerts": "alerts",
}

_COPY_HISTORY = (
    "COPY history (symbol, start, open, high, low, close, volume, feed, in_session) FROM STDIN"
)


@dataclass(frozen=True, slots=True)
class RecentDecision:
    bar_time: datetime
    symbol: str
    action: str
    reason: str
    close: Decimal


@dataclass(frozen=True, slots=True)
class ProfitAndLoss:
    """USD. ``realised`` of the session's sales; ``unrealised`` of what is held, at the newest
    stored close."""

    realised: Decimal
    unrealised: Decimal


class Ledger:
    def __init__(self, connection: pg8000.native.Connection, session: Session) -> None:
        self._connection = connection
        self._session = session

    def load_history(self, bars: Iterable[Bar]) -> None:
        """Add regular-session bars from before the session; those already there are left alone."""
        rows = io.StringIO()
        for bar in bars:
            prices = (bar.open, bar.high, bar.low, bar.close)
            values = [bar.symbol, to_iso(bar.start), *map(str, prices), str(bar.volume), bar.feed]
            rows.write("\t".join([*values, "true"]) + "\n")
        run = self._connection.run
        run("CREATE TEMPORARY TABLE history (LIKE bars INCLUDING DEFAULTS)")
        run(_COPY_HISTORY, stream=io.BytesIO(rows.getvalue().encode()))
        run("INSERT INTO bars SELECT * FROM history ON CONFLICT DO NOTHING")
        run("DROP TABLE history")
        run("ANALYZE bars")

    def counts(self) -> dict[str, int]:
        """Rows by reported name; ``bars`` are those of the session."""
        parts = ", ".join(
            f"(SELECT count(*) FROM {table})"  # noqa: S608 - names of this module
            for table in _COUNTED.values()
        )
        (row,) = self._rows(f"SELECT {parts}")
        (bars,) = self._rows(
            "SELECT count(*) FROM bars WHERE start >= :first AND start < :end",
            first=self._session.open,
            end=self._session.close,
        )
        return {**dict(zip(_COUNTED, row, strict=True)), "bars": bars[0]}

    def profit_and_loss(self) -> ProfitAndLoss:
        (row,) = self._rows(
            """SELECT
                 (SELECT coalesce(sum(realised_pnl), 0) FROM trades
                  WHERE timestamp >= :first AND timestamp <= :end),
                 (SELECT coalesce(sum(quantity * newest.close - cost), 0) FROM positions
                  JOIN LATERAL (SELECT close FROM bars WHERE bars.symbol = positions.symbol
                                ORDER BY start DESC LIMIT 1) newest ON true
                  WHERE quantity > 0)""",
            first=self._session.open,
            end=self._session.close,
        )
        return ProfitAndLoss(row[0], row[1])

    def recent_decisions(self, count: int) -> list[RecentDecision]:
        """The newest decisions, newest first."""
        rows = self._rows(
            """SELECT bar_time, symbol, action, reason_code, close FROM decisions
               ORDER BY bar_time DESC, symbol LIMIT :count""",
            count=count,
        )
        return [RecentDecision(*row) for row in rows]

    def intent_ids(self) -> set[str]:
        return {row[0] for row in self._rows("SELECT intent_id FROM order_intents")}

    def intents_without_outcome(self) -> int:
        return int(self._rows("SELECT count(*) FROM order_intents WHERE certainty < 2")[0][0])

    def holdings(self) -> dict[str, Decimal]:
        """Shares held by our own books, flat symbols left out."""
        return dict(self._rows("SELECT symbol, quantity FROM positions WHERE quantity <> 0"))

    def _rows(self, statement: str, **parameters: Any) -> list[Any]:
        return list(self._connection.run(statement, **parameters) or [])

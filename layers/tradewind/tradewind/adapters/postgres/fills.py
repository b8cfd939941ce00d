"""The ``fills`` and ``trades`` tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import records, text_array
from tradewind.orders.model import BrokerFill, Side
from tradewind.portfolio.model import Trade

# Columns carry the names of the fields they keep. (S608 below: these names are all that is put
# into a statement; values go in as parameters.)
_FILL = tuple(field.name for field in fields(BrokerFill))
_TRADE = tuple(field.name for field in fields(Trade))

_ADD_FILLS = f"""
WITH written AS (
    INSERT INTO fills ({", ".join(_FILL)}, account)
    SELECT {", ".join(_FILL)}, :account
    FROM json_to_recordset(:rows) AS given(
        execution_id text, order_id text, symbol text, side text, quantity numeric,
        price numeric, at timestamptz, cumulative numeric)
    ON CONFLICT (account, execution_id) DO NOTHING
    RETURNING {", ".join(_FILL)}
)
SELECT {", ".join(_FILL)} FROM written ORDER BY at, execution_id
"""  # noqa: S608

_UNKNOWN_FILLS = """
SELECT asked.execution_id
FROM unnest(:execution_ids::text[]) AS asked(execution_id)
WHERE NOT EXISTS (
    SELECT FROM fills AS f
    WHERE f.account = :account AND f.execution_id = asked.execution_id
)
"""

_FILLS_OF_ORDERS = f"""
SELECT {", ".join(_FILL)} FROM fills
WHERE account = :account AND order_id = ANY(:order_ids::text[])
ORDER BY at, execution_id
"""  # noqa: S608

_FOREIGN_SALES = f"""
SELECT {", ".join(f"f.{name}" for name in _FILL)}
FROM fills AS f
LEFT JOIN orders AS o USING (account, order_id)
WHERE f.account = :account AND f.symbol = ANY(:symbols::text[]) AND f.side = 'sell'
    AND o.intent_id IS NULL
    AND NOT EXISTS (
        SELECT FROM trades AS t
        WHERE t.account = f.account AND t.execution_id = f.execution_id
    )
ORDER BY f.at DESC, f.execution_id DESC
"""  # noqa: S608

_ADD_TRADES = """
WITH written AS (
    INSERT INTO trades (account, trade_id, execution_id, symbol, side, price, timestamp, order_id,
        intent_id, status, fill_qty, fill_price, realised_pnl)
    SELECT :account, trade_id, execution_id, symbol, side, price, timestamp, order_id,
        intent_id, status, fill_qty, fill_price, realised_pnl
    FROM json_to_recordset(:rows) AS given(
        trade_id uuid, execution_id text, symbol text, side text, price numeric,
        timestamp timestamptz, order_id text, intent_id text, status text, fill_qty numeric,
        fill_price numeric, realised_pnl numeric)
    ON CONFLICT DO NOTHING
    RETURNING trade_id
)
SELECT count(*) FROM written
"""

_UNBOOKED = """
SELECT asked.execution_id
FROM unnest(:execution_ids::text[]) AS asked(execution_id)
WHERE NOT EXISTS (
    SELECT FROM trades AS t
    WHERE t.account = :account AND t.execution_id = asked.execution_id
)
"""


_SALES_SINCE = f"""
SELECT {", ".join(_TRADE)} FROM trades
WHERE account = :account AND symbol = :symbol AND side = 'sell' AND timestamp >= :since
ORDER BY timestamp, execution_id
"""  # noqa: S608


class PostgresFills:
    """Implements ``FillStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def unknown(self, account: str, execution_ids: Sequence[str]) -> set[str]:
        if not execution_ids:
            return set()
        rows = self._session.rows(
            _UNKNOWN_FILLS, account=account, execution_ids=text_array(execution_ids)
        )
        return {row[0] for row in rows}

    def of_orders(self, account: str, order_ids: Sequence[str]) -> dict[str, list[BrokerFill]]:
        found: dict[str, list[BrokerFill]] = {}
        if order_ids:
            rows = self._session.rows(
                _FILLS_OF_ORDERS, account=account, order_ids=text_array(order_ids)
            )
            for fill in map(_fill, rows):
                found.setdefault(fill.order_id, []).append(fill)
        return found

    def foreign_sales(self, account: str, symbols: Sequence[str]) -> dict[str, list[BrokerFill]]:
        found: dict[str, list[BrokerFill]] = {}
        if symbols:
            rows = self._session.rows(_FOREIGN_SALES, account=account, symbols=text_array(symbols))
            for fill in map(_fill, rows):
                found.setdefault(fill.symbol, []).append(fill)
        return found

    def add(self, account: str, fills: Sequence[BrokerFill]) -> list[BrokerFill]:
        if not fills:
            return []
        rows = self._session.rows(_ADD_FILLS, account=account, rows=records(fills, _FILL))
        return [_fill(row) for row in rows]


class PostgresTrades:
    """Implements ``TradeStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, account: str, trades: Sequence[Trade]) -> int:
        if not trades:
            return 0
        rows = self._session.rows(_ADD_TRADES, account=account, rows=records(trades, _TRADE))
        added: int = rows[0][0]
        return added

    def unbooked(self, account: str, execution_ids: Sequence[str]) -> set[str]:
        rows = self._session.rows(
            _UNBOOKED, account=account, execution_ids=text_array(execution_ids)
        )
        return {row[0] for row in rows}

    def sales_since(self, account: str, symbol: str, since: datetime) -> list[Trade]:
        rows = self._session.rows(_SALES_SINCE, account=account, symbol=symbol, since=since)
        return [Trade(*row) for row in rows]


def _fill(row: Sequence[Any]) -> BrokerFill:
    named = dict(zip(_FILL, row, strict=True))
    return BrokerFill(**{**named, "side": Side(named["side"])})

"""The ``positions`` and ``account_snapshots`` tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import records
from tradewind.orders.model import BrokerAccount, BrokerPosition
from tradewind.portfolio.differences import QuantityDifference
from tradewind.portfolio.model import BookedQuantity, Holding

_HOLDING = tuple(field.name for field in fields(Holding))
_POSITION = tuple(field.name for field in fields(BrokerPosition))

# Rows that only the broker's word put there (saved_at NULL) are foreign: no holdings of ours.
ALL_HOLDINGS = """
SELECT symbol, strategy, quantity, cost, realised_pnl, opened_at FROM positions
WHERE account = :account AND saved_at IS NOT NULL
ORDER BY symbol
"""

_SAVE_HOLDINGS = """
INSERT INTO positions AS p
    (account, symbol, strategy, quantity, cost, realised_pnl, opened_at, saved_at)
SELECT :account, symbol, strategy, quantity, cost, realised_pnl, opened_at, :at
FROM json_to_recordset(:rows) AS given(
    symbol text, strategy text, quantity numeric, cost numeric, realised_pnl numeric,
    opened_at timestamptz)
ORDER BY symbol
ON CONFLICT (account, symbol) DO UPDATE SET
    strategy = excluded.strategy, quantity = excluded.quantity, cost = excluded.cost,
    realised_pnl = excluded.realised_pnl, opened_at = excluded.opened_at,
    saved_at = greatest(p.saved_at, excluded.saved_at)
"""

BROKER_POSITIONS = """
SELECT symbol, broker_quantity, broker_avg_price, broker_price, broker_unrealised_pnl
FROM positions
WHERE account = :account AND broker_quantity <> 0
ORDER BY symbol
"""

# A symbol we never had an intent for is the broker's alone (foreign): it has no books to differ
# from. One that we had an intent for is ours even when no fill of it ever reached our books.
_CONFIRM = """
WITH told AS (
    SELECT * FROM json_to_recordset(:rows) AS told(
        symbol text, quantity numeric, avg_entry_price numeric, current_price numeric,
        unrealised_pnl numeric)
    UNION ALL
    SELECT symbol, 0, 0, 0, 0 FROM positions
    WHERE account = :account AND symbol NOT IN (
        SELECT symbol FROM json_to_recordset(:rows) AS told(symbol text))
),
written AS (
    INSERT INTO positions AS p (account, symbol, broker_quantity, broker_avg_price, broker_price,
        broker_unrealised_pnl, broker_as_of)
    SELECT :account, symbol, quantity, avg_entry_price, current_price, unrealised_pnl, :as_of
    FROM told ORDER BY symbol
    ON CONFLICT (account, symbol) DO UPDATE SET
        broker_quantity = excluded.broker_quantity,
        broker_avg_price = excluded.broker_avg_price,
        broker_price = excluded.broker_price,
        broker_unrealised_pnl = excluded.broker_unrealised_pnl,
        broker_as_of = excluded.broker_as_of
    WHERE p.broker_as_of IS NULL OR p.broker_as_of <= excluded.broker_as_of
    RETURNING symbol, quantity, saved_at, differs_since
),
standing AS (
    SELECT symbol, quantity, saved_at, differs_since FROM written
    UNION ALL
    SELECT symbol, quantity, saved_at, differs_since FROM positions
    WHERE account = :account AND broker_as_of > :as_of
)
SELECT symbol, quantity, differs_since FROM standing
WHERE saved_at IS NOT NULL
    OR EXISTS (SELECT FROM order_intents AS i
               WHERE i.account = :account AND i.symbol = standing.symbol)
ORDER BY symbol
"""

_NOTE_DIFFERENCES = """
UPDATE positions AS p SET differs_since = noted.since
FROM (
    SELECT symbol, given.since
    FROM positions AS stored
    LEFT JOIN json_to_recordset(:rows) AS given(symbol text, since timestamptz) USING (symbol)
    WHERE stored.account = :account
) AS noted
WHERE p.account = :account AND p.symbol = noted.symbol
    AND p.differs_since IS DISTINCT FROM noted.since
"""

DIFFERENCES = """
SELECT symbol, quantity, broker_quantity, differs_since FROM positions
WHERE account = :account AND differs_since IS NOT NULL
ORDER BY symbol
"""

_ADD_SNAPSHOT = """
INSERT INTO account_snapshots (account, as_of, account_number, status, equity, last_equity, cash,
    buying_power, trading_blocked)
VALUES (:account, :as_of, :account_number, :status, :equity, :last_equity, :cash,
    :buying_power, :trading_blocked)
ON CONFLICT (account, as_of) DO NOTHING
"""

LATEST_SNAPSHOT = """
SELECT as_of, account_number, status, equity, last_equity, cash, buying_power, trading_blocked
FROM account_snapshots
WHERE account = :account ORDER BY as_of DESC LIMIT 1
"""


class PostgresHoldings:
    """Implements ``HoldingStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self, account: str) -> list[Holding]:
        return [Holding(*row) for row in self._session.rows(ALL_HOLDINGS, account=account)]

    def save(self, account: str, holdings: Sequence[Holding], at: datetime) -> None:
        if holdings:
            self._session.rows(
                _SAVE_HOLDINGS, account=account, at=at, rows=records(holdings, _HOLDING)
            )

    def broker_positions(self, account: str) -> list[BrokerPosition]:
        rows = self._session.rows(BROKER_POSITIONS, account=account)
        return [BrokerPosition(*row) for row in rows]

    def confirm(
        self, account: str, positions: Sequence[BrokerPosition], as_of: datetime
    ) -> list[BookedQuantity]:
        rows = self._session.rows(
            _CONFIRM, account=account, as_of=as_of, rows=records(positions, _POSITION)
        )
        return [BookedQuantity(*row) for row in rows]

    def note_differences(self, account: str, differences: Sequence[QuantityDifference]) -> None:
        self._session.rows(
            _NOTE_DIFFERENCES, account=account, rows=records(differences, ("symbol", "since"))
        )

    def differences(self, account: str) -> list[QuantityDifference]:
        rows = self._session.rows(DIFFERENCES, account=account)
        return [QuantityDifference(*row) for row in rows]


class PostgresAccounts:
    """Implements ``AccountStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, account: str, snapshot: BrokerAccount, as_of: datetime) -> None:
        self._session.rows(
            _ADD_SNAPSHOT,
            account=account,
            as_of=as_of,
            account_number=snapshot.account_number,
            status=snapshot.status,
            equity=snapshot.equity,
            last_equity=snapshot.last_equity,
            cash=snapshot.cash,
            buying_power=snapshot.buying_power,
            trading_blocked=snapshot.trading_blocked,
        )

    def latest(self, account: str) -> tuple[datetime, BrokerAccount] | None:
        rows = self._session.rows(LATEST_SNAPSHOT, account=account)
        return (rows[0][0], BrokerAccount(*rows[0][1:])) if rows else None

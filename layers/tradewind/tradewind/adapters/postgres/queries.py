"""What people ask of the store of record: the reads behind ``query_api``."""

from __future__ import annotations

from collections.abc import Sequence

from tradewind.adapters.postgres.bars import LATEST_BARS
from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.risk import NEWEST_LOCKS
from tradewind.market.bar import Bar
from tradewind.portfolio.views import PositionView, Status
from tradewind.risk.locks import Lock

MOST_LOCKS = 100

_STATUS = """
SELECT newest.bar_time, newest.execution, newest.decided_at, newest.finished_at,
    (SELECT max(start) FROM latest_bars WHERE symbol = ANY(:symbols::text[])),
    (SELECT count(*) FROM orders WHERE account = :account AND NOT final),
    (SELECT count(*) FROM positions WHERE account = :account AND quantity <> 0),
    money.equity, money.as_of
FROM (SELECT) AS always
LEFT JOIN LATERAL (
    SELECT bar_time, execution, decided_at, finished_at FROM cycles
    WHERE account = :account ORDER BY bar_time DESC LIMIT 1
) AS newest ON true
LEFT JOIN LATERAL (
    SELECT equity, as_of FROM account_snapshots
    WHERE account = :account ORDER BY as_of DESC LIMIT 1
) AS money ON true
"""

_POSITIONS = """
SELECT p.symbol, p.strategy, p.quantity, p.cost, p.realised_pnl, p.opened_at,
    p.broker_quantity, p.broker_as_of, newest.close, newest.start
FROM positions AS p
LEFT JOIN latest_bars AS newest USING (symbol)
WHERE p.account = :account AND (p.quantity <> 0 OR p.broker_quantity <> 0)
ORDER BY p.symbol
"""


class PostgresQueries:
    """Reads of one transaction; each is one statement."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def status(self, account: str, symbols: Sequence[str]) -> Status:
        rows = self._session.rows(_STATUS, account=account, symbols=list(symbols))
        return Status(*rows[0])

    def prices(self, symbols: Sequence[str]) -> list[Bar]:
        """The newest bar of each symbol that has any, by symbol."""
        return [Bar(*row) for row in self._session.rows(LATEST_BARS, symbols=list(symbols))]

    def positions(self, account: str) -> list[PositionView]:
        """Everything held, ours and foreign, by symbol."""
        return [PositionView(*row) for row in self._session.rows(_POSITIONS, account=account)]

    def locks(self, account: str) -> list[Lock]:
        """The newest locks, ended ones included, newest first."""
        rows = self._session.rows(NEWEST_LOCKS, account=account, most=MOST_LOCKS)
        return [Lock(*row) for row in rows]

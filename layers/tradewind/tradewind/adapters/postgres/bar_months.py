"""The partitions of ``bars``, through the functions of revision 0002."""

from __future__ import annotations

from datetime import date, datetime

from tradewind.adapters.postgres.connection import Session
from tradewind.market.bar_months import MonthArchive, MonthMade

_DROP = "SELECT drop_archived_bars(:month, :part, :key, :rows, :sha256, :at)"


class PostgresBarMonths:
    """Implements ``BarMonths``. For the owner (who imports) and ``tw_maintain``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def present(self) -> list[date]:
        return [row[0] for row in self._session.rows("SELECT bar_months()")]

    def stray(self) -> list[date]:
        return [row[0] for row in self._session.rows("SELECT stray_bar_months()")]

    def ensure(self, first: date, last: date) -> list[MonthMade]:
        rows = self._session.rows(
            "SELECT month, moved FROM ensure_bar_partitions(:first, :last)", first=first, last=last
        )
        return [MonthMade(*row) for row in rows]

    def symbols(self, month: date) -> list[str]:
        return [row[0] for row in self._session.rows("SELECT bar_symbols(:month)", month=month)]

    def lines(self, month: date, symbol: str) -> str:
        found: str = self._session.rows(
            "SELECT lines FROM bar_lines(:month, :symbol)", month=month, symbol=symbol
        )[0][0]
        return found

    def archived_parts(self, month: date) -> int:
        parts: int = self._session.rows(
            "SELECT count(*) FROM bar_archives WHERE month = :month", month=month
        )[0][0]
        return parts

    def drop(self, archive: MonthArchive, at: datetime) -> None:
        self._session.rows(
            _DROP,
            month=archive.month,
            part=archive.part,
            key=archive.key,
            rows=archive.rows,
            sha256=archive.sha256,
            at=at,
        )

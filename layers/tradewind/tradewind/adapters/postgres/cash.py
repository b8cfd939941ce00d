"""The ``cash_activities`` and ``cash_reckonings`` tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import records
from tradewind.orders.model import BrokerActivity
from tradewind.portfolio.model import CashReckoning

# Columns carry the names of the fields they keep. (S608 below: these names are all that is put
# into a statement; values go in as parameters.)
_ACTIVITY = tuple(field.name for field in fields(BrokerActivity))
_RECKONING = tuple(field.name for field in fields(CashReckoning))

_ADD_ACTIVITIES = f"""
WITH written AS (
    INSERT INTO cash_activities ({", ".join(_ACTIVITY)}, account, told_at)
    SELECT {", ".join(_ACTIVITY)}, :account, :told_at
    FROM json_to_recordset(:rows) AS given(
        activity_id text, kind text, amount numeric, day date, symbol text, description text)
    ON CONFLICT (account, activity_id) DO NOTHING
    RETURNING {", ".join(_ACTIVITY)}
)
SELECT {", ".join(_ACTIVITY)} FROM written ORDER BY day, activity_id
"""  # noqa: S608

_READ_RECKONING = f"""
SELECT {", ".join(_RECKONING)} FROM cash_reckonings WHERE account = :account
"""  # noqa: S608

_SAVE_RECKONING = """
INSERT INTO cash_reckonings
    (account, baseline, baseline_at, expected, newest_fill, differs_since)
VALUES (:account, :baseline, :baseline_at, :expected, :newest_fill, :differs_since)
ON CONFLICT (account) DO UPDATE SET
    expected = excluded.expected,
    newest_fill = excluded.newest_fill,
    differs_since = excluded.differs_since
"""


class PostgresActivities:
    """Implements ``ActivityStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(
        self, account: str, activities: Sequence[BrokerActivity], told_at: datetime
    ) -> list[BrokerActivity]:
        if not activities:
            return []
        rows = self._session.rows(
            _ADD_ACTIVITIES, account=account, told_at=told_at, rows=records(activities, _ACTIVITY)
        )
        return [BrokerActivity(*row) for row in rows]


class PostgresCash:
    """Implements ``CashStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def reckoning(self, account: str) -> CashReckoning | None:
        rows = self._session.rows(_READ_RECKONING, account=account)
        return CashReckoning(*rows[0]) if rows else None

    def save(self, account: str, reckoning: CashReckoning) -> None:
        self._session.rows(_SAVE_RECKONING, account=account, **asdict(reckoning))

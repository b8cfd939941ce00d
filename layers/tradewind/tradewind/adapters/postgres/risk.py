"""The ``locks``, ``equity_marks`` and ``account_configurations`` tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import date, datetime
from decimal import Decimal

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import as_json
from tradewind.orders.configuration import AccountConfiguration
from tradewind.portfolio.statement import TRANSFERS as TRANSFER_KINDS
from tradewind.risk.equity import EquityMark
from tradewind.risk.locks import Lock

# Columns carry the names of the fields they keep. (S608 below: these names are all that is put
# into a statement; values go in as parameters.)
_LOCK = tuple(field.name for field in fields(Lock))
_MARK = tuple(field.name for field in fields(EquityMark))
_CONFIGURATION = tuple(field.name for field in fields(AccountConfiguration))

ADD_LOCKS = f"""
INSERT INTO locks (lock_id, account, {", ".join(_LOCK)})
SELECT lock_id, account, {", ".join(_LOCK)}
FROM json_to_recordset(:rows) AS given(
    lock_id uuid, account text, symbol text, since timestamptz, until timestamptz, code text,
    reason text, key text)
ON CONFLICT (lock_id) DO NOTHING
"""  # noqa: S608

ENDING_AFTER = f"""
SELECT {", ".join(_LOCK)} FROM locks
WHERE account = :account AND until > :at
ORDER BY since, code, key, symbol
"""  # noqa: S608

NEWEST_LOCKS = f"""
SELECT {", ".join(_LOCK)} FROM locks
WHERE account = :account ORDER BY until DESC, since DESC, code, symbol, key LIMIT :most
"""  # noqa: S608

NEWEST_MARK = f"""
SELECT {", ".join(_MARK)} FROM equity_marks
WHERE account = :account ORDER BY session DESC LIMIT 1
"""  # noqa: S608

_SAVE_MARK = f"""
INSERT INTO equity_marks (account, {", ".join(_MARK)})
VALUES (:account, {", ".join(f":{name}" for name in _MARK)})
ON CONFLICT (account, session) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _MARK[1:])}
"""  # noqa: S608

TRANSFERS = f"""
SELECT coalesce(sum(amount), 0) FROM cash_activities
WHERE account = :account AND day = :day
    AND kind IN ({", ".join(f"'{kind}'" for kind in sorted(TRANSFER_KINDS))})
"""  # noqa: S608

_ADD_CONFIGURATION = f"""
INSERT INTO account_configurations (account, as_of, {", ".join(_CONFIGURATION)})
VALUES (:account, :as_of, :no_shorting, :max_margin_multiplier, :suspend_trade, :untradable)
ON CONFLICT (account, as_of) DO NOTHING
"""  # noqa: S608

NEWEST_CONFIGURATION = f"""
SELECT {", ".join(_CONFIGURATION)} FROM account_configurations
WHERE account = :account ORDER BY as_of DESC LIMIT 1
"""  # noqa: S608


def lock_rows(account: str, locks: Sequence[Lock]) -> str:
    """What ``ADD_LOCKS`` takes."""
    return as_json(
        [{"lock_id": lock.lock_id(account), "account": account, **asdict(lock)} for lock in locks]
    )


class PostgresLocks:
    """Implements ``LockStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, account: str, locks: Sequence[Lock]) -> list[Lock]:
        if not locks:
            return []
        by_id = {str(lock.lock_id(account)): lock for lock in locks}
        rows = lock_rows(account, list(by_id.values()))
        added = self._session.rows(ADD_LOCKS + "RETURNING lock_id::text", rows=rows)
        return [by_id[row[0]] for row in added]


class PostgresEquity:
    """Implements ``EquityStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def newest(self, account: str) -> EquityMark | None:
        rows = self._session.rows(NEWEST_MARK, account=account)
        return EquityMark(*rows[0]) if rows else None

    def save(self, account: str, mark: EquityMark) -> None:
        self._session.rows(_SAVE_MARK, account=account, **asdict(mark))

    def transfers(self, account: str, day: date) -> Decimal:
        moved: Decimal = self._session.rows(TRANSFERS, account=account, day=day)[0][0]
        return moved


class PostgresConfigurations:
    """Implements ``ConfigurationStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, account: str, configuration: AccountConfiguration, as_of: datetime) -> None:
        self._session.rows(
            _ADD_CONFIGURATION,
            account=account,
            as_of=as_of,
            no_shorting=configuration.no_shorting,
            max_margin_multiplier=configuration.max_margin_multiplier,
            suspend_trade=configuration.suspend_trade,
            untradable=list(configuration.untradable),
        )

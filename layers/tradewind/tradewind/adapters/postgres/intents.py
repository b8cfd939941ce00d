"""The ``order_intents`` table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import records, text_array
from tradewind.orders.comparison import SentIntent
from tradewind.orders.model import (
    IntentKind,
    IntentOutcome,
    OrderClass,
    OrderIntent,
    OrderType,
    Side,
    TimeInForce,
)

# Columns carry the names of the fields they keep. (S608 below: these names are all that is put
# into a statement; values go in as parameters.)
INTENT = tuple(field.name for field in fields(OrderIntent))
_OUTCOME = tuple(field.name for field in fields(IntentOutcome))

INSERT_INTENTS = f"""
INSERT INTO order_intents ({", ".join(INTENT)})
SELECT {", ".join(INTENT)}
FROM json_to_recordset(:rows) AS given(
    intent_id text, account text, strategy text, mode text, session date,
    bar_time timestamptz, symbol text, kind text, side text, quantity numeric,
    order_type text, time_in_force text, order_class text, limit_price numeric,
    stop_price numeric, decision_price numeric, revision integer, target_order_id text,
    expires_at timestamptz, reason text)
ON CONFLICT (intent_id) DO NOTHING
"""  # noqa: S608

_ADD_INTENTS = f"""
WITH written AS ({INSERT_INTENTS}RETURNING intent_id) SELECT count(*) FROM written
"""  # noqa: S608

WITHOUT_OUTCOME = f"""
SELECT {", ".join(INTENT)} FROM order_intents
WHERE account = :account AND certainty < 2
ORDER BY bar_time, intent_id
"""  # noqa: S608

_FIND_INTENTS = f"""
SELECT {", ".join(INTENT)} FROM order_intents
WHERE intent_id = ANY(:intent_ids::text[])
ORDER BY bar_time, intent_id
"""  # noqa: S608

# What is surer wins; of two outcomes the later one, and at the same instant the same one always.
_RECORD_OUTCOMES = """
WITH given AS (
    SELECT DISTINCT ON (intent_id) *
    FROM (
        SELECT *, CASE status WHEN 'pending' THEN 0 WHEN 'unknown' THEN 1 ELSE 2 END AS certainty
        FROM json_to_recordset(:rows) AS told(
            intent_id text, status text, broker_order_id text, reason_code text, reason text,
            at timestamptz)
    ) AS told
    ORDER BY intent_id, certainty DESC, at DESC, status DESC
)
UPDATE order_intents AS i SET
    status = given.status,
    broker_order_id = coalesce(given.broker_order_id, i.broker_order_id),
    outcome_code = given.reason_code,
    outcome_reason = given.reason,
    outcome_at = given.at
FROM given
WHERE i.intent_id = given.intent_id
    AND (given.certainty > i.certainty
         OR given.certainty = i.certainty
            AND (i.outcome_at IS NULL OR (given.at, given.status) > (i.outcome_at, i.status)))
"""

LAST_REVISIONS = """
SELECT wanted.symbol, highest.revision
FROM unnest(:symbols::text[]) AS wanted(symbol)
CROSS JOIN LATERAL (
    SELECT max(revision) AS revision FROM order_intents
    WHERE account = :account AND order_intents.symbol = wanted.symbol
) AS highest
WHERE highest.revision IS NOT NULL
"""

_UNSENT = f"""
SELECT {", ".join(INTENT)} FROM order_intents
WHERE intent_id = ANY(:intent_ids::text[]) AND account = :account
    AND status IN ('blocked', 'expired_unsent')
ORDER BY bar_time, intent_id
"""  # noqa: S608

_SENT = """
SELECT intent_id, broker_order_id, outcome_at FROM order_intents
WHERE account = :account AND bar_time >= :since AND status = 'submitted'
    AND broker_order_id IS NOT NULL
ORDER BY bar_time, intent_id
"""

# Counted from the newest protective intent back to the last one that the broker did not refuse.
FAILED_PROTECTIONS = """
SELECT symbol, count(*)
FROM (
    SELECT symbol, status,
        bool_and(status = 'rejected') OVER (
            PARTITION BY symbol ORDER BY bar_time DESC, revision DESC, intent_id) AS unbroken
    FROM order_intents
    WHERE account = :account AND kind = 'protect' AND bar_time >= :since AND certainty = 2
) AS protecting
WHERE unbroken
GROUP BY symbol
"""


class PostgresIntents:
    """Implements ``IntentStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, intents: Sequence[OrderIntent]) -> int:
        if not intents:
            return 0
        added: int = self._session.rows(_ADD_INTENTS, rows=records(intents, INTENT))[0][0]
        return added

    def without_outcome(self, account: str) -> list[OrderIntent]:
        return [_intent(row) for row in self._session.rows(WITHOUT_OUTCOME, account=account)]

    def find(self, intent_ids: Sequence[str]) -> list[OrderIntent]:
        if not intent_ids:
            return []
        rows = self._session.rows(_FIND_INTENTS, intent_ids=text_array(intent_ids))
        return [_intent(row) for row in rows]

    def record(self, outcomes: Sequence[IntentOutcome]) -> None:
        if outcomes:
            self._session.rows(_RECORD_OUTCOMES, rows=records(outcomes, _OUTCOME))

    def last_revisions(self, account: str, symbols: Sequence[str]) -> dict[str, int]:
        rows = self._session.rows(LAST_REVISIONS, account=account, symbols=list(symbols))
        return {row[0]: row[1] for row in rows}

    def unsent(self, account: str, intent_ids: Sequence[str]) -> list[OrderIntent]:
        if not intent_ids:
            return []
        rows = self._session.rows(_UNSENT, account=account, intent_ids=text_array(intent_ids))
        return [_intent(row) for row in rows]

    def sent(self, account: str, since: datetime) -> list[SentIntent]:
        rows = self._session.rows(_SENT, account=account, since=since)
        return [SentIntent(*row) for row in rows]

    def failed_protections(self, account: str, since: datetime) -> dict[str, int]:
        rows = self._session.rows(FAILED_PROTECTIONS, account=account, since=since)
        return {row[0]: row[1] for row in rows}


def _intent(row: Sequence[Any]) -> OrderIntent:
    named = dict(zip(INTENT, row, strict=True))
    return OrderIntent(
        **{
            **named,
            "kind": IntentKind(named["kind"]),
            "side": Side(named["side"]),
            "order_type": OrderType(named["order_type"]),
            "time_in_force": TimeInForce(named["time_in_force"]),
            "order_class": OrderClass(named["order_class"]),
        }
    )

"""The ``trade_events``, ``outbox``, ``alerts`` and ``alerts_log`` tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from uuid import UUID

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import records
from tradewind.alerts.model import Alert
from tradewind.tradelog.model import OutboxMessage, TradeEvent

_EVENT = tuple(field.name for field in fields(TradeEvent))
MESSAGE = tuple(field.name for field in fields(OutboxMessage))

_ADD_EVENTS = """
WITH written AS (
    INSERT INTO trade_events
        (event_id, trade_id, symbol, price, quantity, timestamp, event_type)
    SELECT event_id, trade_id, symbol, price, quantity, timestamp, event_type
    FROM json_to_recordset(:rows) AS given(
        event_id uuid, trade_id uuid, symbol text, price numeric, quantity numeric,
        timestamp timestamptz, event_type text)
    ON CONFLICT (event_id) DO NOTHING
    RETURNING event_id
)
SELECT count(*) FROM written
"""

ADD_MESSAGES = """
INSERT INTO outbox (message_id, topic, message, created_at)
SELECT message_id, topic, message, created_at
FROM ROWS FROM (json_to_recordset(:rows) AS (
    message_id uuid, topic text, message jsonb, created_at timestamptz)) WITH ORDINALITY
    AS given(message_id, topic, message, created_at, place)
ORDER BY place
ON CONFLICT (message_id) DO NOTHING
"""

_UNSENT = """
SELECT message_id, topic, message, created_at FROM outbox
WHERE sent_at IS NULL
ORDER BY created_at, entry_number
LIMIT :most
"""

_MARK_SENT = """
UPDATE outbox SET sent_at = now() WHERE message_id = ANY(:message_ids::uuid[]) AND sent_at IS NULL
"""

_ADD_ALERT = """
INSERT INTO alerts (alert_id, type, severity, message, timestamp, dedupe_key, account)
VALUES (:alert_id, :type, :severity, :message, :timestamp, :dedupe_key, :account)
ON CONFLICT (alert_id) DO NOTHING
RETURNING alert_id
"""

_LOG_ALERT = """
INSERT INTO alerts_log (alert_id, escalation_level, notification_status, timestamp, user_id)
VALUES (:alert_id, :escalation_level, :status, :at, :user_id)
ON CONFLICT DO NOTHING
"""


class PostgresTradeEvents:
    """Implements ``TradeEventStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, events: Sequence[TradeEvent]) -> int:
        if not events:
            return 0
        added: int = self._session.rows(_ADD_EVENTS, rows=records(events, _EVENT))[0][0]
        return added


class PostgresOutbox:
    """Implements ``Outbox``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, messages: Sequence[OutboxMessage]) -> None:
        if messages:
            self._session.rows(ADD_MESSAGES, rows=records(messages, MESSAGE))

    def unsent(self, limit: int) -> list[OutboxMessage]:
        return [OutboxMessage(*row) for row in self._session.rows(_UNSENT, most=limit)]

    def mark_sent(self, message_ids: Sequence[UUID]) -> None:
        if message_ids:
            self._session.rows(_MARK_SENT, message_ids=list(message_ids))


class PostgresAlerts:
    """Implements ``AlertStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, alert: Alert) -> bool:
        inserted = self._session.rows(
            _ADD_ALERT,
            alert_id=alert.alert_id,
            type=alert.type,
            severity=alert.severity,
            message=alert.message,
            timestamp=alert.timestamp,
            dedupe_key=alert.dedupe_key,
            account=alert.account,
        )
        return bool(inserted)

    def log(
        self, alert_id: UUID, escalation_level: int, status: str, user: str, at: datetime
    ) -> None:
        self._session.rows(
            _LOG_ALERT,
            alert_id=alert_id,
            escalation_level=escalation_level,
            status=status,
            at=at,
            user_id=user,
        )

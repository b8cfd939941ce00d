"""The ``cycles``, ``predictions``, ``decisions`` and ``models`` tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import as_json, records
from tradewind.errors import InvalidInputError
from tradewind.prediction.model import ModelCard, Prediction
from tradewind.strategies.decision import Decision

_LOCK_ACCOUNT = "SELECT pg_advisory_xact_lock(hashtextextended('account ' || :account, 0))"

NEWEST_DECIDED = "SELECT max(bar_time) FROM cycles WHERE account = :account"

_NEWEST_FINISHED = """
SELECT bar_time FROM cycles WHERE account = :account AND finished_at IS NOT NULL
ORDER BY bar_time DESC LIMIT 1
"""

_FIRST_DECIDED = "SELECT min(bar_time) FROM cycles WHERE account = :account"

DECIDED = """
INSERT INTO cycles (account, bar_time, session, execution)
VALUES (:account, :bar_time, :session, :execution)
ON CONFLICT DO NOTHING
"""

_FINISHED = """
UPDATE cycles SET finished_at = now()
WHERE account = :account AND bar_time = :bar_time AND finished_at IS NULL
"""

PREDICTION = (
    "prediction_id",
    "symbol",
    "predicted_trend",
    "confidence",
    "timestamp",
    "model_version",
    "feature_fingerprint",
    "stale",
)

SAVE_PREDICTIONS = """
INSERT INTO predictions (prediction_id, symbol, predicted_trend, confidence, timestamp,
    model_version, feature_fingerprint, stale)
SELECT prediction_id, symbol, predicted_trend, confidence, timestamp,
    model_version, feature_fingerprint, stale
FROM json_to_recordset(:rows) AS given(
    prediction_id uuid, symbol text, predicted_trend text, confidence numeric,
    timestamp timestamptz, model_version text, feature_fingerprint text, stale boolean)
ON CONFLICT DO NOTHING
"""

LAST_GOOD = f"""
SELECT {", ".join(f"newest.{name}" for name in PREDICTION)}
FROM unnest(:symbols::text[]) AS wanted(symbol)
CROSS JOIN LATERAL (
    SELECT * FROM predictions AS p
    WHERE p.symbol = wanted.symbol AND p.timestamp BETWEEN :since AND :until AND NOT p.stale
    ORDER BY p.timestamp DESC, p.recorded_at DESC
    LIMIT 1
) AS newest
ORDER BY newest.symbol
"""  # noqa: S608

DECISION = (
    "decision_id",
    "account",
    "strategy",
    "mode",
    "symbol",
    "bar_time",
    "wanted",
    "action",
    "reason_code",
    "reason",
    "close",
    "quantity",
)

SAVE_DECISIONS = """
INSERT INTO decisions (decision_id, account, strategy, mode, symbol, bar_time, wanted, action,
    reason_code, reason, close, quantity)
SELECT decision_id, account, strategy, mode, symbol, bar_time, wanted, action,
    reason_code, reason, close, quantity
FROM json_to_recordset(:rows) AS given(
    decision_id uuid, account text, strategy text, mode text, symbol text, bar_time timestamptz,
    wanted text, action text, reason_code text, reason text, close numeric, quantity numeric)
ON CONFLICT DO NOTHING
"""

# The update changes nothing; it is there to answer the row that was there already.
_REGISTER_MODEL = """
INSERT INTO models AS m
    (model_version, sha256, feature_fingerprint, trained_on, created_at, card)
VALUES (:model_version, :sha256, :feature_fingerprint, :trained_on, :created_at, :card::jsonb)
ON CONFLICT (model_version) DO UPDATE SET sha256 = m.sha256
RETURNING m.sha256
"""


class PostgresCycles:
    """Implements ``CycleStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock_account(self, account: str) -> None:
        self._session.rows(_LOCK_ACCOUNT, account=account)

    def newest_decided(self, account: str) -> datetime | None:
        newest: datetime | None = self._session.rows(NEWEST_DECIDED, account=account)[0][0]
        return newest

    def newest_finished(self, account: str) -> datetime | None:
        rows = self._session.rows(_NEWEST_FINISHED, account=account)
        return rows[0][0] if rows else None

    def first_decided(self, account: str) -> datetime | None:
        first: datetime | None = self._session.rows(_FIRST_DECIDED, account=account)[0][0]
        return first

    def decided(self, account: str, bar_time: datetime, session: date, execution: str) -> None:
        self._session.rows(
            DECIDED, account=account, bar_time=bar_time, session=session, execution=execution
        )

    def finished(self, account: str, bar_time: datetime) -> None:
        self._session.rows(_FINISHED, account=account, bar_time=bar_time)


class PostgresPredictions:
    """Implements ``PredictionStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def save(self, predictions: Sequence[Prediction]) -> None:
        if predictions:
            self._session.rows(SAVE_PREDICTIONS, rows=records(predictions, PREDICTION))


class PostgresDecisions:
    """Implements ``DecisionStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def save(self, decisions: Sequence[Decision]) -> None:
        if decisions:
            self._session.rows(SAVE_DECISIONS, rows=records(decisions, DECISION))


class PostgresModels:
    """Implements ``ModelStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def register(self, card: ModelCard) -> None:
        registered = self._session.rows(
            _REGISTER_MODEL,
            model_version=card.model_version,
            sha256=card.sha256,
            feature_fingerprint=card.feature_fingerprint,
            trained_on=card.trained_on,
            created_at=card.created_at,
            card=as_json(card.card),
        )[0][0]
        if registered != card.sha256:
            raise InvalidInputError(
                f"model {card.model_version} is registered with hash {registered[:12]}..., not "
                f"{card.sha256[:12]}...: a changed model needs a version of its own"
            )

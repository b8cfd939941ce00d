"""An alert and its way to people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID, uuid5

from tradewind.errors import InvalidInputError
from tradewind.market.bar import from_iso, to_iso

# Ids made from names in this space are the same on every retry.
ALERT_NAMESPACE = UUID("5a0c3c8e-6d2b-5e0f-9a43-0b7d6f1f2c11")

INFO, NOTICE, WARNING, ERROR, CRITICAL = 1, 2, 3, 4, 5
# The word of ``alerts_log`` for an alert that somebody has taken note of; until then it is open.
ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True)
class Alert:
    """``severity`` runs from 1 (information) to 5 (critical). ``dedupe_key`` names the happening:
    the same happening told twice is one alert, because ``alert_id`` is made from it. ``account``:
    whose it is; None where it concerns all of them, such as bars that are held back."""

    type: str
    severity: int
    message: str
    timestamp: datetime
    dedupe_key: str
    account: str | None = None

    def __post_init__(self) -> None:
        if not INFO <= self.severity <= CRITICAL:
            raise InvalidInputError(f"alert severity {self.severity} is not in 1..5")

    @property
    def alert_id(self) -> UUID:
        whose = "" if self.account is None else f"{self.account}|"
        return uuid5(ALERT_NAMESPACE, f"{whose}{self.type}|{self.dedupe_key}")

    def as_payload(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "severity": self.severity,
            "message": self.message,
            "timestamp": to_iso(self.timestamp),
            "dedupe_key": self.dedupe_key,
            "account": self.account,
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Alert:
        account = payload.get("account")
        try:
            return cls(
                type=str(payload["type"]),
                severity=int(payload["severity"]),
                message=str(payload["message"]),
                timestamp=from_iso(payload["timestamp"]),
                dedupe_key=str(payload["dedupe_key"]),
                account=None if account is None else str(account),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInputError(f"not an alert: {error!r} in {dict(payload)!r}") from error


class Channel(Protocol):
    """A way to reach people. Raises NotifierUnavailableError (again later) or
    NotifierRefusedError (not like this)."""

    name: str

    def send(self, alert: Alert) -> None: ...


class AlertStore(Protocol):
    """The ``alerts`` and ``alerts_log`` tables."""

    def add(self, alert: Alert) -> bool:
        """Insert; False when it was there already."""
        ...

    def log(
        self, alert_id: UUID, escalation_level: int, status: str, user: str, at: datetime
    ) -> None:
        """Add a line to ``alerts_log``; the same line twice is one line. ``user`` is anonymised."""
        ...

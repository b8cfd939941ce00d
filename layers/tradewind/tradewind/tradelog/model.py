"""Trade events and the outbox they leave through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from tradewind.errors import InvalidInputError
from tradewind.market.bar import from_iso, to_iso


@dataclass(frozen=True, slots=True)
class TradeEvent:
    """One row of ``trade_events``. ``event_id`` is deterministic, so a redelivery is no news."""

    event_id: UUID
    trade_id: UUID
    symbol: str
    price: Decimal
    quantity: Decimal
    timestamp: datetime
    event_type: str

    def as_payload(self) -> dict[str, Any]:
        return {
            "event_id": str(self.event_id),
            "trade_id": str(self.trade_id),
            "symbol": self.symbol,
            "price": str(self.price),
            "quantity": str(self.quantity),
            "timestamp": to_iso(self.timestamp),
            "event_type": self.event_type,
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> TradeEvent:
        try:
            return cls(
                event_id=UUID(payload["event_id"]),
                trade_id=UUID(payload["trade_id"]),
                symbol=str(payload["symbol"]),
                price=Decimal(payload["price"]),
                quantity=Decimal(payload["quantity"]),
                timestamp=from_iso(payload["timestamp"]),
                event_type=str(payload["event_type"]),
            )
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise InvalidInputError(f"not a trade event: {error!r} in {dict(payload)!r}") from error


class TradeEventStore(Protocol):
    """The ``trade_events`` table."""

    def add(self, events: Sequence[TradeEvent]) -> int:
        """Insert; events already there are left alone. New rows."""
        ...


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A message committed with the change it tells of. ``topic``: ``trade-events`` or ``alerts``.
    ``message`` is the JSON object that is published."""

    message_id: UUID
    topic: str
    message: Mapping[str, Any]
    created_at: datetime


class Outbox(Protocol):
    """The ``outbox`` table: written with the change, emptied by whoever may publish."""

    def add(self, messages: Sequence[OutboxMessage]) -> None: ...

    def unsent(self, limit: int) -> list[OutboxMessage]:
        """The oldest messages not yet marked as sent."""
        ...

    def mark_sent(self, message_ids: Sequence[UUID]) -> None: ...

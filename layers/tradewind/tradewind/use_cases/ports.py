"""What the use cases need from the world beyond the store of record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from tradewind.errors import InvalidInputError


class Clock(Protocol):
    """Real time, or the replayed market's. Only the edge reads it."""

    def now(self) -> datetime:
        """Aware UTC."""
        ...

    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class PayloadRef:
    """An object passed by reference: where it lies and what it must hash to (SHA-256, hex).

    ``count`` is the number of things in it, for people who read an execution.
    """

    key: str
    sha256: str
    count: int

    def as_payload(self) -> dict[str, Any]:
        return {"key": self.key, "sha256": self.sha256, "count": self.count}

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> PayloadRef:
        try:
            return cls(str(payload["key"]), str(payload["sha256"]), int(payload["count"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInputError(f"not a payload reference: {payload!r}") from error


class Payloads(Protocol):
    """Large things travel by reference: Step Functions carries at most 256 KiB."""

    def put(self, key: str, body: bytes, count: int) -> PayloadRef: ...

    def get(self, ref: PayloadRef) -> bytes:
        """Raises PayloadMismatchError when it is gone or has another hash."""
        ...

    def newest(self, key: str) -> bytes | None:
        """What lies under a key that is overwritten (the last good prediction); None if nothing."""
        ...


class TradingCycleStarter(Protocol):
    """Starts runs of the trading cycle."""

    def start(self, name: str, payload: Mapping[str, Any]) -> bool:
        """True when started, False when a run of that name is running or has succeeded.

        Raises CycleFailedBeforeError when it exists and failed.
        """
        ...


class AlertPublisher(Protocol):
    """A direct way to the alerts topic for edge functions."""

    def publish(self, message: Mapping[str, Any]) -> None: ...

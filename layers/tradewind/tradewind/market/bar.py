"""One bar: what a symbol did in one minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tradewind.errors import InvalidInputError

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Bar:
    """A one-minute bar.

    ``start`` is the first instant of the minute, aware UTC; the bar is complete one minute later.
    Prices are exact decimals in USD as the provider sent them; ``volume`` is in shares.
    ``feed`` says where it came from (``iex``, ``sip``, ``file``, ``simulated``).
    """

    symbol: str
    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    feed: str

    def as_payload(self) -> dict[str, Any]:
        """The JSON form that travels between the cycle's steps; prices as strings."""
        return {
            "symbol": self.symbol,
            "start": to_iso(self.start),
            "open": str(self.open),
            "high": str(self.high),
            "low": str(self.low),
            "close": str(self.close),
            "volume": self.volume,
            "feed": self.feed,
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Bar:
        return cls(
            symbol=payload["symbol"],
            start=from_iso(payload["start"]),
            open=Decimal(payload["open"]),
            high=Decimal(payload["high"]),
            low=Decimal(payload["low"]),
            close=Decimal(payload["close"]),
            volume=int(payload["volume"]),
            feed=payload["feed"],
        )


def bar_fault(bar: Bar) -> str | None:
    """Why this bar cannot be true, in words; None when nothing is wrong with it."""
    if min(bar.open, bar.high, bar.low, bar.close) <= 0:
        return "a price is zero or negative"
    if not bar.low <= min(bar.open, bar.close) or not bar.high >= max(bar.open, bar.close):
        return "open or close lies outside low..high"
    if bar.volume < 0:
        return "volume is negative"
    if bar.start.second or bar.start.microsecond:
        return "the label is not a whole minute"
    return None


def to_iso(moment: datetime) -> str:
    """``2020-11-12T14:30:00Z``; fractions of a second are kept when there are any."""
    if moment.tzinfo is None:
        raise InvalidInputError(f"time without a zone: {moment!r}; all times are aware UTC")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """The reverse of :func:`to_iso`; any offset is accepted, a missing one is an error."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"not an ISO 8601 time: {text!r}") from error
    if moment.tzinfo is None:
        raise InvalidInputError(f"time without a zone: {text!r}; all times are aware UTC")
    return moment.astimezone(UTC)

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

    def same_values(self, other: Bar) -> bool:
        """Whether both tell the same of their minute, whatever feed each is from."""
        return (self.open, self.high, self.low, self.close, self.volume) == (
            other.open,
            other.high,
            other.low,
            other.close,
            other.volume,
        )

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


# What can be wrong with a bar by itself: a code for counting, a sentence for people.
FAULTS = {
    "price_not_finite": "a price is not a finite number",
    "price_not_positive": "a price is zero or negative",
    "ohlc_order": "open or close lies outside low..high",
    "negative_volume": "volume is negative",
    "not_a_minute": "the label is not a whole minute",
}


def fault_code(bar: Bar) -> str | None:
    """The code in ``FAULTS`` of the first thing that is wrong with this bar; None when nothing."""
    opened, high, low, close = bar.open, bar.high, bar.low, bar.close
    # Before any comparison: an order of NaN is an error, not an answer.
    if not (opened.is_finite() and high.is_finite() and low.is_finite() and close.is_finite()):
        return "price_not_finite"
    if opened <= 0 or high <= 0 or low <= 0 or close <= 0:
        return "price_not_positive"
    if opened < low or close < low or high < opened or high < close:
        return "ohlc_order"
    if bar.volume < 0:
        return "negative_volume"
    if bar.start.second or bar.start.microsecond:
        return "not_a_minute"
    return None


def bar_fault(bar: Bar) -> str | None:
    """Why this bar cannot be true, in words; None when nothing is wrong with it."""
    code = fault_code(bar)
    return None if code is None else FAULTS[code]


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

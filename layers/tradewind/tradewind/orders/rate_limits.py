"""What the broker's answers say of its rate limit, and how long to wait for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable

# Alpaca counts by the minute: a reset further away is another clock's and says nothing.
LONGEST_WINDOW = timedelta(seconds=75)


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The newest word: requests left until ``resets_at``."""

    remaining: int
    resets_at: datetime


@runtime_checkable
class TellsLimits(Protocol):
    """A broker that remembers what its last answer said of its rate limit; not every one does."""

    @property
    def limits(self) -> RateLimits | None: ...


def limits_told(headers: Mapping[str, str]) -> RateLimits | None:
    """From ``X-RateLimit-Remaining`` and ``X-RateLimit-Reset`` (seconds since 1970); None when an
    answer carries none that can be read."""
    try:
        return RateLimits(
            int(headers["X-RateLimit-Remaining"]),
            datetime.fromtimestamp(float(headers["X-RateLimit-Reset"]), UTC),
        )
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def seconds_told(headers: Mapping[str, str]) -> float | None:
    """``Retry-After`` in seconds; None when it is absent, a date, or no amount of time."""
    try:
        seconds = float(headers["Retry-After"])
    except (KeyError, ValueError):
        return None
    return seconds if 0 <= seconds < float("inf") else None


def seconds_until_reset(limits: RateLimits | None, now: datetime) -> float:
    """How long the broker would go on refusing; 0 when it has room, or nothing is known."""
    if limits is None or limits.remaining > 0:
        return 0.0
    wait = limits.resets_at - now
    return wait.total_seconds() if timedelta(0) < wait <= LONGEST_WINDOW else 0.0

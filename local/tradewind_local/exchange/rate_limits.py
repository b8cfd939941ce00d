"""The broker's rate limit: so many trading calls in a minute of the market's clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

LIMIT = 200
MINUTE = timedelta(minutes=1)


class RateLimit:
    """Counts calls a minute, always; refuses those beyond the limit only when told to."""

    def __init__(self) -> None:
        self.limit = LIMIT
        self.is_enforced = False
        self._minute: datetime | None = None
        self._used = 0

    def enforce(self, limit: int | None) -> None:
        """Refuse calls beyond ``limit`` a minute; None: count against the usual one and let all
        through."""
        self.limit = LIMIT if limit is None else limit
        self.is_enforced = limit is not None

    def forget(self) -> None:
        """Start anew, the limit included."""
        self.enforce(None)
        self._minute, self._used = None, 0

    def take(self, now: datetime) -> bool:
        """Count a call; whether it is let through. A refused call uses nothing up."""
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute, self._used = minute, 0
        if self.is_enforced and self._used >= self.limit:
            return False
        self._used += 1
        return True

    def headers(self, refused: bool) -> Mapping[str, str]:
        """What every trading answer says; ``Reset`` is in seconds since 1970."""
        if self._minute is None:
            return {}
        left = 0 if refused else max(0, self.limit - self._used)
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": f"{(self._minute + MINUTE).timestamp():.0f}",
        }

"""The market's clock: set to an instant, then running with real time to the end of its minute."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from tradewind.errors import InvalidInputError

LAST_SECOND = timedelta(seconds=59)


class MarketClock:
    """It never runs into the next minute by itself, however slow a cycle is: the next step of a
    replay is then always a step forward, and no bar is complete before its time."""

    def __init__(self, now: datetime | None, running: bool, monotonic: Callable[[], float]) -> None:
        """``now`` (aware UTC) is where an earlier process stood; ``monotonic`` counts seconds."""
        self._monotonic = monotonic
        self._set_to = now
        self._running = running
        self._set_when = monotonic()

    @property
    def running(self) -> bool:
        return self._running

    def now(self) -> datetime | None:
        """None before it was ever set."""
        if self._set_to is None or not self._running:
            return self._set_to
        ceiling = max(self._set_to, self._set_to.replace(second=0, microsecond=0) + LAST_SECOND)
        passed = timedelta(seconds=self._monotonic() - self._set_when)
        return min(self._set_to + passed, ceiling)

    def set(self, to: datetime, running: bool) -> None:
        """InvalidInputError when that lies before now: what was traded cannot be untraded."""
        now = self.now()
        if now is not None and to < now:
            raise InvalidInputError(
                f"the exchange's clock stands at {now.isoformat()} and cannot go back to "
                f"{to.isoformat()}"
            )
        self._set_to = to
        self._running = running
        self._set_when = self._monotonic()

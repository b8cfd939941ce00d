"""The RequestBudget Protocol for a command that nobody shares its key with."""

from __future__ import annotations

from datetime import datetime

from tradewind.market.request_limits import RequestCount, RequestLimits, take


class OwnBudget:
    """Counts the requests of this process."""

    def __init__(self, limits: RequestLimits) -> None:
        self._limits = limits
        self._count = RequestCount({}, "", 0)

    def take(self, _provider: str, at: datetime) -> float:
        wait, self._count = take(self._limits, self._count, at)
        return wait

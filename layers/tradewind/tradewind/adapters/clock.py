"""Clocks: the real one, and the replayed market's on this machine."""

from __future__ import annotations

import http.client
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from tradewind.market.bar import from_iso, to_iso

TIMEOUT = 5  # seconds


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ReplayClock:
    """The simulated exchange's clock; ``url`` has been checked to be loopback.

    Waiting moves the market on instead of keeping anybody waiting, but never into the next minute:
    that step is the replay's own.
    """

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._path = where.path
        self._connection = http.client.HTTPConnection(where.netloc, timeout=TIMEOUT)

    def now(self) -> datetime:
        return from_iso(self._ask("GET", None)["now"])

    def sleep(self, seconds: float) -> None:
        now = self.now()
        last = max(now, now.replace(second=59, microsecond=0))
        until = min(now + timedelta(seconds=seconds), last)
        # Refused when a step that waits at the same time has moved it further: all the better.
        self._ask("POST", json.dumps({"now": to_iso(until)}))

    def _ask(self, method: str, body: str | None) -> dict[str, Any]:
        try:
            return self._answer(method, body)
        except (http.client.HTTPException, ConnectionError):
            self._connection.close()  # the kept connection was gone; the next request opens another
            return self._answer(method, body)

    def _answer(self, method: str, body: str | None) -> dict[str, Any]:
        self._connection.request(method, self._path, body)
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return answer

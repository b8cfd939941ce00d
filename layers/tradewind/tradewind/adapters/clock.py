"""Clocks: the real one, and the replayed market's on this machine."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

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
        self._url = url

    def now(self) -> datetime:
        with urllib.request.urlopen(self._url, timeout=TIMEOUT) as response:  # noqa: S310
            return from_iso(json.load(response)["now"])

    def sleep(self, seconds: float) -> None:
        now = self.now()
        last = max(now, now.replace(second=59, microsecond=0))
        until = min(now + timedelta(seconds=seconds), last)
        request = urllib.request.Request(  # noqa: S310
            self._url, json.dumps({"now": to_iso(until)}).encode(), method="POST"
        )
        # Refused when a step that waits at the same time has moved it further: all the better.
        with (
            contextlib.suppress(urllib.error.HTTPError),
            urllib.request.urlopen(request, timeout=TIMEOUT),  # noqa: S310
        ):
            pass

"""Clocks: the real one, and the replayed market's on this machine."""

from __future__ import annotations

import json
import time
import urllib.request
from datetime import UTC, datetime

from tradewind.market.bar import from_iso


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ReplayClock:
    """Asks the simulated exchange what time it is; ``url`` has been checked to be loopback."""

    def __init__(self, url: str) -> None:
        self._url = url

    def now(self) -> datetime:
        with urllib.request.urlopen(self._url, timeout=5) as response:  # noqa: S310 - loopback
            return from_iso(json.load(response)["now"])

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

"""The control side of the simulated exchange, as the replay and the tests use it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from tradewind.errors import InvalidInputError, TradewindError
from tradewind.market.bar import Bar, from_iso, to_iso

# A bar is about 80 bytes here; a request of this many stays below 2 MB.
BARS_PER_REQUEST = 20_000


class ExchangeControlError(TradewindError):
    """The exchange refused a control request, or is not there."""


class ExchangeRefusedError(ExchangeControlError):
    """The exchange understood a control request and will not do it; the message says why."""


class ExchangeControl:
    """Talks to ``/_sim`` of one exchange over one kept-alive connection; safe between threads."""

    def __init__(self, url: str, timeout: float = 60.0) -> None:
        """``url`` as in ``http://127.0.0.1:40123``; ``timeout`` in seconds, of one request."""
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None or parts.port is None:
            raise InvalidInputError(f"not the URL of an exchange: {url!r}")
        self.url = url
        self.port = parts.port
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
        self._lock = threading.Lock()

    def load_bars(self, bars: Sequence[Bar]) -> int:
        """Add bars, history and session alike, in any order; how many were not there before.

        A bar that is there already is left alone; one that contradicts it is refused
        (ExchangeRefusedError).
        """
        loaded = 0
        for first in range(0, len(bars), BARS_PER_REQUEST):
            rows = [
                [
                    bar.symbol,
                    to_iso(bar.start),
                    str(bar.open),
                    str(bar.high),
                    str(bar.low),
                    str(bar.close),
                    bar.volume,
                    bar.feed,
                ]
                for bar in bars[first : first + BARS_PER_REQUEST]
            ]
            loaded += int(self._call("POST", "/_sim/bars", {"bars": rows})["loaded"])
        return loaded

    def set_clock(self, now: datetime, running: bool = True) -> datetime:
        """Move the market forward to an instant, trading every tick on the way.

        From then on the clock runs with real time, but never beyond second 59 of its minute;
        with ``running`` false it stands still. Moving it backward raises ExchangeControlError.
        """
        answer = self._call("POST", "/_sim/clock", {"now": to_iso(now), "running": running})
        return from_iso(answer["now"])

    def clock(self) -> datetime | None:
        """The exchange's time; None before it was ever set."""
        now = self._call("GET", "/_sim/clock")["now"]
        return None if now is None else from_iso(now)

    def summary(self) -> dict[str, Any]:
        """Everything the exchange knows about the account.

        ``orders`` (id, client_order_id, parent_order_id, replaces, replaced_by, symbol, side, type,
        order_class, qty, filled_qty, filled_avg_price, stop_price, limit_price, status,
        submitted_at), ``positions`` (symbol, qty, avg_entry_price, current_price, unrealized_pl),
        ``fills``, ``bars`` and ``slack_messages`` (counts), ``cash``, ``equity``, ``last_equity``,
        ``realized_pl``, ``unrealized_pl``, ``now``, ``requests`` (count by endpoint). Money and
        quantities are decimal strings.
        """
        return self._call("GET", "/_sim/summary")

    def slack_messages(self) -> list[dict[str, Any]]:
        """What the Slack webhook was sent: ``path``, ``payload``, ``at``; oldest first."""
        messages: list[dict[str, Any]] = self._call("GET", "/_sim/slack")["messages"]
        return messages

    def add_faults(self, faults: Sequence[dict[str, Any]]) -> None:
        """Script faults, taken in the order given. Each: ``method``, ``path`` (with ``*``),
        ``times`` (1), and what happens: ``status`` with ``body`` and ``headers``, or ``reset``
        (connection cut without an answer), or ``stall`` (seconds before the answer), or
        ``truncate`` (half of the answer), or ``repeat`` (the answer before, under the same path).
        ``after_accept`` true: the request is carried out first and only its answer is lost.
        """
        self._call("POST", "/_sim/faults", {"faults": list(faults)})

    def clear_faults(self) -> None:
        """Forget the faults that no request has met yet."""
        self._call("DELETE", "/_sim/faults")

    def limit_fills(self, shares_per_tick: Decimal | None) -> None:
        """Let each tick fill at most this many shares, so that orders fill in parts."""
        text = None if shares_per_tick is None else str(shares_per_tick)
        self._call("POST", "/_sim/market", {"shares_per_tick": text})

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _connect(self) -> None:
        self._connection.connect()
        channel: socket.socket = self._connection.sock
        # Head and body leave as two segments: waiting for an ACK between them (Nagle) would cost
        # 40 ms a call.
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        payload = None if body is None else json.dumps(body).encode()
        with self._lock:
            try:
                if self._connection.sock is None:
                    self._connect()
                self._connection.request(
                    method, path, payload, {"Content-Type": "application/json"}
                )
                response = self._connection.getresponse()
                text = response.read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                raise ExchangeControlError(
                    f"the simulated exchange at {self.url} did not answer {method} {path}: {error}"
                ) from error
        answer: dict[str, Any] = json.loads(text)
        if response.status != http.client.OK:
            failed = response.status >= http.client.INTERNAL_SERVER_ERROR
            kind = ExchangeControlError if failed else ExchangeRefusedError
            raise kind(str(answer.get("message", answer)))
        return answer

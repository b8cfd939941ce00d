"""The control side of the simulated exchange, as the replay and the tests use it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Mapping, Sequence
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

    def reset(self, cash: Decimal | None = None, now: datetime | None = None) -> None:
        """A new account in the same market, in a few milliseconds: bars stay; orders, fills,
        positions, activities, messages, request counts, faults, tokens and configuration go.

        ``cash`` in USD opens the account, None: with what the exchange was started with. ``now``
        (aware UTC) sets the clock, also back, and leaves it standing; None: it goes on. Ids count
        from the beginning again, so that a case has the same ones whatever ran before it.
        """
        self._call(
            "POST",
            "/_sim/reset",
            {
                "cash": None if cash is None else str(cash),
                "now": None if now is None else to_iso(now),
            },
        )

    # -- faults -------------------------------------------------------------------------------

    def add_faults(self, faults: Sequence[dict[str, Any]]) -> None:
        """Script faults, taken in the order given. Each: ``method``, ``path`` (both may hold
        ``*``), ``times`` (1), and what happens: ``status`` with ``body`` (text is sent as HTML) and
        ``headers``, or ``reset`` (connection cut without an answer), or ``stall`` (seconds before
        the answer), or ``truncate`` (half of the answer), or ``repeat`` (the answer before, under
        the same path). ``after_accept`` true: the request is carried out first and only its answer
        is lost. ``kind`` names one of the usual ones: ``429``, ``500``, ``503``, ``504``,
        ``504_after_accept``, ``reset``, ``reset_after_accept``, ``accept_without_answer`` (carried
        out, the connection held open for ``stall`` seconds and then cut), ``truncated``, ``slow``.
        """
        self._faults(faults=list(faults))

    def set_random_faults(
        self,
        rate: float,
        seed: int,
        kinds: Sequence[str],
        method: str = "*",
        path: str = "/v2/*",
        hold: float = 1.0,
    ) -> None:
        """Let each matching trading call fail with probability ``rate`` (0 to 1) in one of
        ``kinds`` (the names of :meth:`add_faults`); 0 ends it.

        Which calls fail depends on ``seed`` and on the number of matching calls before, on nothing
        else. ``method`` and ``path`` may hold ``*``; market data never matches. ``hold``: seconds
        that the kinds which stall do.
        """
        weather = {"rate": rate, "seed": seed, "kinds": list(kinds)}
        self._faults(random={**weather, "method": method, "path": path, "hold": hold})

    def set_maintenance(self, start: datetime, end: datetime) -> None:
        """Answer every trading call with 503 and a page of HTML from ``start`` until before
        ``end`` of the market's clock (aware UTC)."""
        self._faults(maintenance={"from": to_iso(start), "until": to_iso(end)})

    def fault_fills(
        self, drop: int = 0, reads: int | None = None, double: int = 0, reorder: int = 0
    ) -> None:
        """Spoil the list of activities for the next fills, all counted from the same one: so many
        are not listed (ever, or until the list was read ``reads`` times), listed twice, listed in
        the reverse order. Orders and positions tell the truth meanwhile."""
        faults = {"drop": drop, "reads": reads, "double": double, "reorder": reorder}
        self._faults(fills=faults)

    def fault_stream(
        self, drop: int = 0, double: int = 0, reorder: int = 0, replay: int = 0
    ) -> None:
        """Spoil the next frames of the stream, while its heartbeats go on: so many are lost, sent
        twice, kept back and sent in the reverse order; ``replay``: so many fills are sent three
        times."""
        faults = {"drop": drop, "double": double, "reorder": reorder, "replay": replay}
        self._faults(stream=faults)

    def stick_cancels(self, times: int) -> None:
        """Leave the next orders that somebody cancels in ``pending_cancel``, where they can still
        fill, until :meth:`clear_faults`."""
        self._faults(stuck_cancels=times)

    def set_clock_skew(self, seconds: int) -> None:
        """Let the broker's clock be ahead of the market's (negative: behind) in ``GET /v2/clock``
        and in every time stamp of a trading answer; sessions open and close when they do."""
        self._faults(clock_skew=seconds)

    def clear_faults(self) -> None:
        """Forget all faults that are still to come, the standing ones included."""
        self._call("DELETE", "/_sim/faults")

    # -- the market ---------------------------------------------------------------------------

    def limit_fills(self, shares_per_tick: Decimal | None) -> None:
        """Let each tick fill at most this many shares, so that orders fill in parts."""
        self._market(shares_per_tick=None if shares_per_tick is None else str(shares_per_tick))

    def partial_fills(self, share: Decimal | None) -> None:
        """Let each tick fill at most this share (0 to 1) of an order; None: all of it."""
        self._market(partial_fills=None if share is None else str(share))

    def charge_fees(self, on: bool) -> None:
        """Whether sales cost the regulators' fees, which come as FEE activities."""
        self._market(fees_on_sales=on)

    def halt(self, symbol: str) -> None:
        """Stop a symbol's trading: its ticks fill nothing until :meth:`resume`."""
        self._market(halt=symbol)

    def resume(self, symbol: str) -> None:
        self._market(resume=symbol)

    def split(self, symbol: str, new_rate: Decimal, old_rate: Decimal) -> None:
        """Give ``new_rate`` shares for ``old_rate``; open orders are left as they are."""
        rates = {"new_rate": str(new_rate), "old_rate": str(old_rate)}
        self._market(split={"symbol": symbol, **rates})

    def post_activity(
        self, kind: str, amount: Decimal, symbol: str | None = None, description: str = ""
    ) -> None:
        """Book ``amount`` USD into the account as an activity: DIV, INT, FEE, JNLC and the like."""
        self._market(
            activity={
                "kind": kind,
                "amount": str(amount),
                "symbol": symbol,
                "description": description,
            }
        )

    def announce(self, kind: str, action: Mapping[str, Any]) -> None:
        """Tell of a corporate action in the broker's words: ``kind`` as its types are named
        (``spin_off``), ``action`` its body. Nothing else happens by it."""
        self._market(announce={"type": kind, "action": action})

    # -- the stream ---------------------------------------------------------------------------

    def stream_listeners(self) -> int:
        """How many connections listen to trade updates now."""
        return int(self._call("GET", "/_sim/stream")["listeners"])

    # -- access -------------------------------------------------------------------------------

    def accept_only(self, keys: tuple[str, str] | None) -> None:
        """The only pair of keys (id, secret) that opens the account; None: any."""
        self._call("POST", "/_sim/access", {"keys": keys})

    def set_oauth_client(
        self,
        client_id: str,
        client_secret: str,
        refresh_token: str,
        token_seconds: float | None = None,
    ) -> None:
        """The only client that ``POST /oauth/token`` gives an access token to. One lives
        ``token_seconds`` of the market's clock, and ends in any case when the next one was used.
        """
        client = {
            "client_id": client_id,
            "client_secret": client_secret,
            "refresh_token": refresh_token,
            "token_seconds": token_seconds,
        }
        self._call("POST", "/_sim/access", {"oauth": client})

    def set_rate_limit(self, calls_per_minute: int | None) -> None:
        """Refuse trading calls beyond so many a minute of the market's clock (429); None: let all
        through, and only count them in the headers."""
        self._call("POST", "/_sim/rate_limit", {"rate_limit": calls_per_minute})

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _faults(self, **fields: object) -> None:
        self._call("POST", "/_sim/faults", fields)

    def _market(self, **fields: object) -> None:
        self._call("POST", "/_sim/market", fields)

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

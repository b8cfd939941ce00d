"""One exchange behind one lock: from a request to its answer, committed before it leaves."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from tradewind.errors import TradewindError
from tradewind.market.bar import to_iso
from tradewind.market.session_table import SessionTable

from tradewind_local.exchange import (
    alpha_vantage_api,
    data_api,
    refusals,
    sim_api,
    slack,
    trading_api,
)
from tradewind_local.exchange.bar_book import BarBook
from tradewind_local.exchange.clock import MarketClock
from tradewind_local.exchange.engine import Exchange
from tradewind_local.exchange.faults import Fault, FaultScript
from tradewind_local.exchange.http_messages import Request, Response
from tradewind_local.exchange.ledger import Ledger
from tradewind_local.exchange.store import Store
from tradewind_local.exchange.wire import time_text

Handler = Callable[..., Response]

_NAME = "([^/:]+)"
# Method, path, handler; the path is also the name under which requests are counted.
BROKER_ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/v2/orders", trading_api.post_order),
    ("GET", "/v2/orders", trading_api.get_orders),
    ("DELETE", "/v2/orders", trading_api.delete_orders),
    ("GET", "/v2/orders:by_client_order_id", trading_api.get_order_by_client_id),
    ("GET", "/v2/orders/*", trading_api.get_order),
    ("PATCH", "/v2/orders/*", trading_api.patch_order),
    ("DELETE", "/v2/orders/*", trading_api.delete_order),
    ("GET", "/v2/positions", trading_api.get_positions),
    ("GET", "/v2/positions/*", trading_api.get_position),
    ("GET", "/v2/account", trading_api.get_account),
    ("GET", "/v2/account/configurations", trading_api.get_configuration),
    ("GET", "/v2/account/activities", trading_api.get_activities),
    ("GET", "/v2/account/activities/*", trading_api.get_activities),
    ("GET", "/v2/assets", trading_api.get_assets),
    ("GET", "/v2/assets/*", trading_api.get_asset),
    ("GET", "/v2/clock", trading_api.get_clock),
    ("GET", "/v2/calendar", trading_api.get_calendar),
    ("GET", "/v2/stocks/bars", data_api.get_bars),
    ("GET", "/v2/stocks/bars/latest", data_api.get_latest_bars),
    ("GET", "/v2/stocks/trades/latest", data_api.get_latest_trades),
    ("GET", "/v2/stocks/quotes/latest", data_api.get_latest_quotes),
    ("GET", "/v2/stocks/*/bars", data_api.get_bars),
    ("GET", "/v2/stocks/*/bars/latest", data_api.get_latest_bars),
    ("GET", "/v2/stocks/*/trades/latest", data_api.get_latest_trades),
    ("GET", "/v2/stocks/*/quotes/latest", data_api.get_latest_quotes),
    ("GET", "/v1/corporate-actions", data_api.get_corporate_actions),
    ("GET", "/query", alpha_vantage_api.get_query),
]
_COMPILED = [
    (method, re.compile(re.escape(path).replace(r"\*", _NAME)), f"{method} {path}", handler)
    for method, path, handler in BROKER_ROUTES
]


class Application:
    """Every request runs alone: it first moves the market to the clock's instant, then acts."""

    def __init__(
        self,
        store: Store,
        sessions: SessionTable,
        seed: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        saved = store.load()
        self._store = store
        self._clock = MarketClock(saved.now, saved.running, monotonic)
        self._exchange = Exchange(
            book=BarBook(store.connection, seed),
            sessions=sessions,
            ledger=Ledger(saved.account, saved.positions),
            seed=seed,
            now=saved.now,
            orders=saved.orders,
            fills=saved.fills,
        )
        self._faults = FaultScript()
        self._requests = Counter(store.fact("requests") or {})
        self._lock = threading.Lock()

    def fault_for(self, request: Request) -> Fault | None:
        """The scripted fault this request meets; the control API meets none."""
        if request.path.startswith("/_sim"):
            return None
        with self._lock:
            return self._faults.take(request.method, request.path)

    def handle(self, request: Request) -> Response:
        with self._lock:
            try:
                return self._answer(request)
            except refusals.Refusal as refusal:
                return Response.json(refusal.body, refusal.status)
            finally:
                self._commit()

    def _answer(self, request: Request) -> Response:
        if request.path.startswith("/_sim/"):
            try:
                return self._control(request)
            except TradewindError as error:
                return Response.json({"message": str(error)}, 409)
        if request.path.startswith("/slack/"):
            return self._record_slack(request)
        for method, pattern, name, handler in _COMPILED:
            match = pattern.fullmatch(request.path) if method == request.method else None
            if match is not None:
                self._requests[name] += 1
                # Alpha Vantage's key is a parameter, and a missing one is answered in its own way.
                if handler is not alpha_vantage_api.get_query and not _has_keys(request):
                    raise refusals.unauthorized()
                self._move()
                return handler(self._exchange, request, *match.groups())
        return Response.json({"message": "endpoint not found"}, 404)

    def _control(self, request: Request) -> Response:
        self._move()
        match request.method, request.path:
            case "GET", "/_sim/clock":
                now = self._exchange.now
                return Response.json({"now": None if now is None else to_iso(now)})
            case "POST", "/_sim/clock":
                self._clock.set(*sim_api.read_clock(request.json()))
                self._move()
                return Response.json({"now": to_iso(self._exchange.time)})
            case "POST", "/_sim/bars":
                added = self._exchange.book.add(sim_api.read_bars(request.json()))
                return Response.json({"loaded": added})
            case "POST", "/_sim/faults":
                for fault in sim_api.read_faults(request.json()):
                    self._faults.add(fault)
                return Response.json({})
            case "DELETE", "/_sim/faults":
                self._faults.clear()
                return Response.json({})
            case "POST", "/_sim/market":
                shares = sim_api.read_shares_per_tick(request.json())
                self._exchange.shares_per_tick = shares
                return Response.json({})
            case "GET", "/_sim/summary":
                return Response.json(
                    sim_api.summary(self._exchange, self._store.slack_count(), self._requests)
                )
            case "GET", "/_sim/slack":
                return Response.json({"messages": self._store.slack()})
        return Response.json({"message": "no such control endpoint"}, 404)

    def _record_slack(self, request: Request) -> Response:
        self._requests[f"{request.method} /slack"] += 1
        if request.method != "POST":
            return Response.text("invalid_payload", 400)
        message = slack.read_message(request)
        if isinstance(message, Response):
            return message
        self._store.add_slack(
            {"path": request.path, "payload": message, "at": time_text(self._now())}
        )
        return Response.text("ok")

    def _now(self) -> datetime | None:
        return self._clock.now()

    def _move(self) -> None:
        now = self._now()
        if now is not None:
            self._exchange.advance(now)

    def _commit(self) -> None:
        now = self._exchange.now
        self._store.save(self._exchange.touched, self._exchange.ledger.account)
        self._store.put_fact("requests", self._requests)
        self._store.put_fact(
            "clock",
            {"now": None if now is None else to_iso(now), "running": self._clock.running},
        )
        self._store.connection.commit()


def _has_keys(request: Request) -> bool:
    """Any key will do: there is nothing here to protect, but a client must send one."""
    key, secret = (request.headers.get(name) for name in ("apca-api-key-id", "apca-api-secret-key"))
    return bool(key and secret) or bool(request.headers.get("authorization"))

"""One exchange behind one lock: from a request to its answer, committed before it leaves."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

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
from tradewind_local.exchange.faults import Fault
from tradewind_local.exchange.http_messages import Request, Response, is_trading_path
from tradewind_local.exchange.store import Store
from tradewind_local.exchange.update_feed import UpdateFeed
from tradewind_local.exchange.venue import NO_SKEW, Venue
from tradewind_local.exchange.wire import read_time, shift_stamps, time_text

Handler = Callable[..., Response]

_NAME = "([^/:]+)"
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path


def _routes(venue: Venue) -> list[tuple[str, str, Handler]]:
    """Method, path, handler; the path is also the name under which requests are counted."""
    account, activities = venue.account, venue.activities
    return [
        ("POST", TOKEN_PATH, venue.access.post_token),
        ("POST", "/v2/orders", account.post_order),
        ("GET", "/v2/orders", trading_api.get_orders),
        ("DELETE", "/v2/orders", trading_api.delete_orders),
        ("GET", "/v2/orders:by_client_order_id", trading_api.get_order_by_client_id),
        ("GET", "/v2/orders/*", trading_api.get_order),
        ("PATCH", "/v2/orders/*", trading_api.patch_order),
        ("DELETE", "/v2/orders/*", trading_api.delete_order),
        ("GET", "/v2/positions", trading_api.get_positions),
        ("DELETE", "/v2/positions", trading_api.delete_positions),
        ("GET", "/v2/positions/*", trading_api.get_position),
        ("DELETE", "/v2/positions/*", trading_api.delete_position),
        ("GET", "/v2/account", account.get_account),
        ("GET", "/v2/account/configurations", account.get_configuration),
        ("PATCH", "/v2/account/configurations", account.patch_configuration),
        ("GET", "/v2/account/activities", activities.get),
        ("GET", "/v2/account/activities/*", activities.get),
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


class Application:
    """Every request runs alone: it first moves the market to the clock's instant, then acts."""

    def __init__(
        self,
        store: Store,
        sessions: SessionTable,
        seed: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._venue = Venue(store, sessions, seed, monotonic)
        self._routes = [
            (method, re.compile(re.escape(path).replace(r"\*", _NAME)), f"{method} {path}", handler)
            for method, path, handler in _routes(self._venue)
        ]
        self._lock = threading.Lock()

    def admit(self, request: Request) -> tuple[Fault | None, Mapping[str, str]]:
        """The fault that this request meets, if any, and the headers of its answer. The control
        API meets none."""
        if request.path.startswith("/_sim"):
            return None, {}
        with self._lock:
            venue, now = self._venue, self._venue.now()
            is_limited = now is not None and is_trading_path(request.path)
            if now is not None and is_limited and not venue.rate_limit.take(now):
                fault = Fault.of({"method": request.method, "path": request.path, "kind": "429"})
                return fault, venue.rate_limit.headers(refused=True)
            found = venue.faults.take(request.method, request.path, now)
            if not is_limited:
                return found, {}
            refused = found is not None and found.status == 429
            return found, venue.rate_limit.headers(refused)

    def handle(self, request: Request) -> Response:
        with self._lock:
            try:
                return self._answer(request)
            except refusals.Refusal as refusal:
                return Response.json(refusal.body, refusal.status)
            finally:
                self._venue.commit()

    @property
    def updates(self) -> UpdateFeed:
        return self._venue.updates

    def may_stream(self, key: str, secret: str, token: str) -> bool:
        """Whether these open the account, as in a request; the token counts where there is one."""
        with self._lock:
            access = self._venue.access
            if token:
                return access.token_opens(token, self._venue.now())
            return access.keys_open(key, secret)

    def _answer(self, request: Request) -> Response:
        venue = self._venue
        if request.path.startswith("/_sim/"):
            try:
                venue.move()
                return sim_api.answer(venue, request)
            except TradewindError as error:
                return Response.json({"message": str(error)}, 409)
        if request.path.startswith("/slack/"):
            return self._record_slack(request)
        for method, pattern, name, handler in self._routes:
            match = pattern.fullmatch(request.path) if method == request.method else None
            if match is not None:
                venue.requests[name] += 1
                if _needs_keys(name) and not venue.access.opens(request, venue.now()):
                    raise refusals.unauthorized()
                venue.move()
                if venue.skew == NO_SKEW or not is_trading_path(request.path):
                    return handler(venue.exchange, request, *match.groups())
                answer = handler(venue.exchange, _unskewed(request, venue.skew), *match.groups())
                return replace(answer, body=shift_stamps(answer.body, venue.skew))
        return Response.json({"message": "endpoint not found"}, 404)

    def _record_slack(self, request: Request) -> Response:
        venue = self._venue
        venue.requests[f"{request.method} /slack"] += 1
        if request.method != "POST":
            return Response.text("invalid_payload", 400)
        message = slack.read_message(request)
        if isinstance(message, Response):
            return message
        venue.store.add_slack(
            {"path": request.path, "payload": message, "at": time_text(venue.now())}
        )
        return Response.text("ok")


def _needs_keys(name: str) -> bool:
    """Alpha Vantage's key is a parameter, and a missing one is answered in its own way; whoever
    asks for a token has none yet."""
    return name not in ("GET /query", f"POST {TOKEN_PATH}")


def _unskewed(request: Request, skew: timedelta) -> Request:
    """Moments that a client asks for were read off the broker's clock."""

    def market_time(text: str) -> str:
        try:
            moment: datetime = read_time(text)
        except ValueError:
            return text
        return to_iso(moment - skew)

    query = {
        name: market_time(value) if name in ("after", "until") else value
        for name, value in request.query.items()
    }
    return replace(request, query=query)

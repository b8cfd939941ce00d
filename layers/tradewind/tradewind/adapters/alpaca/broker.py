"""The Broker Protocol over Alpaca's trading API (https://docs.alpaca.markets, v2).

Requests go through alpaca-py's client as plain JSON: its request models turn decimals into floats
on the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tradewind.adapters.alpaca.activities import activities_of
from tradewind.adapters.alpaca.bodies import order_body, replacement_body
from tradewind.adapters.alpaca.client import OneShotClient
from tradewind.adapters.alpaca.credentials import Credentials
from tradewind.adapters.alpaca.parsing import (
    BrokenAnswerError,
    account_of,
    configuration_of,
    fills_of,
    listed,
    next_close_of,
    order_of,
    orders_of,
    position_of,
    readable,
    submitted_at,
)
from tradewind.errors import (
    BrokerRejectedError,
    BrokerUnavailableError,
    OutcomeUnknownError,
)
from tradewind.market.bar import to_iso
from tradewind.orders.configuration import AccountConfiguration
from tradewind.orders.ids import tag_of
from tradewind.orders.model import (
    BrokerAccount,
    BrokerActivity,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    OrderRequest,
    ReplaceRequest,
)
from tradewind.orders.rate_limits import RateLimits

Answer = TypeVar("Answer")
Query = dict[str, str | int]

ORDERS_PAGE = 500  # the most that GET /v2/orders gives
ACTIVITIES_PAGE = 100
NOT_FOUND = 404
CONFIGURATION = "/account/configurations"


class AlpacaBroker:
    """One Alpaca account.

    ``url`` is the host only, e.g. https://paper-api.alpaca.markets. ``reread`` gives the
    credentials as they stand now, for a bearer token that was refreshed since.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        reread: Callable[[], Credentials] | None = None,
    ) -> None:
        self._client = OneShotClient(url.rstrip("/"), credentials, reread)

    @property
    def limits(self) -> RateLimits | None:
        """What the newest answer said of the rate limit; None before the first."""
        return self._client.limits

    def submit(self, request: OrderRequest) -> BrokerOrder:
        body = order_body(request)
        return self._changed(lambda: self._client.post("/orders", body))

    def replace(self, order_id: str, request: ReplaceRequest) -> BrokerOrder:
        body = replacement_body(request)
        return self._changed(lambda: self._client.patch(f"/orders/{order_id}", body))

    def cancel(self, order_id: str) -> None:
        self._client.delete(f"/orders/{order_id}")

    def order(self, order_id: str) -> BrokerOrder | None:
        raw = self._found(lambda: self._client.get(f"/orders/{order_id}", {"nested": "true"}))
        return None if raw is None else order_of(raw)

    def order_by_client_id(self, client_order_id: str) -> BrokerOrder | None:
        raw = self._found(
            lambda: self._client.get(
                "/orders:by_client_order_id", {"client_order_id": client_order_id}
            )
        )
        return None if raw is None else order_of(raw)

    def orders(self, since: datetime) -> list[BrokerOrder]:
        after = to_iso(since)
        # A flat list tells every order's own state, also that of a leg that was replaced, which
        # no nested list shows; only nested lists tell whose legs are whose.
        found = self._listed({"status": "all", "nested": "false", "after": after})
        found.update(self._listed({"status": "all", "nested": "true", "after": after}))
        found.update(self._listed({"status": "open", "nested": "true"}, known=found))
        return list(found.values())

    def open_orders(self, symbol: str) -> list[BrokerOrder]:
        found = self._listed({"status": "open", "nested": "true", "symbols": symbol})
        return [order for order in found.values() if not order.status.is_final]

    def parent_of(self, order: BrokerOrder) -> BrokerOrder | None:
        if order.parent_order_id is not None:
            return self.order(order.parent_order_id)
        # A body does not name its parent, and the list of open orders shows the leg of a filled
        # entry alone: only the nested list of all orders tells.
        found = {known.order_id: known for known in self._newest_of(order.symbol)}
        leg = found.get(order.order_id)
        return found.get(leg.parent_order_id or "") if leg is not None else None

    def fills(self, since: datetime) -> list[BrokerFill]:
        raw = self._activities("/account/activities/FILL", {}, since)
        return fills_of(raw, self._is_traded)

    def activities(self, since: datetime) -> list[BrokerActivity]:
        # Every kind but executions, also those that are invented after this was written.
        query: Query = {"category": "non_trade_activity"}
        return activities_of(self._activities("/account/activities", query, since))

    def positions(self) -> list[BrokerPosition]:
        raw = self._read(lambda: self._client.get("/positions"))
        return readable(listed(raw), position_of, self._is_traded)

    def account(self) -> BrokerAccount:
        return account_of(self._read(lambda: self._client.get("/account")))

    def cancel_all(self) -> None:
        self._client.delete("/orders")

    def close_position(self, symbol: str) -> BrokerOrder:
        return self._changed(lambda: self._client.delete(f"/positions/{symbol}"))

    def next_close(self) -> datetime:
        return next_close_of(self._read(lambda: self._client.get("/clock")))

    def configuration(self) -> AccountConfiguration:
        return configuration_of(self._read(lambda: self._client.get(CONFIGURATION)))

    def configure(self, configuration: AccountConfiguration) -> AccountConfiguration:
        # Setting the same twice is setting it: an answer that was lost is asked for again.
        body = {
            "no_shorting": configuration.no_shorting,
            "max_margin_multiplier": configuration.max_margin_multiplier,
        }
        return configuration_of(self._read(lambda: self._client.patch(CONFIGURATION, body)))

    def untradable(self, symbols: Sequence[str]) -> list[str]:
        return [symbol for symbol in symbols if not self._is_tradable(symbol)]

    def _is_tradable(self, symbol: str) -> bool:
        raw = self._found(lambda: self._client.get(f"/assets/{symbol}"))
        return isinstance(raw, Mapping) and raw.get("tradable") is True

    def _newest_of(self, symbol: str) -> list[BrokerOrder]:
        """The newest orders of a symbol in any state, legs with their parents."""
        query: Query = {
            "status": "all",
            "nested": "true",
            "symbols": symbol,
            "limit": ORDERS_PAGE,
            "direction": "desc",
        }
        return orders_of(self._page("/orders", query))

    def _is_traded(self, symbol: str) -> bool:
        """Whether there are orders of ours, or of another deployment, in a symbol."""
        return any(tag_of(order.client_order_id) for order in self._newest_of(symbol))

    def _listed(
        self, query: dict[str, str], known: Mapping[str, BrokerOrder] | None = None
    ) -> dict[str, BrokerOrder]:
        """Every page of an order list, legs included, by order id; without what is known."""
        found: dict[str, BrokerOrder] = {}
        paged: Query = {**query, "limit": ORDERS_PAGE, "direction": "asc"}
        while True:
            page = self._page("/orders", paged)
            found.update({order.order_id: order for order in orders_of(page)})
            if len(page) < ORDERS_PAGE:
                break
            # "after" leaves out what was submitted at that very moment, and a leg is submitted with
            # its parent: the next page starts a moment before this one's last order.
            after = to_iso(submitted_at(page[-1]) - timedelta(milliseconds=1))
            if paged.get("after") == after:
                raise BrokenAnswerError(f"{ORDERS_PAGE} orders within a millisecond of {after}")
            paged["after"] = after
        return {key: order for key, order in found.items() if key not in (known or {})}

    def _activities(self, path: str, query: Query, since: datetime) -> list[Any]:
        """Every page, oldest first; an activity that comes again on the next page counts once."""
        paged: Query = {
            **query,
            "after": to_iso(since),
            "direction": "asc",
            "page_size": ACTIVITIES_PAGE,
        }
        found: list[Any] = []
        tokens: set[str] = set()
        while True:
            page = self._page(path, paged)
            found.extend(page)
            if len(page) < ACTIVITIES_PAGE:
                return found
            try:
                token = str(page[-1]["id"])
            except (KeyError, TypeError) as error:
                raise BrokenAnswerError(f"an activity without an id: {page[-1]!r:.200}") from error
            if token in tokens:
                raise BrokenAnswerError(f"{path}: a page came again instead of the next")
            tokens.add(token)
            paged["page_token"] = token

    def _page(self, path: str, query: Query) -> list[Any]:
        return listed(self._read(lambda: self._client.get(path, query)))

    @staticmethod
    def _changed(call: Callable[[], Any]) -> BrokerOrder:
        """A call that makes an order: an answer that cannot be read leaves the outcome open."""
        try:
            return order_of(call())
        except BrokenAnswerError as error:
            raise OutcomeUnknownError(str(error)) from error

    @staticmethod
    def _read(call: Callable[[], Answer]) -> Answer:
        """A call that changes nothing may simply be made again."""
        try:
            return call()
        except OutcomeUnknownError as error:
            raise BrokerUnavailableError(str(error)) from error

    def _found(self, call: Callable[[], Any]) -> Any | None:
        """The answer, or None when the broker says that there is no such thing."""
        try:
            return self._read(call)
        except BrokerRejectedError as refusal:
            if refusal.status == NOT_FOUND:
                return None
            raise

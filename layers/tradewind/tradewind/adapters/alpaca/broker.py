"""The Broker Protocol over Alpaca's trading API (https://docs.alpaca.markets, v2).

Requests go through alpaca-py's client as plain JSON: its request models turn decimals into floats
on the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from tradewind.adapters.alpaca.client import OneShotTradingClient
from tradewind.adapters.alpaca.parsing import (
    BrokenAnswerError,
    account_of,
    fills_of,
    next_close_of,
    order_of,
    orders_of,
    position_of,
)
from tradewind.errors import (
    BrokerRejectedError,
    BrokerUnavailableError,
    OutcomeUnknownError,
)
from tradewind.market.bar import to_iso
from tradewind.orders.model import (
    BrokerAccount,
    BrokerActivity,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    OrderClass,
    OrderRequest,
    ReplaceRequest,
)

Answer = TypeVar("Answer")

ORDERS_PAGE = 500  # the most that GET /v2/orders gives
ACTIVITIES_PAGE = 100


class AlpacaBroker:
    """One Alpaca account."""

    def __init__(self, url: str, api_key: str, secret_key: str) -> None:
        """``url`` is the host only, e.g. https://paper-api.alpaca.markets."""
        self._client = OneShotTradingClient(
            api_key, secret_key, raw_data=True, url_override=url.rstrip("/")
        )

    def submit(self, request: OrderRequest) -> BrokerOrder:
        return self._changed(lambda: self._client.post("/orders", _order_body(request)))

    def replace(self, order_id: str, request: ReplaceRequest) -> BrokerOrder:
        body = _replace_body(request)
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
        # A body does not name its parent, and the list of open orders shows the leg of a filled
        # entry alone: only the nested list of all orders tells.
        query: dict[str, str | int] = {
            "status": "all",
            "nested": "true",
            "symbols": order.symbol,
            "limit": ORDERS_PAGE,
            "direction": "desc",
        }
        found = {known.order_id: known for known in orders_of(self._page("/orders", query))}
        leg = found.get(order.order_id)
        return found.get(leg.parent_order_id or "") if leg is not None else None

    def fills(self, since: datetime) -> list[BrokerFill]:
        fills: list[BrokerFill] = []
        query: dict[str, str | int] = {
            "after": to_iso(since),
            "direction": "asc",
            "page_size": ACTIVITIES_PAGE,
        }
        while True:
            page = self._page("/account/activities/FILL", query)
            fills.extend(fills_of(page))
            if len(page) < ACTIVITIES_PAGE:
                return fills
            query["page_token"] = page[-1]["id"]

    def positions(self) -> list[BrokerPosition]:
        raw = self._read(lambda: self._client.get("/positions"))
        return [position_of(item) for item in _items(raw)]

    def account(self) -> BrokerAccount:
        return account_of(self._read(lambda: self._client.get("/account")))

    def activities(self, since: datetime) -> list[BrokerActivity]:
        raise NotImplementedError

    def cancel_all(self) -> None:
        self._client.delete("/orders")

    def close_position(self, symbol: str) -> BrokerOrder:
        return self._changed(lambda: self._client.delete(f"/positions/{symbol}"))

    def next_close(self) -> datetime:
        return next_close_of(self._read(lambda: self._client.get("/clock")))

    def _listed(
        self, query: dict[str, str], known: Mapping[str, BrokerOrder] | None = None
    ) -> dict[str, BrokerOrder]:
        """Every page of an order list, legs included, by order id; without what is known."""
        found: dict[str, BrokerOrder] = {}
        paged: dict[str, str | int] = {**query, "limit": ORDERS_PAGE, "direction": "asc"}
        while True:
            page = self._page("/orders", paged)
            found.update({order.order_id: order for order in orders_of(page)})
            if len(page) < ORDERS_PAGE:
                break
            paged["after"] = page[-1]["submitted_at"]
        return {key: order for key, order in found.items() if key not in (known or {})}

    def _page(self, path: str, query: dict[str, str | int]) -> list[Any]:
        return _items(self._read(lambda: self._client.get(path, query)))

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
            if refusal.status == 404:
                return None
            raise


def _order_body(request: OrderRequest) -> dict[str, Any]:
    body: dict[str, Any] = {
        "client_order_id": request.client_order_id,
        "symbol": request.symbol,
        "side": str(request.side),
        "qty": str(request.quantity),
        "type": str(request.order_type),
        "time_in_force": str(request.time_in_force),
    }
    if request.order_class is not OrderClass.SIMPLE:
        body["order_class"] = str(request.order_class)
    if request.limit_price is not None:
        body["limit_price"] = str(request.limit_price)
    if request.stop_price is not None:
        body["stop_price"] = str(request.stop_price)
    if request.stop_loss is not None:
        body["stop_loss"] = {"stop_price": str(request.stop_loss)}
    return body


def _replace_body(request: ReplaceRequest) -> dict[str, Any]:
    given = {
        "qty": request.quantity,
        "limit_price": request.limit_price,
        "stop_price": request.stop_price,
        "trail": request.trail,
        "time_in_force": request.time_in_force,
    }
    changes = {name: str(value) for name, value in given.items() if value is not None}
    return {"client_order_id": request.client_order_id, **changes}


def _items(raw: Any) -> list[Any]:
    if not isinstance(raw, list):
        raise BrokenAnswerError(f"expected a list, got {raw!r:.200}")
    return raw

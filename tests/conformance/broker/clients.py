"""What the conformance cases need of a broker's client, and the clients that they run with.

To try another one, name its factory: ``CONFORMANCE_BROKER_CLIENT=package.module:factory``. It is
called with (url, key, secret), where ``url`` is the host only, and gives a :class:`BrokerClient`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import Any, Protocol

from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import QueryOrderStatus
from alpaca.trading.models import Order
from alpaca.trading.requests import (
    GetOrderByIdRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopLossRequest,
    StopOrderRequest,
    TakeProfitRequest,
    TrailingStopOrderRequest,
)
from alpaca.trading.requests import OrderRequest as AlpacaRequest
from pydantic import ValidationError
from tradewind.adapters.alpaca.broker import AlpacaBroker
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.adapters.alpaca.parsing import moment
from tradewind.errors import BrokerRejectedError
from tradewind.orders.model import (
    BrokerAccount,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    OrderRequest,
    OrderStatus,
    OrderType,
    ReplaceRequest,
    Side,
)

PLUG = "CONFORMANCE_BROKER_CLIENT"


class BrokerClient(Protocol):
    """One account at a broker, in Tradewind's nouns.

    A refusal is a BrokerRejectedError with the broker's HTTP ``status`` and ``code``. Ids are the
    broker's unless they are called client ids. Legs are orders of their own, with their parent.
    """

    def submit(self, request: OrderRequest) -> BrokerOrder: ...

    def replace(self, order_id: str, request: ReplaceRequest) -> BrokerOrder: ...

    def cancel(self, order_id: str) -> None: ...

    def order(self, order_id: str) -> BrokerOrder | None:
        """None when the broker does not know it; so below."""
        ...

    def order_by_client_id(self, client_order_id: str) -> BrokerOrder | None: ...

    def orders(self, since: datetime) -> list[BrokerOrder]:
        """All open orders and all others submitted after ``since``, legs included, in any order
        and however many pages they take."""
        ...

    def open_orders(self, symbol: str) -> list[BrokerOrder]:
        """The symbol's orders that may still trade or come alive, legs included."""
        ...

    def fills(self, since: datetime) -> list[BrokerFill]:
        """Executions after ``since``, oldest first, however many pages they take."""
        ...

    def positions(self) -> list[BrokerPosition]: ...

    def account(self) -> BrokerAccount: ...


Factory = Callable[[str, str, str], BrokerClient]


class AlpacaPyClient:
    """alpaca-py as it comes, with its own request models; only its silent retries are off."""

    PAGE = 500

    def __init__(self, url: str, key: str, secret: str) -> None:
        self._client = TradingClient(key, secret, url_override=url)
        self._client._retry = 0

    def submit(self, request: OrderRequest) -> BrokerOrder:
        return _own(_asked(lambda: self._client.submit_order(_model(request))))

    def replace(self, order_id: str, request: ReplaceRequest) -> BrokerOrder:
        changes = ReplaceOrderRequest.model_construct(
            **_given(
                qty=None if request.quantity is None else int(request.quantity),
                limit_price=_number(request.limit_price),
                stop_price=_number(request.stop_price),
                trail=_number(request.trail),
                time_in_force=request.time_in_force and str(request.time_in_force),
                client_order_id=request.client_order_id,
            )
        )
        return _own(_asked(lambda: self._client.replace_order_by_id(order_id, changes)))

    def cancel(self, order_id: str) -> None:
        _asked(lambda: self._client.cancel_order_by_id(order_id))

    def order(self, order_id: str) -> BrokerOrder | None:
        nested = GetOrderByIdRequest(nested=True)
        return _or_none(lambda: _own(self._client.get_order_by_id(order_id, nested)))

    def order_by_client_id(self, client_order_id: str) -> BrokerOrder | None:
        return _or_none(lambda: _own(self._client.get_order_by_client_id(client_order_id)))

    def orders(self, since: datetime) -> list[BrokerOrder]:
        found = self._listed(status=QueryOrderStatus.ALL, after=since, nested=True)
        # A live leg is listed there without its entry, which is closed: what is known is better.
        still_open = self._listed(status=QueryOrderStatus.OPEN, nested=True)
        return list({**still_open, **found}.values())

    def open_orders(self, symbol: str) -> list[BrokerOrder]:
        found = self._listed(status=QueryOrderStatus.OPEN, nested=True, symbols=[symbol])
        return [order for order in found.values() if not order.status.is_final]

    def fills(self, since: datetime) -> list[BrokerFill]:
        fills: list[BrokerFill] = []
        query = {"after": since.isoformat().replace("+00:00", "Z"), "direction": "asc"}
        # alpaca-py has no method for a trading account's activities.
        while page := self._client.get("/account/activities/FILL", query):
            query["page_token"] = page[-1]["id"]
            fills += [
                BrokerFill(
                    execution_id=raw["id"],
                    order_id=raw["order_id"],
                    symbol=raw["symbol"],
                    side=Side(raw["side"]),
                    quantity=Decimal(raw["qty"]),
                    price=Decimal(raw["price"]),
                    at=moment(raw["transaction_time"]),
                )
                for raw in page
            ]
        return fills

    def positions(self) -> list[BrokerPosition]:
        return [
            BrokerPosition(
                symbol=held.symbol,
                quantity=Decimal(held.qty),
                avg_entry_price=Decimal(held.avg_entry_price),
                current_price=Decimal(held.current_price),
                unrealised_pnl=Decimal(held.unrealized_pl),
            )
            for held in self._client.get_all_positions()
        ]

    def account(self) -> BrokerAccount:
        account = self._client.get_account()
        return BrokerAccount(
            account_number=account.account_number,
            status=account.status.value,
            equity=Decimal(account.equity),
            last_equity=Decimal(account.last_equity),
            cash=Decimal(account.cash),
            buying_power=Decimal(account.buying_power),
            trading_blocked=account.trading_blocked,
        )

    def _listed(self, **query: Any) -> dict[str, BrokerOrder]:
        found: dict[str, BrokerOrder] = {}
        while True:
            request = GetOrdersRequest(limit=self.PAGE, direction="asc", **query)
            page = self._client.get_orders(request)
            for order in page:
                found.update({one.order_id: one for one in _family(order)})
            if len(page) < self.PAGE:
                return found
            query["after"] = page[-1].submitted_at


def _model(request: OrderRequest) -> AlpacaRequest:
    """alpaca-py's own request; what its models would refuse themselves is let through."""
    fields = _given(
        symbol=request.symbol,
        side=str(request.side),
        qty=_number(request.quantity),
        time_in_force=str(request.time_in_force),
        order_class=str(request.order_class),
        client_order_id=request.client_order_id,
        limit_price=_number(request.limit_price),
        stop_price=_number(request.stop_price),
        trail_price=_number(request.trail_price),
        trail_percent=_number(request.trail_percent),
    )
    if request.take_profit is not None:
        fields["take_profit"] = TakeProfitRequest(limit_price=float(request.take_profit))
    if request.stop_loss is not None:
        fields["stop_loss"] = StopLossRequest(
            **_given(
                stop_price=_number(request.stop_loss), limit_price=_number(request.stop_loss_limit)
            )
        )
    return _MODELS[request.order_type](**fields)


_MODELS: dict[OrderType, type[AlpacaRequest]] = {
    OrderType.MARKET: MarketOrderRequest,
    OrderType.LIMIT: LimitOrderRequest,
    OrderType.STOP: StopOrderRequest,
    OrderType.STOP_LIMIT: StopLimitOrderRequest,
    OrderType.TRAILING_STOP: TrailingStopOrderRequest,
}


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _asked(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except APIError as error:
        raise BrokerRejectedError(str(error), code=error.code, status=error.status_code) from error
    except ValidationError as error:
        # Some of the broker's rules are alpaca-py's own: such a request never leaves.
        raise BrokerRejectedError(str(error), status=422) from error


def _or_none(call: Callable[[], BrokerOrder]) -> BrokerOrder | None:
    try:
        return _asked(call)
    except BrokerRejectedError as error:
        if error.status == 404:
            return None
        raise


def _family(order: Order) -> Iterator[BrokerOrder]:
    yield _own(order)
    for leg in order.legs or ():
        yield _own(leg, str(order.id))


def _own(order: Order, parent: str | None = None) -> BrokerOrder:
    def decimal(value: Any) -> Decimal | None:
        return None if value is None else Decimal(str(value))

    return BrokerOrder(
        order_id=str(order.id),
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=Side(order.side.value),
        order_type=order.order_type.value,
        order_class=order.order_class.value or "simple",
        status=OrderStatus(order.status.value),
        quantity=Decimal(str(order.qty)),
        filled_quantity=Decimal(str(order.filled_qty)),
        filled_avg_price=decimal(order.filled_avg_price),
        limit_price=decimal(order.limit_price),
        stop_price=decimal(order.stop_price),
        time_in_force=order.time_in_force.value,
        parent_order_id=parent,
        replaces=str(order.replaces) if order.replaces else None,
        submitted_at=order.submitted_at,
        updated_at=order.updated_at,
    )


def clients() -> dict[str, Factory]:
    """By name; the plugged one, if there is any, is the only one."""
    plug = os.environ.get(PLUG)
    if plug:
        module, _, name = plug.partition(":")
        return {plug: getattr(import_module(module), name)}
    return {"alpaca-py": AlpacaPyClient, "tradewind": _tradewind}


def _tradewind(url: str, key: str, secret: str) -> BrokerClient:
    return AlpacaBroker(url, ApiKey(key, secret))

"""Alpaca's JSON into our nouns. Numbers arrive as strings or as JSON numbers; both stay exact."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from tradewind.errors import BrokerUnavailableError
from tradewind.orders.ids import tag_of
from tradewind.orders.model import (
    BrokerAccount,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    OrderStatus,
    Side,
)

logger = logging.getLogger(__name__)

# Alpaca sends up to nine digits after the second; datetime keeps six.
_BEYOND_MICROSECONDS = re.compile(r"(\.\d{6})\d+")


class BrokenAnswerError(BrokerUnavailableError):
    """The broker answered with something that is not what its documentation says."""


def moment(text: str) -> datetime:
    """An Alpaca timestamp (RFC 3339, nanoseconds) as aware UTC."""
    return datetime.fromisoformat(_BEYOND_MICROSECONDS.sub(r"\1", text)).astimezone(UTC)


def number(value: object) -> Decimal:
    return Decimal(str(value))


def optional_number(value: object) -> Decimal | None:
    return None if value in (None, "") else number(value)


def orders_of(items: Iterable[Mapping[str, Any]]) -> list[BrokerOrder]:
    """All orders of a list with their legs. One that cannot be read and is not ours (an option, a
    pre-sale) is left out: it must not keep us from managing our own."""
    orders: list[BrokerOrder] = []
    for raw in items:
        try:
            orders.extend(flattened(raw))
        except BrokenAnswerError as error:
            if tag_of(str(raw.get("client_order_id"))) is not None:
                raise
            logger.warning("a foreign order is left out: %s", error)
    return orders


def fills_of(items: Iterable[Mapping[str, Any]]) -> list[BrokerFill]:
    """All fills of a list; one that neither buys nor sells shares as we do is foreign."""
    fills: list[BrokerFill] = []
    for raw in items:
        if raw.get("side") in tuple(Side):
            fills.append(fill_of(raw))
        else:
            logger.warning("a foreign fill is left out: side %r", raw.get("side"))
    return fills


def flattened(raw: Mapping[str, Any], parent: str | None = None) -> list[BrokerOrder]:
    """An order and its legs, each leg naming its parent."""
    orders = [order_of(raw, parent)]
    for leg in raw.get("legs") or ():
        orders.extend(flattened(leg, orders[0].order_id))
    return orders


def order_of(raw: Mapping[str, Any], parent: str | None = None) -> BrokerOrder:
    try:
        return BrokerOrder(
            order_id=raw["id"],
            client_order_id=raw["client_order_id"],
            symbol=raw["symbol"],
            side=Side(raw["side"]),
            order_type=raw.get("order_type") or raw["type"],
            order_class=raw["order_class"] or "simple",
            status=OrderStatus(raw["status"]),
            # An order by dollar amount (foreign: ours name shares) has no quantity of its own.
            quantity=number(raw["filled_qty"] if raw["qty"] is None else raw["qty"]),
            filled_quantity=number(raw["filled_qty"]),
            filled_avg_price=optional_number(raw["filled_avg_price"]),
            limit_price=optional_number(raw["limit_price"]),
            stop_price=optional_number(raw["stop_price"]),
            time_in_force=raw["time_in_force"],
            parent_order_id=raw.get("parent_order_id") or parent,
            replaces=raw["replaces"],
            submitted_at=moment(raw["submitted_at"] or raw["created_at"]),
            updated_at=moment(raw["updated_at"] or raw["created_at"]),
        )
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise BrokenAnswerError(f"not an order: {error!r} in {dict(raw)!r}") from error


def position_of(raw: Mapping[str, Any]) -> BrokerPosition:
    try:
        quantity = number(raw["qty"])
        return BrokerPosition(
            symbol=raw["symbol"],
            quantity=-abs(quantity) if raw["side"] == "short" else quantity,
            avg_entry_price=number(raw["avg_entry_price"]),
            current_price=number(raw["current_price"]),
            unrealised_pnl=number(raw["unrealized_pl"]),
        )
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise BrokenAnswerError(f"not a position: {error!r} in {dict(raw)!r}") from error


def account_of(raw: Mapping[str, Any]) -> BrokerAccount:
    try:
        return BrokerAccount(
            account_number=raw["account_number"],
            status=raw["status"],
            equity=number(raw["equity"]),
            last_equity=number(raw["last_equity"]),
            cash=number(raw["cash"]),
            buying_power=number(raw["buying_power"]),
            trading_blocked=bool(raw["trading_blocked"] or raw["account_blocked"]),
        )
    except (KeyError, TypeError, InvalidOperation) as error:
        raise BrokenAnswerError(f"not an account: {error!r} in {dict(raw)!r}") from error


def fill_of(raw: Mapping[str, Any]) -> BrokerFill:
    """A FILL activity; its id is the execution's."""
    try:
        return BrokerFill(
            execution_id=raw["id"],
            order_id=raw["order_id"],
            symbol=raw["symbol"],
            side=Side(raw["side"]),
            quantity=number(raw["qty"]),
            price=number(raw["price"]),
            at=moment(raw["transaction_time"]),
        )
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise BrokenAnswerError(f"not a fill: {error!r} in {dict(raw)!r}") from error


def next_close_of(raw: Mapping[str, Any]) -> datetime:
    """From GET /v2/clock."""
    try:
        return moment(raw["next_close"])
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenAnswerError(f"not a clock: {error!r} in {raw!r:.200}") from error

"""The broker's state as JSON, for the way between two steps. Decimals and times as strings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from tradewind.errors import InvalidInputError
from tradewind.market.bar import from_iso, to_iso
from tradewind.orders.configuration import AccountConfiguration
from tradewind.orders.model import (
    BrokerAccount,
    BrokerActivity,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerState,
    OrderStatus,
    Side,
)


def dump_state(state: BrokerState) -> bytes:
    return json.dumps(asdict(state), default=_plain, separators=(",", ":")).encode()


def load_state(body: bytes) -> BrokerState:
    """The reverse of :func:`dump_state`; InvalidInputError when it is not one."""
    try:
        raw = json.loads(body)
        return BrokerState(
            as_of=from_iso(raw["as_of"]),
            account=_account(raw["account"]),
            orders=tuple(_order(item) for item in raw["orders"]),
            positions=tuple(_position(item) for item in raw["positions"]),
            fills=tuple(_fill(item) for item in raw["fills"]),
            next_close=from_iso(raw["next_close"]) if raw["next_close"] else None,
            activities=tuple(_activity(item) for item in raw["activities"]),
            listed_since=from_iso(raw["listed_since"]) if raw["listed_since"] else None,
            configuration=_configuration(raw["configuration"]),
            not_known=tuple(map(_text, raw["not_known"])),
        )
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise InvalidInputError(f"not a broker state: {error!r}") from error


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return to_iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"cannot write {value!r} as JSON")


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _account(raw: Mapping[str, Any]) -> BrokerAccount:
    return BrokerAccount(
        account_number=raw["account_number"],
        status=raw["status"],
        equity=Decimal(raw["equity"]),
        last_equity=Decimal(raw["last_equity"]),
        cash=Decimal(raw["cash"]),
        buying_power=Decimal(raw["buying_power"]),
        trading_blocked=bool(raw["trading_blocked"]),
    )


def _order(raw: Mapping[str, Any]) -> BrokerOrder:
    return BrokerOrder(
        order_id=raw["order_id"],
        client_order_id=raw["client_order_id"],
        symbol=raw["symbol"],
        side=Side(raw["side"]),
        order_type=raw["order_type"],
        order_class=raw["order_class"],
        status=OrderStatus(raw["status"]),
        quantity=Decimal(raw["quantity"]),
        filled_quantity=Decimal(raw["filled_quantity"]),
        filled_avg_price=_decimal(raw["filled_avg_price"]),
        limit_price=_decimal(raw["limit_price"]),
        stop_price=_decimal(raw["stop_price"]),
        time_in_force=raw["time_in_force"],
        parent_order_id=raw["parent_order_id"],
        replaces=raw["replaces"],
        submitted_at=from_iso(raw["submitted_at"]),
        updated_at=from_iso(raw["updated_at"]),
    )


def _position(raw: Mapping[str, Any]) -> BrokerPosition:
    return BrokerPosition(
        symbol=raw["symbol"],
        quantity=Decimal(raw["quantity"]),
        avg_entry_price=Decimal(raw["avg_entry_price"]),
        current_price=Decimal(raw["current_price"]),
        unrealised_pnl=Decimal(raw["unrealised_pnl"]),
    )


def _fill(raw: Mapping[str, Any]) -> BrokerFill:
    return BrokerFill(
        execution_id=raw["execution_id"],
        order_id=raw["order_id"],
        symbol=raw["symbol"],
        side=Side(raw["side"]),
        quantity=Decimal(raw["quantity"]),
        price=Decimal(raw["price"]),
        at=from_iso(raw["at"]),
        cumulative=_decimal(raw["cumulative"]),
    )


def _activity(raw: Mapping[str, Any]) -> BrokerActivity:
    return BrokerActivity(
        activity_id=raw["activity_id"],
        kind=raw["kind"],
        amount=Decimal(raw["amount"]),
        day=date.fromisoformat(raw["day"]),
        symbol=raw["symbol"],
        description=raw["description"],
    )


def _configuration(raw: Mapping[str, Any] | None) -> AccountConfiguration | None:
    if raw is None:
        return None
    return AccountConfiguration(
        no_shorting=bool(raw["no_shorting"]),
        max_margin_multiplier=raw["max_margin_multiplier"],
        suspend_trade=bool(raw["suspend_trade"]),
        untradable=tuple(raw["untradable"]),
    )

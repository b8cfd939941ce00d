"""Intents and outcomes as JSON, for the way through the state machine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from tradewind.errors import InvalidInputError
from tradewind.market.bar import from_iso, to_iso
from tradewind.orders.model import (
    BrokerOrder,
    IntentKind,
    IntentOutcome,
    IntentStatus,
    OrderClass,
    OrderIntent,
    OrderType,
    Side,
    TimeInForce,
)


def intent_payload(intent: OrderIntent) -> dict[str, Any]:
    return {
        "intent_id": intent.intent_id,
        "account": intent.account,
        "strategy": intent.strategy,
        "mode": intent.mode,
        "session": intent.session.isoformat(),
        "bar_time": to_iso(intent.bar_time),
        "symbol": intent.symbol,
        "kind": intent.kind,
        "side": intent.side,
        "quantity": str(intent.quantity),
        "order_type": intent.order_type,
        "time_in_force": intent.time_in_force,
        "order_class": intent.order_class,
        "limit_price": _text(intent.limit_price),
        "stop_price": _text(intent.stop_price),
        "decision_price": str(intent.decision_price),
        "revision": intent.revision,
        "target_order_id": intent.target_order_id,
        "expires_at": to_iso(intent.expires_at) if intent.expires_at else None,
        "reason": intent.reason,
    }


def intent_from_payload(raw: Mapping[str, Any]) -> OrderIntent:
    """Raises InvalidInputError when a part is missing or is not what it should be."""
    try:
        return OrderIntent(
            intent_id=str(raw["intent_id"]),
            account=str(raw["account"]),
            strategy=str(raw["strategy"]),
            mode=str(raw["mode"]),
            session=date.fromisoformat(raw["session"]),
            bar_time=from_iso(raw["bar_time"]),
            symbol=str(raw["symbol"]),
            kind=IntentKind(raw["kind"]),
            side=Side(raw["side"]),
            quantity=_amount(raw["quantity"]),
            order_type=OrderType(raw["order_type"]),
            time_in_force=TimeInForce(raw["time_in_force"]),
            order_class=OrderClass(raw["order_class"]),
            limit_price=_price(raw["limit_price"]),
            stop_price=_price(raw["stop_price"]),
            decision_price=_amount(raw["decision_price"]),
            revision=int(raw["revision"]),
            target_order_id=raw["target_order_id"],
            expires_at=from_iso(raw["expires_at"]) if raw["expires_at"] else None,
            reason=str(raw["reason"]),
        )
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise InvalidInputError(f"not an order intent: {error!r}") from error


def outcome_payload(outcome: IntentOutcome) -> dict[str, Any]:
    return {
        "intent_id": outcome.intent_id,
        "status": outcome.status,
        "broker_order_id": outcome.broker_order_id,
        "reason_code": outcome.reason_code,
        "reason": outcome.reason,
        "at": to_iso(outcome.at),
    }


def outcome_from_payload(raw: Mapping[str, Any]) -> IntentOutcome:
    try:
        return IntentOutcome(
            intent_id=str(raw["intent_id"]),
            status=IntentStatus(raw["status"]),
            broker_order_id=raw["broker_order_id"],
            reason_code=str(raw["reason_code"]),
            reason=str(raw["reason"]),
            at=from_iso(raw["at"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInputError(f"not an intent's outcome: {error!r}") from error


def order_summary(order: BrokerOrder) -> dict[str, str]:
    """What a person wants to know of an order in a report."""
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "side": str(order.side),
        "type": order.order_type,
        "quantity": str(order.quantity),
        "filled": str(order.filled_quantity),
        "status": str(order.status),
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _price(value: str | None) -> Decimal | None:
    return None if value is None else _amount(value)


def _amount(value: str) -> Decimal:
    amount = Decimal(value)
    if not amount.is_finite() or amount <= 0:
        raise ValueError(f"{value!r} is not an amount above zero")
    return amount

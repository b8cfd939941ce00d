"""The control API under ``/_sim``: bars in, time forward, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from tradewind.errors import InvalidInputError
from tradewind.market.bar import Bar, from_iso, to_iso

from tradewind_local.exchange.bodies import position_body
from tradewind_local.exchange.engine import Exchange
from tradewind_local.exchange.faults import Fault
from tradewind_local.exchange.model import ZERO, Order
from tradewind_local.exchange.wire import decimal_text, quotient, time_text

BAR_FIELDS = ("symbol", "start", "open", "high", "low", "close", "volume", "feed")


def read_bars(body: object) -> list[Bar]:
    """From ``{"bars": [[symbol, start, open, high, low, close, volume, feed], …]}``."""
    try:
        return [
            Bar.from_payload(dict(zip(BAR_FIELDS, row, strict=True)))
            for row in _mapping(body)["bars"]
        ]
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise InvalidInputError(f"not bars: {error!r}") from error


def read_clock(body: object) -> tuple[datetime, bool]:
    """From ``{"now": …, "running": true}``."""
    fields = _mapping(body)
    if "now" not in fields:
        raise InvalidInputError("the clock needs 'now'")
    return from_iso(fields["now"]), bool(fields.get("running", True))


def read_faults(body: object) -> list[Fault]:
    return [Fault.of(fault) for fault in _mapping(body).get("faults", [])]


def read_shares_per_tick(body: object) -> Decimal | None:
    text = _mapping(body).get("shares_per_tick")
    if text is None:
        return None
    try:
        shares = Decimal(text)
    except (InvalidOperation, TypeError) as error:
        raise InvalidInputError(f"shares_per_tick is not a number: {text!r}") from error
    if not shares > 0:
        raise InvalidInputError("shares_per_tick must be more than zero")
    return shares


def summary(
    exchange: Exchange, slack_messages: int, requests: Mapping[str, int]
) -> dict[str, object]:
    """As ``ExchangeControl.summary`` describes it."""
    account, now = exchange.ledger.account, exchange.now
    positions = [
        {
            name: value
            for name, value in position_body(exchange, position).items()
            if name in ("symbol", "qty", "avg_entry_price", "current_price", "unrealized_pl")
        }
        for position in exchange.ledger.held()
    ]
    unrealized = sum((Decimal(str(position["unrealized_pl"])) for position in positions), ZERO)
    return {
        "now": None if now is None else to_iso(now),
        "bars": len(exchange.book),
        "orders": [_order(order) for order in exchange.orders.values()],
        "fills": len(exchange.fills),
        "positions": positions,
        "cash": decimal_text(account.cash),
        "equity": decimal_text(account.cash if now is None else exchange.equity()),
        "last_equity": decimal_text(account.last_equity),
        "realized_pl": decimal_text(exchange.ledger.realized),
        "unrealized_pl": decimal_text(unrealized),
        "slack_messages": slack_messages,
        "requests": dict(sorted(requests.items())),
    }


def _order(order: Order) -> dict[str, object]:
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "parent_order_id": order.parent_id,
        "replaces": order.replaces,
        "replaced_by": order.replaced_by,
        "symbol": order.symbol,
        "side": order.side,
        "type": order.type,
        "order_class": order.order_class,
        "qty": decimal_text(order.qty),
        "filled_qty": decimal_text(order.filled_qty),
        "filled_avg_price": (
            decimal_text(quotient(order.filled_value, order.filled_qty))
            if order.filled_qty
            else None
        ),
        "stop_price": None if order.stop_price is None else decimal_text(order.stop_price),
        "limit_price": None if order.limit_price is None else decimal_text(order.limit_price),
        "status": order.status,
        "submitted_at": time_text(order.submitted_at),
    }


def _mapping(body: object) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise InvalidInputError("the body must be a JSON object")
    return body

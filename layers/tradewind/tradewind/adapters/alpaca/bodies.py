"""Our requests as Alpaca's JSON. Every number leaves as an exact string."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tradewind.orders.model import OrderClass, OrderRequest, ReplaceRequest


def order_body(request: OrderRequest) -> dict[str, Any]:
    body: dict[str, Any] = {
        "client_order_id": request.client_order_id,
        "symbol": request.symbol,
        "side": str(request.side),
        "qty": _text(request.quantity),
        "type": str(request.order_type),
        "time_in_force": str(request.time_in_force),
    }
    if request.order_class is not OrderClass.SIMPLE:
        body["order_class"] = str(request.order_class)
    body.update(
        _given(
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            trail_percent=request.trail_percent,
            trail_price=request.trail_price,
        )
    )
    if request.take_profit is not None:
        body["take_profit"] = _given(limit_price=request.take_profit)
    if request.stop_loss is not None:
        body["stop_loss"] = _given(
            stop_price=request.stop_loss, limit_price=request.stop_loss_limit
        )
    return body


def replacement_body(request: ReplaceRequest) -> dict[str, Any]:
    body: dict[str, Any] = {"client_order_id": request.client_order_id}
    body.update(
        _given(
            qty=request.quantity,
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            trail=request.trail,
        )
    )
    if request.time_in_force is not None:
        body["time_in_force"] = str(request.time_in_force)
    return body


def _given(**values: Decimal | None) -> dict[str, str]:
    return {name: _text(value) for name, value in values.items() if value is not None}


def _text(value: Decimal) -> str:
    """Plain digits: ``str`` would write 1E+3 and 1E-7."""
    return f"{value:f}"

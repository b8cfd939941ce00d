"""From the body of a request to a ticket: everything that can be judged without the market."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from tradewind_local.exchange.model import ZERO, Changes, Ticket
from tradewind_local.exchange.order_rules import (
    ANY_TIME,
    CLASSES,
    TYPES,
    check_combination,
    check_legs,
    check_prices,
    check_step,
)
from tradewind_local.exchange.refusals import Refusal, malformed, unprocessable

LONGEST_CLIENT_ORDER_ID = 128
FRACTION_DIGITS = 9


def read_ticket(body: object) -> Ticket:
    """Raises Refusal (422) as the broker would."""
    fields = _fields(body)
    order_class = _choice(fields, "order_class", CLASSES, default="")
    take_profit = _leg_price(fields, "take_profit", "limit_price")
    notional = _amount(fields, "notional")
    qty = _qty(fields)
    if qty is not None and notional is not None:
        raise malformed("only one of qty or notional is accepted")
    if qty is None and notional is None:
        raise malformed("qty or notional is required")
    limit_price = _price(fields, "limit_price")
    ticket = Ticket(
        symbol=_text(fields, "symbol"),
        side=_choice(fields, "side", ("buy", "sell")),
        qty=qty or ZERO,
        type=_choice(fields, "type", TYPES),
        time_in_force=_choice(fields, "time_in_force", ANY_TIME),
        order_class=order_class,
        # The order of an OCO is its own take-profit.
        limit_price=take_profit if order_class == "oco" else limit_price,
        stop_price=_price(fields, "stop_price"),
        client_order_id=_client_order_id(fields),
        take_profit=take_profit,
        stop_loss=_leg_price(fields, "stop_loss", "stop_price"),
        stop_loss_limit=_stop_loss_limit(fields),
        trail_price=_price(fields, "trail_price"),
        trail_percent=_amount(fields, "trail_percent"),
        notional=notional,
    )
    if fields.get("extended_hours"):
        raise unprocessable("extended hours are not part of the simulated exchange")
    check_legs(ticket)
    check_combination(ticket)
    check_prices(ticket)
    return ticket


def read_changes(body: object) -> Changes:
    """Raises Refusal (422) as the broker would."""
    fields = _fields(body)
    time_in_force = fields.get("time_in_force")
    return Changes(
        qty=_qty(fields),
        limit_price=_price(fields, "limit_price"),
        stop_price=_price(fields, "stop_price"),
        time_in_force=(
            None if time_in_force is None else _choice(fields, "time_in_force", ANY_TIME)
        ),
        client_order_id=_client_order_id(fields),
        trail=_amount(fields, "trail"),
    )


def _leg_price(fields: Mapping[str, object], leg: str, name: str) -> Decimal | None:
    """A leg's price. A trail beside a stop price is dropped without a word, as the broker does."""
    parameters = _leg(fields, leg)
    if parameters is None:
        return None
    if parameters.get(name) is None:
        raise malformed(f"{leg}.{name} is required")
    return _price(parameters, name, shown_as=f"{leg}.{name}")


def _stop_loss_limit(fields: Mapping[str, object]) -> Decimal | None:
    parameters = _leg(fields, "stop_loss")
    if parameters is None:
        return None
    return _price(parameters, "limit_price", shown_as="stop_loss.limit_price")


def _leg(fields: Mapping[str, object], leg: str) -> Mapping[str, object] | None:
    parameters = fields.get(leg)
    if parameters is not None and not isinstance(parameters, Mapping):
        raise malformed(f"{leg} must be an object")
    return parameters


def _fields(body: object) -> Mapping[str, object]:
    if not isinstance(body, Mapping):
        raise Refusal(400, {"code": 40010000, "message": "request body format is invalid"})
    return body


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise malformed(f"{name} is required")
    return value


def _choice(
    fields: Mapping[str, object], name: str, allowed: tuple[str, ...], default: str | None = None
) -> str:
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if value is None:
        raise malformed(f"{name} is required")
    if value not in allowed:
        raise unprocessable(f"invalid {name} {value!r}: the simulated exchange has {allowed}")
    return str(value)


def _client_order_id(fields: Mapping[str, object]) -> str | None:
    value = fields.get("client_order_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > LONGEST_CLIENT_ORDER_ID:
        raise malformed(f"client_order_id must be at most {LONGEST_CLIENT_ORDER_ID} characters")
    return value


def _qty(fields: Mapping[str, object]) -> Decimal | None:
    qty = _amount(fields, "qty")
    if qty is not None and qty != qty.quantize(Decimal(1).scaleb(-FRACTION_DIGITS)):
        raise malformed(f"qty must have at most {FRACTION_DIGITS} decimals")
    return qty


def _amount(fields: Mapping[str, object], name: str) -> Decimal | None:
    amount = _number(fields, name, name)
    if amount is not None and amount <= 0:
        raise malformed(f"{name} must be > 0")
    return amount


def _price(fields: Mapping[str, object], name: str, shown_as: str | None = None) -> Decimal | None:
    shown_as = shown_as or name
    price = _number(fields, name, shown_as)
    if price is None:
        return None
    if price <= 0:
        raise malformed(f"{shown_as} must be > 0")
    check_step(shown_as, price)
    return price


def _number(fields: Mapping[str, object], name: str, shown_as: str) -> Decimal | None:
    value = fields.get(name)
    if value is None:
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise InvalidOperation
        number = Decimal(value)
        if not number.is_finite() or abs(number) >= Decimal("1e12"):
            raise InvalidOperation
    except InvalidOperation:
        raise malformed(f"{shown_as} must be a number, not {value!r}") from None
    return number

"""From the body of a request to a ticket: everything that can be judged without the market."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from tradewind_local.exchange.model import Changes, Ticket
from tradewind_local.exchange.refusals import Refusal, malformed, sub_penny, unprocessable

TYPES = ("market", "limit", "stop")
TIMES_IN_FORCE = ("day", "gtc")
CLASSES = ("", "simple", "bracket", "oto")
LONGEST_CLIENT_ORDER_ID = 128
FRACTION_DIGITS = 9


def read_ticket(body: object) -> Ticket:
    """Raises Refusal (422) as the broker would."""
    fields = _fields(body)
    order_type = _choice(fields, "type", TYPES)
    order_class = _choice(fields, "order_class", CLASSES, default="")
    ticket = Ticket(
        symbol=_text(fields, "symbol"),
        side=_choice(fields, "side", ("buy", "sell")),
        qty=_qty(fields),
        type=order_type,
        time_in_force=_choice(fields, "time_in_force", TIMES_IN_FORCE),
        order_class=order_class,
        limit_price=_price(fields, "limit_price", needed=order_type == "limit"),
        stop_price=_price(fields, "stop_price", needed=order_type == "stop"),
        client_order_id=_client_order_id(fields),
        take_profit=_leg_price(fields, "take_profit", "limit_price"),
        stop_loss=_leg_price(fields, "stop_loss", "stop_price"),
    )
    _check_type(ticket, fields)
    _check_class(ticket)
    return ticket


def read_changes(body: object) -> Changes:
    """Raises Refusal (422) as the broker would."""
    fields = _fields(body)
    if fields.get("trail") is not None:
        raise unprocessable("trail can only be changed on a trailing_stop order")
    time_in_force = fields.get("time_in_force")
    return Changes(
        qty=_qty(fields) if fields.get("qty") is not None else None,
        limit_price=_price(fields, "limit_price"),
        stop_price=_price(fields, "stop_price"),
        time_in_force=(
            None if time_in_force is None else _choice(fields, "time_in_force", TIMES_IN_FORCE)
        ),
        client_order_id=_client_order_id(fields),
    )


def _check_type(ticket: Ticket, fields: Mapping[str, object]) -> None:
    if ticket.type != "limit" and ticket.limit_price is not None:
        raise malformed(f"{ticket.type} orders must not have a limit price")
    if ticket.type != "stop" and ticket.stop_price is not None:
        raise malformed(f"{ticket.type} orders must not have a stop price")
    if fields.get("notional") is not None:
        raise unprocessable("notional orders are not part of the simulated exchange")
    if fields.get("extended_hours"):
        raise unprocessable("extended hours are not part of the simulated exchange")
    if ticket.qty != ticket.qty.to_integral_value():
        if ticket.time_in_force != "day":
            raise unprocessable("fractional orders must be DAY orders")
        if ticket.order_class not in ("", "simple"):
            raise unprocessable("fractional orders must be simple orders")


def _check_class(ticket: Ticket) -> None:
    legs = [leg for leg in (ticket.take_profit, ticket.stop_loss) if leg is not None]
    if ticket.order_class == "bracket" and len(legs) != 2:
        raise malformed("bracket orders require take_profit.limit_price and stop_loss.stop_price")
    if ticket.order_class == "oto" and len(legs) != 1:
        raise malformed("oto orders require either take_profit or stop_loss")
    if ticket.order_class in ("", "simple") and legs:
        raise malformed("take_profit and stop_loss need order_class bracket or oto")
    if legs and ticket.type == "stop":
        raise unprocessable("entry of a complex order must be a market or limit order")


def _leg_price(fields: Mapping[str, object], leg: str, name: str) -> Decimal | None:
    """A leg's price. A trail beside a stop price is dropped without a word, as the broker does."""
    parameters = fields.get(leg)
    if parameters is None:
        return None
    if not isinstance(parameters, Mapping):
        raise malformed(f"{leg} must be an object")
    if leg == "stop_loss" and parameters.get("limit_price") is not None:
        raise unprocessable("stop_limit legs are not part of the simulated exchange")
    if parameters.get(name) is None:
        raise malformed(f"{leg}.{name} is required")
    return _price(parameters, name, shown_as=f"{leg}.{name}")


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


def _qty(fields: Mapping[str, object]) -> Decimal:
    qty = _number(fields, "qty", "qty")
    if qty is None:
        raise malformed("qty is required")
    if qty <= 0:
        raise malformed("qty must be > 0")
    if qty != qty.quantize(Decimal(1).scaleb(-FRACTION_DIGITS)):
        raise malformed(f"qty must have at most {FRACTION_DIGITS} decimals")
    return qty


def _price(
    fields: Mapping[str, object], name: str, needed: bool = False, shown_as: str | None = None
) -> Decimal | None:
    shown_as = shown_as or name
    price = _number(fields, name, shown_as)
    if price is None:
        if needed:
            raise malformed(f"{shown_as.removesuffix('_price')} orders require {shown_as}")
        return None
    if price <= 0:
        raise malformed(f"{shown_as} must be > 0")
    step = Decimal("0.01") if price >= 1 else Decimal("0.0001")
    if price % step:
        raise sub_penny(shown_as, price)
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

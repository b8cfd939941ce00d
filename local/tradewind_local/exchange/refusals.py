"""Everything the broker says no with: status, code and body as recorded from Alpaca.

The wording of those that no recording is known of (shapes of a malformed request) follows the
recorded ones; their codes are the broker's for the kind of error.
"""

from __future__ import annotations

from decimal import Decimal

from tradewind_local.exchange.wire import decimal_text

MALFORMED = 40010001
UNAUTHORIZED = 40110000
FORBIDDEN = 40310000
NOT_FOUND = 40410000
UNPROCESSABLE = 42210000


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of ours
    """A request that is answered with an error; nothing was changed."""

    def __init__(self, status: int, body: dict[str, object]) -> None:
        super().__init__(body.get("message"))
        self.status = status
        self.body = body


def malformed(message: str) -> Refusal:
    return Refusal(422, {"code": MALFORMED, "message": message})


def unprocessable(message: str, **details: str) -> Refusal:
    return Refusal(422, {"code": UNPROCESSABLE, "message": message, **details})


def forbidden(message: str, **details: str) -> Refusal:
    return Refusal(403, {"code": FORBIDDEN, "message": message, **details})


def not_found(message: str) -> Refusal:
    return Refusal(404, {"code": NOT_FOUND, "message": message})


def unauthorized() -> Refusal:
    return Refusal(401, {"code": UNAUTHORIZED, "message": "request is not authorized"})


def data_error(status: int, message: str) -> Refusal:
    """The data API's errors carry no code."""
    return Refusal(status, {"message": message})


def id_taken() -> Refusal:
    return malformed("client_order_id must be unique")


def not_tradable(symbol: str) -> Refusal:
    return unprocessable(f'asset "{symbol}" is not tradable')


def sub_penny(name: str, price: Decimal) -> Refusal:
    return unprocessable(
        f"invalid {name} {decimal_text(price)}. "
        "sub-penny increment does not fulfill minimum pricing criteria"
    )


def stop_on_wrong_side(side: str, stop_price: Decimal, market_price: Decimal) -> Refusal:
    relation = "less" if side == "sell" else "greater"
    return unprocessable(
        f"stop price must be {relation} than current price",
        market_price=decimal_text(market_price),
        stop_price=decimal_text(stop_price),
    )


def leg_too_near(rule: str, base_price: Decimal) -> Refusal:
    return unprocessable(rule, base_price=decimal_text(base_price))


def insufficient_buying_power(buying_power: Decimal, cost: Decimal) -> Refusal:
    return forbidden(
        "insufficient buying power",
        buying_power=decimal_text(buying_power),
        cost_basis=decimal_text(cost),
    )


def insufficient_qty(symbol: str, requested: Decimal, existing: Decimal, held: Decimal) -> Refusal:
    available = decimal_text(existing - held)
    return forbidden(
        f"insufficient qty available for order (requested: {decimal_text(requested)}, "
        f"available: {available})",
        available=available,
        existing_qty=decimal_text(existing),
        held_for_orders=decimal_text(held),
        symbol=symbol,
    )


def only_two_decimals() -> Refusal:
    return malformed("notional value must be limited to 2 decimal places")


def too_small(cost: Decimal) -> Refusal:
    return forbidden(
        "cost basis must be >= minimal amount of order 1", cost_basis=decimal_text(cost)
    )


def not_an_exit() -> Refusal:
    return unprocessable("oco orders must be exit orders")


def no_position() -> Refusal:
    return not_found("position does not exist")


def no_shorting() -> Refusal:
    return forbidden("account is not allowed to short")


def suspended() -> Refusal:
    return forbidden("new orders are rejected by user request")


def wash_trade(opposite: str) -> Refusal:
    return forbidden(
        "potential wash trade detected. use complex orders",
        reject_reason=f"opposite side {opposite} order exists",
    )

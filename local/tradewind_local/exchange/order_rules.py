"""Which order types, times in force, classes and quantities go together: the broker's table.

From Alpaca's "Orders at Alpaca" (time in force by order type, bracket, OCO, OTO and trailing stop
orders) and "Fractional trading". Where no recording gives the broker's words, the codes are its
own and the words ours.
"""

from __future__ import annotations

from decimal import Decimal

from tradewind_local.exchange.model import COMPLEX, Ticket
from tradewind_local.exchange.refusals import malformed, only_two_decimals, sub_penny, unprocessable

SIMPLE = ("", "simple")
RESTING = ("day", "gtc")
ANY_TIME = (*RESTING, "opg", "cls", "ioc", "fok")
TIMES_OF_TYPE = {
    "market": ANY_TIME,
    "limit": ANY_TIME,
    "stop": RESTING,
    "stop_limit": RESTING,
    "trailing_stop": RESTING,
}
TYPES = tuple(TIMES_OF_TYPE)
CLASSES = ("", "simple", "bracket", "oco", "oto")
LIMITED = ("limit", "stop_limit")
STOPPED = ("stop", "stop_limit")
CENT, SUB_CENT = Decimal("0.01"), Decimal("0.0001")


def price_step(price: Decimal) -> Decimal:
    """The smallest step between prices (USD): a cent from a dollar on, a hundredth of it below."""
    return CENT if price >= 1 else SUB_CENT


def check_step(name: str, price: Decimal) -> None:
    """Raises Refusal (422) for a price between two steps."""
    if price % price_step(price):
        raise sub_penny(name, price)


def check_prices(ticket: Ticket) -> None:
    """Each type has its own prices and no others. Raises Refusal (422)."""
    kind = ticket.type
    for name, value, types in (
        ("limit", ticket.limit_price, LIMITED),
        ("stop", ticket.stop_price, STOPPED),
    ):
        if value is None and kind in types:
            raise malformed(f"{kind} orders require {name}_price")
        if value is not None and kind not in types:
            raise malformed(f"{kind} orders must not have a {name} price")
    trails = [trail for trail in (ticket.trail_price, ticket.trail_percent) if trail is not None]
    if kind != "trailing_stop" and trails:
        raise malformed(f"{kind} orders must not have a trail")
    if kind == "trailing_stop" and len(trails) != 1:
        raise malformed("trailing_stop orders require either trail_price or trail_percent")
    if ticket.trail_percent is not None and ticket.trail_percent >= 100:
        raise malformed("trail_percent must be less than 100")


def check_combination(ticket: Ticket) -> None:
    """Type, time in force, class and a fraction of a share. Raises Refusal (422)."""
    is_complex = ticket.order_class in COMPLEX
    if ticket.notional is not None or ticket.qty != ticket.qty.to_integral_value():
        if ticket.time_in_force != "day":
            raise unprocessable("fractional orders must be DAY orders")
        if is_complex:
            raise unprocessable("fractional orders must be simple orders")
        if ticket.type == "trailing_stop":
            raise unprocessable("fractional orders must not be trailing_stop orders")
    if ticket.notional is not None and ticket.notional % CENT:
        raise only_two_decimals()
    if is_complex and ticket.time_in_force not in RESTING:
        raise unprocessable(f"{ticket.order_class} orders must be DAY or GTC orders")
    if is_complex and ticket.type == "trailing_stop":
        raise unprocessable("trailing_stop orders must be simple orders")
    if ticket.time_in_force not in TIMES_OF_TYPE[ticket.type]:
        raise unprocessable(
            f"invalid time_in_force '{ticket.time_in_force}' for {ticket.type} orders"
        )


def check_legs(ticket: Ticket) -> None:
    """Each class has its own legs. Raises Refusal (422)."""
    legs = [leg for leg in (ticket.take_profit, ticket.stop_loss) if leg is not None]
    kind = ticket.order_class
    if kind in ("bracket", "oco") and len(legs) != 2:
        raise malformed(f"{kind} orders require take_profit.limit_price and stop_loss.stop_price")
    if kind == "oto" and len(legs) != 1:
        raise malformed("oto orders require either take_profit or stop_loss")
    if kind in SIMPLE and legs:
        raise malformed("take_profit and stop_loss need order_class bracket or oto")
    if kind == "oco" and ticket.type != "limit":
        raise unprocessable("oco orders must be limit orders")
    if kind in COMPLEX and ticket.type not in ("market", "limit"):
        raise unprocessable("entry of a complex order must be a market or limit order")

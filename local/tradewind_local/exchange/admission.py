"""What the broker looks at before it takes an order: the market, the other orders, the means."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from tradewind_local.exchange import refusals
from tradewind_local.exchange.model import ZERO, Order, Ticket

CENT = Decimal("0.01")
COMPLEX = ("bracket", "oto")


def check_stop(side: str, stop_price: Decimal | None, market_price: Decimal) -> None:
    """A stop must not trade at once."""
    if stop_price is None:
        return
    if (side == "sell" and stop_price >= market_price) or (
        side == "buy" and stop_price <= market_price
    ):
        raise refusals.stop_on_wrong_side(side, stop_price, market_price)


def check_legs(ticket: Ticket, market_price: Decimal) -> None:
    """Legs must lie a cent beyond the base price: the market's or the entry's limit, whichever
    leaves less room, so that no leg would trade the moment it comes alive."""
    if ticket.order_class not in COMPLEX:
        return
    if ticket.side == "sell":
        raise refusals.no_shorting()
    below = min(market_price, ticket.limit_price or market_price)
    above = max(market_price, ticket.limit_price or market_price)
    if ticket.stop_loss is not None and ticket.stop_loss > below - CENT:
        raise refusals.leg_too_near("stop_loss.stop_price must be <= base_price - 0.01", below)
    if ticket.take_profit is not None and ticket.take_profit < above + CENT:
        raise refusals.leg_too_near("take_profit.limit_price must be >= base_price + 0.01", above)


def check_wash_trade(ticket: Ticket, open_orders: Iterable[Order]) -> None:
    """A simple order may not meet an order of our own on the other side."""
    if ticket.order_class in COMPLEX:
        return
    for order in open_orders:
        if order.symbol != ticket.symbol or order.side == ticket.side or order.status == "held":
            continue
        if order.type != "limit":
            raise refusals.wash_trade("market/stop")
        buy, sell = (order, ticket) if order.side == "buy" else (ticket, order)
        if ticket.type != "limit" or _crosses(buy.limit_price, sell.limit_price):
            raise refusals.wash_trade("limit")


def check_money(qty: Decimal, price: Decimal, buying_power: Decimal) -> None:
    if qty * price > buying_power:
        raise refusals.insufficient_buying_power(buying_power, qty * price)


def check_shares(symbol: str, qty: Decimal, existing: Decimal, held: Decimal) -> None:
    """Only shares that are there and that no other order holds can be sold."""
    if existing == ZERO:
        raise refusals.no_shorting()
    if qty > existing - held:
        raise refusals.insufficient_qty(symbol, qty, existing, held)


def _crosses(buy: Decimal | None, sell: Decimal | None) -> bool:
    return buy is not None and sell is not None and buy >= sell

"""What the broker looks at before it takes an order: the market, the other orders, the means."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from decimal import Decimal

from tradewind.market.session_table import SessionTable

from tradewind_local.exchange import refusals
from tradewind_local.exchange.model import COMPLEX, ZERO, Order, Ticket
from tradewind_local.exchange.order_rules import CENT
from tradewind_local.exchange.wire import NEW_YORK

# Auction orders are taken from 19:00 New York until so long before the auction they are for.
AUCTION_ORDERS_FROM = time(19)
BEFORE_THE_OPENING = timedelta(minutes=2)
BEFORE_THE_CLOSE = timedelta(minutes=10)
SMALLEST_NOTIONAL = Decimal(1)


def check_auction(time_in_force: str, now: datetime, sessions: SessionTable) -> None:
    """Orders for an auction are refused once it is too late for today's, until the evening."""
    if time_in_force not in ("opg", "cls"):
        return
    local = now.astimezone(NEW_YORK)
    session = sessions.session_on(local.date())
    if session is None or local.time() >= AUCTION_ORDERS_FROM:
        return
    is_opening = time_in_force == "opg"
    last = session.open - BEFORE_THE_OPENING if is_opening else session.close - BEFORE_THE_CLOSE
    if now > last:
        raise refusals.unprocessable(
            f"{time_in_force} orders are not accepted between "
            f"{last.astimezone(NEW_YORK):%H:%M} and {AUCTION_ORDERS_FROM:%H:%M} New York"
        )


def check_stop(side: str, stop_price: Decimal | None, market_price: Decimal) -> None:
    """A stop must not trade at once, and a trail not be longer than the way to zero."""
    if stop_price is None:
        return
    if stop_price <= ZERO:
        raise refusals.malformed("trail_price must be less than the current price")
    if (side == "sell" and stop_price >= market_price) or (
        side == "buy" and stop_price <= market_price
    ):
        raise refusals.stop_on_wrong_side(side, stop_price, market_price)


def check_legs(ticket: Ticket, market_price: Decimal) -> None:
    """Legs must lie a cent beyond the base price: the market's or the entry's limit, whichever
    leaves less room, so that no leg would trade the moment it comes alive."""
    if ticket.order_class not in COMPLEX:
        return
    if ticket.order_class == "oco":
        _check_oco(ticket, market_price)
        return
    if ticket.side == "sell":
        raise refusals.no_shorting()
    below = min(market_price, ticket.limit_price or market_price)
    above = max(market_price, ticket.limit_price or market_price)
    if ticket.stop_loss is not None and ticket.stop_loss > below - CENT:
        raise refusals.leg_too_near("stop_loss.stop_price must be <= base_price - 0.01", below)
    if ticket.take_profit is not None and ticket.take_profit < above + CENT:
        raise refusals.leg_too_near("take_profit.limit_price must be >= base_price + 0.01", above)


def _check_oco(ticket: Ticket, market_price: Decimal) -> None:
    """It leaves a position, and there are only long ones: its stop lies below the market and its
    take-profit above the stop."""
    if ticket.side == "buy" or ticket.stop_loss is None or ticket.take_profit is None:
        raise refusals.not_an_exit()
    base = min(market_price, ticket.take_profit)
    if ticket.stop_loss > base - CENT:
        raise refusals.leg_too_near("stop_loss.stop_price must be <= base_price - 0.01", base)


def check_notional(notional: Decimal | None) -> None:
    if notional is not None and notional < SMALLEST_NOTIONAL:
        raise refusals.too_small(notional)


def check_wash_trade(ticket: Ticket, open_orders: Iterable[Order]) -> None:
    """A simple order may not meet an order of our own on the other side."""
    if ticket.order_class in COMPLEX:
        return
    for order in open_orders:
        if order.symbol != ticket.symbol or order.side == ticket.side or order.is_dormant:
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

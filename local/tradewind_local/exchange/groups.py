"""Orders that hang together: brackets, one-triggers-other, one-cancels-other."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from tradewind_local.exchange.ledger import Ledger
from tradewind_local.exchange.model import ZERO, Order, Ticket
from tradewind_local.exchange.order_register import OrderRegister


def leg_tickets(ticket: Ticket) -> list[Ticket]:
    """The orders that come with an order. The take-profit of an OCO is the order itself."""
    is_oco = ticket.order_class == "oco"
    bare = Ticket(
        symbol=ticket.symbol,
        side="buy" if ticket.side == "sell" and not is_oco else "sell",
        qty=ticket.qty,
        type="limit",
        time_in_force=ticket.time_in_force,
        order_class=ticket.order_class,
    )
    legs = []
    if ticket.take_profit is not None and not is_oco:
        legs.append(replace(bare, limit_price=ticket.take_profit))
    if ticket.stop_loss is not None:
        stop = replace(bare, type="stop", stop_price=ticket.stop_loss)
        if ticket.stop_loss_limit is not None:
            stop = replace(stop, type="stop_limit", limit_price=ticket.stop_loss_limit)
        legs.append(stop)
    return legs


class Groups:
    """What one order's fate does to the others of its group."""

    def __init__(self, register: OrderRegister, ledger: Ledger) -> None:
        self._register = register
        self._ledger = ledger

    def activate_legs(self, entry: Order, at: datetime) -> None:
        """Legs come alive on the complete fill, for no more than the shares that are there: part
        of a slow entry may have been sold again in the meantime. Beside a take-profit the stop
        stays ``held``, since the take-profit has the shares, and is watched."""
        legs = [leg for leg in self._register.legs(entry) if leg.is_dormant]
        held = self._ledger.position(entry.symbol).qty
        free = held - self._register.held_qty(entry.symbol, None)
        for leg in legs:
            if free <= ZERO:
                self._register.cancel(leg, at)
                continue
            leg.qty = min(leg.qty, free)
            if len(legs) > 1 and leg.type != "limit":
                self._register.arm(leg, at)
            else:
                self._register.work(leg, at)

    def shrink_rivals(self, order: Order, qty: Decimal, at: datetime) -> None:
        """The other side of a pair shrinks with each fill of this one, and goes with the last."""
        for rival in self._register.open_rivals(order):
            if rival.leaves_qty <= qty:
                self._register.cancel(rival, at)
            else:
                rival.qty -= qty
                self._register.touch(rival)

    def end(self, order: Order, at: datetime) -> None:
        """Cancelling one of a group cancels the group; an entry's fill is not undone by it."""
        for other in (*self._register.legs(order), *self._register.open_rivals(order)):
            if other.is_open:
                self._register.cancel(other, at)
        if (
            order.parent_id is not None
            and (parent := self._register.orders[order.parent_id]).is_open
        ):
            self._register.cancel(parent, at)

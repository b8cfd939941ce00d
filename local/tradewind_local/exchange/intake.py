"""How orders come in: what is asked for, against the market and the account's means."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable

from tradewind_local.exchange import admission, order_rules, refusals
from tradewind_local.exchange.groups import leg_tickets
from tradewind_local.exchange.ids import Ids
from tradewind_local.exchange.ledger import Ledger
from tradewind_local.exchange.matching import notional_qty, trail_from, trailing_stop
from tradewind_local.exchange.model import COMPLEX, ZERO, Changes, Order, Ticket
from tradewind_local.exchange.order_register import OrderRegister


class Intake:
    """Takes orders and replacements, or raises Refusal and changes nothing.

    ``now`` is aware UTC; ``market_price`` is the symbol's last trade (USD).
    """

    def __init__(
        self, register: OrderRegister, ledger: Ledger, sessions: SessionTable, ids: Ids
    ) -> None:
        self._register = register
        self._ledger = ledger
        self._sessions = sessions
        self._ids = ids

    def buying_power(self, without: Order | None = None) -> Decimal:
        """Cash less what open buys may yet cost."""
        return self._ledger.account.cash - self._register.reserved_money(without)

    def held_qty(self, symbol: str, without: Order | None = None) -> Decimal:
        """Shares that open sell orders hold and no other order can sell. Never more than there
        are, though a split may leave an order that is for more."""
        held = self._register.held_qty(symbol, without)
        return min(held, self._ledger.position(symbol).qty)

    def submit(self, ticket: Ticket, now: datetime, market_price: Decimal) -> Order:
        if self._register.is_taken(ticket.client_order_id):
            raise refusals.id_taken()
        admission.check_auction(ticket.time_in_force, now, self._sessions)
        if ticket.order_class == "oco" and not self._ledger.position(ticket.symbol).qty:
            raise refusals.not_an_exit()
        admission.check_notional(ticket.notional)
        stop_price = ticket.stop_price
        if ticket.type == "trailing_stop":
            stop_price = trailing_stop(
                ticket.side, market_price, ticket.trail_price, ticket.trail_percent
            )
        admission.check_stop(ticket.side, stop_price, market_price)
        admission.check_legs(ticket, market_price)
        reserve = ticket.limit_price or stop_price or market_price
        if ticket.notional is not None:
            ticket = replace(ticket, qty=notional_qty(ticket.notional, reserve))
        admission.check_wash_trade(ticket, self._register.open())
        self._check_means(ticket, reserve)

        order = self._enter(ticket, reserve, now, "accepted", None)
        if ticket.type == "trailing_stop":
            trail_from(order, market_price)
        self._register.announce(order)
        for leg_ticket in leg_tickets(ticket):
            leg = self._enter(leg_ticket, ZERO, now, "held", order.id)
            # There is no entry to wait for when the position is there already.
            leg.armed = ticket.order_class == "oco"
            self._register.announce(leg)
        return order

    def replace(
        self, old: Order, changes: Changes, now: datetime, market_price: Decimal | None
    ) -> Order:
        self._check_changes(old, changes)
        trail = changes.trail
        ticket = Ticket(
            symbol=old.symbol,
            side=old.side,
            qty=old.leaves_qty if changes.qty is None else changes.qty,
            type=old.type,
            time_in_force=changes.time_in_force or old.time_in_force,
            order_class=old.order_class,
            limit_price=changes.limit_price or old.limit_price,
            stop_price=changes.stop_price or old.stop_price,
            client_order_id=changes.client_order_id,
            trail_price=None if old.trail_price is None else trail or old.trail_price,
            trail_percent=None if old.trail_percent is None else trail or old.trail_percent,
        )
        order_rules.check_combination(ticket)
        if changes.time_in_force is not None:
            admission.check_auction(changes.time_in_force, now, self._sessions)
        if old.hwm is not None:
            stop_price = trailing_stop(old.side, old.hwm, ticket.trail_price, ticket.trail_percent)
            ticket = replace(ticket, stop_price=stop_price)
        rearms = changes.stop_price is not None or trail is not None
        if rearms and not old.is_dormant and market_price is not None:
            admission.check_stop(old.side, ticket.stop_price, market_price)
        reserve = ticket.limit_price or ticket.stop_price or old.reserve_price
        if not old.is_dormant:
            self._check_means(ticket, reserve, without=old)

        status = "held" if old.status == "held" else "accepted"
        new = self._enter(
            ticket, reserve if old.side == "buy" else ZERO, now, status, old.parent_id
        )
        new.replaces = old.id
        new.armed = old.armed
        new.hwm = old.hwm
        new.triggered = old.triggered and not rearms
        self._register.move_legs(old, new)
        self._register.replaced(old, new)
        self._register.announce(new)
        return new

    def _check_changes(self, old: Order, changes: Changes) -> None:
        if not old.is_open or old.status == "pending_cancel":
            raise refusals.unprocessable("order is not open")
        if self._register.is_taken(changes.client_order_id):
            raise refusals.id_taken()
        if old.notional is not None:
            raise refusals.unprocessable("notional orders cannot be replaced")
        if old.order_class in COMPLEX and changes.qty not in (None, old.leaves_qty):
            raise refusals.unprocessable("qty of a complex order cannot be replaced")
        if changes.trail is not None and (old.type != "trailing_stop" or old.triggered):
            raise refusals.unprocessable(
                "trail can only be changed on a trailing_stop order that has not triggered"
            )
        if changes.trail is not None and old.trail_percent is not None and changes.trail >= 100:
            raise refusals.malformed("trail_percent must be less than 100")
        if changes.trail is not None and old.trail_price is not None:
            order_rules.check_step("trail", changes.trail)
        if (changes.limit_price is not None and old.type not in order_rules.LIMITED) or (
            changes.stop_price is not None and old.type not in order_rules.STOPPED
        ):
            raise refusals.malformed(f"a {old.type} order does not have this price")

    def _check_means(self, ticket: Ticket, price: Decimal, without: Order | None = None) -> None:
        """Money for a buy, free shares for a sale; ``without`` is an order about to go."""
        if ticket.side == "buy":
            admission.check_money(ticket.qty, price, self.buying_power(without))
        else:
            existing = self._ledger.position(ticket.symbol).qty
            held = self.held_qty(ticket.symbol, without)
            admission.check_shares(ticket.symbol, ticket.qty, existing, held)

    def _enter(
        self, ticket: Ticket, reserve: Decimal, now: datetime, status: str, parent_id: str | None
    ) -> Order:
        number = len(self._register.orders) + 1
        order = Order(
            number=number,
            id=self._ids.order(number),
            client_order_id=ticket.client_order_id or self._ids.client_order(number),
            symbol=ticket.symbol,
            side=ticket.side,
            qty=ticket.qty,
            type=ticket.type,
            order_class=ticket.order_class,
            time_in_force=ticket.time_in_force,
            limit_price=ticket.limit_price,
            stop_price=ticket.stop_price,
            status=status,
            created_at=now,
            updated_at=now,
            submitted_at=now,
            reserve_price=reserve,
            parent_id=parent_id,
            expires_at=None if ticket.time_in_force == "gtc" else self._day_ends(now),
            trail_price=ticket.trail_price,
            trail_percent=ticket.trail_percent,
            notional=ticket.notional,
        )
        self._register.add(order)
        return order

    def _day_ends(self, now: datetime) -> datetime:
        """The close that every order but a gtc one dies at, at the latest: today's, or the next
        session's once that is past."""
        today = self._sessions.session_on(now.date())
        if today is not None and now < today.close:
            return today.close
        return next_session(self._sessions, now).close


def next_session(sessions: SessionTable, now: datetime) -> Session:
    """The first session that opens after an instant."""
    day = now.date()
    return next(
        session for session in sessions.between(day, day + timedelta(days=14)) if session.open > now
    )

"""The exchange itself: orders, time, ticks and fills. No sockets, no files, no wall clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import NAMESPACE_OID, UUID, uuid5

from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable

from tradewind_local.exchange import admission, refusals
from tradewind_local.exchange.bar_book import BarBook
from tradewind_local.exchange.ledger import Ledger
from tradewind_local.exchange.model import (
    ZERO,
    Changes,
    Fill,
    Order,
    Position,
    Ticket,
    Touched,
)
from tradewind_local.exchange.order_register import OrderRegister
from tradewind_local.exchange.ticks import Tick
from tradewind_local.exchange.wire import NEW_YORK


class Exchange:
    """One market and one account in it.

    Every public method leaves the exchange consistent or raises Refusal and changes nothing.
    Order numbers, ids and fill ids count up from the seed, so that the same calls at the same
    instants give the same answers.
    """

    def __init__(
        self,
        book: BarBook,
        sessions: SessionTable,
        ledger: Ledger,
        seed: int,
        now: datetime | None = None,
        orders: Iterable[Order] = (),
        fills: Iterable[Fill] = (),
    ) -> None:
        """``now`` (aware UTC), ``orders`` and ``fills`` (by number): where an earlier process
        stood; ``now`` is None until :meth:`advance` is first called."""
        self.book = book
        self.sessions = sessions
        self.ledger = ledger
        self.now = now
        self.fills: list[Fill] = list(fills)
        self.shares_per_tick: Decimal | None = None
        self.touched = Touched()
        self._register = OrderRegister(orders, self.touched)
        self._seed = seed

    # -- reading ------------------------------------------------------------------------------

    @property
    def time(self) -> datetime:
        """The market's instant; Refusal (503) before the clock was set."""
        if self.now is None:
            raise refusals.Refusal(
                503, {"code": 50310000, "message": "the exchange's clock was never set"}
            )
        return self.now

    @property
    def orders(self) -> Mapping[str, Order]:
        """Every order by id, oldest first."""
        return self._register.orders

    def order(self, order_id: str) -> Order:
        return self._register.find(order_id)

    def order_by_client_id(self, client_order_id: str) -> Order:
        return self._register.find_by_client_id(client_order_id)

    def legs(self, order: Order) -> list[Order]:
        return self._register.legs(order)

    def price(self, symbol: str) -> Decimal | None:
        """The last trade; None before the first."""
        tick = self.book.last_tick(symbol, self.time)
        return None if tick is None else tick.price

    def close_before(self, symbol: str) -> Decimal | None:
        """The last trade of the session before today's."""
        tick = self.book.last_tick(symbol, self.sessions.previous(self.time.date()).close)
        return None if tick is None else tick.price

    def equity(self) -> Decimal:
        return self.ledger.account.cash + sum(
            (held.qty * self._value_of(held) for held in self.ledger.held()), ZERO
        )

    def buying_power(self, without: Order | None = None) -> Decimal:
        """Cash less what open buys may yet cost."""
        return self.ledger.account.cash - self._register.reserved_money(without)

    def held_qty(self, symbol: str, without: Order | None = None) -> Decimal:
        """Shares that open sell orders hold and no other order can sell."""
        return self._register.held_qty(symbol, without)

    def session(self) -> Session | None:
        """The session that is on now."""
        return self.sessions.session_of(self.time)

    def next_session(self) -> Session:
        """The first session that opens after now."""
        day = self.time.date()
        return next(
            session
            for session in self.sessions.between(day, day + timedelta(days=14))
            if session.open > self.time
        )

    # -- orders -------------------------------------------------------------------------------

    def submit(self, ticket: Ticket) -> Order:
        """Take an order in. It has not traded yet: the caller shows it to the client as accepted
        and then lets :meth:`trade_now` run."""
        if ticket.symbol not in self.book.symbols:
            raise refusals.not_tradable(ticket.symbol)
        if self._register.is_taken(ticket.client_order_id):
            raise refusals.id_taken()
        market_price = self.price(ticket.symbol)
        if market_price is None:
            raise refusals.not_tradable(ticket.symbol)
        admission.check_stop(ticket.side, ticket.stop_price, market_price)
        admission.check_legs(ticket, market_price)
        reserve = ticket.limit_price or ticket.stop_price or market_price
        admission.check_wash_trade(ticket, self._register.open())
        self._check_means(ticket.symbol, ticket.side, ticket.qty, reserve)

        entry = self._enter(ticket, reserve, "accepted", None)
        exit_side = "sell" if ticket.side == "buy" else "buy"
        for kind, price in (("limit", ticket.take_profit), ("stop", ticket.stop_loss)):
            if price is not None:
                leg = Ticket(
                    symbol=ticket.symbol,
                    side=exit_side,
                    qty=ticket.qty,
                    type=kind,
                    time_in_force=ticket.time_in_force,
                    order_class=ticket.order_class,
                    limit_price=price if kind == "limit" else None,
                    stop_price=price if kind == "stop" else None,
                )
                self._enter(leg, ZERO, "held", entry.id)
        return entry

    def replace(self, order_id: str, changes: Changes) -> Order:
        """Put another order in the place of an open one; its qty is what is to be traded yet."""
        old = self.order(order_id)
        if not old.is_open:
            raise refusals.unprocessable("order is not open")
        if self._register.is_taken(changes.client_order_id):
            raise refusals.id_taken()
        qty = changes.qty if changes.qty is not None else old.leaves_qty
        if old.order_class in admission.COMPLEX and qty != old.leaves_qty:
            raise refusals.unprocessable("qty of a complex order cannot be replaced")
        if (changes.limit_price is not None and old.type != "limit") or (
            changes.stop_price is not None and old.type != "stop"
        ):
            raise refusals.malformed(f"a {old.type} order does not have this price")
        ticket = Ticket(
            symbol=old.symbol,
            side=old.side,
            qty=qty,
            type=old.type,
            time_in_force=changes.time_in_force or old.time_in_force,
            order_class=old.order_class,
            limit_price=changes.limit_price or old.limit_price,
            stop_price=changes.stop_price or old.stop_price,
            client_order_id=changes.client_order_id,
        )
        if changes.stop_price is not None and old.status != "held":
            market_price = self.price(old.symbol)
            if market_price is not None:
                admission.check_stop(old.side, changes.stop_price, market_price)
        reserve = ticket.limit_price or ticket.stop_price or old.reserve_price
        if old.status != "held":
            self._check_means(old.symbol, old.side, qty, reserve, without=old)

        status = old.status if old.status == "held" else "accepted"
        new = self._enter(ticket, reserve if old.side == "buy" else ZERO, status, old.parent_id)
        new.replaces = old.id
        self._register.move_legs(old, new)
        self._register.replaced(old, new)
        return new

    def cancel(self, order_id: str) -> None:
        """Cancel an open order and what hangs on it."""
        order = self.order(order_id)
        if not order.is_open:
            raise refusals.unprocessable("order is not cancelable")
        self._register.cancel(order, self.time)
        self._end_group(order, self.time)

    def trade_now(self, order: Order) -> None:
        """Let a new order meet the market as it stands: in session it is live at once and trades
        at the last tick, if that is of this session; otherwise it waits for the opening."""
        session = self.session()
        if session is None or order.status != "accepted":
            return
        order.status = "new"
        tick = self.book.last_tick(order.symbol, self.time)
        if tick is not None and tick.at >= session.open:
            self._meet(order, Tick(self.time, tick.price))

    # -- time ---------------------------------------------------------------------------------

    def advance(self, until: datetime) -> None:
        """Move to an instant not before now, trading every tick in between."""
        if self.now is None or self.now >= until:
            self.now = self.now or until
            return
        boundaries = [
            (at, happens)
            for session in self.sessions.between(self.now.date(), until.date())
            for at, happens in ((session.open, self._open_market), (session.close, self._close))
            if self.now < at <= until
        ]
        for at, happens in boundaries:
            self._trade_ticks(self.now, at)
            self.now = at
            happens()
        self._trade_ticks(self.now, until)
        self.now = until

    def _open_market(self) -> None:
        for order in self._register.open():
            if order.status == "accepted":
                order.status = "new"
                self._register.touch(order)

    def _close(self) -> None:
        expired = [
            order
            for order in self._register.open()
            if order.expires_at is not None and order.expires_at <= self.time
        ]
        for order in expired:
            self._register.expire(order, self.time)
        for order in expired:
            self._end_group(order, self.time)
        self.ledger.account.last_equity = self.equity()

    def _trade_ticks(self, after: datetime, until: datetime) -> None:
        """Ticks of one stretch, which lies in one session or in none."""
        if self.sessions.session_of(after) is None:
            return
        symbols = {order.symbol for order in self._register.open() if order.is_working}
        ticks = [
            (tick, symbol)
            for symbol in sorted(symbols)
            for tick in self.book.ticks(symbol, after, until)
        ]
        ticks.sort(key=lambda pair: pair[0].at)
        for tick, symbol in ticks:
            # Legs that come alive on this tick are first in the market on the next one.
            for order in self._register.working(symbol):
                self._meet(order, tick)

    # -- fills --------------------------------------------------------------------------------

    def _meet(self, order: Order, tick: Tick) -> None:
        """Fill what this tick fills of an order."""
        if not order.is_working or not _trades_at(order, tick.price):
            return
        order.triggered = order.triggered or order.type == "stop"
        qty = min(order.leaves_qty, self.shares_per_tick or order.leaves_qty)
        order.filled_qty += qty
        order.filled_value += qty * tick.price
        if order.leaves_qty == ZERO:
            self._register.filled(order, tick.at)
        else:
            order.status = "partially_filled"
            order.updated_at = tick.at
            self._register.touch(order)
        fill = Fill(
            number=len(self.fills) + 1,
            id=f"{_new_york_stamp(tick.at)}::{self._uuid('fill', len(self.fills) + 1)}",
            order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            price=tick.price,
            qty=qty,
            cum_qty=order.filled_qty,
            leaves_qty=order.leaves_qty,
            at=tick.at,
        )
        self.fills.append(fill)
        self.touched.fills.append(fill)
        position = self.ledger.book(fill)
        self.touched.positions[position.symbol] = position
        if order.status == "filled":
            self._activate_legs(order, tick.at)
        self._follow_sibling(order, qty, tick.at)

    def _activate_legs(self, entry: Order, at: datetime) -> None:
        """Legs come alive on the complete fill, for no more than the shares that are there: part
        of a slow entry may have been sold again in the meantime."""
        legs = [leg for leg in self.legs(entry) if leg.status == "held"]
        free = self.ledger.position(entry.symbol).qty - self.held_qty(entry.symbol)
        for leg in legs:
            if free <= ZERO:
                self._register.cancel(leg, at)
                continue
            leg.qty = min(leg.qty, free)
            leg.status = "new"
            leg.updated_at = at
            self._register.touch(leg)

    def _follow_sibling(self, leg: Order, qty: Decimal, at: datetime) -> None:
        """The other leg of a bracket shrinks with each fill of this one, and goes with the last."""
        for sibling in self._register.open_siblings(leg):
            if sibling.leaves_qty <= qty:
                self._register.cancel(sibling, at)
            else:
                sibling.qty -= qty
                self._register.touch(sibling)

    def _end_group(self, order: Order, at: datetime) -> None:
        """Cancelling one of a group cancels the group; an entry's fill is not undone by it."""
        for leg in self.legs(order):
            if leg.is_open:
                self._register.cancel(leg, at)
        for sibling in self._register.open_siblings(order):
            self._register.cancel(sibling, at)
        if order.parent_id is not None and (parent := self.orders[order.parent_id]).is_open:
            self._register.cancel(parent, at)

    def _check_means(
        self, symbol: str, side: str, qty: Decimal, price: Decimal, without: Order | None = None
    ) -> None:
        """Money for a buy, free shares for a sale; ``without`` is an order about to go."""
        if side == "buy":
            admission.check_money(qty, price, self.buying_power(without))
        else:
            existing = self.ledger.position(symbol).qty
            admission.check_shares(symbol, qty, existing, self.held_qty(symbol, without))

    # -- keeping ------------------------------------------------------------------------------

    def _enter(self, ticket: Ticket, reserve: Decimal, status: str, parent_id: str | None) -> Order:
        number = len(self.orders) + 1
        order = Order(
            number=number,
            id=str(self._uuid("order", number)),
            client_order_id=ticket.client_order_id or str(self._uuid("client order", number)),
            symbol=ticket.symbol,
            side=ticket.side,
            qty=ticket.qty,
            type=ticket.type,
            order_class=ticket.order_class,
            time_in_force=ticket.time_in_force,
            limit_price=ticket.limit_price,
            stop_price=ticket.stop_price,
            status=status,
            created_at=self.time,
            updated_at=self.time,
            submitted_at=self.time,
            reserve_price=reserve,
            parent_id=parent_id,
            expires_at=self._day_ends() if ticket.time_in_force == "day" else None,
        )
        self._register.add(order)
        return order

    def _day_ends(self) -> datetime:
        """The close a day order dies at: today's, or the next session's once that is past."""
        today = self.sessions.session_on(self.time.date())
        return today.close if today and self.time < today.close else self.next_session().close

    def _value_of(self, position: Position) -> Decimal:
        """A share's worth: its last trade, or what it cost while there is none."""
        price = self.price(position.symbol)
        return position.cost / position.qty if price is None else price

    def _uuid(self, kind: str, number: int) -> UUID:
        return uuid5(NAMESPACE_OID, f"tradewind exchange/{self._seed}/{kind}/{number}")


def _trades_at(order: Order, price: Decimal) -> bool:
    """Whether a working order trades when the market does at this price."""
    buys = order.side == "buy"
    if order.type == "limit" and order.limit_price is not None:
        return price <= order.limit_price if buys else price >= order.limit_price
    if order.type == "stop" and order.stop_price is not None and not order.triggered:
        return price >= order.stop_price if buys else price <= order.stop_price
    return True


def _new_york_stamp(at: datetime) -> str:
    """``20201112143105123``: activity ids begin with New York's wall clock, in milliseconds."""
    local = at.astimezone(NEW_YORK)
    return f"{local:%Y%m%d%H%M%S}{local.microsecond // 1_000:03d}"

"""The exchange itself: orders, time, ticks and fills. No sockets, no files, no wall clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable

from tradewind_local.exchange import refusals
from tradewind_local.exchange.announcements import Announcements
from tradewind_local.exchange.back_office import BackOffice
from tradewind_local.exchange.bar_book import BarBook
from tradewind_local.exchange.groups import Groups
from tradewind_local.exchange.ids import Ids
from tradewind_local.exchange.intake import Intake, next_session
from tradewind_local.exchange.ledger import Ledger
from tradewind_local.exchange.matching import ONE_TICK, Liquidity, Matching
from tradewind_local.exchange.model import (
    ZERO,
    Activity,
    Changes,
    Fill,
    Order,
    Position,
    Ticket,
    Touched,
)
from tradewind_local.exchange.order_register import OrderRegister
from tradewind_local.exchange.ticks import Tick
from tradewind_local.exchange.trade_updates import TradeUpdate, TradeUpdates


class Exchange:
    """One market and one account in it.

    Every public method leaves the exchange consistent or raises Refusal and changes nothing.
    Numbers and ids count up from the seed, so that the same calls at the same instants give the
    same answers.
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
        activities: Iterable[Activity] = (),
        halted: Iterable[str] = (),
    ) -> None:
        """``now`` (aware UTC), ``orders``, ``fills`` and ``activities`` (by number) and ``halted``
        symbols: where an earlier process stood; ``now`` is None until :meth:`advance` is first
        called."""
        self.book = book
        self.sessions = sessions
        self.ledger = ledger
        self.now = now
        self.fills: list[Fill] = list(fills)
        self.activities: list[Activity] = list(activities)
        self.halted: set[str] = set(halted)
        self.fees_on_sales = False
        self.announcements = Announcements()
        self.touched = Touched()
        ids = Ids(seed)
        self._updates = TradeUpdates()
        self._register = OrderRegister(orders, self.touched, self._updates)
        self._groups = Groups(self._register, ledger)
        self._intake = Intake(self._register, ledger, sessions, ids)
        self._back_office = BackOffice(ledger, self.activities, self.touched, ids)
        self._liquidity = Liquidity(seed)
        self._matching = Matching(
            self._register,
            self._groups,
            ledger,
            self.fills,
            self.touched,
            self._updates,
            ids.fill,
            self._liquidity,
        )
        self._cancels_to_stick = 0

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

    def buying_power(self) -> Decimal:
        """Cash less what open buys may yet cost."""
        return self._intake.buying_power()

    def held_qty(self, symbol: str) -> Decimal:
        """Shares that open sell orders hold and no other order can sell."""
        return self._intake.held_qty(symbol)

    @property
    def events(self) -> deque[TradeUpdate]:
        """What the order stream has to tell since this process started: the newest, in order."""
        return self._updates.kept

    def session(self) -> Session | None:
        """The session that is on now."""
        return self.sessions.session_of(self.time)

    def next_session(self) -> Session:
        """The first session that opens after now."""
        return next_session(self.sessions, self.time)

    # -- orders -------------------------------------------------------------------------------

    def submit(self, ticket: Ticket) -> Order:
        """Take an order in. It has not traded yet: the caller shows it to the client as accepted
        and then lets :meth:`trade_now` run."""
        market_price = self.price(ticket.symbol)
        if ticket.symbol not in self.book.symbols or market_price is None:
            raise refusals.not_tradable(ticket.symbol)
        return self._intake.submit(ticket, self.time, market_price)

    def replace(self, order_id: str, changes: Changes) -> Order:
        """Put another order in the place of an open one; its qty is what is to be traded yet."""
        old = self.order(order_id)
        return self._intake.replace(old, changes, self.time, self.price(old.symbol))

    def cancel(self, order_id: str) -> None:
        """Cancel an open order and what hangs on it; see :meth:`stick_cancels`."""
        order = self.order(order_id)
        if not order.is_open or order.status == "pending_cancel":
            raise refusals.unprocessable("order is not cancelable")
        if self._cancels_to_stick and order.is_working and order.status != "held":
            self._cancels_to_stick -= 1
            self._register.ask_cancel(order, self.time)
            return
        self._register.cancel(order, self.time)
        self._groups.end(order, self.time)

    def cancel_all(self) -> list[tuple[Order, refusals.Refusal | None]]:
        """Cancel every open order, oldest first; with each the refusal, if it was refused. Those
        that went with another of their group are not listed."""
        answers: list[tuple[Order, refusals.Refusal | None]] = []
        for order in self._register.open():
            if not order.is_open:
                continue
            try:
                self.cancel(order.id)
            except refusals.Refusal as refusal:
                answers.append((order, refusal))
            else:
                answers.append((order, None))
        return answers

    def close_position(self, symbol: str, qty: Decimal | None = None) -> Order:
        """Send a market order for the day that sells a position, or ``qty`` shares of it.

        As with :meth:`submit` it has not traded yet. Refusal (404) when there is no position, (403)
        when other orders hold its shares.
        """
        held = self.ledger.position(symbol).qty
        if held == ZERO:
            raise refusals.no_position()
        if qty is not None and qty <= ZERO:
            raise refusals.malformed("qty must be > 0")
        return self.submit(
            Ticket(symbol, "sell", held if qty is None else qty, "market", time_in_force="day")
        )

    def close_all_positions(
        self, cancel_orders: bool
    ) -> list[tuple[str, Order | refusals.Refusal]]:
        """By symbol the order that closes the position, or why there is none. With
        ``cancel_orders`` every open order is cancelled first."""
        if cancel_orders:
            self.cancel_all()
        answers: list[tuple[str, Order | refusals.Refusal]] = []
        for position in self.ledger.held():
            try:
                answers.append((position.symbol, self.close_position(position.symbol)))
            except refusals.Refusal as refusal:
                answers.append((position.symbol, refusal))
        return answers

    def trade_now(self, order: Order) -> None:
        """Let a new order meet the market as it stands: in session it is live at once and trades
        at the last tick, if that is of this session; otherwise it waits for the opening."""
        session = self.session()
        if session is None or order.status != "accepted":
            return
        self._register.work(order, self.time)
        if order.symbol in self.halted:
            if order.time_in_force in ONE_TICK:  # now gives nothing
                self._register.cancel(order, self.time)
            return
        tick = self.book.last_tick(order.symbol, self.time)
        if tick is not None and tick.at >= session.open and order.time_in_force != "cls":
            self._matching.meet(order, Tick(self.time, tick.price))

    # -- what a test does to the market -------------------------------------------------------

    @property
    def shares_per_tick(self) -> Decimal | None:
        """The most that one tick fills of one order; None for everything."""
        return self._liquidity.shares_per_tick

    @shares_per_tick.setter
    def shares_per_tick(self, shares: Decimal | None) -> None:
        self._liquidity.shares_per_tick = shares

    def partial_fills(self, share: Decimal | float | None) -> None:
        """Let each tick fill a seeded random part of an order, up to this share of its quantity
        (0 < share <= 1), in whole shares and at least one; None for everything."""
        if share is not None and not 0 < share <= 1:
            raise refusals.unprocessable("share must be more than 0 and at most 1")
        self._liquidity.part = None if share is None else Decimal(str(share))

    def halt(self, symbol: str) -> None:
        """No tick of the symbol trades until :meth:`resume`. Orders are taken and wait, but for
        those that want the market of this instant; cancelling works."""
        if symbol not in self.book.symbols:
            raise refusals.not_tradable(symbol)
        self.halted.add(symbol)

    def resume(self, symbol: str) -> None:
        self.halted.discard(symbol)

    def split(self, symbol: str, new_rate: Decimal, old_rate: Decimal) -> None:
        """``new_rate`` shares for ``old_rate``: to be called between the last tick at old prices
        and the first at new ones. The position changes at once, a fraction is paid out; resting
        orders and legs stay exactly as they are."""
        if not (new_rate > 0 and old_rate > 0):
            raise refusals.unprocessable("split rates must be > 0")
        price = self.price(symbol)
        if symbol not in self.book.symbols or price is None:
            raise refusals.not_tradable(symbol)
        self._back_office.split(symbol, new_rate, old_rate, price, self.time)

    def stick_cancels(self, times: int) -> None:
        """Leave the next so many cancellations of orders that are in the market as
        ``pending_cancel``: such an order works on until :meth:`release_cancels`."""
        if times < 0:
            raise refusals.unprocessable("times must not be negative")
        self._cancels_to_stick = times

    def release_cancels(self) -> None:
        """Carry out the cancellations that stuck, where the order is still open; none sticks from
        here on."""
        self._cancels_to_stick = 0
        for order in self._register.open():
            if order.status == "pending_cancel":
                self._register.cancel(order, self.time)
                self._groups.end(order, self.time)

    def post_activity(
        self, kind: str, amount: Decimal, symbol: str | None = None, description: str = ""
    ) -> Activity:
        """Book money (USD, below zero for a charge) that comes without a trade: FEE, DIV, INT,
        JNLC and the like. Refusal (422) for a kind that the broker does not have."""
        return self._back_office.post(kind, amount, self.time, symbol, description)

    # -- time ---------------------------------------------------------------------------------

    def advance(self, until: datetime) -> None:
        """Move to an instant not before now, trading every tick in between."""
        if self.now is None or self.now >= until:
            self.now = self.now or until
            return
        boundaries = [
            (at, happens, session)
            for session in self.sessions.between(self.now.date(), until.date())
            for at, happens in ((session.open, self._open_market), (session.close, self._close))
            if self.now < at <= until
        ]
        for at, happens, session in boundaries:
            self._trade_ticks(self.now, at)
            self.now = at
            happens(session)
        self._trade_ticks(self.now, until)
        self.now = until

    def _open_market(self, _session: Session) -> None:
        for order in self._register.open():
            if order.status == "accepted":
                self._register.work(order, self.time)

    def _close(self, session: Session) -> None:
        self._trade_closing(session)
        expired = [
            order
            for order in self._register.open()
            if order.expires_at is not None and order.expires_at <= self.time
        ]
        for order in expired:
            self._register.expire(order, self.time)
        for order in expired:
            self._groups.end(order, self.time)
        if self.fees_on_sales:
            sales = [fill for fill in self.fills if fill.side == "sell" and fill.at >= session.open]
            self._back_office.charge_fees(sales, self.time)
        self.ledger.account.last_equity = self.equity()

    def _trade_closing(self, session: Session) -> None:
        """Orders for the close trade at the session's last tick; what they do not get expires."""
        for order in self._register.open():
            if order.time_in_force != "cls" or order.symbol in self.halted:
                continue
            tick = self.book.last_tick(order.symbol, session.close)
            if tick is not None and tick.at >= session.open:
                self._matching.meet(order, Tick(session.close, tick.price))

    def _trade_ticks(self, after: datetime, until: datetime) -> None:
        """Ticks of one stretch, which lies in one session or in none."""
        if self.sessions.session_of(after) is None:
            return
        symbols = {order.symbol for order in self._register.open() if order.is_working}
        ticks = [
            (tick, symbol)
            for symbol in sorted(symbols - self.halted)
            for tick in self.book.ticks(symbol, after, until)
        ]
        ticks.sort(key=lambda pair: pair[0].at)
        for tick, symbol in ticks:
            # Legs that come alive on this tick are first in the market on the next one.
            for order in self._register.working(symbol):
                if order.time_in_force != "cls":
                    self._matching.meet(order, tick)

    def _value_of(self, position: Position) -> Decimal:
        """A share's worth: its last trade, or what it cost while there is none."""
        price = self.price(position.symbol)
        return position.cost / position.qty if price is None else price

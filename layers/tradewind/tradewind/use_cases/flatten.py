"""Cancel every order of a brokerage account, close every position, and see that both are gone.

Ours and foreign ones alike. Nothing but the broker is needed, so it runs from any machine that has
the keys; and it may be run again at any moment: what is working already is not sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tradewind.errors import (
    BrokerRejectedError,
    OutcomeUnknownError,
    OutsideCalendarError,
    RetryableError,
    ThrottledError,
)
from tradewind.market.bar import to_iso
from tradewind.market.session_table import SessionTable
from tradewind.orders.model import BrokerOrder, BrokerPosition, OrderStatus, Side
from tradewind.orders.payload import order_summary
from tradewind.orders.ports import Broker
from tradewind.orders.submission import Pacing

POLL = 2.0  # seconds; a look is four requests, of 200 a minute that the broker takes
GIVE_UP = timedelta(seconds=90)
# Flat is what was seen flat twice, so far apart: an order may still have been on its way.
SETTLED = timedelta(seconds=10)
# Until a closing order is sent again, should the first one not be seen to work. The broker closes
# what is held when the order arrives, so that even a late first one cannot sell anything twice.
CLOSE_AGAIN = timedelta(seconds=5)
CLOSE_ATTEMPTS = 5
LONGEST_PAUSE = 10.0  # seconds, whatever the broker asks for


@dataclass(frozen=True, slots=True)
class Standing:
    """Open orders (legs included) and positions of the account, as the broker tells them."""

    orders: tuple[BrokerOrder, ...]
    positions: tuple[BrokerPosition, ...]

    @property
    def flat(self) -> bool:
        return not self.orders and not self.positions

    def closing(self) -> dict[str, BrokerOrder]:
        """By symbol, the market order that is at work to close the position."""
        held = {position.symbol: position for position in self.positions}
        return {
            order.symbol: order
            for order in self.orders
            if order.symbol in held and _closes(order, held[order.symbol])
        }


@dataclass(frozen=True, slots=True)
class Flattened:
    """What was done. ``flat`` only when the broker was seen twice without orders and positions.

    ``left`` is what the broker told last, None when it never answered. ``opens_at``: outside of
    regular hours the next open, which the closing orders wait for. ``troubles``: what stands in the
    way, a sentence each.
    """

    flat: bool
    cancelled: tuple[BrokerOrder, ...]
    closed: tuple[BrokerOrder, ...]
    left: Standing | None
    opens_at: datetime | None
    troubles: tuple[str, ...]

    def as_payload(self) -> dict[str, Any]:
        return {
            "flat": self.flat,
            "cancelled": [order_summary(order) for order in self.cancelled],
            "closed": [order_summary(order) for order in self.closed],
            "left": None if self.left is None else standing_payload(self.left),
            "opens_at": None if self.opens_at is None else to_iso(self.opens_at),
            "troubles": list(self.troubles),
        }


def standing(broker: Broker, now: datetime) -> Standing:
    """Raises what the broker's reads raise."""
    orders = [order for order in broker.orders(now) if not order.status.is_final]
    positions = [position for position in broker.positions() if position.quantity]
    return Standing(tuple(orders), tuple(positions))


def flatten(
    broker: Broker, clock: Pacing, sessions: SessionTable, say: Callable[[str], None]
) -> Flattened:
    """``say`` is told each step in a sentence. Tries for GIVE_UP; outside of regular hours it ends
    when every position has a closing order that waits for the open.

    Raises BrokerRejectedError when the broker refuses to be asked (wrong keys).
    """
    return _Flattening(broker, clock, sessions, say).run()


class _Flattening:
    def __init__(
        self, broker: Broker, clock: Pacing, sessions: SessionTable, say: Callable[[str], None]
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._sessions = sessions
        self._say = say
        self._asked: dict[str, BrokerOrder] = {}  # cancellations, by order id
        self._closed: dict[str, BrokerOrder] = {}  # closing orders of ours, by order id
        self._attempts: dict[str, int] = {}
        self._not_before: dict[str, datetime] = {}
        self._troubles: dict[str, str] = {}
        self._left: Standing | None = None

    def run(self) -> Flattened:
        began, paused = self._clock.now(), timedelta(0)
        flat_since: timedelta | None = None
        while True:
            now = self._clock.now()
            # A replayed market's clock may stand still while we wait.
            waited = max(now - began, paused)
            try:
                self._left = standing(self._broker, now)
                self._troubles.pop("broker", None)
                if self._left.flat:
                    if flat_since is None:
                        flat_since = waited
                        self._say("no open order and no position: looking once more to be sure")
                    if waited - flat_since >= SETTLED:
                        return self._report(flat=True)
                else:
                    flat_since = None
                    self._step(self._left, now)
                    if self._waits_for_open(self._left, now):
                        return self._report(flat=False)
            except ThrottledError as throttled:
                self._troubles["broker"] = str(throttled)
                self._clock.sleep(min(throttled.retry_after or 0.0, LONGEST_PAUSE))
            except RetryableError as away:
                self._troubles["broker"] = str(away)
                self._say(f"the broker could not be asked, trying again: {away}")
            if waited >= GIVE_UP:
                return self._report(flat=False)
            self._clock.sleep(POLL)
            paused += timedelta(seconds=POLL)

    def _step(self, now_open: Standing, now: datetime) -> None:
        """Cancel what does not close anything; close what no order stands in the way of."""
        closing = now_open.closing()
        others = [order for order in now_open.orders if order not in closing.values()]
        if others:
            self._cancel(others, everything=not closing)
        else:
            self._troubles.pop("orders", None)
        busy = {order.symbol for order in others} | set(closing)
        for position in now_open.positions:
            if position.symbol not in busy and now >= self._not_before.get(position.symbol, now):
                self._close(position, now)

    def _cancel(self, orders: Sequence[BrokerOrder], *, everything: bool) -> None:
        for order in orders:
            self._asked[order.order_id] = order
        ids = {order.order_id for order in orders}
        # A leg goes with its parent; what is being cancelled already is waited for.
        ask = [
            order
            for order in orders
            if order.status is not OrderStatus.PENDING_CANCEL and order.parent_order_id not in ids
        ]
        if not ask:
            self._troubles["orders"] = f"{len(orders)} cancellations are not confirmed yet"
            return
        self._say(f"cancelling {', '.join(_order_words(order) for order in ask)}")
        try:
            if everything:
                self._broker.cancel_all()
                return
            for order in ask:
                self._broker.cancel(order.order_id)
        except (BrokerRejectedError, OutcomeUnknownError) as unclear:
            # Filled meanwhile, or no clear answer: the next look tells.
            self._troubles["orders"] = f"cancelling: {unclear}"

    def _close(self, position: BrokerPosition, now: datetime) -> None:
        symbol = position.symbol
        if self._works_unseen(symbol):
            return
        attempts = self._attempts.get(symbol, 0)
        if attempts >= CLOSE_ATTEMPTS:
            return
        self._attempts[symbol] = attempts + 1
        self._not_before[symbol] = now + CLOSE_AGAIN
        self._say(f"closing {position.quantity} {symbol} at the market")
        try:
            order = self._broker.close_position(symbol)
        except ThrottledError:
            # Provably not carried out.
            self._attempts[symbol] = attempts
            del self._not_before[symbol]
            raise
        except (BrokerRejectedError, OutcomeUnknownError) as refused:
            self._troubles[symbol] = f"closing {position.quantity} {symbol}: {refused}"
            self._say(self._troubles[symbol])
        else:
            self._closed[order.order_id] = order
            self._troubles.pop(symbol, None)

    def _works_unseen(self, symbol: str) -> bool:
        """Whether an order that we sent to close this is at work although no list shows it."""
        for order in [each for each in self._closed.values() if each.symbol == symbol]:
            known = self._broker.order(order.order_id)
            if known is not None:
                self._closed[order.order_id] = known
                if not known.status.is_final:
                    return True
        return False

    def _waits_for_open(self, now_open: Standing, now: datetime) -> bool:
        """Whether nothing is left to do before the market opens."""
        closing = now_open.closing()
        return (
            len(closing) == len(now_open.orders) == len(now_open.positions)
            and self._opens_at(now) is not None
        )

    def _opens_at(self, now: datetime) -> datetime | None:
        """The next open; None in regular hours, and where the table does not reach."""
        try:
            if self._sessions.session_of(now) is not None:
                return None
            coming = self._sessions.between(now.date(), now.date() + timedelta(days=10))
        except OutsideCalendarError:
            return None
        return next((session.open for session in coming if session.open > now), None)

    def _report(self, *, flat: bool) -> Flattened:
        left = self._left
        open_ids = {order.order_id for order in left.orders} if left is not None else set()
        troubles = dict(self._troubles)
        if flat:
            troubles.clear()
        return Flattened(
            flat=flat,
            cancelled=tuple(o for key, o in self._asked.items() if key not in open_ids),
            closed=tuple(self._closed.values()),
            left=left,
            opens_at=None if flat else self._opens_at(self._clock.now()),
            troubles=tuple(troubles.values()),
        )


def _closes(order: BrokerOrder, position: BrokerPosition) -> bool:
    """A market order of this session or the next that closes the position, or a part of it. One for
    more shares than are held would turn it round and is cancelled."""
    side = Side.SELL if position.quantity > 0 else Side.BUY
    return (
        order.order_type == "market"
        and order.side is side
        and order.time_in_force in ("day", "gtc")
        and order.status is not OrderStatus.PENDING_CANCEL
        and order.quantity - order.filled_quantity <= abs(position.quantity)
    )


def standing_payload(now_open: Standing) -> dict[str, Any]:
    return {
        "orders": [order_summary(order) for order in now_open.orders],
        "positions": [
            {"symbol": position.symbol, "quantity": str(position.quantity)}
            for position in now_open.positions
        ],
    }


def _order_words(order: BrokerOrder) -> str:
    return f"{order.side} {order.quantity} {order.symbol} ({order.order_type})"

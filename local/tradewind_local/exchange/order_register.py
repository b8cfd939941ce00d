"""Every order there ever was: by id, by the client's id, by group, and which of them are open."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from tradewind_local.exchange import refusals
from tradewind_local.exchange.model import ZERO, Order, Touched
from tradewind_local.exchange.trade_updates import TradeUpdates


class OrderRegister:
    """Orders and how they hang together. Statuses change here, and the order stream hears of it;
    whoever changes anything else of an order says so with :meth:`touch`."""

    def __init__(self, orders: Iterable[Order], touched: Touched, updates: TradeUpdates) -> None:
        """``orders`` by number; ``touched`` collects what the store has to write."""
        self.orders: dict[str, Order] = {}
        self._touched = touched
        self._updates = updates
        self._open: dict[str, Order] = {}
        self._by_client_id: dict[str, Order] = {}
        self._legs: dict[str, list[Order]] = {}
        for order in orders:
            self._enter(order)

    # -- finding ------------------------------------------------------------------------------

    def find(self, order_id: str) -> Order:
        """Refusal (404) when there is none."""
        order = self.orders.get(order_id)
        if order is None:
            raise refusals.not_found(f"order not found for {order_id}")
        return order

    def find_by_client_id(self, client_order_id: str) -> Order:
        """Refusal (404) when there is none."""
        order = self._by_client_id.get(client_order_id)
        if order is None:
            raise refusals.not_found(f"order not found for {client_order_id}")
        return order

    def is_taken(self, client_order_id: str | None) -> bool:
        return client_order_id in self._by_client_id

    def open(self) -> list[Order]:
        """Open orders in the order of their arrival."""
        return list(self._open.values())

    def working(self, symbol: str) -> list[Order]:
        """Orders that a tick of this symbol can fill."""
        return [
            order for order in self._open.values() if order.symbol == symbol and order.is_working
        ]

    def legs(self, order: Order) -> list[Order]:
        """An order's legs as they stand, replacements in the place of what they replaced."""
        return [leg for leg in self._legs.get(order.id, ()) if leg.status != "replaced"]

    def open_rivals(self, order: Order) -> list[Order]:
        """The open orders of the same group that are to sell the same shares."""
        if order.parent_id is None:
            return [leg for leg in self._legs_of_oco(order) if leg.is_open]
        rivals = [leg for leg in self._legs[order.parent_id] if leg.is_open and leg is not order]
        parent = self.orders[order.parent_id]
        if parent.order_class == "oco" and parent.is_open:
            rivals.append(parent)
        return rivals

    def _legs_of_oco(self, order: Order) -> list[Order]:
        return self.legs(order) if order.order_class == "oco" else []

    # -- what open orders hold ----------------------------------------------------------------

    def reserved_money(self, without: Order | None) -> Decimal:
        """What the open buys may yet cost."""
        return sum(
            (
                order.leaves_qty * order.reserve_price
                for order in self._open.values()
                if order.side == "buy" and order is not without
            ),
            ZERO,
        )

    def held_qty(self, symbol: str, without: Order | None) -> Decimal:
        """Shares that open sell orders hold. Those of one group hold the same shares, so
        ``without`` leaves out its whole group."""
        left_out = None if without is None else _group(without)
        groups: dict[str, Decimal] = {}
        for order in self._open.values():
            group = _group(order)
            if (
                order.symbol == symbol
                and order.side == "sell"
                and not order.is_dormant
                and group != left_out
            ):
                groups[group] = max(groups.get(group, ZERO), order.leaves_qty)
        return sum(groups.values(), ZERO)

    # -- changing -----------------------------------------------------------------------------

    def add(self, order: Order) -> None:
        self._enter(order)
        self.touch(order)

    def announce(self, order: Order) -> None:
        """Tell the order stream of a new order, once it is complete."""
        self._updates.add(order.status, order, order.created_at)

    def work(self, order: Order, at: datetime) -> None:
        """From here on ticks can fill it."""
        order.status = "new"
        order.updated_at = at
        self._tell("new", order, at)

    def arm(self, order: Order, at: datetime) -> None:
        """Watch a stop that stays ``held``."""
        order.armed = True
        order.updated_at = at
        self.touch(order)

    def ask_cancel(self, order: Order, at: datetime) -> None:
        """The cancellation is under way; the order can still fill."""
        order.status = "pending_cancel"
        order.updated_at = at
        self._tell("pending_cancel", order, at)

    def move_legs(self, old: Order, new: Order) -> None:
        """Hang the legs of a replaced entry on the one that replaced it."""
        for leg in self.legs(old):
            leg.parent_id = new.id
            self._legs.setdefault(new.id, []).append(leg)
            self.touch(leg)

    def filled(self, order: Order, at: datetime) -> None:
        """Its last fill tells the stream."""
        order.status = "filled"
        order.filled_at = at
        self._leave(order, at)

    def cancel(self, order: Order, at: datetime) -> None:
        order.status = "canceled"
        order.canceled_at = at
        self._leave(order, at, "canceled")

    def expire(self, order: Order, at: datetime) -> None:
        order.status = "expired"
        order.expired_at = at
        self._leave(order, at, "expired")

    def reject(self, order: Order, at: datetime) -> None:
        """Taken at first, but it cannot be carried out."""
        order.status = "rejected"
        order.failed_at = at
        self._leave(order, at, "rejected")

    def replaced(self, old: Order, new: Order) -> None:
        old.status = "replaced"
        old.replaced_at = new.submitted_at
        old.replaced_by = new.id
        self._leave(old, new.submitted_at, "replaced")

    def touch(self, order: Order) -> None:
        self._touched.orders[order.number] = order

    def _enter(self, order: Order) -> None:
        self.orders[order.id] = order
        self._by_client_id[order.client_order_id] = order
        if order.is_open:
            self._open[order.id] = order
        if order.parent_id is not None:
            self._legs.setdefault(order.parent_id, []).append(order)

    def _leave(self, order: Order, at: datetime, event: str | None = None) -> None:
        order.updated_at = at
        self._open.pop(order.id, None)
        self.touch(order)
        if event is not None:
            self._updates.add(event, order, at)

    def _tell(self, event: str, order: Order, at: datetime) -> None:
        self.touch(order)
        self._updates.add(event, order, at)


def _group(order: Order) -> str:
    return order.parent_id or order.id

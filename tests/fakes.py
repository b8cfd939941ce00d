"""Fakes of the outside world: small, working, and breakable on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TypeVar

from tradewind.errors import BrokerRejectedError, BrokerUnavailableError, ControlUnavailableError
from tradewind.orders.configuration import WANTED_CONFIGURATION, AccountConfiguration
from tradewind.orders.control import RequestPurpose, SwitchChange, SwitchState
from tradewind.orders.ids import deployment_tag
from tradewind.orders.model import (
    BrokerAccount,
    BrokerActivity,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    OrderClass,
    OrderRequest,
    OrderStatus,
    ReplaceRequest,
    Side,
)
from tradewind.orders.rate_limits import RateLimits

Answer = TypeVar("Answer")

DEPLOYMENT = "here"
START = datetime(2020, 11, 12, 14, 31, 4, tzinfo=UTC)
SESSION_CLOSE = datetime(2020, 11, 12, 21, 0, tzinfo=UTC)


def own_id(name: str, deployment: str = DEPLOYMENT) -> str:
    """An intent's id as the deployment would give it."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:24]
    return f"tw-{deployment_tag(deployment)}-{digest}"


class FakeClock:
    """Stands still but for sleeping."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._now += timedelta(seconds=seconds)


@dataclass
class Fault:
    """Breaks the next ``times`` calls of a method: ``error`` is raised, before or after the call
    took effect."""

    method: str
    error: Exception
    after_effect: bool = False
    times: int = 1


@dataclass
class FakeBroker:
    """Takes every order; market and limit orders fill at once at ``price``, stops rest.

    ``entries_fill`` limits how much of an entry fills at once; nothing fills in ``halted`` symbols;
    ``fill`` fills an order by hand. ``stuck_cancels`` leaves cancelled orders in pending_cancel;
    ``races`` is how much an order fills when it is cancelled. ``dropped_fills`` executions are
    missing from the next lists. ``calls`` names every call, as the requests it costs.
    """

    price: Decimal = Decimal(100)
    fill_entries: bool = True
    entries_fill: Decimal | None = None
    halted: set[str] = field(default_factory=set)
    orders_by_id: dict[str, BrokerOrder] = field(default_factory=dict)
    configured: AccountConfiguration = WANTED_CONFIGURATION
    not_traded: set[str] = field(default_factory=set)
    held: dict[str, Decimal] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    paid: list[BrokerActivity] = field(default_factory=list)
    executions: list[BrokerFill] = field(default_factory=list)
    dropped_fills: int = 0
    stuck_cancels: bool = False
    races: dict[str, Decimal] = field(default_factory=dict)
    closes_at: datetime = SESSION_CLOSE
    calls: list[str] = field(default_factory=list)
    limits: RateLimits | None = None

    def submit(self, request: OrderRequest) -> BrokerOrder:
        return self._broken("submit", lambda: self._submit(request))

    def replace(self, order_id: str, request: ReplaceRequest) -> BrokerOrder:
        return self._broken("replace", lambda: self._replace(order_id, request))

    def cancel(self, order_id: str) -> None:
        self._broken("cancel", lambda: self._cancel(order_id))

    def order(self, order_id: str) -> BrokerOrder | None:
        return self._broken("order", lambda: self.orders_by_id.get(order_id))

    def order_by_client_id(self, client_order_id: str) -> BrokerOrder | None:
        return self._broken("order_by_client_id", lambda: self._by_client_id(client_order_id))

    def orders(self, since: datetime) -> list[BrokerOrder]:
        """As the broker lists them: open ones, and others that were submitted since."""
        return self._broken(
            "orders",
            lambda: [
                order
                for order in self.orders_by_id.values()
                if not order.status.is_final or order.submitted_at > since
            ],
        )

    def open_orders(self, symbol: str) -> list[BrokerOrder]:
        return self._broken(
            "open_orders",
            lambda: [
                order
                for order in self.orders_by_id.values()
                if order.symbol == symbol and not order.status.is_final
            ],
        )

    def parent_of(self, order: BrokerOrder) -> BrokerOrder | None:
        return self._broken("parent_of", lambda: self.orders_by_id.get(order.parent_order_id or ""))

    def fills(self, since: datetime) -> list[BrokerFill]:
        return self._broken("fills", self._fills)

    def activities(self, since: datetime) -> list[BrokerActivity]:
        return self._broken("activities", lambda: list(self.paid))

    def cancel_all(self) -> None:
        for order in list(self.orders_by_id.values()):
            if not order.status.is_final:
                self._broken("cancel", partial(self._cancel, order.order_id))

    def close_position(self, symbol: str) -> BrokerOrder:
        return self._broken("close_position", lambda: self._close(symbol))

    def positions(self) -> list[BrokerPosition]:
        return self._broken("positions", self._positions)

    def _positions(self) -> list[BrokerPosition]:
        return [
            BrokerPosition(symbol, quantity, self.price, self.price, Decimal(0))
            for symbol, quantity in self.held.items()
            if quantity
        ]

    def account(self) -> BrokerAccount:
        return self._broken("account", an_account)

    def fill(self, order_id: str, quantity: Decimal) -> None:
        """Fill so much more of an order, by hand or as another party's trade does."""
        order = self.orders_by_id[order_id]
        filled = order.filled_quantity + quantity
        done = filled >= order.quantity
        self.orders_by_id[order_id] = replace(
            order,
            filled_quantity=filled,
            filled_avg_price=self.price,
            status=OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED,
        )
        signed = quantity if order.side is Side.BUY else -quantity
        self.held[order.symbol] = self.held.get(order.symbol, Decimal(0)) + signed
        self.executions.append(
            BrokerFill(
                f"execution-{len(self.executions) + 1}", order_id, order.symbol, order.side,
                quantity, self.price, START, filled,
            )
        )  # fmt: skip
        for leg in self._legs(order_id):
            if done and leg.status is OrderStatus.HELD:
                self.orders_by_id[leg.order_id] = replace(leg, status=OrderStatus.NEW)

    def _legs(self, order_id: str) -> list[BrokerOrder]:
        return [leg for leg in self.orders_by_id.values() if leg.parent_order_id == order_id]

    def _fills(self) -> list[BrokerFill]:
        missing, self.dropped_fills = self.dropped_fills, 0
        return self.executions[: len(self.executions) - missing]

    def configuration(self) -> AccountConfiguration:
        return self._broken("configuration", lambda: self.configured)

    def configure(self, configuration: AccountConfiguration) -> AccountConfiguration:
        def set_it() -> AccountConfiguration:
            self.configured = replace(
                self.configured,
                no_shorting=configuration.no_shorting,
                max_margin_multiplier=configuration.max_margin_multiplier,
            )
            return self.configured

        return self._broken("configure", set_it)

    def untradable(self, symbols: Sequence[str]) -> list[str]:
        return self._broken(
            "untradable", lambda: [symbol for symbol in symbols if symbol in self.not_traded]
        )

    def next_close(self) -> datetime:
        return self.closes_at

    def _broken(self, method: str, call: Callable[[], Answer]) -> Answer:
        self.calls.append(method)
        for fault in self.faults:
            if fault.method == method and fault.times:
                fault.times -= 1
                if fault.after_effect:
                    call()
                raise fault.error
        return call()

    def _by_client_id(self, client_order_id: str) -> BrokerOrder | None:
        for order in self.orders_by_id.values():
            if order.client_order_id == client_order_id:
                return order
        return None

    def _submit(self, request: OrderRequest) -> BrokerOrder:
        self.sent.append(request.client_order_id)
        if self._by_client_id(request.client_order_id) is not None:
            raise BrokerRejectedError("client_order_id must be unique", 40010001, 422)
        order = an_order(
            order_id=f"order-{len(self.orders_by_id) + 1}",
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            order_type=str(request.order_type),
            order_class=str(request.order_class),
            quantity=request.quantity,
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            time_in_force=str(request.time_in_force),
        )
        self.orders_by_id[order.order_id] = order
        if request.order_class is OrderClass.OTO:
            leg = an_order(
                order_id=f"{order.order_id}-stop",
                client_order_id=f"broker-made-{order.order_id}",
                symbol=request.symbol,
                order_class=str(request.order_class),
                quantity=request.quantity,
                stop_price=request.stop_loss,
                parent_order_id=order.order_id,
                status=OrderStatus.HELD,
            )
            self.orders_by_id[leg.order_id] = leg
        fills_now = self._fills_now(request)
        if fills_now:
            self.fill(order.order_id, fills_now)
        return self.orders_by_id[order.order_id]

    def _fills_now(self, request: OrderRequest) -> Decimal:
        if request.order_type == "stop" or request.symbol in self.halted:
            return Decimal(0)
        if request.side is Side.SELL or self.entries_fill is None:
            at_once = request.side is Side.SELL or self.fill_entries
            return request.quantity if at_once else Decimal(0)
        return min(request.quantity, self.entries_fill)

    def _replace(self, order_id: str, request: ReplaceRequest) -> BrokerOrder:
        old = self.orders_by_id[order_id]
        new = replace(
            old,
            order_id=f"{order_id}-r",
            client_order_id=request.client_order_id,
            quantity=request.quantity or old.quantity,
            limit_price=request.limit_price or old.limit_price,
            stop_price=request.stop_price or old.stop_price,
            replaces=order_id,
        )
        self.orders_by_id[order_id] = replace(old, status=OrderStatus.REPLACED)
        self.orders_by_id[new.order_id] = new
        self.sent.append(request.client_order_id)
        return new

    def _close(self, symbol: str) -> BrokerOrder:
        quantity = self.held.pop(symbol, Decimal(0))
        if not quantity:
            raise BrokerRejectedError("position does not exist", 40410000, 404)
        order = an_order(
            order_id=f"order-{len(self.orders_by_id) + 1}",
            client_order_id=f"broker-made-close-{symbol}",
            symbol=symbol,
            order_type="market",
            status=OrderStatus.FILLED,
            quantity=quantity,
            filled_quantity=quantity,
            stop_price=None,
        )
        self.orders_by_id[order.order_id] = order
        return order

    def _cancel(self, order_id: str) -> None:
        order = self.orders_by_id[order_id]
        if order.status.is_final:
            raise BrokerRejectedError("order is not cancelable", 42210000, 422)
        raced = self.races.pop(order_id, None)
        if raced is not None:
            self.fill(order_id, raced)
            order = self.orders_by_id[order_id]
        if order.status.is_final:
            return
        status = OrderStatus.PENDING_CANCEL if self.stuck_cancels else OrderStatus.CANCELED
        for one in (order, *self._legs(order_id)):
            if not one.status.is_final:
                self.orders_by_id[one.order_id] = replace(one, status=status)


@dataclass
class FakeControl:
    """The control table in memory."""

    state: SwitchState = SwitchState.ACTIVE
    readable: bool = True
    claims: dict[str, int | None] = field(default_factory=dict)
    budget: int = 1000
    reserve: int = 1000
    entries: set[str] = field(default_factory=set)
    failures: dict[str, datetime] = field(default_factory=dict)
    changes: list[SwitchChange] = field(default_factory=list)
    holder: str | None = None
    fence: int = 1

    def switch(self, account: str) -> SwitchChange:
        self._check()
        if self.changes:
            return replace(self.changes[-1], state=self.state)
        return SwitchChange(account, 0, self.state, SwitchState.ACTIVE, "", "", None)

    def change_switch(
        self,
        account: str,
        to: SwitchState,
        who: str,
        why: str,
        at: datetime,
        *,
        only_lower: bool = False,
    ) -> SwitchChange:
        self._check()
        raises = to.severity < self.state.severity
        if to is not self.state and not (only_lower and raises):
            number = len(self.changes) + 1
            self.changes.append(SwitchChange(account, number, to, self.state, who, why, at))
            self.state = to
        return self.switch(account)

    def switch_changes(self, account: str) -> list[SwitchChange]:
        self._check()
        return list(self.changes)

    def lease(self, account: str, holder: str, at: datetime) -> int | None:
        self._check()
        self.holder = self.holder or holder
        return self.fence if self.holder == holder else None

    def holds_lease(self, account: str, fence: int) -> bool:
        self._check()
        return fence == self.fence

    def release(self, account: str, fence: int) -> None:
        self._check()
        if fence == self.fence:
            self.holder = None

    def claim(self, intent_id: str, fence: int | None, at: datetime) -> bool:
        self._check()
        first = intent_id not in self.claims
        self.claims.setdefault(intent_id, fence)
        return first

    def take_request(
        self, account: str, purpose: RequestPurpose, at: datetime, budget: int, reserve: int
    ) -> bool:
        self._check()
        if purpose is RequestPurpose.PROTECTION and self.reserve > 0:
            self.reserve -= 1
        elif self.budget > 0:
            self.budget -= 1
        else:
            return False
        return True

    def note_entry(self, account: str, intent_id: str, *, failed: bool, at: datetime) -> int:
        self._check()
        if not failed:
            self.failures.clear()
        else:
            self.failures.setdefault(intent_id, at)
        return len(self.failures)

    def count_entry(
        self,
        account: str,
        session: str,
        intent_id: str,
        notional: Decimal,
        max_orders: int,
        max_notional: Decimal,
    ) -> bool:
        self._check()
        if intent_id in self.entries:
            return True
        if len(self.entries) >= max_orders:
            return False
        self.entries.add(intent_id)
        return True

    def _check(self) -> None:
        if not self.readable:
            raise ControlUnavailableError("table control: unreachable")


def an_account(**changes: object) -> BrokerAccount:
    account = BrokerAccount(
        account_number="PA1",
        status="ACTIVE",
        equity=Decimal(100_000),
        last_equity=Decimal(100_000),
        cash=Decimal(100_000),
        buying_power=Decimal(100_000),
        trading_blocked=False,
    )
    return replace(account, **changes)  # type: ignore[arg-type]


def an_order(**changes: object) -> BrokerOrder:
    """A resting stop of 10 AAPL, unless told otherwise."""
    order = BrokerOrder(
        order_id="order-1",
        client_order_id=own_id("1"),
        symbol="AAPL",
        side=Side.SELL,
        order_type="stop",
        order_class="simple",
        status=OrderStatus.NEW,
        quantity=Decimal(10),
        filled_quantity=Decimal(0),
        filled_avg_price=None,
        limit_price=None,
        stop_price=Decimal("98.50"),
        time_in_force="gtc",
        parent_order_id=None,
        replaces=None,
        submitted_at=START,
        updated_at=START,
    )
    return replace(order, **changes)  # type: ignore[arg-type]


UNREACHABLE = BrokerUnavailableError("GET /v2/orders: ReadTimeout")

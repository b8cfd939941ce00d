"""The exchange's own nouns. Times are aware UTC, money and quantities Decimal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

ZERO = Decimal(0)

# Orders that ticks can fill; ``accepted`` waits for the opening, ``held`` for its entry or beside
# the limit order that has its shares. A cancellation asked for is not one that happened.
WORKING = frozenset({"new", "partially_filled", "pending_cancel"})
OPEN = WORKING | {"accepted", "held"}
STOPS = frozenset({"stop", "stop_limit", "trailing_stop"})
COMPLEX = frozenset({"bracket", "oco", "oto"})


@dataclass(frozen=True, slots=True)
class Ticket:
    """What somebody asks for: an order request that is well-formed, and no more than that.

    ``order_class`` is as sent (empty when it was not). ``take_profit`` is the limit price and
    ``stop_loss`` the stop price of the legs; ``stop_loss_limit`` makes the latter a stop-limit.
    With ``notional`` (USD) ``qty`` is zero: the price decides it. ``trail_percent`` is in per cent.
    """

    symbol: str
    side: str
    qty: Decimal
    type: str
    time_in_force: str
    order_class: str = ""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    client_order_id: str | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    stop_loss_limit: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    notional: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What a replacement asks for; None leaves a value as it is. ``trail`` is the new value of
    whichever trail the order has."""

    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: str | None = None
    client_order_id: str | None = None
    trail: Decimal | None = None


@dataclass(slots=True)
class Order:
    """An order. ``number`` is its place in the order of arrival.

    ``parent_id`` makes it a leg; the broker's bodies show legs only inside their parent.
    ``expires_at`` is the close an order dies at, None for gtc. ``triggered``: a stop that has
    become a market or limit order. ``armed``: a stop that stays ``held`` beside its group's limit
    order, because the shares can only be held once, and is watched all the same.
    ``reserve_price``: what an open buy counts against buying power a share. ``qty`` of a notional
    order is an estimate until its first fill decides it. ``hwm`` is the best price since a trailing
    stop was sent: its ``stop_price`` follows.
    """

    number: int
    id: str
    client_order_id: str
    symbol: str
    side: str
    qty: Decimal
    type: str
    order_class: str
    time_in_force: str
    limit_price: Decimal | None
    stop_price: Decimal | None
    status: str
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime
    reserve_price: Decimal
    parent_id: str | None = None
    expires_at: datetime | None = None
    replaces: str | None = None
    replaced_by: str | None = None
    filled_at: datetime | None = None
    expired_at: datetime | None = None
    canceled_at: datetime | None = None
    replaced_at: datetime | None = None
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    triggered: bool = False
    armed: bool = False
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    hwm: Decimal | None = None
    notional: Decimal | None = None
    failed_at: datetime | None = None

    @property
    def leaves_qty(self) -> Decimal:
        return self.qty - self.filled_qty

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def is_working(self) -> bool:
        return self.status in WORKING or (self.status == "held" and self.armed)

    @property
    def is_dormant(self) -> bool:
        """A leg that waits for its entry: it holds no shares and no tick concerns it."""
        return self.status == "held" and not self.armed


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. ``leaves_qty`` and ``cum_qty`` are the order's after it."""

    number: int
    id: str
    order_id: str
    symbol: str
    side: str
    price: Decimal
    qty: Decimal
    cum_qty: Decimal
    leaves_qty: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Activity:
    """What changed the account without a trade. ``amount`` is what it did to the cash (USD),
    ``qty`` what it did to the position (splits only)."""

    number: int
    id: str
    kind: str
    amount: Decimal
    at: datetime
    symbol: str | None = None
    description: str = ""
    qty: Decimal | None = None


@dataclass(slots=True)
class Position:
    """What is held of a symbol. ``cost`` is that of the shares held; ``realized`` adds up over the
    account's life, by average cost; ``opened_on`` is the UTC date since when it is not flat."""

    symbol: str
    qty: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    opened_on: date | None = None


@dataclass(slots=True)
class Account:
    """``last_equity`` is the equity at the last close, ``opening_cash`` what it started with."""

    opening_cash: Decimal
    cash: Decimal
    last_equity: Decimal


@dataclass(slots=True)
class Touched:
    """What changed since the last commit, for the store to write."""

    orders: dict[int, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    positions: dict[str, Position] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)

    def clear(self) -> None:
        self.orders.clear()
        self.fills.clear()
        self.positions.clear()
        self.activities.clear()

"""The nouns of the order path. Quantities and prices are Decimal, times aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from tradewind.orders.configuration import AccountConfiguration


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(StrEnum):
    DAY = "day"
    GTC = "gtc"
    OPG = "opg"  # at the opening auction only
    CLS = "cls"  # at the closing auction only
    IOC = "ioc"  # what can be filled at once, the rest is cancelled
    FOK = "fok"  # all at once or nothing


class OrderClass(StrEnum):
    SIMPLE = "simple"
    BRACKET = "bracket"  # an entry with take-profit and stop-loss behind it
    OTO = "oto"  # an entry with one of the two behind it
    OCO = "oco"  # take-profit and stop-loss for shares that are held: one cancels the other


class IntentKind(StrEnum):
    """What an intent does at the broker.

    ENTRY         buy, with a protective stop resting behind it (OTO)
    EXIT          cancel the protective stop, then sell what is left
    PROTECT       place a protective stop for shares that have none
    REPRICE       move the protective stop up
    CANCEL_ENTRY  cancel an entry that did not fill in time, protect what it did fill
    CANCEL_STOP   cancel a protective stop that has no shares behind it any more
    RENEW_STOP    cancel a stop in the units of before a split, place one in the new units
    """

    ENTRY = "entry"
    EXIT = "exit"
    PROTECT = "protect"
    REPRICE = "reprice"
    CANCEL_ENTRY = "cancel_entry"
    CANCEL_STOP = "cancel_stop"
    RENEW_STOP = "renew_stop"


class IntentStatus(StrEnum):
    """Where an intent stands. PENDING and UNKNOWN are the two without an outcome."""

    PENDING = "pending"  # committed; nothing is known to have been sent
    UNKNOWN = "unknown"  # sent or perhaps sent; the broker has to be asked
    SUBMITTED = "submitted"  # the broker has the order (or carried out the change)
    REJECTED = "rejected"  # the broker refused
    BLOCKED = "blocked"  # the trading switch, a hard limit or a budget refused
    EXPIRED_UNSENT = "expired_unsent"  # too late to be worth sending
    NOT_NEEDED = "not_needed"  # nothing was left to do, e.g. the stop had sold the shares

    @property
    def is_outcome(self) -> bool:
        return self not in (IntentStatus.PENDING, IntentStatus.UNKNOWN)


class OrderStatus(StrEnum):
    """The broker's own words for an order's state (Alpaca, 2026-08)."""

    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    DONE_FOR_DAY = "done_for_day"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    ACCEPTED = "accepted"
    PENDING_NEW = "pending_new"
    ACCEPTED_FOR_BIDDING = "accepted_for_bidding"
    STOPPED = "stopped"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    CALCULATED = "calculated"
    HELD = "held"
    UNRECOGNISED = "unrecognised"  # a word that is none of the above: treated as open, never final
    # Not the broker's word but our judgement of its silence: it does not know an order that was
    # open. Over, unless the broker says otherwise later.
    NOT_KNOWN = "not_known"

    @property
    def is_final(self) -> bool:
        return self in FINAL_STATUSES


FINAL_STATUSES = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.REPLACED,
        OrderStatus.REJECTED,
        OrderStatus.NOT_KNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """One thing to be done at the broker, committed to PostgreSQL before it is tried.

    ``intent_id`` is the ``client_order_id`` of the order it sends. ``target_order_id`` names the
    broker's order that EXIT, CANCEL_ENTRY and RENEW_STOP cancel or REPRICE replaces;
    ``stop_price`` is the protective stop (of the leg for ENTRY, put back on failure for EXIT).
    ``expires_at`` is set on entries only: exits and protection do not expire. ``decision_price`` is
    the close decided on.
    """

    intent_id: str
    account: str
    strategy: str
    mode: str
    session: date
    bar_time: datetime
    symbol: str
    kind: IntentKind
    side: Side
    quantity: Decimal
    order_type: OrderType
    time_in_force: TimeInForce
    order_class: OrderClass
    limit_price: Decimal | None
    stop_price: Decimal | None
    decision_price: Decimal
    revision: int
    target_order_id: str | None
    expires_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class IntentOutcome:
    """What became of an intent, as far as the submitter knows. ``at``: when it was learnt."""

    intent_id: str
    status: IntentStatus
    broker_order_id: str | None
    reason_code: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What is sent to the broker. ``take_profit`` is the limit price of a profit leg, ``stop_loss``
    the stop price of a protective leg and ``stop_loss_limit`` its limit, should it have one.
    ``trail_percent`` (in percent: 1.5) or ``trail_price`` (USD) belong to a trailing stop."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    order_type: OrderType
    time_in_force: TimeInForce
    order_class: OrderClass = OrderClass.SIMPLE
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    stop_loss_limit: Decimal | None = None
    trail_percent: Decimal | None = None
    trail_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ReplaceRequest:
    """What an order's replacement changes; None leaves a value as it is. ``trail`` is in the unit
    of the trailing stop it replaces."""

    client_order_id: str
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    time_in_force: TimeInForce | None = None


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker tells it; legs are orders of their own with a parent."""

    order_id: str
    client_order_id: str
    symbol: str
    side: Side
    order_type: str
    order_class: str
    status: OrderStatus
    quantity: Decimal
    filled_quantity: Decimal
    filled_avg_price: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    time_in_force: str
    parent_order_id: str | None
    replaces: str | None
    submitted_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class BrokerFill:
    """One execution. ``execution_id`` is the broker's and never repeats for another one.
    ``cumulative`` is the order's filled quantity after it, None when the broker does not say."""

    execution_id: str
    order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    at: datetime
    cumulative: Decimal | None = None


@dataclass(frozen=True, slots=True)
class BrokerActivity:
    """What changed the account's cash without an execution. ``kind`` is the broker's word (FEE,
    DIV, INT, JNLC...), ``amount`` in USD, negative for what was paid; ``day`` New York's date."""

    activity_id: str
    kind: str
    amount: Decimal
    day: date
    symbol: str | None
    description: str


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    symbol: str
    quantity: Decimal
    avg_entry_price: Decimal
    current_price: Decimal
    unrealised_pnl: Decimal


@dataclass(frozen=True, slots=True)
class BrokerAccount:
    account_number: str
    status: str
    equity: Decimal
    last_equity: Decimal
    cash: Decimal
    buying_power: Decimal
    trading_blocked: bool


@dataclass(frozen=True, slots=True)
class BrokerState:
    """One snapshot of the broker's truth, read at ``as_of``.

    ``next_close`` is the broker's own word on when this session closes; it is asked once a session
    and None otherwise. ``listed_since``: orders that are not open any more are there only if they
    were submitted at this time or later (None: however old). ``configuration`` is read once a
    session too. ``not_known``: the order ids that the broker, asked for each, does not know.
    """

    as_of: datetime
    account: BrokerAccount
    orders: tuple[BrokerOrder, ...]
    positions: tuple[BrokerPosition, ...]
    fills: tuple[BrokerFill, ...]
    next_close: datetime | None = None
    activities: tuple[BrokerActivity, ...] = ()
    listed_since: datetime | None = None
    configuration: AccountConfiguration | None = None
    not_known: tuple[str, ...] = ()

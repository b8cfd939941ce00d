"""Pre-trade checks. Each says in a code and a sentence why it stopped an entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tradewind.market.bar import MINUTE, to_iso
from tradewind.market.session import Session
from tradewind.orders.model import BrokerAccount, BrokerOrder, BrokerPosition, OrderIntent
from tradewind.portfolio.differences import QuantityDifference
from tradewind.risk.limits import RiskLimits


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class EntryRequest:
    """What is known when an entry is asked for. ``run_at`` is the start of the run's minute
    (T: one minute after the decided bar's start); ``newest_bar`` the symbol's newest bar;
    ``missing`` the minutes without a bar, not known to be without trades, among those the decision
    looks back over. ``differences`` (quantities that nothing explains) and ``strangers`` (a second
    deployment's orders) are the account's, of whatever symbol."""

    symbol: str
    bar_time: datetime
    newest_bar: datetime
    missing: Sequence[datetime]
    session: Session
    account: BrokerAccount | None
    broker_as_of: datetime | None
    open_orders: Sequence[BrokerOrder]
    unresolved: Sequence[OrderIntent]
    foreign: BrokerPosition | None
    limits: RiskLimits
    differences: Sequence[QuantityDifference] = ()
    strangers: Sequence[BrokerOrder] = ()

    @property
    def run_at(self) -> datetime:
        return self.bar_time + MINUTE


Check = Callable[[EntryRequest], Refusal | None]


def entry_window(request: EntryRequest) -> Refusal | None:
    opens = request.session.open + request.limits.no_entry_after_open
    closes = request.session.close - request.limits.no_entry_before_close
    if opens <= request.run_at < closes:
        return None
    return Refusal(
        "outside_entry_window",
        f"entries are allowed from {to_iso(opens)} until {to_iso(closes)} in this session",
    )


def data_is_current(request: EntryRequest) -> Refusal | None:
    """Apart from ``stale_bar``: a bar that is a minute late is no news, a symbol whose data has
    stopped is."""
    age = request.bar_time - request.newest_bar
    if age <= request.limits.max_data_age:
        return None
    return Refusal(
        "stale_data",
        f"the newest bar is {to_iso(request.newest_bar)}, {age // MINUTE} minutes before the "
        f"decided one; allowed are {request.limits.max_data_age // MINUTE}",
    )


def stale_bar(request: EntryRequest) -> Refusal | None:
    if request.newest_bar == request.bar_time:
        return None
    return Refusal(
        "stale_bar",
        f"the newest bar is {to_iso(request.newest_bar)}, decided is {to_iso(request.bar_time)}",
    )


def no_hole(request: EntryRequest) -> Refusal | None:
    if not request.missing:
        return None
    return Refusal(
        "hole",
        f"minutes missing among those decided on: {len(request.missing)}, from "
        f"{to_iso(min(request.missing))} to {to_iso(max(request.missing))}",
    )


def broker_state_is_current(request: EntryRequest) -> Refusal | None:
    if request.account is None or request.broker_as_of is None:
        return Refusal("no_broker_state", "the broker's state has never been recorded")
    if request.broker_as_of >= request.run_at:
        return None
    return Refusal(
        "stale_broker_state",
        f"the broker's state is from {to_iso(request.broker_as_of)}, before this run",
    )


def account_is_open(request: EntryRequest) -> Refusal | None:
    account = request.account
    if account is None or (account.status == "ACTIVE" and not account.trading_blocked):
        return None
    return Refusal(
        "account_blocked",
        f"the broker says: status {account.status}, trading blocked {account.trading_blocked}",
    )


def books_agree(request: EntryRequest) -> Refusal | None:
    """A difference in one symbol stops all: the money that an entry counts on may not be there."""
    if not request.differences:
        return None
    told = "; ".join(f"{one}, since {to_iso(one.since)}" for one in request.differences)
    return Refusal("unexplained_difference", told)


def one_deployment(request: EntryRequest) -> Refusal | None:
    if not request.strangers:
        return None
    order = request.strangers[0]
    return Refusal(
        "second_deployment",
        f"another deployment sends orders to this account: {len(request.strangers)} of them, e.g. "
        f"{order.client_order_id} in {order.symbol}",
    )


def daily_drawdown(request: EntryRequest) -> Refusal | None:
    account = request.account
    if account is None or account.last_equity <= 0:
        return None
    change = account.equity / account.last_equity - 1
    if change > -request.limits.max_daily_drawdown:
        return None
    return Refusal(
        "daily_drawdown",
        f"equity is {change * 100:.2f} % since the previous close; entries stop at "
        f"-{request.limits.max_daily_drawdown * 100:.0f} % until the next session",
    )


def no_open_order(request: EntryRequest) -> Refusal | None:
    for order in request.open_orders:
        if order.symbol == request.symbol:
            return Refusal("open_order", f"order {order.client_order_id} is still {order.status}")
    return None


def no_unresolved_intent(request: EntryRequest) -> Refusal | None:
    for intent in request.unresolved:
        if intent.symbol == request.symbol:
            return Refusal("unresolved_intent", f"intent {intent.intent_id} has no outcome yet")
    return None


def no_foreign_position(request: EntryRequest) -> Refusal | None:
    if request.foreign is None:
        return None
    return Refusal(
        "foreign_position",
        f"{request.foreign.quantity} shares are held that this system did not buy",
    )


ENTRY_CHECKS: tuple[Check, ...] = (
    entry_window,
    data_is_current,
    stale_bar,
    no_hole,
    broker_state_is_current,
    account_is_open,
    one_deployment,
    books_agree,
    daily_drawdown,
    no_open_order,
    no_unresolved_intent,
    no_foreign_position,
)


def first_refusal(request: EntryRequest) -> Refusal | None:
    """The first check that says no, None when all agree."""
    for check in ENTRY_CHECKS:
        refusal = check(request)
        if refusal is not None:
            return refusal
    return None

"""What became of intents and orders, judged from a snapshot by the resolution table.

Pure: the time is the snapshot's (``as_of``, aware UTC, taken before its first read).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tradewind.market.bar import MINUTE
from tradewind.orders.ids import owner_of
from tradewind.orders.life import (
    KnownOrder,
    OrderState,
    Resolution,
    TableRow,
    resolution_for,
    state_of,
)
from tradewind.orders.model import (
    BrokerOrder,
    IntentKind,
    IntentOutcome,
    IntentStatus,
    OrderIntent,
    OrderStatus,
)

# How long after the decided minute an order may still turn up at the broker: entries leave no
# later than T+45 s, every call is over within its timeout. A snapshot read after this that does not
# show the order proves that it did not arrive.
ARRIVAL_LIMIT = timedelta(minutes=2)

# How far back any snapshot lists orders that are no longer open, longer than any outage worth
# healing by itself: no snapshot will tell any more what became of an older intent.
LISTING_REACH = timedelta(days=10)

# How long an open order that the broker does not show any more is still believed to be at work. It
# is asked for by its id in each run meanwhile.
UNSEEN_AFTER = timedelta(minutes=1)

# How long nothing must have shown an open order until the broker's answer that it does not know it
# is believed: a listing and a question by id may both fail for a moment.
VANISHED_AFTER = timedelta(minutes=2)


def orders_by_intent(orders: Iterable[BrokerOrder]) -> dict[str, BrokerOrder]:
    """The order that speaks for each intent that the orders' own ids name (those of legs and
    foreign orders name none): the intent's own order before a stop that it put back."""
    found: dict[str, BrokerOrder] = {}
    for order in orders:
        owner = owner_of(order.client_order_id)
        if owner not in found or order.client_order_id == owner:
            found[owner] = order
    return found


def resolve(
    intents: Sequence[OrderIntent],
    orders: Sequence[BrokerOrder],
    as_of: datetime,
    listed_since: datetime | None = None,
) -> list[IntentOutcome]:
    """Outcomes for intents that have none, from a snapshot read at ``as_of``.

    An intent whose order is there was submitted (or rejected by the broker afterwards). One whose
    order is missing stays open until a snapshot is late enough, and reaches back far enough
    (``listed_since``: from when on it lists orders that are not open any more; None: all), to prove
    that nothing arrived.
    """
    own = orders_by_intent(orders)
    by_id = {order.order_id: order for order in orders}
    outcomes = []
    for intent in intents:
        order = own.get(intent.intent_id)
        outcome = _judged(intent, order, as_of, listed_since)
        if order is None:
            outcome = _target_is_final(intent, by_id, as_of) or outcome
        if outcome is not None:
            outcomes.append(outcome)
    return outcomes


def late_arrivals(
    unsent: Sequence[OrderIntent],
    orders: Sequence[BrokerOrder],
    as_of: datetime,
) -> list[IntentOutcome]:
    """Outcomes for intents that were judged unsent (blocked, too late, never arrived) and whose
    order the broker shows after all: submitted, code ``arrived_after_all`` (or rejected later).
    To be told to people: an order is at the broker that nobody counted on."""
    own = orders_by_intent(orders)
    outcomes = []
    for intent in unsent:
        order = own.get(intent.intent_id)
        if order is None:
            continue
        row = resolution_for(OrderState.UNSENT, state_of(order))
        if row.resolution is Resolution.ADOPT_AND_TELL:
            outcomes.append(_adopted(intent, order, row, as_of, "arrived_after_all"))
    return outcomes


def to_look_up(
    known: Iterable[KnownOrder], orders: Iterable[BrokerOrder], as_of: datetime
) -> list[str]:
    """The order ids to ask the broker for: on record as open before ``as_of``, but not shown by the
    snapshot read then. Until the broker has answered, nothing about them changes."""
    shown = {order.order_id for order in orders}
    return sorted(
        one.order.order_id
        for one in known
        if one.order.order_id not in shown
        and one.as_of < as_of
        and resolution_for(one.state, None).resolution is Resolution.LOOK_UP
    )


def vanished(
    known: Iterable[KnownOrder], not_known: Collection[str], as_of: datetime
) -> list[KnownOrder]:
    """The open orders that are over by our own judgement: the broker, asked for them by their ids
    after ``as_of``, does not know them (``not_known``), and for VANISHED_AFTER nothing showed them.
    The broker's word, should it come later, is stronger; executions told later are booked."""
    return [
        KnownOrder(replace(one.order, status=OrderStatus.NOT_KNOWN), as_of)
        for one in known
        if one.order.order_id in not_known
        and as_of - one.as_of > VANISHED_AFTER
        and resolution_for(one.state, None).next_state is OrderState.VANISHED
    ]


def unseen(known: Iterable[KnownOrder], as_of: datetime) -> set[str]:
    """The order ids that are on record as open and that nobody may count on any more: the newest
    snapshot, read at ``as_of``, does not show them, and for UNSEEN_AFTER no earlier one did and no
    answer to a question by their id. Of all open orders a snapshot shows every one."""
    return {one.order.order_id for one in known if as_of - one.as_of > UNSEEN_AFTER}


def _judged(
    intent: OrderIntent,
    order: BrokerOrder | None,
    as_of: datetime,
    listed_since: datetime | None,
) -> IntentOutcome | None:
    """What the table says of an intent that has no outcome.

    The state on record is SUBMITTING: the store of record does not know of claims, and the table
    says the same of an order that is intended or unknown.
    """
    row = resolution_for(OrderState.SUBMITTING, state_of(order) if order is not None else None)
    if row.resolution is Resolution.ADOPT and order is not None:
        return _adopted(intent, order, row, as_of, "found_at_broker")
    if row.resolution is not Resolution.AWAIT_ARRIVAL:
        return None
    if as_of - intent.bar_time > LISTING_REACH:
        return _unsent(
            intent,
            as_of,
            "out_of_sight",
            f"for {LISTING_REACH.days} days no snapshot was read that would have shown its order; "
            "if it arrived after all, the positions differ",
        )
    would_be_listed = listed_since is None or listed_since <= intent.bar_time
    if would_be_listed and as_of >= intent.bar_time + MINUTE + ARRIVAL_LIMIT:
        return _unsent(
            intent,
            as_of,
            "never_arrived",
            "the broker does not know the order and no call can still be under way",
        )
    return None


def _adopted(
    intent: OrderIntent, order: BrokerOrder, row: TableRow, as_of: datetime, code: str
) -> IntentOutcome:
    if row.next_state is OrderState.REJECTED:
        return IntentOutcome(
            intent.intent_id,
            IntentStatus.REJECTED,
            order.order_id,
            "rejected_later",
            "the broker took the order and rejected it afterwards",
            as_of,
        )
    return IntentOutcome(
        intent.intent_id,
        IntentStatus.SUBMITTED,
        order.order_id,
        code,
        f"found at the broker with status {order.status}",
        as_of,
    )


def _unsent(intent: OrderIntent, as_of: datetime, code: str, reason: str) -> IntentOutcome:
    return IntentOutcome(intent.intent_id, IntentStatus.EXPIRED_UNSENT, None, code, reason, as_of)


def _target_is_final(
    intent: OrderIntent, by_id: Mapping[str, BrokerOrder], as_of: datetime
) -> IntentOutcome | None:
    """An intent that cancels or replaces has nothing left to do once its target is final."""
    if intent.kind not in (
        IntentKind.REPRICE,
        IntentKind.CANCEL_ENTRY,
        IntentKind.CANCEL_STOP,
        IntentKind.RENEW_STOP,
    ):
        return None
    target = by_id.get(intent.target_order_id or "")
    if target is None or not state_of(target).is_final:
        return None
    return IntentOutcome(
        intent.intent_id,
        IntentStatus.NOT_NEEDED,
        None,
        "target_is_final",
        f"the order it was about is {target.status}",
        as_of,
    )

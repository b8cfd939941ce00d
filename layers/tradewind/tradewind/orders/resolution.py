"""What became of an intent, judged from the broker's orders alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from tradewind.market.bar import MINUTE
from tradewind.orders.ids import owner_of
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


def orders_by_intent(orders: Sequence[BrokerOrder]) -> dict[str, list[BrokerOrder]]:
    """Orders keyed by the intent their own id names (legs and foreign orders name none)."""
    found: dict[str, list[BrokerOrder]] = {}
    for order in orders:
        found.setdefault(owner_of(order.client_order_id), []).append(order)
    return found


def resolve(
    intents: Sequence[OrderIntent],
    orders: Sequence[BrokerOrder],
    as_of: datetime,
) -> list[IntentOutcome]:
    """Outcomes for intents that have none, from a snapshot read at ``as_of``.

    An intent whose order is there was submitted (or rejected by the broker afterwards). One whose
    order is missing stays open until the snapshot is late enough to prove that nothing arrived.
    """
    known = orders_by_intent(orders)
    by_id = {order.order_id: order for order in orders}
    outcomes = []
    for intent in intents:
        outcome = _from_own_order(intent, known, as_of) or _from_target(intent, by_id, as_of)
        if outcome is None and as_of >= intent.bar_time + MINUTE + ARRIVAL_LIMIT:
            outcome = IntentOutcome(
                intent.intent_id,
                IntentStatus.EXPIRED_UNSENT,
                None,
                "never_arrived",
                "the broker does not know the order and no call can still be under way",
                as_of,
            )
        if outcome is not None:
            outcomes.append(outcome)
    return outcomes


def _from_own_order(
    intent: OrderIntent, known: Mapping[str, Sequence[BrokerOrder]], as_of: datetime
) -> IntentOutcome | None:
    orders = known.get(intent.intent_id)
    if not orders:
        return None
    order = orders[0]
    if order.status is OrderStatus.REJECTED:
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
        "found_at_broker",
        f"found at the broker with status {order.status}",
        as_of,
    )


def _from_target(
    intent: OrderIntent, by_id: Mapping[str, BrokerOrder], as_of: datetime
) -> IntentOutcome | None:
    """An intent that cancels or replaces has nothing left to do once its target is final."""
    if intent.kind not in (IntentKind.REPRICE, IntentKind.CANCEL_ENTRY, IntentKind.CANCEL_STOP):
        return None
    target = by_id.get(intent.target_order_id or "")
    if target is None or not target.status.is_final:
        return None
    return IntentOutcome(
        intent.intent_id,
        IntentStatus.NOT_NEEDED,
        None,
        "target_is_final",
        f"the order it was about is {target.status}",
        as_of,
    )

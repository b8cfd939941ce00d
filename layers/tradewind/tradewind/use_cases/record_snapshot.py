"""One snapshot of the broker's truth into the store of record.

Recorded again it changes nothing. An older one than was recorded before moves no order, position or
figure back; what it alone tells of executions and activities is still taken, because those are
facts whenever they are told.
"""

from __future__ import annotations

from dataclasses import dataclass

from tradewind.alerts.rules import alert_of_late_arrival
from tradewind.market.cycle import Cycle
from tradewind.orders.ids import owner_of, tag_of
from tradewind.orders.life import KnownOrder, merge
from tradewind.orders.model import BrokerOrder, BrokerState
from tradewind.orders.resolution import late_arrivals, resolve, to_look_up
from tradewind.use_cases.book_fills import OrderNews, book_fills
from tradewind.use_cases.check_books import check_cash, check_deployment, check_quantities
from tradewind.use_cases.tell import tell
from tradewind.use_cases.unit_of_work import Stores


@dataclass(frozen=True, slots=True)
class Recorded:
    """How much was new. ``look_up``: the broker's ids of orders that are on record as open and that
    the snapshot did not show: to be asked for one by one, until then nothing about them changes."""

    orders: int
    fills: int
    resolved: int
    look_up: tuple[str, ...] = ()


def record_snapshot(stores: Stores, cycle: Cycle, state: BrokerState) -> Recorded:
    """To be called with the account's lock held, which keeps reading, judging and writing one."""
    account = cycle.account
    last = stores.accounts.latest(account)
    newest = last is None or state.as_of >= last[0]
    missing = stores.orders.missing_fills(account)
    named = {order.order_id for order in state.orders}
    named.update(missing, (fill.order_id for fill in state.fills))
    known = stores.orders.known(account, sorted(named))
    merged = _merged(known, state)
    changed = stores.orders.save(
        account, [one for one in merged.values() if _is_news(one, known.get(one.order.order_id))]
    )
    news = OrderNews(
        orders={order_id: one.order for order_id, one in merged.items()},
        grown=frozenset(
            order_id
            for order_id, one in merged.items()
            if one.order.filled_quantity
            > (known[order_id].order.filled_quantity if order_id in known else 0)
        ),
        owners=stores.orders.owners(account, sorted(merged)),
        missing=missing,
    )
    shown = [news.orders[order_id] for order_id in sorted({o.order_id for o in state.orders})]
    resolved = _resolve(stores, account, shown, state)
    booked = book_fills(stores, account, state, news, newest=newest)
    activities = stores.activities.add(account, state.activities, state.as_of)
    check_cash(stores, account, state, booked.new, activities, newest=newest)
    look_up: list[str] = []
    if newest:
        stores.accounts.add(account, state.account, state.as_of)
        check_deployment(stores, cycle, state, news)
        check_quantities(stores, account, state, shown, booked)
        look_up = to_look_up(stores.orders.open_known(account), shown, state.as_of)
    return Recorded(changed, len(booked.new), resolved, tuple(look_up))


def _merged(known: dict[str, KnownOrder], state: BrokerState) -> dict[str, KnownOrder]:
    merged = dict(known)
    for order in state.orders:
        merged[order.order_id] = merge(merged.get(order.order_id), order, state.as_of)
    return merged


def _is_news(after: KnownOrder, before: KnownOrder | None) -> bool:
    """Whether it has to be written: changed, or open and seen again, which outdates older words. A
    final order at rest is left alone, or each minute would rewrite all orders of four days."""
    if before is None or after.order != before.order:
        return True
    return not after.order.status.is_final and after.as_of != before.as_of


def _resolve(stores: Stores, account: str, shown: list[BrokerOrder], state: BrokerState) -> int:
    """Outcomes for intents without one, and for those judged unsent whose order is there."""
    ids = {owner_of(o.client_order_id) for o in shown if tag_of(o.client_order_id) is not None}
    unsent = stores.intents.unsent(account, sorted(ids))
    late = late_arrivals(unsent, shown, state.as_of)
    resolved = resolve(stores.intents.without_outcome(account), shown, state.as_of) + late
    if resolved:
        stores.intents.record(resolved)
    if late:
        intents = {intent.intent_id: intent for intent in unsent}
        tell(stores, [alert_of_late_arrival(one, intents[one.intent_id]) for one in late])
    return len(resolved)

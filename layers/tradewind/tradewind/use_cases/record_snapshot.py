"""One snapshot of the broker's truth into the store of record.

Recorded again it changes nothing. An older one than was recorded before moves no order, position or
figure back; what it alone tells of executions and activities is still taken, because those are
facts whenever they are told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tradewind.alerts.rules import (
    alert_of_late_arrival,
    alert_of_returned_order,
    alert_of_vanished_order,
)
from tradewind.errors import InvalidInputError
from tradewind.market.cycle import Cycle
from tradewind.orders.comparison import OrderComparison
from tradewind.orders.ids import owner_of, tag_of
from tradewind.orders.life import KnownOrder, OrderState, merge
from tradewind.orders.model import BrokerOrder, BrokerState
from tradewind.orders.resolution import late_arrivals, resolve, to_look_up, vanished
from tradewind.use_cases.book_fills import FillNews, book_fills
from tradewind.use_cases.check_account import check_configuration, check_orders, mark_equity
from tradewind.use_cases.check_books import check_cash, check_deployment, check_quantities
from tradewind.use_cases.tell import tell
from tradewind.use_cases.unit_of_work import Stores


@dataclass(frozen=True, slots=True)
class Recorded:
    """How much was new. ``look_up``: the broker's ids of orders that are on record as open and that
    the snapshot did not show: to be asked for one by one, until then nothing about them changes.
    ``comparison``: orders against intents; None of a snapshot that is not the newest."""

    orders: int
    fills: int
    resolved: int
    look_up: tuple[str, ...] = ()
    comparison: OrderComparison | None = None


def record_snapshot(stores: Stores, cycle: Cycle, state: BrokerState) -> Recorded:
    """To be called with the account's lock held, which keeps reading, judging and writing one.

    Raises InvalidInputError for the snapshot of another brokerage account than is on record under
    this name: its shares would be taken for ours, and ours looked for among them.
    """
    account = cycle.account
    last = stores.accounts.latest(account)
    if last is not None and last[1].account_number != state.account.account_number:
        raise InvalidInputError(
            f"the broker's keys are of another brokerage account than the one on record as "
            f"{account}: give it an AccountName of its own"
        )
    newest = last is None or state.as_of >= last[0]
    waiting = stores.trades.unbooked(account, [fill.execution_id for fill in state.fills])
    told = [fill for fill in state.fills if fill.execution_id in waiting]
    missing = stores.orders.missing_fills(account)
    unsettled = stores.orders.unsettled(account, state.orders)
    named = sorted({*unsettled, *missing, *(fill.order_id for fill in told)})
    known = stores.orders.known(account, named)
    merged = _merged(known, [o for o in state.orders if o.order_id in unsettled], state.as_of)
    changed = stores.orders.save(
        account, [one for one in merged.values() if _is_news(one, known.get(one.order.order_id))]
    )
    _tell_returned(stores, account, known, merged, state.as_of)
    news = FillNews(
        told=told,
        unknown=stores.fills.unknown(account, sorted(waiting)),
        orders={order_id: one.order for order_id, one in merged.items()},
        grown=_grown(known, merged),
        owners=stores.orders.owners(account, named),
        missing=missing,
    )
    shown = list({o.order_id: news.orders.get(o.order_id, o) for o in state.orders}.values())
    resolved = _resolve(stores, account, shown, state)
    booked = book_fills(stores, cycle, state, news, newest=newest)
    activities = stores.activities.add(account, state.activities, state.as_of)
    check_cash(stores, account, state, booked.new, activities, newest=newest)
    look_up: list[str] = []
    comparison: OrderComparison | None = None
    if newest:
        changed += _end_vanished(stores, account, state)
        stores.accounts.add(account, state.account, state.as_of)
        mark_equity(stores, cycle, state)
        check_configuration(stores, cycle, state)
        check_deployment(stores, cycle, state.as_of, shown)
        check_quantities(stores, cycle, state, shown, booked)
        look_up = to_look_up(stores.orders.open_known(account), shown, state.as_of)
        comparison = check_orders(stores, cycle, state, shown)
    return Recorded(changed, len(booked.new), resolved, tuple(look_up), comparison)


def _merged(
    known: Mapping[str, KnownOrder], told: Sequence[BrokerOrder], as_of: datetime
) -> dict[str, KnownOrder]:
    merged = dict(known)
    for order in told:
        merged[order.order_id] = merge(merged.get(order.order_id), order, as_of)
    return merged


def _end_vanished(stores: Stores, account: str, state: BrokerState) -> int:
    """Orders that were open and that the broker does not know any more; how many there were."""
    if not state.not_known:
        return 0
    before = {one.order.order_id: one for one in stores.orders.open_known(account)}
    ended = vanished(before.values(), state.not_known, state.as_of)
    tell(
        stores,
        account,
        [alert_of_vanished_order(account, before[o.order.order_id], state.as_of) for o in ended],
    )
    return stores.orders.save(account, ended)


def _tell_returned(
    stores: Stores,
    account: str,
    known: Mapping[str, KnownOrder],
    merged: Mapping[str, KnownOrder],
    as_of: datetime,
) -> None:
    """Orders of which the broker has a word again after we judged that they had vanished."""
    gone = [order_id for order_id, one in known.items() if one.state is OrderState.VANISHED]
    back = [merged[one] for one in gone if merged[one].state is not OrderState.VANISHED]
    tell(stores, account, [alert_of_returned_order(account, one.order, as_of) for one in back])


def _grown(known: Mapping[str, KnownOrder], merged: Mapping[str, KnownOrder]) -> set[str]:
    """The orders of which more is filled than was known."""
    before = {order_id: one.order.filled_quantity for order_id, one in known.items()}
    return {
        order_id
        for order_id, one in merged.items()
        if one.order.filled_quantity > before.get(order_id, 0)
    }


def _is_news(after: KnownOrder, before: KnownOrder | None) -> bool:
    """Whether it has to be written: changed, or open and seen again, which outdates older words."""
    if before is None or after.order != before.order:
        return True
    return not after.order.status.is_final and after.as_of != before.as_of


def _resolve(stores: Stores, account: str, shown: Sequence[BrokerOrder], state: BrokerState) -> int:
    """Outcomes for intents without one, and for those judged unsent whose order is there."""
    ids = {owner_of(o.client_order_id) for o in shown if tag_of(o.client_order_id) is not None}
    unsent = stores.intents.unsent(account, sorted(ids))
    late = late_arrivals(unsent, shown, state.as_of)
    unresolved = stores.intents.without_outcome(account)
    resolved = resolve(unresolved, shown, state.as_of, state.listed_since) + late
    if resolved:
        stores.intents.record(resolved)
    if late:
        intents = {intent.intent_id: intent for intent in unsent}
        tell(stores, account, [alert_of_late_arrival(one, intents[one.intent_id]) for one in late])
    return len(resolved)

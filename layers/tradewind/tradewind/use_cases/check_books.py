"""Our books against the broker's word: quantities, cash, and whether we trade here alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from tradewind.alerts.rules import (
    alert_of_cash_difference,
    alert_of_difference,
    alert_of_second_deployment,
)
from tradewind.market.cycle import Cycle
from tradewind.orders.ids import deployment_tag
from tradewind.orders.model import BrokerActivity, BrokerFill, BrokerOrder, BrokerState
from tradewind.orders.strangers import strangers
from tradewind.portfolio.cash import SETTLING, cash_difference, cash_effect
from tradewind.portfolio.differences import quantity_differences, symbols_at_work
from tradewind.portfolio.model import CashReckoning
from tradewind.use_cases.book_fills import Booked, book_foreign_sales
from tradewind.use_cases.carry_out_splits import carry_out_splits
from tradewind.use_cases.tell import tell
from tradewind.use_cases.unit_of_work import Stores


def check_deployment(
    stores: Stores, cycle: Cycle, as_of: datetime, orders: Sequence[BrokerOrder]
) -> None:
    """A second deployment's orders are noted, which refuses entries while a snapshot shows them,
    and told. ``orders``: those that the snapshot shows, as they stand."""
    foreign = stores.orders.foreign(cycle.account, [order.order_id for order in orders])
    found = strangers(
        [order for order in orders if order.order_id in foreign],
        deployment_tag(cycle.deployment),
        stores.cycles.first_decided(cycle.account),
    )
    stores.orders.note_strangers(cycle.account, [order.order_id for order in found], as_of)
    if found:
        tell(stores, cycle.account, [alert_of_second_deployment(cycle.account, found, as_of)])


def check_quantities(
    stores: Stores, cycle: Cycle, state: BrokerState, orders: Sequence[BrokerOrder], booked: Booked
) -> None:
    """``orders``: those that the snapshot shows, as they stand.

    A position that is gone at the broker is no difference once the broker has told who sold it, and
    one that the broker shows in the units of after a split is converted.
    """
    account = cycle.account
    ours = stores.holdings.confirm(account, state.positions, state.as_of)
    ours = carry_out_splits(stores, cycle, state, ours)
    noted = {one.symbol: one.differs_since for one in ours if one.differs_since is not None}
    in_books = {
        order.order_id: order.filled_quantity - booked.unbooked.get(order.order_id, 0)
        for order in orders
    }
    differences = quantity_differences(
        {one.symbol: one.quantity for one in ours},
        {position.symbol: position.quantity for position in state.positions},
        symbols_at_work(stores.intents.without_outcome(account), orders, in_books),
        noted,
        state.as_of,
    )
    gone = [
        one.symbol
        for one in differences
        if one.is_unexplained(state.as_of) and one.brokers == 0 and one.ours > 0
    ]
    closed = book_foreign_sales(stores, cycle, gone) if gone else set()
    differences = [one for one in differences if one.symbol not in closed]
    if {one.symbol: one.since for one in differences} != noted:
        stores.holdings.note_differences(account, differences)
    unexplained = [one for one in differences if one.is_unexplained(state.as_of)]
    tell(stores, account, [alert_of_difference(account, one, state.as_of) for one in unexplained])


def check_cash(
    stores: Stores,
    account: str,
    state: BrokerState,
    fills: Sequence[BrokerFill],
    activities: Sequence[BrokerActivity],
    *,
    newest: bool,
) -> None:
    """Carry the reckoning on with what is new, and compare it with the newest snapshot's cash."""
    before = stores.cash.reckoning(account)
    if before is None:
        if newest and _is_at_rest(state):
            cash = state.account.cash
            stores.cash.save(account, CashReckoning(cash, state.as_of, cash))
        return
    after = _carried_on(before, state, fills, activities)
    if newest:
        difference = cash_difference(
            after.expected,
            state.account.cash,
            since=before.differs_since,
            newest_fill=after.newest_fill,
            as_of=state.as_of,
        )
        after = replace(after, differs_since=difference.since if difference else None)
        if difference is not None and difference.is_unexplained(state.as_of):
            tell(stores, account, [alert_of_cash_difference(account, difference, state.as_of)])
    if after != before:
        stores.cash.save(account, after)


def _is_at_rest(state: BrokerState) -> bool:
    """Whether it is clear which executions the snapshot's cash holds: none is as new as it."""
    return all(fill.at <= state.as_of - SETTLING for fill in state.fills)


def _carried_on(
    reckoning: CashReckoning,
    state: BrokerState,
    fills: Sequence[BrokerFill],
    activities: Sequence[BrokerActivity],
) -> CashReckoning:
    since = [fill for fill in fills if fill.at > reckoning.baseline_at]
    moved = cash_effect(since, activities if state.as_of > reckoning.baseline_at else ())
    times = [fill.at for fill in since]
    if reckoning.newest_fill is not None:
        times.append(reckoning.newest_fill)
    return replace(
        reckoning,
        expected=reckoning.expected + moved,
        newest_fill=max(times) if times else None,
    )

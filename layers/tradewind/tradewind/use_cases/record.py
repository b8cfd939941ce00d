"""Write what the broker said into the store of record; all of it idempotent and never backwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tradewind.alerts.model import Alert
from tradewind.alerts.rules import (
    alert_of_calendar,
    alert_of_difference,
    alert_of_outcome,
    alert_of_sale,
    alert_of_unbookable,
)
from tradewind.errors import InvalidInputError
from tradewind.market.cycle import Cycle
from tradewind.orders.model import BrokerFill, BrokerState, IntentOutcome, OrderIntent
from tradewind.orders.resolution import resolve
from tradewind.orders.snapshot import load_state
from tradewind.portfolio.accounting import apply_fill, flat, trade_of
from tradewind.portfolio.model import Holding, Trade
from tradewind.tradelog.model import OutboxMessage
from tradewind.tradelog.rules import event_of_trade, message_of_alert, message_of_event
from tradewind.use_cases.ports import PayloadRef, Payloads
from tradewind.use_cases.unit_of_work import Database, Stores

OUTBOX_BATCH = 100


@dataclass(frozen=True, slots=True)
class Recorded:
    """How much was new."""

    orders: int
    fills: int
    resolved: int


def record_broker_state(
    cycle: Cycle, ref: PayloadRef, *, payloads: Payloads, database: Database
) -> Recorded:
    """The sync step's second half: orders, fills, positions, account, open intents' outcomes."""
    state = load_state(payloads.get(ref))
    with database.transaction() as stores:
        stores.cycles.lock_account(cycle.account)
        if state.next_close not in (None, cycle.session.close):
            _tell(stores, [alert_of_calendar(cycle.session, state.next_close)])
        return _record_state(stores, cycle.account, state)


def record_orders(
    cycle: Cycle,
    outcomes: Sequence[IntentOutcome],
    ref: PayloadRef | None,
    *,
    payloads: Payloads,
    database: Database,
) -> list[OutboxMessage]:
    """The end of a run: outcomes, what the orders became, and the messages to be published."""
    state = load_state(payloads.get(ref)) if ref is not None else None
    with database.transaction() as stores:
        stores.cycles.lock_account(cycle.account)
        if outcomes:
            intents = {
                intent.intent_id: intent
                for intent in stores.intents.find([o.intent_id for o in outcomes])
            }
            stores.intents.record([o for o in outcomes if o.intent_id in intents])
            alerts = [
                alert_of_outcome(outcome, intents.get(outcome.intent_id)) for outcome in outcomes
            ]
            _tell(stores, [alert for alert in alerts if alert is not None])
        if state is not None:
            _record_state(stores, cycle.account, state)
        stores.cycles.finished(cycle.account, cycle.bar_time)
        return stores.outbox.unsent(OUTBOX_BATCH)


def mark_published(message_ids: Sequence[UUID], *, database: Database) -> None:
    """The machine has published these; they are not handed out again."""
    with database.transaction() as stores:
        stores.outbox.mark_sent(message_ids)


def _record_state(stores: Stores, account: str, state: BrokerState) -> Recorded:
    changed = stores.orders.upsert(account, state.orders, state.as_of)
    unresolved = stores.intents.without_outcome(account)
    resolved = resolve(unresolved, state.orders, state.as_of)
    if resolved:
        stores.intents.record(resolved)
    fills = stores.fills.add(account, state.fills)
    _book(stores, account, state)
    stores.accounts.add(account, state.account, state.as_of)
    differing = stores.holdings.confirm(account, state.positions, state.as_of)
    moving = {order.symbol for order in state.orders if not order.status.is_final}
    _tell(
        stores,
        [
            alert_of_difference(account, symbol, state.as_of)
            for symbol in differing
            if symbol not in moving
        ],
    )
    return Recorded(changed, len(fills), len(resolved))


def _book(stores: Stores, account: str, state: BrokerState) -> None:
    """Fills of ours that have no trade yet into holdings, trades, trade events and alerts.

    Every fill of the snapshot is looked at, not only the new ones: one may have come before its
    order was known. Foreign fills are kept as fills only: they are not ours to account for.
    """
    owner_of_order = stores.orders.intent_of(account)
    ours = [fill for fill in state.fills if fill.order_id in owner_of_order]
    if not ours:
        return
    unbooked = stores.trades.unbooked(account, [fill.execution_id for fill in ours])
    fills = sorted(
        (fill for fill in ours if fill.execution_id in unbooked),
        key=lambda fill: (fill.at, fill.execution_id),
    )
    if not fills:
        return
    intents = _intents_of(stores, owner_of_order, fills)
    holdings = {holding.symbol: holding for holding in stores.holdings.all(account)}
    stops = {order.order_id for order in state.orders if order.order_type == "stop"}
    trades: list[Trade] = []
    alerts: list[Alert] = []
    touched: dict[str, Holding] = {}
    for fill in fills:
        intent = intents[owner_of_order[fill.order_id]]
        before = holdings.get(fill.symbol) or flat(fill.symbol, intent.strategy)
        try:
            after, realised = apply_fill(before, fill)
        except InvalidInputError as error:
            # Told, and left unbooked: the broker's quantity goes on to be shown beside ours.
            alerts.append(alert_of_unbookable(fill, str(error)))
            continue
        holdings[fill.symbol] = touched[fill.symbol] = after
        trade = trade_of(fill, intent.intent_id, realised)
        trades.append(trade)
        alerts.append(alert_of_sale(trade, before, by_stop=fill.order_id in stops))
    _tell(stores, alerts)
    if trades:
        stores.holdings.save(account, tuple(touched.values()), fills[-1].at)
        stores.trades.add(account, trades)
        stores.outbox.add([message_of_event(event_of_trade(trade)) for trade in trades])


def _intents_of(
    stores: Stores, owner_of_order: Mapping[str, str], fills: Sequence[BrokerFill]
) -> dict[str, OrderIntent]:
    wanted = sorted({owner_of_order[fill.order_id] for fill in fills})
    return {intent.intent_id: intent for intent in stores.intents.find(wanted)}


def _tell(stores: Stores, alerts: Sequence[Alert]) -> None:
    if alerts:
        stores.outbox.add([message_of_alert(alert) for alert in alerts])

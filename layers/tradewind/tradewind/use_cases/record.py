"""Write what the broker said into the store of record; all of it idempotent and never backwards."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from tradewind.alerts.rules import alert_of_calendar, alert_of_outcome, alert_of_switch_change
from tradewind.errors import InvalidInputError, RetryableError
from tradewind.market.cycle import Cycle
from tradewind.orders.control import SwitchChange, TradingControl
from tradewind.orders.model import IntentOutcome
from tradewind.orders.snapshot import load_state
from tradewind.tradelog.model import OutboxMessage
from tradewind.use_cases.ports import PayloadRef, Payloads
from tradewind.use_cases.record_snapshot import Recorded, record_snapshot
from tradewind.use_cases.tell import tell
from tradewind.use_cases.unit_of_work import Database, Stores

logger = logging.getLogger(__name__)

OUTBOX_BATCH = 100


def record_broker_state(
    cycle: Cycle, ref: PayloadRef, *, payloads: Payloads, database: Database
) -> Recorded:
    """The sync step's second half: orders, fills, positions, account, open intents' outcomes."""
    state = load_state(payloads.get(ref))
    with database.transaction() as stores:
        stores.cycles.lock_account(cycle.account)
        if state.next_close not in (None, cycle.session.close):
            tell(stores, None, [alert_of_calendar(cycle.session, state.next_close)])
        return record_snapshot(stores, cycle, state)


def record_orders(
    cycle: Cycle,
    outcomes: Sequence[IntentOutcome],
    ref: PayloadRef | None,
    *,
    payloads: Payloads,
    database: Database,
    control: TradingControl | None = None,
) -> list[OutboxMessage]:
    """The end of a run: outcomes, what the orders became, and the messages to be published.

    With ``control``, changes of the trading switch are written down too; that it cannot be reached
    stops nothing else.
    """
    state = load_state(payloads.get(ref)) if ref is not None else None
    changes = _switch_changes(control, cycle.account)
    with database.transaction() as stores:
        stores.cycles.lock_account(cycle.account)
        if outcomes:
            _record_outcomes(stores, cycle.account, outcomes)
        if state is not None:
            record_snapshot(stores, cycle, state)
        recorded = stores.switch_changes.add(changes)
        tell(stores, cycle.account, [alert_of_switch_change(change) for change in recorded])
        if not cycle.reconciles:
            stores.cycles.finished(cycle.account, cycle.bar_time)
        return stores.outbox.unsent(OUTBOX_BATCH)


def _record_outcomes(stores: Stores, account: str, outcomes: Sequence[IntentOutcome]) -> None:
    found = stores.intents.find([outcome.intent_id for outcome in outcomes])
    intents = {intent.intent_id: intent for intent in found}
    stores.intents.record([o for o in outcomes if o.intent_id in intents])
    alerts = [alert_of_outcome(outcome, intents.get(outcome.intent_id)) for outcome in outcomes]
    tell(stores, account, [alert for alert in alerts if alert is not None])


def mark_published(message_ids: Sequence[UUID], *, database: Database) -> None:
    """The machine has published these; they are not handed out again."""
    with database.transaction() as stores:
        stores.outbox.mark_sent(message_ids)


def _switch_changes(control: TradingControl | None, account: str) -> list[SwitchChange]:
    """The newest changes of the trading switch. They stay in the control table, so that a run which
    cannot read them leaves them to the next."""
    if control is None:
        return []
    try:
        return control.switch_changes(account)
    except (RetryableError, InvalidInputError) as error:
        logger.warning("the changes of the trading switch were not read: %s", error)
        return []

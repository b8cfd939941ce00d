"""Read the broker's truth in one snapshot, and follow orders until they have come to rest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from tradewind.errors import RetryableError
from tradewind.market.cycle import Cycle
from tradewind.orders.model import BrokerState, IntentOutcome, IntentStatus
from tradewind.orders.ports import Broker
from tradewind.orders.snapshot import dump_state
from tradewind.use_cases.ports import Clock, PayloadRef, Payloads

# Longer than any outage worth healing by itself; GTC stops show whatever their age as long as open.
WINDOW = timedelta(days=4)
FOLLOW_FOR = 20.0  # seconds
FOLLOW_POLL = 0.5
FIRST_POLL = 0.05


def read_broker_state(broker: Broker, clock: Clock) -> BrokerState:
    """Orders, fills, positions, account. ``as_of`` is taken before the first read, so that the
    snapshot is never called newer than its oldest part; fills are read last, so that they hold
    whatever the orders show."""
    as_of = clock.now()
    since = as_of - WINDOW
    return BrokerState(
        as_of=as_of,
        account=broker.account(),
        positions=tuple(broker.positions()),
        orders=tuple(broker.orders(since)),
        fills=tuple(broker.fills(since)),
    )


def sync_broker(cycle: Cycle, *, broker: Broker, payloads: Payloads, clock: Clock) -> PayloadRef:
    """The snapshot the run decides on, passed on by reference. The session's first one also holds
    what the broker's own clock says of the session."""
    state = read_broker_state(broker, clock)
    if cycle.bar_time == cycle.session.open:
        state = replace(state, next_close=broker.next_close())
    return _pass_on(cycle, "broker", state, payloads)


def follow_orders(
    cycle: Cycle,
    outcomes: Sequence[IntentOutcome],
    *,
    broker: Broker,
    payloads: Payloads,
    clock: Clock,
) -> PayloadRef:
    """Wait until this run's orders are final or resting, 20 s at most; then read everything once
    more. An entry still open then is cancelled by the next run."""
    waiting = {
        outcome.intent_id
        for outcome in outcomes
        if outcome.status in (IntentStatus.SUBMITTED, IntentStatus.UNKNOWN)
    }
    waited, pause = 0.0, FIRST_POLL
    while True:
        waiting = {intent_id for intent_id in waiting if not _at_rest(intent_id, broker)}
        if not waiting or waited >= FOLLOW_FOR:
            break
        clock.sleep(pause)
        waited, pause = waited + pause, FOLLOW_POLL
    state = read_broker_state(broker, clock)
    return _pass_on(cycle, "followed", state, payloads)


def _pass_on(cycle: Cycle, what: str, state: BrokerState, payloads: Payloads) -> PayloadRef:
    """Two reconciliations of a minute have one name, and must not change each other's object."""
    body = dump_state(state)
    digest = hashlib.sha256(body).hexdigest()[:16]
    key = f"cycles/{cycle.execution}/{what}-{digest}.json"
    return payloads.put(key, body, len(state.orders))


def _at_rest(intent_id: str, broker: Broker) -> bool:
    try:
        order = broker.order_by_client_id(intent_id)
    except RetryableError:
        return False
    return order is None or order.status.is_final or order.order_type == "stop"

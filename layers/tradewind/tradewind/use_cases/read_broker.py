"""Read the broker's truth in one snapshot, and follow orders until they have come to rest.

Fills are polled: no process of ours is resident, so nobody listens to the broker's order stream.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from tradewind.errors import BrokerRejectedError, RetryableError
from tradewind.market.cycle import Cycle
from tradewind.orders.configuration import WANTED_CONFIGURATION, AccountConfiguration
from tradewind.orders.model import (
    BrokerFill,
    BrokerOrder,
    BrokerState,
    IntentOutcome,
    IntentStatus,
    OrderType,
)
from tradewind.orders.ports import Broker
from tradewind.orders.resolution import LISTING_REACH
from tradewind.orders.snapshot import dump_state
from tradewind.use_cases.ports import Clock, PayloadRef, Payloads

logger = logging.getLogger(__name__)

# What a minute's snapshot reads: this session's orders and fills, and what was left just before.
BEFORE_THE_OPEN = timedelta(hours=1)
# A session's runs read the long window at the open and then as often as this.
LONG_EVERY = timedelta(minutes=30)
# Orders that no list shows and that are each asked for by their id.
MOST_OLD_ORDERS = 20

FOLLOW_FOR = 20.0  # seconds
FIRST_POLL = 0.05
SECOND_POLL = 0.5  # each pause after it is half as long again
LONGEST_POLL = 2.0
# How long executions may come later than the order that says it was filled.
FILLS_WITHIN = 5.0

_AT_REST_OPEN = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)


class _Wait:
    """Seconds since its beginning: by the clock, which also counts slow answers, and no fewer than
    were slept, because a replay's clock may stand still."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.now()
        self._slept = 0.0

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)
        self._slept += seconds

    def over(self, seconds: float) -> bool:
        passed = (self._clock.now() - self._began).total_seconds()
        return max(self._slept, passed) >= seconds


def read_broker_state(broker: Broker, clock: Clock, since: datetime) -> BrokerState:
    """Orders and fills since then, open orders of any age, positions, account, activities.

    ``as_of`` is taken before the first read, so that the snapshot is never called newer than its
    oldest part; fills are read last, so that they hold whatever the orders show. An order of an
    earlier day that a fill tells of is asked for by its id. Activities are few and booked late:
    they are always read over the long window.
    """
    as_of = clock.now()
    account, positions = broker.account(), broker.positions()
    orders = broker.orders(since)
    activities = broker.activities(as_of - LISTING_REACH)
    fills = broker.fills(since)
    return BrokerState(
        as_of=as_of,
        account=account,
        positions=tuple(positions),
        orders=(*orders, *_filled_meanwhile(orders, fills, broker)),
        fills=tuple(fills),
        activities=tuple(activities),
        listed_since=since,
    )


def sync_broker(
    cycle: Cycle,
    *,
    symbols: Sequence[str],
    set_configuration: bool,
    broker: Broker,
    payloads: Payloads,
    clock: Clock,
) -> PayloadRef:
    """The snapshot the run decides on, passed on by reference. The session's first one also holds
    what the broker's own clock says of the session, how the account is set up and which of
    ``symbols`` are not traded. With ``set_configuration`` a set-up that is not the wanted one is
    changed to it first."""
    state = read_broker_state(broker, clock, _since(cycle, clock))
    if cycle.bar_time == cycle.session.open:
        state = replace(
            state,
            next_close=broker.next_close(),
            configuration=_configuration(broker, symbols, set_configuration),
        )
    return _pass_on(cycle, "broker", state, payloads)


def _configuration(
    broker: Broker, symbols: Sequence[str], set_it: bool
) -> AccountConfiguration | None:
    """None when the broker does not tell: the last one read counts on."""
    try:
        found = broker.configuration()
        if set_it and found.faults():
            found = broker.configure(WANTED_CONFIGURATION)
        return replace(found, untradable=tuple(broker.untradable(symbols)))
    except (RetryableError, BrokerRejectedError) as error:
        logger.warning("the account's configuration was not read: %s", error)
        return None


def follow_orders(
    cycle: Cycle,
    outcomes: Sequence[IntentOutcome],
    look_up: Sequence[str] = (),
    *,
    broker: Broker,
    payloads: Payloads,
    clock: Clock,
) -> PayloadRef:
    """Wait until this run's orders are final or resting, 20 s at most, and until the executions of
    what filled are listed; then read everything once more. An entry still open then is cancelled by
    the next run. ``look_up`` are the broker's ids of orders that are on record as open and that its
    list does not show: each is asked for, because gone from a list is neither filled nor cancelled.
    """
    waiting = {
        outcome.intent_id
        for outcome in outcomes
        if outcome.status in (IntentStatus.SUBMITTED, IntentStatus.UNKNOWN)
    }
    wait, pause = _Wait(clock), FIRST_POLL
    while True:
        waiting = {intent_id for intent_id in waiting if not _at_rest(intent_id, broker)}
        if not waiting or wait.over(FOLLOW_FOR):
            break
        wait.sleep(pause)
        pause = min(max(pause * 1.5, SECOND_POLL), LONGEST_POLL)
    followed = {outcome.broker_order_id for outcome in outcomes if outcome.broker_order_id}
    state = _with_executions(followed, broker, clock, cycle.session.open - BEFORE_THE_OPEN)
    return _pass_on(cycle, "followed", _with_missing(state, look_up, broker), payloads)


def _with_missing(state: BrokerState, look_up: Sequence[str], broker: Broker) -> BrokerState:
    shown = {order.order_id for order in state.orders}
    asked = [order_id for order_id in look_up if order_id not in shown][:MOST_OLD_ORDERS]
    found = {order_id: broker.order(order_id) for order_id in asked}
    return replace(
        state,
        orders=(*state.orders, *(order for order in found.values() if order is not None)),
        not_known=tuple(order_id for order_id, order in found.items() if order is None),
    )


def _with_executions(
    order_ids: set[str], broker: Broker, clock: Clock, since: datetime
) -> BrokerState:
    """A snapshot in which the executions of these orders add up to what they filled, or the newest
    one after a while: reconciliation deals with executions that never come."""
    wait, pause = _Wait(clock), SECOND_POLL
    while True:
        state = read_broker_state(broker, clock, since)
        if wait.over(FILLS_WITHIN) or not _without_executions(order_ids, state):
            return state
        wait.sleep(pause)
        pause = min(pause * 1.5, LONGEST_POLL)


def _without_executions(order_ids: set[str], state: BrokerState) -> bool:
    told: dict[str, Decimal] = {}
    for fill in {fill.execution_id: fill for fill in state.fills}.values():
        told[fill.order_id] = told.get(fill.order_id, Decimal(0)) + fill.quantity
    return any(
        told.get(order.order_id, Decimal(0)) < order.filled_quantity
        for order in state.orders
        if order.order_id in order_ids
    )


def _since(cycle: Cycle, clock: Clock) -> datetime:
    """From when a snapshot reads. A session's regular runs read their own session, so that each
    minute costs the same few requests; the first one, one each half an hour, and every
    reconciliation read back beyond any outage."""
    if not cycle.reconciles and (cycle.bar_time - cycle.session.open) % LONG_EVERY:
        return cycle.session.open - BEFORE_THE_OPEN
    return clock.now() - LISTING_REACH


def _filled_meanwhile(
    orders: Sequence[BrokerOrder], fills: Sequence[BrokerFill], broker: Broker
) -> list[BrokerOrder]:
    """Orders that no list shows (submitted before the window, and final) and that filled in it: a
    stop of the day before that was triggered."""
    listed = {order.order_id for order in orders}
    missing = dict.fromkeys(fill.order_id for fill in fills if fill.order_id not in listed)
    found = [broker.order(order_id) for order_id in list(missing)[:MOST_OLD_ORDERS]]
    return [order for order in found if order is not None]


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
    return order is None or order.status.is_final or order.order_type in _AT_REST_OPEN

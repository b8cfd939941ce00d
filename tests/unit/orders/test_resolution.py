"""What a snapshot says of intents without an outcome, of unsent ones, and of orders it omits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tradewind.orders.ids import protect_id
from tradewind.orders.life import KnownOrder, OrderState
from tradewind.orders.model import BrokerOrder, IntentKind, IntentStatus, OrderIntent, OrderStatus
from tradewind.orders.resolution import LISTING_REACH, late_arrivals, resolve, to_look_up, vanished

from tests.fakes import START, an_order
from tests.unit.orders.test_procedures import EXIT

DECIDED = EXIT.bar_time
SOON = DECIDED + timedelta(seconds=70)
LATE = DECIDED + timedelta(minutes=3)
SECOND = timedelta(seconds=1)
REPRICE = replace(EXIT, kind=IntentKind.REPRICE, target_order_id="stop-1")


def own(status: OrderStatus = OrderStatus.NEW, **changes: object) -> BrokerOrder:
    return an_order(client_order_id=EXIT.intent_id, status=status, **changes)


PUT_BACK = an_order(order_id="order-2", client_order_id=protect_id(EXIT.intent_id))

CASES = [
    # (the broker shows, read at, intent, outcome, code)
    ("its order", [own()], SOON, EXIT, IntentStatus.SUBMITTED, "found_at_broker"),
    ("its order, cancelled since: it was submitted all the same",
     [own(OrderStatus.CANCELED)], SOON, EXIT, IntentStatus.SUBMITTED, "found_at_broker"),
    ("its order, rejected later",
     [own(OrderStatus.REJECTED)], SOON, EXIT, IntentStatus.REJECTED, "rejected_later"),
    ("its order with a status nobody knows",
     [own(OrderStatus.UNRECOGNISED)], SOON, EXIT, IntentStatus.SUBMITTED, "found_at_broker"),
    ("the stop it put back", [PUT_BACK], SOON, EXIT, IntentStatus.SUBMITTED, "found_at_broker"),
    # Its own order speaks for it, whichever of the two is listed first.
    ("its order, rejected later, and the stop it put back",
     [PUT_BACK, own(OrderStatus.REJECTED)], SOON, EXIT, IntentStatus.REJECTED, "rejected_later"),
    ("the same, listed the other way round",
     [own(OrderStatus.REJECTED), PUT_BACK], SOON, EXIT, IntentStatus.REJECTED, "rejected_later"),
    ("nothing, and a call may be under way", [], SOON, EXIT, None, None),
    ("nothing, a moment before the arrival limit", [], LATE - SECOND, EXIT, None, None),
    ("nothing, and no call can be under way", [], LATE, EXIT, IntentStatus.EXPIRED_UNSENT,
     "never_arrived"),
    # Nothing is proven: had it arrived, it would be listed no more. The positions will tell.
    ("nothing, after an outage longer than listings reach back", [],
     DECIDED + LISTING_REACH + SECOND, EXIT, IntentStatus.EXPIRED_UNSENT, "out_of_sight"),
    ("its order, after an outage", [own()], DECIDED + LISTING_REACH + SECOND, EXIT,
     IntentStatus.SUBMITTED, "found_at_broker"),
    ("its target, filled", [an_order(order_id="stop-1", status=OrderStatus.FILLED)], SOON, REPRICE,
     IntentStatus.NOT_NEEDED, "target_is_final"),
    ("its target, filled, long after", [an_order(order_id="stop-1", status=OrderStatus.FILLED)],
     LATE, REPRICE, IntentStatus.NOT_NEEDED, "target_is_final"),
    ("its target, replaced, and its own order",
     [an_order(order_id="stop-1", status=OrderStatus.REPLACED), own(replaces="stop-1")], SOON,
     REPRICE, IntentStatus.SUBMITTED, "found_at_broker"),
    ("its target, still resting", [an_order(order_id="stop-1")], SOON, REPRICE, None, None),
    # An exit is not over because the stop that it was to cancel is.
    ("an exit's target, filled", [an_order(order_id="stop-1", status=OrderStatus.FILLED)], SOON,
     EXIT, None, None),
    ("a stranger's order", [an_order(client_order_id="mine")], SOON, EXIT, None, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("orders", "as_of", "intent", "status", "code"),
    [row[1:] for row in CASES],
    ids=[str(row[0]) for row in CASES],
)
def test_resolution(
    orders: list[BrokerOrder],
    as_of: datetime,
    intent: OrderIntent,
    status: IntentStatus | None,
    code: str | None,
) -> None:
    outcomes = [(found.status, found.reason_code) for found in resolve([intent], orders, as_of)]
    assert outcomes == ([(status, code)] if status else [])


REACHES = [
    # (the snapshot lists what is over since, its order is not there, outcome)
    ("all of it", None, IntentStatus.EXPIRED_UNSENT),
    ("back to the decision", DECIDED, IntentStatus.EXPIRED_UNSENT),
    # It may have arrived and be over: another snapshot will reach back to it.
    ("only what came later", DECIDED + SECOND, None),
]


@pytest.mark.parametrize(
    ("listed_since", "status"), [row[1:] for row in REACHES], ids=[row[0] for row in REACHES]
)
def test_absence_proves_something_only_where_the_snapshot_reaches(
    listed_since: datetime | None, status: IntentStatus | None
) -> None:
    outcomes = resolve([EXIT], [], LATE, listed_since)
    assert [outcome.status for outcome in outcomes] == ([status] if status else [])


def test_times_are_the_snapshots_own() -> None:
    (outcome,) = resolve([EXIT], [], LATE)
    assert outcome.at == LATE
    assert outcome.at.tzinfo is UTC


ARRIVALS = [
    # (the broker shows, what the unsent intent becomes)
    ("its order at work", [own()], IntentStatus.SUBMITTED, "arrived_after_all"),
    ("its order, filled", [own(OrderStatus.FILLED)], IntentStatus.SUBMITTED, "arrived_after_all"),
    ("its order, rejected", [own(OrderStatus.REJECTED)], IntentStatus.REJECTED, "rejected_later"),
    ("nothing: unsent it is", [], None, None),
    ("a stranger's order", [an_order(client_order_id="mine")], None, None),
]


@pytest.mark.parametrize(
    ("orders", "status", "code"),
    [row[1:] for row in ARRIVALS],
    ids=[str(row[0]) for row in ARRIVALS],
)
def test_what_was_judged_unsent_and_arrived_after_all(
    orders: list[BrokerOrder], status: IntentStatus | None, code: str | None
) -> None:
    found = late_arrivals([EXIT], orders, LATE)
    assert [(one.status, one.reason_code) for one in found] == ([(status, code)] if status else [])


OMITTED = [
    # (on record, read at, the snapshot shows it, to be asked for)
    ("open: a listing may not reach back to it", OrderStatus.NEW, START, False, True),
    ("a leg that a flat list leaves out", OrderStatus.HELD, START, False, True),
    ("being cancelled: gone is not cancelled", OrderStatus.PENDING_CANCEL, START, False, True),
    ("shown", OrderStatus.NEW, START, True, False),
    ("final: it leaves the listings in time", OrderStatus.FILLED, START, False, False),
    ("learnt after the snapshot was read", OrderStatus.NEW, START + 2 * SECOND, False, False),
]


@pytest.mark.parametrize(
    ("status", "known_at", "shown", "asked"),
    [row[1:] for row in OMITTED],
    ids=[str(row[0]) for row in OMITTED],
)
def test_orders_that_a_snapshot_omits(
    status: OrderStatus, known_at: datetime, shown: bool, asked: bool
) -> None:
    order = an_order(status=status)
    ids = to_look_up([KnownOrder(order, known_at)], [order] if shown else [], START + SECOND)
    assert ids == (["order-1"] if asked else [])


# (the state on record, seconds since it was shown, asked for and not known, whether it is over)
GONE = [
    (OrderStatus.NEW, 121, True, True),
    (OrderStatus.HELD, 121, True, True),
    (OrderStatus.PENDING_CANCEL, 121, True, True),
    (OrderStatus.NEW, 120, True, False),  # a listing and a look-up may both fail for a moment
    (OrderStatus.NEW, 3600, False, False),  # not asked for
    (OrderStatus.FILLED, 3600, True, False),
]


@pytest.mark.parametrize(("status", "seconds", "asked", "over"), GONE)
def test_an_order_that_the_broker_does_not_know_is_over_in_time(
    status: OrderStatus, seconds: int, asked: bool, over: bool
) -> None:
    order = an_order(status=status)
    as_of = START + seconds * SECOND
    ended = vanished([KnownOrder(order, START)], [order.order_id] if asked else [], as_of)
    assert [(one.state, one.as_of) for one in ended] == [(OrderState.VANISHED, as_of)] * over

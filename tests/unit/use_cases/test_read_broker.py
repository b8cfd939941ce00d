"""Reading the broker: the snapshot of a run, and how long its orders are followed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tradewind.market.cycle import Cycle
from tradewind.orders.model import BrokerState, IntentOutcome, IntentStatus, OrderStatus, Side
from tradewind.orders.snapshot import load_state
from tradewind.use_cases.read_broker import follow_orders, sync_broker

from tests.fakes import UNREACHABLE, FakeBroker, FakeClock, Fault, an_order, own_id
from tests.unit.risk.test_assessment import NOON, OPEN, cycle_at
from tests.unit.use_cases.test_fetch_bars import FakePayloads

CYCLE = cycle_at(NOON)
AT = CYCLE.run_at + timedelta(seconds=5)


def synced(cycle: Cycle, broker: FakeBroker) -> BrokerState:
    payloads = FakePayloads()
    ref = sync_broker(cycle, broker=broker, payloads=payloads, clock=FakeClock(AT))
    return load_state(payloads.get(ref))


def test_a_snapshot_survives_its_way() -> None:
    broker = FakeBroker(orders_by_id={"o": an_order()})
    state = synced(CYCLE, broker)
    assert state.as_of == AT
    assert state.orders == (an_order(),)
    assert state.account == broker.account()


def test_two_snapshots_of_one_minute_lie_beside_each_other() -> None:
    """A failed run and the safety check may both be reconciled in the same minute."""
    payloads = FakePayloads()
    refs = [
        sync_broker(
            CYCLE,
            broker=FakeBroker(orders_by_id=orders),
            payloads=payloads,
            clock=FakeClock(AT + timedelta(seconds=later)),
        )
        for later, orders in ((0, {}), (1, {"o": an_order()}))
    ]
    assert [len(load_state(payloads.get(ref)).orders) for ref in refs] == [0, 1]


def test_the_brokers_clock_is_asked_once_a_session() -> None:
    broker = FakeBroker()
    assert synced(cycle_at(OPEN), broker).next_close == broker.closes_at
    assert synced(cycle_at(OPEN + timedelta(minutes=1)), broker).next_close is None


def sent(status: IntentStatus = IntentStatus.SUBMITTED) -> IntentOutcome:
    return IntentOutcome(own_id("1"), status, "o", "accepted", "ok", AT)


def followed(broker: FakeBroker, *outcomes: IntentOutcome) -> float:
    """Seconds waited."""
    clock = FakeClock(AT)
    follow_orders(CYCLE, outcomes, broker=broker, payloads=FakePayloads(), clock=clock)
    return sum(clock.slept)


OPEN_ENTRY = an_order(side=Side.BUY, order_type="limit")
RESTING = [
    ("nothing was sent", [sent(IntentStatus.REJECTED)], OPEN_ENTRY),
    ("filled", [sent()], replace(OPEN_ENTRY, status=OrderStatus.FILLED)),
    ("a stop rests by its nature", [sent()], an_order()),
    ("perhaps sent, and the broker does not know it", [sent(IntentStatus.UNKNOWN)],
     replace(OPEN_ENTRY, client_order_id="another")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("outcomes", "order"), [row[1:] for row in RESTING], ids=[str(row[0]) for row in RESTING]
)
def test_what_rests_is_not_waited_for(outcomes: list[IntentOutcome], order: object) -> None:
    broker = FakeBroker(orders_by_id={"o": order})  # type: ignore[dict-item]
    assert followed(broker, *outcomes) == 0


def test_an_order_at_work_is_followed_for_twenty_seconds() -> None:
    waited = followed(FakeBroker(orders_by_id={"o": OPEN_ENTRY}), sent())
    assert 20 <= waited < 21


def test_a_broker_that_does_not_answer_for_a_moment_is_asked_again() -> None:
    filled = replace(OPEN_ENTRY, status=OrderStatus.FILLED)
    faults = [Fault("order_by_client_id", UNREACHABLE, times=2)]
    waited = followed(FakeBroker(orders_by_id={"o": filled}, faults=faults), sent())
    assert 0 < waited < 2

"""Reading the broker: the snapshot of a run, and how long its orders are followed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal as D

import pytest
from tradewind.market.cycle import Cycle, reconciliation_name
from tradewind.orders.configuration import WANTED_CONFIGURATION, AccountConfiguration
from tradewind.orders.model import (
    BrokerActivity,
    BrokerFill,
    BrokerOrder,
    BrokerState,
    IntentOutcome,
    IntentStatus,
    OrderStatus,
    Side,
)
from tradewind.orders.snapshot import load_state
from tradewind.use_cases.read_broker import follow_orders, sync_broker

from tests.fakes import UNREACHABLE, FakeBroker, FakeClock, Fault, an_order, own_id
from tests.unit.risk.test_assessment import NOON, OPEN, cycle_at
from tests.unit.use_cases.test_fetch_bars import FakePayloads

CYCLE = cycle_at(NOON)
AT = CYCLE.run_at + timedelta(seconds=5)
SYMBOLS = ("AAPL", "MSFT")
# Margin for two times the money, and shorting allowed.
MARGIN = AccountConfiguration(False, "2", suspend_trade=False)


PAID = BrokerActivity("a-1", "FEE", D("-0.02"), date(2020, 11, 11), None, "TAF fee")
EXECUTION = BrokerFill("e-1", "old", "AAPL", Side.SELL, D(10), D("98.50"), AT, D(10))


def synced(cycle: Cycle, broker: FakeBroker, *, set_configuration: bool = False) -> BrokerState:
    payloads = FakePayloads()
    ref = sync_broker(
        cycle,
        symbols=SYMBOLS,
        set_configuration=set_configuration,
        broker=broker,
        payloads=payloads,
        clock=FakeClock(AT),
    )
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
            symbols=SYMBOLS,
            set_configuration=False,
            broker=FakeBroker(orders_by_id=orders),
            payloads=payloads,
            clock=FakeClock(AT + timedelta(seconds=later)),
        )
        for later, orders in ((0, {}), (1, {"o": an_order()}))
    ]
    assert [len(load_state(payloads.get(ref)).orders) for ref in refs] == [0, 1]


def test_the_account_s_set_up_is_read_once_a_session() -> None:
    broker = FakeBroker(configured=MARGIN, not_traded={"MSFT", "SPY"})
    first = synced(cycle_at(OPEN), broker).configuration
    assert first == replace(MARGIN, untradable=("MSFT",))
    assert "configure" not in broker.calls  # reading changes nothing
    assert synced(cycle_at(OPEN + timedelta(minutes=1)), broker).configuration is None


def test_a_wrong_set_up_is_set_right_where_a_parameter_says_so() -> None:
    broker = FakeBroker(configured=MARGIN)
    state = synced(cycle_at(OPEN), broker, set_configuration=True)
    assert state.configuration == WANTED_CONFIGURATION == broker.configured
    assert broker.calls.count("configure") == 1
    synced(cycle_at(OPEN), broker, set_configuration=True)
    assert broker.calls.count("configure") == 1  # what is right is left alone


@pytest.mark.parametrize("method", ["configuration", "configure", "untradable"])
def test_a_set_up_that_cannot_be_read_stops_no_run(method: str) -> None:
    broker = FakeBroker(configured=MARGIN, faults=[Fault(method, UNREACHABLE)])
    assert synced(cycle_at(OPEN), broker, set_configuration=True).configuration is None


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
    assert 20 <= waited < 22


def test_a_slow_brokers_answers_count_as_waiting() -> None:
    class Slow(FakeBroker):
        def order_by_client_id(self, client_order_id: str) -> BrokerOrder | None:
            clock.sleep(8)
            return super().order_by_client_id(client_order_id)

    clock = FakeClock(AT)
    broker = Slow(orders_by_id={"o": OPEN_ENTRY})
    follow_orders(CYCLE, [sent()], broker=broker, payloads=FakePayloads(), clock=clock)
    assert sum(clock.slept) < 30  # the function has 45


def test_a_broker_that_does_not_answer_for_a_moment_is_asked_again() -> None:
    filled = replace(OPEN_ENTRY, status=OrderStatus.FILLED)
    faults = [Fault("order_by_client_id", UNREACHABLE, times=2)]
    waited = followed(FakeBroker(orders_by_id={"o": filled}, faults=faults), sent())
    assert 0 < waited < 2


def test_a_snapshot_holds_what_was_paid_and_what_was_executed() -> None:
    broker = FakeBroker(paid=[PAID], orders_by_id={"o": an_order(order_id="o")})
    broker.fill("o", D(10))
    state = synced(CYCLE, broker)
    assert state.activities == (PAID,)
    assert [(fill.order_id, fill.cumulative) for fill in state.fills] == [("o", D(10))]


def test_an_old_order_that_filled_today_is_asked_for_by_its_id() -> None:
    # A stop of last week, triggered a minute ago: submitted before the window and no longer open.
    old = an_order(order_id="old", status=OrderStatus.FILLED, filled_quantity=D(10),
                   submitted_at=AT - timedelta(days=7))  # fmt: skip
    broker = FakeBroker(orders_by_id={"old": old}, executions=[EXECUTION])
    assert synced(cycle_at(NOON + timedelta(minutes=1)), broker).orders == (old,)
    assert broker.calls.count("order") == 1


ODD = OPEN + timedelta(minutes=47)
WINDOWS = [
    # (run, days read back, None: the session alone)
    ("the session's first run", cycle_at(OPEN), 10),
    ("a minute later", cycle_at(OPEN + timedelta(minutes=1)), None),
    ("each half hour", cycle_at(OPEN + timedelta(minutes=30)), 10),
    ("in between", cycle_at(ODD), None),
    ("a reconciliation, at any minute",
     replace(cycle_at(ODD), execution=reconciliation_name("paper", ODD)), 10),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cycle", "days"), [row[1:] for row in WINDOWS], ids=[str(row[0]) for row in WINDOWS]
)
def test_how_far_a_snapshot_reads_back(cycle: Cycle, days: int | None) -> None:
    asked: list[datetime] = []

    class Asked(FakeBroker):
        def fills(self, since: datetime) -> list[BrokerFill]:
            asked.append(since)
            return []

        def orders(self, since: datetime) -> list[BrokerOrder]:
            asked.append(since)
            return []

        def activities(self, since: datetime) -> list[BrokerActivity]:
            assert since == AT - timedelta(days=10)  # booked days late
            return []

    synced(cycle, Asked())
    expected = OPEN - timedelta(hours=1) if days is None else AT - timedelta(days=days)
    assert asked == [expected, expected]


def filled(broker: FakeBroker) -> IntentOutcome:
    order = replace(OPEN_ENTRY, order_id="o")
    broker.orders_by_id["o"] = order
    broker.fill("o", D(10))
    return sent()


def test_executions_that_come_later_than_their_order_are_waited_for() -> None:
    broker = FakeBroker()
    outcome = filled(broker)
    broker.dropped_fills = 1  # missing from the first list
    payloads = FakePayloads()
    ref = follow_orders(CYCLE, [outcome], broker=broker, payloads=payloads, clock=FakeClock(AT))
    assert len(load_state(payloads.get(ref)).fills) == 1


def test_executions_that_never_come_are_not_waited_for_long() -> None:
    class Lost(FakeBroker):
        def fills(self, since: datetime) -> list[BrokerFill]:
            return []

    broker = Lost()
    waited = followed(broker, filled(broker))
    assert 5 <= waited < 8


def test_an_order_at_work_is_asked_for_a_dozen_times_and_not_forty() -> None:
    broker = FakeBroker(orders_by_id={"o": OPEN_ENTRY})
    followed(broker, sent())
    assert 8 < broker.calls.count("order_by_client_id") < 16


class ForgetfulBroker(FakeBroker):
    """Lists none of its orders, and knows each by its id."""

    def orders(self, since: datetime) -> list[BrokerOrder]:
        return []


def test_an_order_that_the_list_no_longer_shows_is_asked_for_by_its_id() -> None:
    payloads = FakePayloads()
    broker = ForgetfulBroker(orders_by_id={"o": an_order(order_id="o")})
    ref = follow_orders(
        CYCLE, [], ["o", "gone"], broker=broker, payloads=payloads, clock=FakeClock(AT)
    )
    state = load_state(payloads.get(ref))
    assert [order.order_id for order in state.orders] == ["o"]
    assert state.not_known == ("gone",)  # which is an answer too


def test_an_order_that_the_list_shows_is_not_told_twice() -> None:
    payloads = FakePayloads()
    broker = FakeBroker(orders_by_id={"o": an_order(order_id="o")})
    ref = follow_orders(CYCLE, [], ["o"], broker=broker, payloads=payloads, clock=FakeClock(AT))
    assert len(load_state(payloads.get(ref)).orders) == 1

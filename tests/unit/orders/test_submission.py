"""One order at the broker, whatever the broker answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D

import pytest
from tradewind.errors import BrokerRejectedError, OutcomeUnknownError, ThrottledError
from tradewind.orders.model import (
    BrokerOrder,
    IntentStatus,
    OrderClass,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.orders.submission import NotSentError, send_once

from tests.fakes import UNREACHABLE, FakeBroker, FakeClock, Fault, an_order, own_id

OURS = own_id("1")
ENTRY = OrderRequest(
    client_order_id=OURS,
    symbol="AAPL",
    side=Side.BUY,
    quantity=D(10),
    order_type=OrderType.LIMIT,
    time_in_force=TimeInForce.GTC,
    order_class=OrderClass.OTO,
    limit_price=D("100.30"),
    stop_loss=D("98.50"),
)

TIMEOUT = OutcomeUnknownError("POST /v2/orders: ReadTimeout")
GATEWAY = OutcomeUnknownError("POST /v2/orders: status 504")
THROTTLED = ThrottledError("status 429")
TAKEN = BrokerRejectedError("client_order_id must be unique", 40010001, 422)
BARRED = NotSentError(IntentStatus.BLOCKED, "switch", "the trading switch is HALTED")
REFUSED = BrokerRejectedError("insufficient buying power", 40310000, 403)

ANSWERS = [
    # (what the broker does, outcome, its code, orders at the broker, requests sent)
    ("takes it", [], IntentStatus.SUBMITTED, "accepted", 1, 1),
    ("refuses it", [Fault("submit", REFUSED)], IntentStatus.REJECTED, "rejected", 0, 0),
    ("throttles, then takes it", [Fault("submit", THROTTLED)], IntentStatus.SUBMITTED, "accepted",
     1, 1),
    ("throttles to the end", [Fault("submit", THROTTLED, times=3)], IntentStatus.UNKNOWN,
     "throttled", 0, 0),
    ("cannot be reached for a moment", [Fault("submit", UNREACHABLE)], IntentStatus.SUBMITTED,
     "accepted", 1, 1),
    ("cannot be reached at all", [Fault("submit", UNREACHABLE, times=3)], IntentStatus.UNKNOWN,
     "unreachable", 0, 0),
    ("takes it and answers 504", [Fault("submit", GATEWAY, after_effect=True)],
     IntentStatus.SUBMITTED, "found_by_lookup", 1, 1),
    ("answers 504 and has not taken it", [Fault("submit", GATEWAY)], IntentStatus.SUBMITTED,
     "accepted", 1, 1),
    ("times out three times, nothing arrives", [Fault("submit", TIMEOUT, times=3)],
     IntentStatus.UNKNOWN, "not_there", 0, 0),
    ("takes it, times out, and cannot be asked",
     [Fault("submit", TIMEOUT, after_effect=True), Fault("order_by_client_id", UNREACHABLE,
                                                         times=99)],
     IntentStatus.UNKNOWN, "no_clear_answer", 1, 1),
    ("takes it, times out, answers the third lookup",
     [Fault("submit", TIMEOUT, after_effect=True), Fault("order_by_client_id", UNREACHABLE,
                                                         times=2)],
     IntentStatus.SUBMITTED, "found_by_lookup", 1, 1),
    ("times out, says it is not there, then throttles",
     [Fault("submit", TIMEOUT), Fault("submit", THROTTLED, times=2)],
     IntentStatus.UNKNOWN, "throttled", 0, 0),
    ("says the id is taken, and does not know it", [Fault("submit", TAKEN, times=3)],
     IntentStatus.UNKNOWN, "no_clear_answer", 0, 0),
    ("times out, and the way back is barred", [Fault("submit", TIMEOUT), Fault("submit", BARRED)],
     IntentStatus.UNKNOWN, "not_there", 0, 0),
    ("the way is barred", [Fault("submit", BARRED)], IntentStatus.BLOCKED, "switch", 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("faults", "status", "code", "orders", "sent"),
    [row[1:] for row in ANSWERS],
    ids=[str(row[0]) for row in ANSWERS],
)
def test_answers(
    faults: list[Fault], status: IntentStatus, code: str, orders: int, sent: int
) -> None:
    broker = FakeBroker(faults=[Fault(f.method, f.error, f.after_effect, f.times) for f in faults])
    outcome = send_once(OURS, ENTRY, broker, FakeClock())
    assert (outcome.status, outcome.reason_code) == (status, code)
    own = [o for o in broker.orders_by_id.values() if o.client_order_id == OURS]
    assert len(own) == orders
    assert len(broker.sent) == sent
    if status is IntentStatus.SUBMITTED:
        assert outcome.broker_order_id == own[0].order_id


def test_an_id_that_is_taken_is_looked_up_not_reported_as_refused() -> None:
    # A retry after a crash between the send and its record: the first order stands.
    broker = FakeBroker()
    first = send_once(OURS, ENTRY, broker, FakeClock())
    again = send_once(OURS, ENTRY, broker, FakeClock())
    assert again.status is IntentStatus.SUBMITTED
    assert again.broker_order_id == first.broker_order_id
    assert broker.held == {"AAPL": D(10)}


def slept(error: ThrottledError, client_order_id: str = OURS) -> list[float]:
    clock = FakeClock()
    request = replace(ENTRY, client_order_id=client_order_id)
    send_once(OURS, request, FakeBroker(faults=[Fault("submit", error, times=3)]), clock)
    return clock.slept


def test_attempts_are_spaced_out_by_the_order_and_not_by_chance() -> None:
    first, second = slept(THROTTLED)
    assert 0.25 <= first < 0.5 <= second < 1
    assert slept(THROTTLED) == [first, second]
    assert slept(THROTTLED, own_id("another")) != [first, second]


WAITS = [(2.0, 2.0), (60.0, 3.0), (0.0, None)]  # (what the broker asks for, what is waited)


@pytest.mark.parametrize(("asked", "waited"), WAITS)
def test_the_broker_says_how_long_to_wait(asked: float, waited: float | None) -> None:
    own = slept(THROTTLED)
    assert slept(ThrottledError("429", retry_after=asked)) == ([waited] * 2 if waited else own)


def test_nothing_leaves_too_late() -> None:
    # In time for the first attempt, too late for the second: the pause went by in between.
    clock = FakeClock()
    broker = FakeBroker(faults=[Fault("submit", THROTTLED)])
    outcome = send_once(OURS, ENTRY, broker, clock, clock.now() + timedelta(milliseconds=100))
    assert (outcome.status, broker.sent) == (IntentStatus.EXPIRED_UNSENT, [])
    late = send_once(OURS, ENTRY, FakeBroker(), clock, clock.now())
    assert late.status is IntentStatus.EXPIRED_UNSENT


def test_what_may_have_arrived_does_not_expire() -> None:
    clock = FakeClock()
    broker = FakeBroker(faults=[Fault("submit", TIMEOUT)])
    outcome = send_once(OURS, ENTRY, broker, clock, clock.now() + timedelta(milliseconds=100))
    assert (outcome.status, outcome.reason_code) == (IntentStatus.UNKNOWN, "not_there")


def test_trying_ends_in_time() -> None:
    # Each answer takes seven seconds, connect and read time limits together.
    clock = FakeClock()
    broker = FakeBroker()

    def slow(request: OrderRequest) -> BrokerOrder:
        broker.sent.append(request.client_order_id)
        clock.sleep(7)
        raise THROTTLED

    broker.submit = slow  # type: ignore[method-assign]
    send_once(OURS, ENTRY, broker, clock)
    assert len(broker.sent) == 2


def test_an_order_with_a_fault_is_never_sent() -> None:
    broker = FakeBroker()
    outcome = send_once(OURS, replace(ENTRY, limit_price=D("100.303")), broker, FakeClock())
    assert (outcome.status, outcome.reason_code) == (IntentStatus.REJECTED, "invalid_order")
    assert broker.calls == []


def test_an_order_that_is_taken_and_refused_at_once_is_refused() -> None:
    broker = FakeBroker(orders_by_id={"o": an_order(status=OrderStatus.REJECTED)})
    outcome = send_once(OURS, ENTRY, broker, FakeClock())
    assert (outcome.status, outcome.broker_order_id) == (IntentStatus.REJECTED, "order-1")


def test_a_refused_look_up_says_nothing_about_the_order() -> None:
    # A 403 to the question is not a 403 to the order: the order was taken.
    broker = FakeBroker(
        faults=[
            Fault("submit", GATEWAY, after_effect=True),
            Fault("order_by_client_id", BrokerRejectedError("forbidden", status=403), times=99),
        ]
    )
    outcome = send_once(OURS, ENTRY, broker, FakeClock())
    assert outcome.status is IntentStatus.UNKNOWN
    assert broker.held == {"AAPL": D(10)}


def test_a_broker_that_raises_for_an_unknown_order_has_answered() -> None:
    # Not every broker's client turns its 404 into None.
    class Raises(FakeBroker):
        def order_by_client_id(self, client_order_id: str) -> BrokerOrder:
            found = super().order_by_client_id(client_order_id)
            if found is None:
                raise BrokerRejectedError("order not found", 40410000, 404)
            return found

    broker = Raises(faults=[Fault("submit", GATEWAY)])
    assert send_once(OURS, ENTRY, broker, FakeClock()).status is IntentStatus.SUBMITTED
    assert broker.sent == [OURS]

"""One order at the broker, whatever the broker answered."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from tradewind.errors import BrokerRejectedError, OutcomeUnknownError, ThrottledError
from tradewind.orders.model import (
    IntentStatus,
    OrderClass,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.orders.submission import send_once

from tests.fakes import UNREACHABLE, FakeBroker, FakeClock, Fault

ENTRY = OrderRequest(
    client_order_id="tw-1",
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
REFUSED = BrokerRejectedError("insufficient buying power", 40310000, 403)

ANSWERS = [
    # (what the broker does, outcome, its code, orders at the broker, requests sent)
    ("takes it", [], IntentStatus.SUBMITTED, "accepted", 1, 1),
    ("refuses it", [Fault("submit", REFUSED)], IntentStatus.REJECTED, "rejected", 0, 0),
    ("throttles, then takes it", [Fault("submit", THROTTLED)], IntentStatus.SUBMITTED, "accepted",
     1, 1),
    ("throttles to the end", [Fault("submit", THROTTLED, times=3)], IntentStatus.UNKNOWN,
     "no_clear_answer", 0, 0),
    ("takes it and answers 504", [Fault("submit", GATEWAY, after_effect=True)],
     IntentStatus.SUBMITTED, "found_by_lookup", 1, 1),
    ("answers 504 and has not taken it", [Fault("submit", GATEWAY)], IntentStatus.SUBMITTED,
     "accepted", 1, 1),
    ("times out three times, nothing arrives", [Fault("submit", TIMEOUT, times=3)],
     IntentStatus.UNKNOWN, "no_clear_answer", 0, 0),
    ("takes it, times out, and cannot be asked",
     [Fault("submit", TIMEOUT, after_effect=True), Fault("order_by_client_id", UNREACHABLE,
                                                         times=99)],
     IntentStatus.UNKNOWN, "no_clear_answer", 1, 1),
    ("takes it, times out, answers the third lookup",
     [Fault("submit", TIMEOUT, after_effect=True), Fault("order_by_client_id", UNREACHABLE,
                                                         times=2)],
     IntentStatus.SUBMITTED, "found_by_lookup", 1, 1),
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
    outcome = send_once("tw-1", ENTRY, broker, FakeClock())
    assert (outcome.status, outcome.reason_code) == (status, code)
    own = [o for o in broker.orders_by_id.values() if o.client_order_id == "tw-1"]
    assert len(own) == orders
    assert len(broker.sent) == sent
    if status is IntentStatus.SUBMITTED:
        assert outcome.broker_order_id == own[0].order_id


def test_an_id_that_is_taken_is_looked_up_not_reported_as_refused() -> None:
    # A retry after a crash between the send and its record: the first order stands.
    broker = FakeBroker()
    first = send_once("tw-1", ENTRY, broker, FakeClock())
    again = send_once("tw-1", ENTRY, broker, FakeClock())
    assert again.status is IntentStatus.SUBMITTED
    assert again.broker_order_id == first.broker_order_id
    assert broker.held == {"AAPL": D(10)}


def test_attempts_are_spaced_out() -> None:
    clock = FakeClock()
    send_once("tw-1", ENTRY, FakeBroker(faults=[Fault("submit", THROTTLED, times=3)]), clock)
    assert clock.slept == [0.25, 0.5]


def test_a_refused_look_up_says_nothing_about_the_order() -> None:
    # A 403 to the question is not a 403 to the order: the order was taken.
    broker = FakeBroker(
        faults=[
            Fault("submit", GATEWAY, after_effect=True),
            Fault("order_by_client_id", BrokerRejectedError("forbidden", status=403), times=99),
        ]
    )
    outcome = send_once("tw-1", ENTRY, broker, FakeClock())
    assert outcome.status is IntentStatus.UNKNOWN
    assert broker.held == {"AAPL": D(10)}

"""Cancelling: asked again when the first request seems lost, and never believed unconfirmed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from tradewind.errors import BrokerUnavailableError, OutcomeUnknownError, ThrottledError
from tradewind.orders.cancelling import CANCEL_WAIT, cancel_and_wait
from tradewind.orders.model import BrokerOrder, OrderStatus

from tests.fakes import FakeBroker, FakeClock, Fault, an_order

LOST = OutcomeUnknownError("DELETE /v2/orders/order-1: status 503")


@pytest.mark.parametrize(
    "fault",
    [
        Fault("cancel", LOST),  # it did not arrive, and nobody said so
        Fault("cancel", LOST, after_effect=True),  # it did
        Fault("cancel", LOST, times=3),
        Fault("cancel", ThrottledError("429"), times=2),
    ],
)
def test_an_order_is_cancelled_however_the_request_ends(fault: Fault) -> None:
    broker = FakeBroker(orders_by_id={"order-1": an_order()}, faults=[fault])
    cancelled = cancel_and_wait("order-1", broker, FakeClock())
    assert cancelled is not None
    assert cancelled.status is OrderStatus.CANCELED


def test_a_cancellation_that_sticks_is_none() -> None:
    broker = FakeBroker(orders_by_id={"order-1": an_order()}, stuck_cancels=True)
    with pytest.raises(OutcomeUnknownError, match="not confirmed"):
        cancel_and_wait("order-1", broker, FakeClock())


READ_TIMEOUT = 5.0  # seconds that a stalled read takes


@dataclass
class StallingBroker(FakeBroker):
    """Its reads answer after five seconds, that there is no answer."""

    clock: FakeClock = field(default_factory=FakeClock)

    def order(self, order_id: str) -> BrokerOrder | None:
        super().order(order_id)
        self.clock.sleep(READ_TIMEOUT)
        raise BrokerUnavailableError("GET /v2/orders/order-1: timed out")


def test_stalled_reads_count_as_waiting() -> None:
    """A function has 30 s for all that an intent needs."""
    broker = StallingBroker(orders_by_id={"order-1": an_order()}, stuck_cancels=True)
    with pytest.raises(OutcomeUnknownError, match="not confirmed"):
        cancel_and_wait("order-1", broker, broker.clock)
    assert sum(broker.clock.slept) <= CANCEL_WAIT + READ_TIMEOUT


class StandingClock(FakeClock):
    """As a replayed minute's last second: it passes no further, however long is slept."""

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def test_a_clock_that_stands_still_ends_the_waiting_too() -> None:
    broker = FakeBroker(orders_by_id={"order-1": an_order()}, stuck_cancels=True)
    clock = StandingClock()
    with pytest.raises(OutcomeUnknownError, match="not confirmed"):
        cancel_and_wait("order-1", broker, clock)
    assert CANCEL_WAIT <= sum(clock.slept) < 2 * CANCEL_WAIT

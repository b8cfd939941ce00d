"""Cancelling: asked again when the first request seems lost, and never believed unconfirmed."""

from __future__ import annotations

import pytest
from tradewind.errors import OutcomeUnknownError, ThrottledError
from tradewind.orders.cancelling import cancel_and_wait
from tradewind.orders.model import OrderStatus

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

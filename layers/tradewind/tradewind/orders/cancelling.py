"""Cancelling an order and knowing that it is cancelled."""

from __future__ import annotations

from contextlib import suppress

from tradewind.errors import (
    BrokerRejectedError,
    OutcomeUnknownError,
    RetryableError,
)
from tradewind.orders.model import BrokerOrder, OrderStatus
from tradewind.orders.ports import Broker
from tradewind.orders.submission import FIRST_PAUSE, MAX_ATTEMPTS, Pacing

# Seconds until a cancellation counts as stuck: slept, or passed by the clock while the broker's
# answers stalled. A replay's clock stands still at a minute's end, so that both count.
CANCEL_WAIT = 6.0
FIRST_LOOK = 0.1  # seconds; each look waits half as long again as the one before
LONGEST_LOOK = 1.0


def cancel_and_wait(order_id: str, broker: Broker, pacing: Pacing) -> BrokerOrder | None:
    """The order in its final state; None when the broker does not know it.

    Raises OutcomeUnknownError when the cancellation is not confirmed in time: the order may still
    fill (``pending_cancel`` is no promise), so nothing may be sold in its place.
    """
    started = pacing.now()
    answered = _ask(order_id, broker, pacing)
    waited, pause = 0.0, FIRST_LOOK
    while True:
        with suppress(RetryableError):
            order = broker.order(order_id)
            if order is None or order.status.is_final:
                return order
            if not answered and order.status is not OrderStatus.PENDING_CANCEL:
                # The request seems to be lost. Should it arrive late, a second one does no harm.
                answered = _ask(order_id, broker, pacing)
        if max(waited, (pacing.now() - started).total_seconds()) >= CANCEL_WAIT:
            raise OutcomeUnknownError(
                f"cancellation of order {order_id} was not confirmed within {CANCEL_WAIT} s"
            )
        pacing.sleep(pause)
        waited, pause = waited + pause, min(pause * 1.5, LONGEST_LOOK)


def _ask(order_id: str, broker: Broker, pacing: Pacing) -> bool:
    """Ask until it is taken; False when there was no clear answer. What is not cancelable any more
    is for the order's status to say."""
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            pacing.sleep(FIRST_PAUSE * 2**attempt)
        try:
            broker.cancel(order_id)
        except BrokerRejectedError:
            return True
        except OutcomeUnknownError:
            return False
        except RetryableError:
            continue  # refused for rate, or no connection: it provably did not arrive
        return True
    return False

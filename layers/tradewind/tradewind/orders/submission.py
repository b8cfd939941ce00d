"""Sending one request to the broker so that it arrives once, whatever the answer was.

The client's own retry is off. A refusal for rate provably did not arrive and is sent again; every
other unclear answer is looked up by our id first, and is sent again only when the broker says that
it does not know it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from tradewind.errors import (
    BrokerRejectedError,
    OutcomeUnknownError,
    RetryableError,
    ThrottledError,
)
from tradewind.orders.model import BrokerOrder, IntentOutcome, IntentStatus, OrderRequest
from tradewind.orders.ports import Broker

MAX_ATTEMPTS = 3
LOOKUPS = 3
FIRST_PAUSE = 0.25  # seconds; doubles with each attempt

# "client_order_id must be unique": an earlier attempt arrived.
DUPLICATE_CLIENT_ORDER_ID = 40010001


class Pacing(Protocol):
    """The part of a clock that submission needs."""

    def now(self) -> datetime: ...

    def sleep(self, seconds: float) -> None: ...


def outcome(
    intent_id: str,
    status: IntentStatus,
    code: str,
    reason: str,
    at: datetime,
    order: BrokerOrder | None = None,
) -> IntentOutcome:
    return IntentOutcome(intent_id, status, order.order_id if order else None, code, reason, at)


def submitted(intent_id: str, order: BrokerOrder, code: str, at: datetime) -> IntentOutcome:
    return outcome(
        intent_id,
        IntentStatus.SUBMITTED,
        code,
        f"the broker has order {order.order_id} with status {order.status}",
        at,
        order,
    )


def send_once(
    intent_id: str, request: OrderRequest, broker: Broker, pacing: Pacing
) -> IntentOutcome:
    """Submit a new order under its client order id."""
    return carry_out(
        intent_id, request.client_order_id, lambda: broker.submit(request), broker, pacing
    )


def carry_out(
    intent_id: str,
    client_order_id: str,
    send: Callable[[], BrokerOrder],
    broker: Broker,
    pacing: Pacing,
) -> IntentOutcome:
    """Run ``send``, which makes an order known as ``client_order_id``, until its outcome is clear.

    UNKNOWN is the answer only when the broker cannot be asked, or still knows nothing after the
    last attempt got no clear answer; reconciliation takes it from there.
    """
    reason = ""
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            pacing.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
        try:
            return submitted(intent_id, send(), "accepted", pacing.now())
        except BrokerRejectedError as refusal:
            if refusal.code != DUPLICATE_CLIENT_ORDER_ID:
                return outcome(
                    intent_id, IntentStatus.REJECTED, "rejected", str(refusal), pacing.now()
                )
            reason = str(refusal)
        except ThrottledError as throttled:
            reason = str(throttled)
            continue
        except OutcomeUnknownError as unknown:
            reason = str(unknown)
        found, answered = look_up(client_order_id, broker, pacing)
        if found is not None:
            return submitted(intent_id, found, "found_by_lookup", pacing.now())
        if not answered:
            break
    return outcome(intent_id, IntentStatus.UNKNOWN, "no_clear_answer", reason, pacing.now())


def look_up(
    client_order_id: str, broker: Broker, pacing: Pacing
) -> tuple[BrokerOrder | None, bool]:
    """The order with our id, and whether the broker answered at all.

    An order may show up a moment after it was taken: "not there" counts when it was said by the
    last of several looks.
    """
    answered = False
    for look in range(LOOKUPS):
        if look:
            pacing.sleep(FIRST_PAUSE)
        try:
            order = broker.order_by_client_id(client_order_id)
        except (RetryableError, BrokerRejectedError):
            # A refused question is no answer about the order.
            answered = False
            continue
        if order is not None:
            return order, True
        answered = True
    return None, answered

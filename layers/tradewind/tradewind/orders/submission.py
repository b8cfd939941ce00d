"""Sending one request to the broker so that it arrives once, whatever the answer was.

An order is SUBMITTING while this runs and UNKNOWN when it ends without a clear answer (the order's
life is told in ``orders/life.py``). The client's own retry is off. What provably did not arrive (a
refusal for rate, no connection) is sent again; every other unclear answer is looked up by our id
first, and is sent again only when the broker says that it does not know it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from tradewind.errors import (
    BrokerRejectedError,
    BrokerUnavailableError,
    OutcomeUnknownError,
    RetryableError,
    ThrottledError,
    TradewindError,
)
from tradewind.orders.model import (
    BrokerOrder,
    IntentOutcome,
    IntentStatus,
    OrderRequest,
    OrderStatus,
)
from tradewind.orders.order_rules import fault_of
from tradewind.orders.ports import Broker

MAX_ATTEMPTS = 3
LOOKUPS = 3
FIRST_PAUSE = 0.25  # seconds; doubles with each attempt, half of it drawn
# The longest that the broker's own "try again after" is waited for.
LONGEST_PAUSE = 3.0
# No attempt starts later than this after the first: a function has 30 s for a whole procedure.
LONGEST_TRY = 8.0  # seconds

# "client_order_id must be unique": an earlier attempt arrived.
DUPLICATE_CLIENT_ORDER_ID = 40010001

# How a broker over HTTP says that there is no such order.
NOT_FOUND = 404

# Why an intent that ends UNKNOWN was, as far as anybody can tell, not carried out.
THROTTLED = "throttled"  # every attempt was refused for rate
UNREACHABLE = "unreachable"  # no attempt found a connection
NOT_THERE = "not_there"  # the broker was asked by our id, and does not know it
# Why nobody can tell.
NO_CLEAR_ANSWER = "no_clear_answer"

PROVEN_UNSENT = frozenset({THROTTLED, UNREACHABLE, NOT_THERE})


class NotSentError(TradewindError):
    """Raised in a request's place by a check right before it: nothing left."""

    def __init__(self, status: IntentStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


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
    """The broker has the order. It may have taken it and refused it a moment later."""
    refused = order.status is OrderStatus.REJECTED
    return outcome(
        intent_id,
        IntentStatus.REJECTED if refused else IntentStatus.SUBMITTED,
        "rejected" if refused else code,
        f"the broker has order {order.order_id} with status {order.status}",
        at,
        order,
    )


def send_once(
    intent_id: str,
    request: OrderRequest,
    broker: Broker,
    pacing: Pacing,
    leaves_before: datetime | None = None,
) -> IntentOutcome:
    """Submit a new order under its client order id; never one that breaks the broker's rules."""
    fault = fault_of(request)
    if fault is not None:
        return outcome(intent_id, IntentStatus.REJECTED, "invalid_order", fault, pacing.now())
    return carry_out(
        intent_id,
        request.client_order_id,
        lambda: broker.submit(request),
        broker,
        pacing,
        leaves_before,
    )


def carry_out(
    intent_id: str,
    client_order_id: str,
    send: Callable[[], BrokerOrder],
    broker: Broker,
    pacing: Pacing,
    leaves_before: datetime | None = None,
) -> IntentOutcome:
    """Run ``send``, which makes an order known as ``client_order_id``, until its outcome is clear.

    Nothing is sent at or after ``leaves_before``. UNKNOWN is the answer when the broker cannot be
    asked, or when every attempt failed; its code says whether that is proof of nothing having
    arrived (PROVEN_UNSENT). Reconciliation takes it from there.
    """
    started = pacing.now()
    code, reason, asked_to_wait = "", "", 0.0
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            pacing.sleep(max(pause_before(client_order_id, attempt), asked_to_wait))
            if (pacing.now() - started).total_seconds() > LONGEST_TRY:
                break
        if leaves_before is not None and pacing.now() >= leaves_before:
            if code in (NOT_THERE, NO_CLEAR_ANSWER):
                break  # an attempt was made: its look-up, not the clock, says what became of it
            return expired(intent_id, leaves_before, pacing)
        asked_to_wait = 0.0
        try:
            return submitted(intent_id, send(), "accepted", pacing.now())
        except NotSentError as stopped:
            if code in (NOT_THERE, NO_CLEAR_ANSWER):
                reason = f"{reason}; not sent again: {stopped}"
                break
            return outcome(intent_id, stopped.status, stopped.code, str(stopped), pacing.now())
        except BrokerRejectedError as refusal:
            if refusal.code != DUPLICATE_CLIENT_ORDER_ID:
                return outcome(
                    intent_id, IntentStatus.REJECTED, "rejected", str(refusal), pacing.now()
                )
            # The id is taken, so the order is there, whatever the look-up says.
            code, reason = NO_CLEAR_ANSWER, str(refusal)
        except ThrottledError as throttled:
            code, reason = _proven(code, THROTTLED), str(throttled)
            asked_to_wait = min(throttled.retry_after or 0.0, LONGEST_PAUSE)
            continue
        except BrokerUnavailableError as unreachable:
            code, reason = _proven(code, UNREACHABLE), str(unreachable)
            continue
        except OutcomeUnknownError as unknown:
            code, reason = _proven(code, NOT_THERE), str(unknown)
        found, answered = look_up(client_order_id, broker, pacing)
        if found is not None:
            return submitted(intent_id, found, "found_by_lookup", pacing.now())
        if not answered:
            code = NO_CLEAR_ANSWER
            break
    return outcome(intent_id, IntentStatus.UNKNOWN, code, reason, pacing.now())


def expired(intent_id: str, leaves_before: datetime, pacing: Pacing) -> IntentOutcome:
    return outcome(
        intent_id,
        IntentStatus.EXPIRED_UNSENT,
        "expired",
        f"it had to leave before {leaves_before:%H:%M:%S} UTC",
        pacing.now(),
    )


def _proven(before: str, now: str) -> str:
    """The code after one more attempt; doubt, once there, stays."""
    return before if before == NO_CLEAR_ANSWER else now


def pause_before(client_order_id: str, attempt: int) -> float:
    """Seconds before an attempt (1 is the second one): half of it fixed, half drawn from the order
    and the attempt, so that orders do not come back together and a replay waits the same."""
    drawn = hashlib.sha256(f"{client_order_id}|{attempt}".encode()).digest()[0] / 256
    most: float = FIRST_PAUSE * 2.0**attempt
    return most * (1 + drawn) / 2


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
        except BrokerRejectedError as refused:
            # A refused question is no answer about the order, but that there is none.
            answered = refused.status == NOT_FOUND
            continue
        except RetryableError:
            answered = False
            continue
        if order is not None:
            return order, True
        answered = True
    return None, answered

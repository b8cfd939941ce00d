"""What a snapshot says of intents without an outcome."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tradewind.orders.ids import protect_id
from tradewind.orders.model import BrokerOrder, IntentKind, IntentStatus, OrderStatus
from tradewind.orders.resolution import resolve

from tests.fakes import an_order
from tests.unit.orders.test_procedures import EXIT

DECIDED = EXIT.bar_time
SOON = DECIDED + timedelta(seconds=70)
LATE = DECIDED + timedelta(minutes=3)
REPRICE = replace(EXIT, kind=IntentKind.REPRICE, target_order_id="stop-1")

CASES = [
    # (the broker shows, read at, intent, outcome)
    ("its order", [an_order(client_order_id=EXIT.intent_id)], SOON, EXIT, IntentStatus.SUBMITTED),
    ("its order, rejected later",
     [an_order(client_order_id=EXIT.intent_id, status=OrderStatus.REJECTED)], SOON, EXIT,
     IntentStatus.REJECTED),
    ("the stop it put back", [an_order(client_order_id=protect_id(EXIT.intent_id))], SOON, EXIT,
     IntentStatus.SUBMITTED),
    ("nothing, and a call may be under way", [], SOON, EXIT, None),
    ("nothing, and no call can be under way", [], LATE, EXIT, IntentStatus.EXPIRED_UNSENT),
    ("its target, filled", [an_order(order_id="stop-1", status=OrderStatus.FILLED)], SOON, REPRICE,
     IntentStatus.NOT_NEEDED),
    ("its target, still resting", [an_order(order_id="stop-1")], SOON, REPRICE, None),
    ("a stranger's order", [an_order(client_order_id="mine")], SOON, EXIT, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("orders", "as_of", "intent", "status"),
    [row[1:] for row in CASES],
    ids=[str(row[0]) for row in CASES],
)
def test_resolution(
    orders: list[BrokerOrder], as_of: datetime, intent: object, status: IntentStatus | None
) -> None:
    outcomes = resolve([intent], orders, as_of)  # type: ignore[list-item]
    assert [outcome.status for outcome in outcomes] == ([status] if status else [])


def test_times_are_the_snapshots_own() -> None:
    (outcome,) = resolve([EXIT], [], LATE)
    assert outcome.at == LATE
    assert outcome.at.tzinfo is UTC

"""Which happenings become alerts, and how severe they are."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
from tradewind.alerts.model import CRITICAL, ERROR, INFO, NOTICE, WARNING, Alert
from tradewind.alerts.rules import (
    alert_of_difference,
    alert_of_outcome,
    alert_of_sale,
    loss_severity,
)
from tradewind.errors import InvalidInputError
from tradewind.orders.model import BrokerFill, IntentOutcome, IntentStatus, OrderIntent, Side
from tradewind.portfolio.accounting import apply_fill, trade_of
from tradewind.portfolio.model import Holding
from tradewind.strategies.decision import Action

from tests.unit.orders.test_procedures import EXIT
from tests.unit.risk.test_assessment import run

AT = datetime(2020, 11, 12, 14, 31, 5, tzinfo=UTC)
HELD = Holding("AAPL", "sma", D(10), D(1000), D(0), AT)
ENTRY = run(Action.ENTER).intents[0]


@pytest.mark.parametrize(
    ("realised", "severity"),
    [
        ("10", INFO),
        ("0", INFO),
        ("-4.99", INFO),  # of 1,000 USD: below half a percent
        ("-5", NOTICE),
        ("-15", WARNING),  # the owner's stop
        ("-30", ERROR),  # a gap through it
        ("-50", CRITICAL),
    ],
)
def test_a_loss_sets_the_severity(realised: str, severity: int) -> None:
    assert loss_severity(D(realised), D(1000)) == severity


def sale(price: str, *, by_stop: bool) -> Alert:
    fill = BrokerFill("e1", "o1", "AAPL", Side.SELL, D(10), D(price), AT)
    _, realised = apply_fill(HELD, fill)
    return alert_of_sale(trade_of(fill, "tw-1", realised), HELD, by_stop=by_stop)


def test_a_stop_that_fired_says_what_it_cost() -> None:
    alert = sale("98.40", by_stop=True)
    assert (alert.type, alert.severity) == ("stop_filled", WARNING)
    assert alert.message == "its stop sold 10 AAPL at 98.40: -16.00 USD (-1.60 %)"


def test_a_profit_is_information() -> None:
    alert = sale("101", by_stop=False)
    assert (alert.type, alert.severity) == ("position_closed", INFO)


def test_the_same_execution_is_the_same_alert() -> None:
    assert sale("98.40", by_stop=True).alert_id == sale("98.40", by_stop=True).alert_id


OUTCOMES = [
    ("a refused entry", IntentStatus.REJECTED, "rejected", ENTRY, WARNING),
    ("a refused exit leaves somebody holding shares", IntentStatus.REJECTED, "rejected", EXIT,
     ERROR),
    ("an unknown exit", IntentStatus.UNKNOWN, "no_clear_answer", EXIT, ERROR),
    ("a blocked entry", IntentStatus.BLOCKED, "switch", ENTRY, WARNING),
    ("shadow mode is no alert", IntentStatus.BLOCKED, "shadow_mode", ENTRY, None),
    ("an order that arrived", IntentStatus.SUBMITTED, "accepted", ENTRY, None),
    ("nothing to do", IntentStatus.NOT_NEEDED, "nothing_left", EXIT, None),
    ("never committed", IntentStatus.SUBMITTED, "accepted", None, CRITICAL),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "code", "intent", "severity"),
    [row[1:] for row in OUTCOMES],
    ids=[str(row[0]) for row in OUTCOMES],
)
def test_outcomes(
    status: IntentStatus, code: str, intent: OrderIntent | None, severity: int | None
) -> None:
    alert = alert_of_outcome(IntentOutcome("tw-1", status, None, code, "why", AT), intent)
    assert (alert.severity if alert else None) == severity


def test_a_difference_is_told_once_a_minute() -> None:
    def told(second: int, minute: int = 31) -> Alert:
        return alert_of_difference("paper", "AAPL", AT.replace(minute=minute, second=second))

    assert told(5).alert_id == told(50).alert_id
    assert told(5).alert_id != told(5, minute=32).alert_id


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"type": "x", "severity": 6, "message": "m", "timestamp": "2020-11-12T14:31:05Z",
         "dedupe_key": "k"},
        {"type": "x", "severity": "high", "message": "m", "timestamp": "2020-11-12T14:31:05Z",
         "dedupe_key": "k"},
        {"type": "x", "severity": 1, "message": "m", "timestamp": "2020-11-12T14:31:05",
         "dedupe_key": "k"},
    ],
    ids=["empty", "severity out of range", "severity in words", "time without a zone"],
)  # fmt: skip
def test_a_message_that_is_no_alert_is_refused(payload: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        Alert.from_payload(payload)


def test_an_alert_survives_its_way() -> None:
    alert = sale("98.40", by_stop=True)
    assert Alert.from_payload(alert.as_payload()) == alert

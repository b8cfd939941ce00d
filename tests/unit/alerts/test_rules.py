"""Which happenings become alerts, and how severe they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from fractions import Fraction

import pytest
from tradewind.alerts.model import CRITICAL, ERROR, INFO, NOTICE, WARNING, Alert
from tradewind.alerts.rules import (
    alert_of_availability,
    alert_of_cash_difference,
    alert_of_difference,
    alert_of_late_arrival,
    alert_of_outcome,
    alert_of_sale,
    alert_of_second_deployment,
    alert_of_suspected_split,
    alert_of_switch_change,
    alert_of_synthetic_fill,
    alerts_of_held_bars,
    loss_severity,
)
from tradewind.errors import InvalidInputError
from tradewind.market.adjustment import KnownClose, SuspectedSplit
from tradewind.market.availability import Availability
from tradewind.market.bar import Bar
from tradewind.market.session import Session
from tradewind.market.verdict import HeldBar, Reason
from tradewind.orders.control import SwitchChange, SwitchState
from tradewind.orders.ids import deployment_tag
from tradewind.orders.model import (
    BrokerFill,
    IntentOutcome,
    IntentStatus,
    OrderIntent,
    OrderStatus,
    Side,
)
from tradewind.portfolio.accounting import apply_fill, trade_of
from tradewind.portfolio.cash import CashDifference
from tradewind.portfolio.differences import QuantityDifference
from tradewind.portfolio.model import Holding
from tradewind.strategies.decision import Action

from tests.fakes import an_order
from tests.unit.orders.test_procedures import EXIT
from tests.unit.risk.test_assessment import run

AT = datetime(2020, 11, 12, 14, 31, 5, tzinfo=UTC)
HELD = Holding("AAPL", "sma", D(10), D(1000), D(0), AT)
ENTRY = run(Action.ENTER).intents[0]
THEIR_ID = f"tw-{deployment_tag('another')}-{24 * '0'}"


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
    ("an entry that filled and got no stop", IntentStatus.SUBMITTED, "entered_unprotected", ENTRY,
     ERROR),
    ("an exit that only put its stop back", IntentStatus.SUBMITTED, "sale_failed", EXIT, ERROR),
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


def test_a_difference_prints_both_sides_and_is_told_once_until_it_changes() -> None:
    def told(brokers: str, second: int) -> Alert:
        difference = QuantityDifference("AAPL", D(10), D(brokers), AT)
        return alert_of_difference("paper", difference, AT + timedelta(seconds=second))

    first = told("9", 31)
    assert (first.type, first.severity) == ("position_difference", CRITICAL)
    assert first.message == (
        "AAPL: our books hold 10, the broker 9, since 2020-11-12T14:31:05Z with no order at work; "
        "entries stop until they agree"
    )
    assert told("9.0", 91).alert_id == first.alert_id
    assert told("8", 91).alert_id != first.alert_id


def test_a_cash_difference_prints_both_sides() -> None:
    difference = CashDifference(D("98804.2000"), D("98804.18"), AT)
    alert = alert_of_cash_difference("paper", difference, AT + timedelta(seconds=60))
    assert (alert.type, alert.severity) == ("cash_difference", ERROR)
    assert alert.message == (
        "cash should be 98804.20 USD, the broker says 98804.18 USD (-0.02), since "
        "2020-11-12T14:31:05Z"
    )
    later = alert_of_cash_difference("paper", difference, AT + timedelta(seconds=120))
    assert later.alert_id == alert.alert_id


def test_a_second_deployment_is_told_once_a_day() -> None:
    theirs = an_order(client_order_id=THEIR_ID, status=OrderStatus.NEW)
    alert = alert_of_second_deployment("paper", [theirs, theirs], AT)
    assert (alert.type, alert.severity) == ("second_deployment", CRITICAL)
    assert "2 of them" in alert.message
    assert THEIR_ID in alert.message
    later = alert_of_second_deployment("paper", [theirs], AT + timedelta(hours=3))
    assert later.alert_id == alert.alert_id
    tomorrow = alert_of_second_deployment("paper", [theirs], AT + timedelta(days=1))
    assert tomorrow.alert_id != alert.alert_id


def test_a_concluded_fill_says_what_it_rests_on() -> None:
    order = an_order(status=OrderStatus.FILLED, filled_quantity=D(10), filled_avg_price=D("98.40"))
    fill = BrokerFill("synthetic-order-1-10", "order-1", "AAPL", Side.SELL, D(10), D("98.40"), AT)
    alert = alert_of_synthetic_fill(order, fill)
    assert (alert.type, alert.severity) == ("fill_concluded", WARNING)
    assert alert.message.startswith("sell 10 AAPL at 98.40: the broker says that order")


def test_an_order_that_arrived_after_all_is_told() -> None:
    outcome = IntentOutcome("tw-1", IntentStatus.SUBMITTED, "o-1", "arrived", "found", AT)
    alert = alert_of_late_arrival(outcome, ENTRY)
    assert (alert.type, alert.severity) == ("order_arrived_after_all", ERROR)
    assert "o-1" in alert.message


SWITCHED = [
    (SwitchState.ACTIVE, SwitchState.REDUCING, WARNING),
    (SwitchState.REDUCING, SwitchState.HALTED, ERROR),
    (SwitchState.HALTED, SwitchState.ACTIVE, NOTICE),
]


@pytest.mark.parametrize(("previous", "to", "severity"), SWITCHED)
def test_a_switch_change_says_who_and_why(
    previous: SwitchState, to: SwitchState, severity: int
) -> None:
    alert = alert_of_switch_change(SwitchChange("paper", 7, to, previous, "mira", "a drill", AT))
    assert (alert.severity, alert.dedupe_key) == (severity, "paper|7")
    assert alert.message == f"paper: {previous} -> {to} by mira: a drill"


def test_a_switch_that_was_never_changed_is_no_happening() -> None:
    never = SwitchChange("paper", 0, SwitchState.ACTIVE, SwitchState.ACTIVE, "", "", None)
    with pytest.raises(InvalidInputError, match="never changed"):
        alert_of_switch_change(never)


REFERENCE = KnownClose(AT - timedelta(minutes=2), D(100))


def held(minute: int, symbol: str = "AAPL", code: Reason = Reason.JUMP) -> HeldBar:
    price = D(130)
    start = AT.replace(minute=minute, second=0)
    bar = Bar(symbol, start, price, price, price, price, 1, "iex")
    return HeldBar(bar, code, "why it waits", REFERENCE)


def test_a_jump_is_told_once_however_many_bars_wait_behind_it() -> None:
    aapl, msft = alerts_of_held_bars([held(31), held(32), held(31, "MSFT")])
    assert (aapl.type, aapl.severity) == ("bars_held_back", WARNING)
    assert aapl.message == "AAPL 2020-11-12T14:31:00Z: why it waits; bars held back so far: 2"
    assert msft.message.startswith("MSFT")
    # the next minute's reading has the first bar no longer in it
    (later,) = alerts_of_held_bars([held(32), held(33)])
    assert later.alert_id == aapl.alert_id != msft.alert_id


def test_a_suspected_split_has_its_own_alert() -> None:
    assert alerts_of_held_bars([held(31, code=Reason.SUSPECTED_SPLIT)]) == []
    suspicion = SuspectedSplit("AAPL", AT.date(), Fraction(7), REFERENCE, D("14.3"), AT)
    alert = alert_of_suspected_split(suspicion)
    assert (alert.type, alert.severity, alert.dedupe_key) == (
        "suspected_split", ERROR, "AAPL|2020-11-12",
    )  # fmt: skip
    assert "from 100 to 14.3 into 2020-11-12, which looks like a split 7:1" in alert.message


def test_availability_is_told_of_below_the_promise_only() -> None:
    session = Session(AT.date(), AT, AT + timedelta(minutes=390))
    assert alert_of_availability(session, Availability(16_380, 16_364, 0)) is None
    alert = alert_of_availability(session, Availability(16_380, 16_300, 10))
    assert alert is not None
    assert (alert.severity, alert.timestamp) == (ERROR, session.close)
    assert alert.message == (
        "99.5726% of the expected minutes are there (promised: 99.9%); missing: 70 of 16380"
    )


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
    ours = replace(alert, account="paper")
    assert Alert.from_payload(alert.as_payload()) == alert
    assert Alert.from_payload(ours.as_payload()) == ours
    # One that was sent before alerts had an account.
    old = {key: value for key, value in alert.as_payload().items() if key != "account"}
    assert Alert.from_payload(old) == alert

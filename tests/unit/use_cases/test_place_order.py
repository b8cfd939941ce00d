"""What may leave, and what is stopped at the last gate. The input is never trusted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.errors import InvalidInputError
from tradewind.orders.control import SwitchChange, SwitchState
from tradewind.orders.ids import intent_id
from tradewind.orders.model import IntentKind, IntentOutcome, IntentStatus, OrderIntent, Side
from tradewind.settings import HardLimits
from tradewind.strategies.decision import Action
from tradewind.use_cases.place_order import Submitter, place_order

from tests.fakes import UNREACHABLE, FakeBroker, FakeClock, FakeControl, Fault, an_order
from tests.unit.risk.test_assessment import NOON, cycle_at, run

CYCLE = cycle_at(NOON)
LIMITS = HardLimits(250, 50, 200, D(30_000), D(2_000_000))
SUBMITTER = Submitter("here", "paper", "paper", ("AAPL", "MSFT"), LIMITS)
ENTRY = run(Action.ENTER).intents[0]
IN_TIME = CYCLE.run_at + timedelta(seconds=5)


def place(
    intent: OrderIntent,
    *,
    broker: FakeBroker | None = None,
    control: FakeControl | None = None,
    submitter: Submitter = SUBMITTER,
    after: timedelta = timedelta(0),
) -> IntentOutcome:
    return place_order(
        CYCLE,
        intent,
        submitter=submitter,
        broker=broker or FakeBroker(),
        control=control or FakeControl(),
        clock=FakeClock(IN_TIME + after),
    )


def identified(intent: OrderIntent, **changes: Any) -> OrderIntent:
    """A forged intent that at least got its own id right."""
    forged = replace(intent, **changes)
    return replace(
        forged,
        intent_id=intent_id(
            deployment=CYCLE.deployment,
            account=forged.account,
            strategy=forged.strategy,
            mode=forged.mode,
            session=forged.session,
            bar_time=forged.bar_time,
            symbol=forged.symbol,
            side=forged.side,
            kind=forged.kind,
            revision=forged.revision,
        ),
    )


def test_an_entry_leaves_once_with_its_stop() -> None:
    broker, control = FakeBroker(), FakeControl()
    first = place(ENTRY, broker=broker, control=control)
    again = place(ENTRY, broker=broker, control=control)
    assert first.status is again.status is IntentStatus.SUBMITTED
    assert broker.sent == [ENTRY.intent_id]
    stop = broker.orders_by_id[f"{first.broker_order_id}-stop"]
    assert (stop.quantity, stop.stop_price) == (ENTRY.quantity, ENTRY.stop_price)


FORGED = [
    ("another account", replace(ENTRY, account="live"), "wrong_account"),
    ("another mode", replace(ENTRY, mode="live"), "wrong_mode"),
    ("another minute", replace(ENTRY, bar_time=NOON - timedelta(minutes=1)), "wrong_minute"),
    ("content changed under its id", replace(ENTRY, symbol="MSFT"), "wrong_identity"),
    ("a symbol that is not traded", identified(ENTRY, symbol="GME"), "symbol_not_allowed"),
    ("too much money", replace(ENTRY, quantity=D(300)), "order_notional"),
    ("no expiry", replace(ENTRY, expires_at=None), "incomplete_entry"),
    ("no stop", replace(ENTRY, stop_price=None), "incomplete_entry"),
    ("a stop above its limit", replace(ENTRY, stop_price=D(101)), "stop_above_limit"),
    ("a short sale as an entry", identified(ENTRY, side=Side.SELL), "wrong_side"),
    ("a purchase as an exit", identified(ENTRY, kind=IntentKind.EXIT), "wrong_side"),
]


@pytest.mark.parametrize(
    ("intent", "code"), [row[1:] for row in FORGED], ids=[str(row[0]) for row in FORGED]
)
def test_a_forged_intent_sends_nothing(intent: OrderIntent, code: str) -> None:
    broker = FakeBroker()
    outcome = place(intent, broker=broker)
    assert (outcome.status, outcome.reason_code) == (IntentStatus.BLOCKED, code)
    assert broker.sent == []


GATES = [
    ("switch REDUCING", FakeControl(state=SwitchState.REDUCING), LIMITS, "switch"),
    ("switch HALTED", FakeControl(state=SwitchState.HALTED), LIMITS, "switch"),
    ("the day's orders are used up", FakeControl(entries={"a", "b"}),
     replace(LIMITS, max_orders_per_day=2), "daily_limit"),
    ("only the reserve is left", FakeControl(budget=0), LIMITS, "request_budget"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("control", "limits", "code"), [row[1:] for row in GATES], ids=[str(row[0]) for row in GATES]
)
def test_gates_stop_entries(control: FakeControl, limits: HardLimits, code: str) -> None:
    broker = FakeBroker()
    outcome = place(ENTRY, broker=broker, control=control,
                    submitter=replace(SUBMITTER, limits=limits))  # fmt: skip
    assert (outcome.status, outcome.reason_code) == (IntentStatus.BLOCKED, code)
    assert broker.sent == []


EXIT = identified(
    ENTRY, kind=IntentKind.EXIT, side=Side.SELL, expires_at=None, stop_price=D("98.50")
)


FORGED_OTHERS = [
    ("protection of shares that are not held", IntentKind.PROTECT, "GME"),
    ("an exit of what is not ours", IntentKind.EXIT, "GME"),
    ("a repricing of what is not ours", IntentKind.REPRICE, "GME"),
]


@pytest.mark.parametrize(
    ("kind", "symbol"), [row[1:] for row in FORGED_OTHERS], ids=[row[0] for row in FORGED_OTHERS]
)
def test_a_forged_intent_touches_no_symbol_that_is_not_ours(kind: IntentKind, symbol: str) -> None:
    theirs = an_order(order_id="x", client_order_id="mine", symbol=symbol)
    broker = FakeBroker(held={symbol: D(7)}, orders_by_id={"x": theirs})
    outcome = place(identified(EXIT, kind=kind, symbol=symbol, target_order_id="x"), broker=broker)
    assert (outcome.status, outcome.reason_code) == (IntentStatus.BLOCKED, "symbol_not_ours")
    assert (broker.sent, broker.orders_by_id, broker.held) == ([], {"x": theirs}, {symbol: D(7)})


def test_a_symbol_that_is_no_longer_traded_can_still_be_left() -> None:
    ours = an_order(order_id="x", symbol="GME")
    broker = FakeBroker(held={"GME": D(7)}, orders_by_id={"x": ours})
    outcome = place(identified(EXIT, symbol="GME", target_order_id="x"), broker=broker)
    assert outcome.status is IntentStatus.SUBMITTED
    assert broker.held == {"GME": D(0)}


@pytest.mark.parametrize("intent", [ENTRY, EXIT], ids=["an entry", "an exit"])
def test_two_runs_never_send_at_the_same_time(intent: OrderIntent) -> None:
    broker = FakeBroker(held={"AAPL": D(10)})
    outcome = place(intent, broker=broker, control=FakeControl(holder="paper-20201112T1659Z"))
    # Not BLOCKED: a retry may come after its own first attempt had sent the order.
    assert (outcome.status, outcome.reason_code) == (
        IntentStatus.UNKNOWN,
        "another_run_is_sending",
    )
    assert broker.sent == []


def test_a_switch_in_no_known_state_stops_entries() -> None:
    class Odd(FakeControl):
        def switch(self, account: str) -> SwitchChange:
            raise InvalidInputError("the trading switch of paper is 'on'")

    assert place(ENTRY, control=Odd()).reason_code == "switch"


@pytest.mark.parametrize("state", [SwitchState.REDUCING, SwitchState.HALTED])
def test_gates_never_stop_an_exit(state: SwitchState) -> None:
    broker = FakeBroker(held={"AAPL": D(10)})
    control = FakeControl(state=state, budget=0)
    assert place(EXIT, broker=broker, control=control).status is IntentStatus.SUBMITTED
    assert broker.held == {"AAPL": D(0)}


def test_an_unreadable_control_table_stops_entries_and_no_exit() -> None:
    broker = FakeBroker(held={"AAPL": D(10)})
    dark = FakeControl(readable=False)
    # UNKNOWN rather than BLOCKED: an earlier attempt may have been sent.
    assert place(ENTRY, broker=broker, control=dark).status is IntentStatus.UNKNOWN
    assert place(EXIT, broker=broker, control=dark).status is IntentStatus.SUBMITTED
    assert broker.sent == [EXIT.intent_id]


def test_an_entry_expires_an_exit_does_not() -> None:
    late = timedelta(seconds=40)  # T+45 s
    broker = FakeBroker(held={"AAPL": D(10)})
    assert place(ENTRY, broker=broker, after=late).status is IntentStatus.EXPIRED_UNSENT
    assert broker.sent == []
    assert place(EXIT, broker=broker, after=late).status is IntentStatus.SUBMITTED


def test_a_late_retry_finds_what_the_first_attempt_sent() -> None:
    broker, control = FakeBroker(), FakeControl()
    place(ENTRY, broker=broker, control=control)
    late = place(ENTRY, broker=broker, control=control, after=timedelta(minutes=1))
    assert (late.status, late.reason_code) == (IntentStatus.SUBMITTED, "already_there")


def test_a_retry_after_the_switch_fell_finds_it_too() -> None:
    broker, control = FakeBroker(), FakeControl()
    place(ENTRY, broker=broker, control=control)
    control.state = SwitchState.HALTED
    assert place(ENTRY, broker=broker, control=control).status is IntentStatus.SUBMITTED


def test_a_retry_that_cannot_ask_sends_nothing() -> None:
    broker, control = FakeBroker(), FakeControl(claims={ENTRY.intent_id: 1})
    broker.faults = [Fault("order_by_client_id", UNREACHABLE, times=99)]
    assert place(ENTRY, broker=broker, control=control).status is IntentStatus.UNKNOWN
    assert broker.sent == []


def test_shadow_mode_sends_nothing() -> None:
    broker = FakeBroker()
    cycle = replace(CYCLE, mode="shadow")
    outcome = place_order(
        cycle,
        identified(ENTRY, mode="shadow"),
        submitter=replace(SUBMITTER, mode="shadow"),
        broker=broker,
        control=FakeControl(),
        clock=FakeClock(IN_TIME),
    )
    assert (outcome.status, outcome.reason_code) == (IntentStatus.BLOCKED, "shadow_mode")
    assert broker.sent == []

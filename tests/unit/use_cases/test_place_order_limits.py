"""What an order may cost: request budgets, the broker's own limit, and the circuit breaker."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.errors import ControlUnavailableError, InvalidInputError
from tradewind.orders.control import SwitchChange, SwitchState
from tradewind.orders.model import BrokerOrder, IntentOutcome, IntentStatus, OrderIntent
from tradewind.orders.rate_limits import RateLimits
from tradewind.use_cases.place_order import place_order

from tests.fakes import UNREACHABLE, FakeBroker, FakeClock, FakeControl, Fault, an_order
from tests.unit.use_cases.test_place_order import (
    CYCLE,
    ENTRY,
    EXIT,
    IN_TIME,
    REFUSED,
    REPRICE,
    SUBMITTER,
    UNCLEAR,
    identified,
    place,
)

# -- budgets --------------------------------------------------------------------------------


def test_every_request_is_counted() -> None:
    broker, control = FakeBroker(held={"AAPL": D(10)}), FakeControl()
    before = control.budget + control.reserve
    place(EXIT, broker=broker, control=control)
    assert before - control.budget - control.reserve == len(broker.calls) > 0


def test_exits_use_the_reserve_and_entries_do_not() -> None:
    control = FakeControl(budget=0, reserve=20)
    assert place(ENTRY, control=control).reason_code == "request_budget"
    assert control.reserve == 20
    broker = FakeBroker(held={"AAPL": D(10)})
    assert place(EXIT, broker=broker, control=control).status is IntentStatus.SUBMITTED
    assert control.reserve < 20


def test_an_exit_leaves_when_everything_is_used_up_and_says_so() -> None:
    broker = FakeBroker(held={"AAPL": D(10)})
    outcome = place(EXIT, broker=broker, control=FakeControl(budget=0, reserve=0))
    assert outcome.status is IntentStatus.SUBMITTED
    assert "beyond the request budget" in outcome.reason


def test_what_was_sent_is_followed_up_out_of_the_reserve() -> None:
    # Two requests are left for entries: the look for rivals, and the order.
    broker = FakeBroker(faults=[Fault("submit", UNCLEAR, after_effect=True)])
    control = FakeControl(budget=2)
    outcome = place(ENTRY, broker=broker, control=control)
    assert (outcome.status, outcome.reason_code) == (IntentStatus.SUBMITTED, "found_by_lookup")


def test_repricing_stops_where_its_budget_ends() -> None:
    stop = an_order(order_id="x")
    broker = FakeBroker(held={"AAPL": D(10)}, orders_by_id={"x": stop})
    outcome = place(REPRICE, broker=broker, control=FakeControl(budget=0))
    assert (outcome.status, outcome.reason_code) == (IntentStatus.BLOCKED, "request_budget")
    assert broker.orders_by_id == {"x": stop}


LIMITED = [
    # (intent, seconds to the broker's reset, status, its code, seconds waited)
    ("an entry waits a moment", ENTRY, 1.5, IntentStatus.SUBMITTED, "accepted", 1.5),
    ("an entry does not wait long", ENTRY, 30, IntentStatus.BLOCKED, "broker_rate_limit", 0),
    ("an exit waits a moment, and goes", EXIT, 30, IntentStatus.SUBMITTED, "accepted", 3),
]


@pytest.mark.parametrize(
    ("intent", "seconds", "status", "code", "waited"),
    [row[1:] for row in LIMITED],
    ids=[str(row[0]) for row in LIMITED],
)
def test_the_brokers_own_limit_is_heeded(
    intent: OrderIntent, seconds: float, status: IntentStatus, code: str, waited: float
) -> None:
    class Told(FakeBroker):
        """Its first answer brings the news that there is room again."""

        def open_orders(self, symbol: str) -> list[BrokerOrder]:
            self.limits = None
            return super().open_orders(symbol)

    limits = RateLimits(0, IN_TIME + timedelta(seconds=seconds))
    broker = Told(held={"AAPL": D(10)}, limits=limits)
    clock = FakeClock(IN_TIME)
    outcome = place_order(CYCLE, intent, submitter=SUBMITTER, broker=broker, control=FakeControl(),
                          clock=clock)  # fmt: skip
    assert (outcome.status, outcome.reason_code) == (status, code)
    assert sum(clock.slept) == waited


# -- the circuit breaker --------------------------------------------------------------------


def entries(count: int) -> list[OrderIntent]:
    return [identified(ENTRY, revision=number) for number in range(count)]


def test_five_failed_entries_in_a_row_lower_the_switch() -> None:
    control = FakeControl()
    for number, intent in enumerate(entries(5), start=1):
        place(intent, broker=FakeBroker(faults=[Fault("submit", UNCLEAR, times=9)]),
              control=control)  # fmt: skip
        assert (control.state is SwitchState.REDUCING) is (number == 5)
    assert control.changes[0].who == "circuit breaker"
    assert place(entries(6)[5], control=control).reason_code == "switch"


@pytest.mark.parametrize(
    "fault", [REFUSED, None], ids=["refused by the broker's rules", "it worked"]
)
def test_what_the_broker_answers_clearly_is_no_failure(fault: Exception | None) -> None:
    control = FakeControl()
    for intent in entries(6):
        place(intent, broker=FakeBroker(faults=[Fault("submit", fault)] if fault else []),
              control=control)  # fmt: skip
    assert control.state is SwitchState.ACTIVE


def test_a_breaker_that_cannot_be_told_keeps_nobody_from_the_outcome() -> None:
    class Forgetful(FakeControl):
        def note_entry(self, account: str, intent_id: str, *, failed: bool, at: datetime) -> int:
            raise ControlUnavailableError("table control: unreachable")

    assert place(ENTRY, control=Forgetful()).status is IntentStatus.SUBMITTED


def test_a_switch_set_to_nonsense_by_hand_keeps_nobody_from_the_outcome() -> None:
    class Nonsense(FakeControl):
        def change_switch(self, *_: Any, **__: Any) -> SwitchChange:
            raise InvalidInputError("table control: switch#paper has state 'of'")

    control = Nonsense()
    for intent in entries(5):
        broker = FakeBroker(faults=[Fault("submit", UNCLEAR, times=9)])
        assert place(intent, broker=broker, control=control).status is IntentStatus.UNKNOWN
    assert len(control.failures) == 5


LIVE_CYCLE = replace(CYCLE, account="live", mode="live")
LIVE_ENTRY = identified(ENTRY, account="live", mode="live")


def reduced(who: str) -> FakeControl:
    control = FakeControl()
    control.change_switch("live", SwitchState.REDUCING, who, "because", IN_TIME)
    return control


def place_live(control: FakeControl, paper: FakeBroker | None, broker: FakeBroker) -> IntentOutcome:
    submitter = replace(SUBMITTER, account="live", mode="live", paper=paper)
    return place(LIVE_ENTRY, broker=broker, control=control, submitter=submitter,
                 cycle=LIVE_CYCLE)  # fmt: skip


def test_with_the_breaker_open_a_live_accounts_entries_go_to_paper() -> None:
    paper, live = FakeBroker(), FakeBroker()
    outcome = place_live(reduced("circuit breaker"), paper, live)
    assert (outcome.status, outcome.reason_code) == (IntentStatus.BLOCKED, "sent_to_paper")
    assert (paper.sent, live.sent) == ([LIVE_ENTRY.intent_id], [])
    assert outcome.broker_order_id is None  # no order of the live account


def test_a_paper_account_that_does_not_answer_is_told_and_nothing_else() -> None:
    paper = FakeBroker(faults=[Fault("open_orders", UNREACHABLE)])
    outcome = place_live(reduced("circuit breaker"), paper, FakeBroker())
    assert (outcome.status, outcome.reason_code) == (IntentStatus.BLOCKED, "sent_to_paper")
    assert "no answer" in outcome.reason


@pytest.mark.parametrize(
    ("who", "paper"), [("ann", FakeBroker()), ("circuit breaker", None)],
    ids=["reduced by a person", "without a paper account"],
)  # fmt: skip
def test_otherwise_nothing_goes_to_paper(who: str, paper: FakeBroker | None) -> None:
    live = FakeBroker()
    assert place_live(reduced(who), paper, live).reason_code == "switch"
    assert live.sent == []
    assert paper is None or paper.sent == []


# -- questions that fail --------------------------------------------------------------------


@pytest.mark.parametrize("question", ["open_orders", "positions", "order"])
def test_a_question_that_fails_once_is_asked_again_and_counted(question: str) -> None:
    stop = an_order(order_id="x")
    broker = FakeBroker(held={"AAPL": D(10)}, orders_by_id={"x": stop},
                        faults=[Fault(question, UNREACHABLE)])  # fmt: skip
    control = FakeControl()
    before = control.budget + control.reserve
    assert place(EXIT, broker=broker, control=control).status is IntentStatus.SUBMITTED
    assert broker.held == {"AAPL": D(0)}
    assert before - control.budget - control.reserve == len(broker.calls)


def test_questions_do_not_go_on_for_long() -> None:
    broker = FakeBroker(faults=[Fault("open_orders", UNREACHABLE, times=99)])
    assert place(EXIT, broker=broker).status is IntentStatus.UNKNOWN
    assert broker.calls.count("open_orders") == 3

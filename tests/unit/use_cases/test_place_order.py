"""What may leave, and what is stopped at the last gate. The input is never trusted."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.errors import (
    BrokerRejectedError,
    ControlUnavailableError,
    InvalidInputError,
    OutcomeUnknownError,
    ThrottledError,
)
from tradewind.market.cycle import Cycle
from tradewind.orders.control import SwitchChange, SwitchState
from tradewind.orders.ids import intent_id
from tradewind.orders.model import (
    BrokerOrder,
    IntentKind,
    IntentOutcome,
    IntentStatus,
    OrderClass,
    OrderIntent,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.settings import HardLimits
from tradewind.strategies.decision import Action
from tradewind.use_cases.place_order import Submitter, place_order

from tests.fakes import (
    UNREACHABLE,
    FakeBroker,
    FakeClock,
    FakeControl,
    Fault,
    an_order,
    own_id,
)
from tests.unit.risk.test_assessment import NOON, cycle_at, run

CYCLE = cycle_at(NOON)
LIMITS = HardLimits(250, 50, 200, D(30_000), D(2_000_000))
SUBMITTER = Submitter("here", "paper", "paper", ("AAPL", "MSFT"), LIMITS)
ENTRY = run(Action.ENTER).intents[0]
UNCLEAR = OutcomeUnknownError("POST /v2/orders: status 504")
THROTTLED = ThrottledError("status 429")
REFUSED = BrokerRejectedError("insufficient buying power", 40310000, 403)
IN_TIME = CYCLE.run_at + timedelta(seconds=5)


def place(
    intent: OrderIntent,
    *,
    broker: FakeBroker | None = None,
    control: FakeControl | None = None,
    submitter: Submitter = SUBMITTER,
    after: timedelta = timedelta(0),
    cycle: Cycle = CYCLE,
) -> IntentOutcome:
    return place_order(
        cycle,
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


EXIT = identified(
    ENTRY, kind=IntentKind.EXIT, side=Side.SELL, expires_at=None, stop_price=D("98.50")
)
REPRICE = identified(EXIT, kind=IntentKind.REPRICE, target_order_id="x")
LATER = ENTRY.bar_time + timedelta(minutes=3)

# Every field of an intent, forged: alone, and with an id that fits it.
FORGED = [
    ("its id", replace(ENTRY, intent_id=own_id("forged")), "wrong_identity"),
    ("another deployment's id",
     replace(ENTRY, intent_id=ENTRY.intent_id.replace("tw-", "tw-0")), "wrong_identity"),
    ("another account", identified(ENTRY, account="live"), "wrong_account"),
    ("another strategy under its id", replace(ENTRY, strategy="mine"), "wrong_identity"),
    ("another mode", identified(ENTRY, mode="live"), "wrong_mode"),
    ("another session", identified(ENTRY, session=date(2020, 11, 13)), "wrong_minute"),
    ("another minute", identified(ENTRY, bar_time=NOON - timedelta(minutes=1)), "wrong_minute"),
    ("another symbol under its id", replace(ENTRY, symbol="MSFT"), "wrong_identity"),
    ("a symbol that is not traded", identified(ENTRY, symbol="GME"), "symbol_not_allowed"),
    ("another revision under its id", replace(ENTRY, revision=7), "wrong_identity"),
    ("a short sale as an entry", identified(ENTRY, side=Side.SELL), "wrong_side"),
    ("a purchase as an exit", identified(ENTRY, kind=IntentKind.EXIT), "wrong_side"),
    ("a purchase as protection", identified(ENTRY, kind=IntentKind.PROTECT), "wrong_side"),
    ("too much money", replace(ENTRY, quantity=D(300)), "order_notional"),
    ("too high a limit", replace(ENTRY, limit_price=D(1000)), "order_notional"),
    ("no limit", replace(ENTRY, limit_price=None), "incomplete_entry"),
    ("at the market", replace(ENTRY, order_type=OrderType.MARKET), "entry_not_allowed"),
    ("a stop entry", replace(ENTRY, order_type=OrderType.STOP_LIMIT), "entry_not_allowed"),
    ("a bracket without its second price", replace(ENTRY, order_class=OrderClass.BRACKET),
     "entry_not_allowed"),
    ("at the opening auction", replace(ENTRY, time_in_force=TimeInForce.OPG),
     "entry_not_allowed"),
    ("no expiry", replace(ENTRY, expires_at=None), "incomplete_entry"),
    ("an expiry far ahead", replace(ENTRY, expires_at=LATER), "wrong_minute"),
    ("no stop", replace(ENTRY, stop_price=None), "incomplete_intent"),
    ("a stop above its limit", replace(ENTRY, stop_price=D(101)), "stop_above_limit"),
    ("an exit without the stop to put back", replace(EXIT, stop_price=None), "incomplete_intent"),
    ("a repricing of no order", replace(REPRICE, target_order_id=None), "incomplete_intent"),
    ("a repricing to no price", replace(REPRICE, stop_price=None), "incomplete_intent"),
    ("the cancellation of no order",
     replace(identified(EXIT, kind=IntentKind.CANCEL_STOP), target_order_id=None),
     "incomplete_intent"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("intent", "code"), [row[1:] for row in FORGED], ids=[str(row[0]) for row in FORGED]
)
def test_a_forged_intent_sends_nothing(intent: OrderIntent, code: str) -> None:
    broker = FakeBroker(held={"AAPL": D(10)})
    outcome = place(intent, broker=broker)
    assert (outcome.status, outcome.reason_code) == (IntentStatus.BLOCKED, code)
    assert broker.calls == []


INVALID = [
    ("a fraction with legs", replace(ENTRY, quantity=D("2.5"))),
    ("a limit between two ticks", replace(ENTRY, limit_price=D("100.303"))),
    ("a stop between two ticks", replace(ENTRY, stop_price=D("98.505"))),
    ("ten decimals", replace(ENTRY, quantity=D("1.0000000001"))),
]


@pytest.mark.parametrize("intent", [row[1] for row in INVALID], ids=[row[0] for row in INVALID])
def test_an_order_that_breaks_the_brokers_rules_is_not_sent(intent: OrderIntent) -> None:
    broker = FakeBroker()
    outcome = place(intent, broker=broker)
    assert (outcome.status, outcome.reason_code) == (IntentStatus.REJECTED, "invalid_order")
    assert broker.sent == []


FORGED_CYCLES = [
    ("another deployment", replace(CYCLE, deployment="there"), "wrong_deployment"),
    ("another account", replace(CYCLE, account="live"), "wrong_account"),
    ("another mode", replace(CYCLE, mode="live"), "wrong_mode"),
    ("another minute", replace(CYCLE, bar_time=LATER), "wrong_minute"),
]


@pytest.mark.parametrize(
    ("cycle", "code"), [row[1:] for row in FORGED_CYCLES], ids=[str(r[0]) for r in FORGED_CYCLES]
)
def test_a_forged_run_sends_nothing(cycle: Cycle, code: str) -> None:
    broker = FakeBroker()
    outcome = place(ENTRY, broker=broker, cycle=cycle)
    assert (outcome.status, outcome.reason_code) == (IntentStatus.BLOCKED, code)
    assert broker.calls == []


def test_a_run_of_the_future_enters_nothing() -> None:
    # A forger who has everything fit: the real clock does not.
    cycle = replace(CYCLE, bar_time=LATER)
    forged = identified(ENTRY, bar_time=LATER, expires_at=cycle.run_at + timedelta(seconds=45))
    broker = FakeBroker()
    assert place(forged, broker=broker, cycle=cycle).reason_code == "wrong_minute"
    assert broker.calls == []


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


def test_a_forged_session_gets_no_daily_limit_of_its_own() -> None:
    # Run and intent agree on another date for this very minute.
    other_day = date(2020, 11, 13)
    cycle = replace(CYCLE, session=replace(CYCLE.session, date=other_day))
    broker, control = FakeBroker(), FakeControl()
    outcome = place(
        identified(ENTRY, session=other_day), broker=broker, control=control, cycle=cycle
    )
    assert (outcome.status, outcome.reason_code) == (IntentStatus.BLOCKED, "wrong_minute")
    assert (broker.sent, control.entries) == ([], set())


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


@pytest.mark.parametrize(
    ("kind", "left"), [(IntentKind.EXIT, 0), (IntentKind.PROTECT, 7)], ids=["exit", "protect"]
)
def test_shares_of_such_a_symbol_that_lost_their_stop_are_still_cared_for(
    kind: IntentKind, left: int
) -> None:
    # An earlier attempt cancelled the stop and died, or the stop lived for its day only.
    gone = an_order(order_id="x", symbol="GME", status=OrderStatus.CANCELED)
    broker = FakeBroker(held={"GME": D(7)}, orders_by_id={"x": gone})
    outcome = place(identified(EXIT, kind=kind, symbol="GME"), broker=broker)
    assert outcome.status is IntentStatus.SUBMITTED
    assert broker.held == {"GME": D(left)}
    assert len(broker.open_orders("GME")) == (kind is IntentKind.PROTECT)


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


@dataclass
class SlowlyDark(FakeControl):
    """Answers so many questions, and then each further one fails after seven seconds."""

    clock: FakeClock = field(default_factory=FakeClock)
    answers: int = 0

    def _check(self) -> None:
        self.answers -= 1
        if self.answers < 0:
            self.clock.sleep(7)
            raise ControlUnavailableError("table control: ConnectTimeoutError")


@pytest.mark.parametrize("answers", range(12))
def test_a_control_table_that_stalls_costs_an_exit_no_more_than_its_function_has(
    answers: int,
) -> None:
    # Past the function's 30 s the process is killed: after the stop was cancelled, before the sale.
    clock = FakeClock(IN_TIME)
    stop = an_order(order_id="stop-1", symbol=EXIT.symbol)
    broker = FakeBroker(held={"AAPL": D(10)}, orders_by_id={"stop-1": stop})
    outcome = place_order(
        CYCLE, EXIT, submitter=SUBMITTER, broker=broker,
        control=SlowlyDark(clock=clock, answers=answers), clock=clock,
    )  # fmt: skip
    assert outcome.status is IntentStatus.SUBMITTED
    assert broker.held == {"AAPL": D(0)}
    assert clock.now() - IN_TIME < timedelta(seconds=20)


@dataclass
class HeldUntil(FakeControl):
    """Another run holds the lease until then."""

    until: datetime = IN_TIME

    def lease(self, account: str, holder: str, at: datetime) -> int | None:
        return super().lease(account, holder, at) if at >= self.until else None


@pytest.mark.parametrize(
    ("intent", "status"), [(ENTRY, IntentStatus.UNKNOWN), (EXIT, IntentStatus.SUBMITTED)]
)
def test_an_exit_waits_for_a_run_that_ended_late(intent: OrderIntent, status: IntentStatus) -> None:
    # Refused at once, an exit would come a minute later, with shares perhaps naked meanwhile.
    broker = FakeBroker(held={"AAPL": D(10)})
    control = HeldUntil(until=IN_TIME + timedelta(seconds=5))
    assert place(intent, broker=broker, control=control).status is status


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


SHADOW = replace(SUBMITTER, mode="shadow")
TARGETED = {"target_order_id": "stop-1", "stop_price": D("98.50")}


@pytest.mark.parametrize("kind", IntentKind)
@pytest.mark.parametrize("mode", ["shadow", "paper", "live"])
def test_shadow_mode_sends_nothing(kind: IntentKind, mode: str) -> None:
    """Whatever the run and its intent say they are: what this deployment is, is not theirs to say.
    The broker is not even asked, though it holds shares and a stop of ours."""
    plain = ENTRY if kind is IntentKind.ENTRY else replace(EXIT, **TARGETED)
    broker = FakeBroker(held={"AAPL": D(10)}, orders_by_id={"stop-1": an_order(order_id="stop-1")})
    control = FakeControl()
    outcome = place(
        identified(plain, kind=kind, mode=mode), broker=broker, control=control,
        submitter=SHADOW, cycle=replace(CYCLE, mode=mode),
    )  # fmt: skip
    code = "shadow_mode" if mode == "shadow" else "wrong_mode"
    assert (outcome.status, outcome.reason_code) == (IntentStatus.BLOCKED, code)
    assert (broker.calls, control.claims) == ([], {})


@pytest.mark.parametrize("intent", [row[1] for row in FORGED], ids=[str(row[0]) for row in FORGED])
@pytest.mark.parametrize("as_shadow", [False, True], ids=["as it is", "with shadow's own id"])
def test_a_forged_intent_finds_no_way_out_of_shadow_mode(
    intent: OrderIntent, as_shadow: bool
) -> None:
    broker = FakeBroker(held={"AAPL": D(10)})
    forged = identified(intent, mode="shadow") if as_shadow else intent
    for mode in ("shadow", "paper"):
        outcome = place(forged, broker=broker, submitter=SHADOW, cycle=replace(CYCLE, mode=mode))
        assert outcome.status is IntentStatus.BLOCKED
    assert broker.calls == []


def test_the_switch_is_read_right_before_each_attempt() -> None:
    # It falls while the first attempt is being throttled.
    control = FakeControl()
    broker = FakeBroker()

    def throttle(request: OrderRequest) -> BrokerOrder:
        control.state = SwitchState.HALTED
        raise THROTTLED

    broker.submit = throttle  # type: ignore[method-assign]
    outcome = place(ENTRY, broker=broker, control=control)
    assert (outcome.status, outcome.reason_code) == (IntentStatus.BLOCKED, "switch")


def test_the_clock_is_read_after_every_wait() -> None:
    # In time when it began; then the broker asked for patience.
    broker = FakeBroker(faults=[Fault("submit", ThrottledError("429", retry_after=3))])
    outcome = place(ENTRY, broker=broker, after=timedelta(seconds=38))
    assert (outcome.status, broker.sent) == (IntentStatus.EXPIRED_UNSENT, [])


def test_a_submitter_that_lost_its_lease_changes_nothing() -> None:
    # It stood still for a minute between its lease and its order; another one has taken over.
    class Stolen(FakeControl):
        def holds_lease(self, account: str, fence: int) -> bool:
            return False

    for intent in (ENTRY, EXIT):
        broker = FakeBroker(held={"AAPL": D(10)})
        outcome = place(intent, broker=broker, control=Stolen())
        assert outcome.reason_code == "another_run_is_sending"
        assert broker.sent == []


@pytest.mark.parametrize("answer", [None, OutcomeUnknownError("504"), KeyError("a bug of ours")])
def test_the_lease_is_given_back_however_it_ends(answer: Exception | None) -> None:
    # Kept until it runs out, it would keep a reconciliation or the next run's exits waiting.
    control = FakeControl()
    faults = [Fault("submit", answer, times=9)] if answer else []
    with suppress(KeyError):
        place(ENTRY, broker=FakeBroker(faults=faults), control=control)
    assert control.lease("paper", "another run", IN_TIME) == control.fence


def test_every_kind_of_intent_is_claimed_under_the_fence() -> None:
    control = FakeControl(fence=7)
    place(ENTRY, control=control)
    place(EXIT, control=control)
    assert control.claims == {ENTRY.intent_id: 7, EXIT.intent_id: 7}


@pytest.mark.parametrize("state", [SwitchState.REDUCING, SwitchState.HALTED])
def test_protection_and_repricing_go_on_whatever_the_switch_says(state: SwitchState) -> None:
    stop = an_order(order_id="x", quantity=D(4))
    broker = FakeBroker(held={"AAPL": D(10)}, orders_by_id={"x": stop})
    control = FakeControl(state=state)
    protect = identified(EXIT, kind=IntentKind.PROTECT)
    assert place(protect, broker=broker, control=control).status is IntentStatus.SUBMITTED
    raised = replace(REPRICE, stop_price=D("99.10"))
    assert place(raised, broker=broker, control=control).status is IntentStatus.SUBMITTED


def test_entries_are_cancelled_while_halted() -> None:
    entry = an_order(order_id="x", side=Side.BUY, order_type="limit")
    broker = FakeBroker(orders_by_id={"x": entry})
    intent = identified(EXIT, kind=IntentKind.CANCEL_ENTRY, target_order_id="x")
    place(intent, broker=broker, control=FakeControl(state=SwitchState.HALTED))
    assert broker.orders_by_id["x"].status is OrderStatus.CANCELED


def test_an_entry_does_not_leave_beside_another_deployment() -> None:
    theirs = an_order(order_id="x", client_order_id=own_id("1", "another"))
    broker = FakeBroker(orders_by_id={"x": theirs})
    assert place(ENTRY, broker=broker).reason_code == "second_deployment"
    assert broker.sent == []

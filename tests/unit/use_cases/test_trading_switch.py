"""The trading switch: what a change does, and does not need."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from tradewind.errors import (
    BrokerRejectedError,
    ControlUnavailableError,
    InvalidInputError,
    OutcomeUnknownError,
    ThrottledError,
)
from tradewind.market.bar import to_iso
from tradewind.orders.control import LONGEST_WHY, SwitchState
from tradewind.orders.ids import deployment_tag, protect_id
from tradewind.orders.model import BrokerOrder, OrderStatus, Side
from tradewind.orders.ports import Broker
from tradewind.use_cases.cancel_entries import GIVE_UP, WATCH, CancelledEntries, cancel_entries
from tradewind.use_cases.trading_switch import (
    Alarm,
    SwitchAnswer,
    alarm_of,
    change_switch,
    lower_by_alarm,
    state_of,
)

from tests.fakes import START, UNREACHABLE, FakeBroker, FakeClock, FakeControl, Fault, an_order

TAG = deployment_tag("here")
OURS = f"tw-{TAG}-380968753458b472ddd0506a"
THEIRS = f"tw-{deployment_tag('there')}-380968753458b472ddd0506a"
ACTIVE, REDUCING, HALTED = SwitchState.ACTIVE, SwitchState.REDUCING, SwitchState.HALTED


class LegsGoWithTheirParent(FakeBroker):
    """As the broker has it: what is held behind an entry is cancelled with it."""

    def _cancel(self, order_id: str) -> None:
        super()._cancel(order_id)
        for leg in list(self.orders_by_id.values()):
            if leg.parent_order_id == order_id and leg.status is OrderStatus.HELD:
                self.orders_by_id[leg.order_id] = replace(leg, status=OrderStatus.CANCELED)


def an_entry(**changes: object) -> BrokerOrder:
    usual: dict[str, object] = {
        "order_id": "entry",
        "client_order_id": OURS,
        "side": Side.BUY,
        "order_type": "limit",
        "order_class": "oto",
        "stop_price": None,
    }
    return an_order(**{**usual, **changes})


def a_leg(status: OrderStatus = OrderStatus.HELD) -> BrokerOrder:
    return an_order(
        order_id="leg", client_order_id="broker-made", parent_order_id="entry", status=status
    )


def with_orders(*orders: BrokerOrder, **held: int) -> LegsGoWithTheirParent:
    return LegsGoWithTheirParent(
        orders_by_id={order.order_id: order for order in orders},
        held={symbol: Decimal(quantity) for symbol, quantity in held.items()},
    )


def change(
    to: SwitchState, control: FakeControl, broker: Broker | None, why: str = "odd prices"
) -> SwitchAnswer:
    return change_switch(
        "paper",
        to,
        "ada",
        why,
        control=control,
        broker=None if broker is None else (lambda: broker),
        clock=FakeClock(),
        tag=TAG,
    )


def sweep(broker: FakeBroker, clock: FakeClock | None = None) -> CancelledEntries:
    return cancel_entries(broker, clock or FakeClock(), TAG)


# -- changing it -----------------------------------------------------------------------------


def test_a_change_is_recorded_with_who_why_and_when() -> None:
    control = FakeControl()
    answer = change(REDUCING, control, None)
    assert answer.complete
    assert answer.entries is None
    (recorded,) = control.changes
    assert (recorded.state, recorded.who, recorded.why) == (REDUCING, "ada", "odd prices")
    assert recorded.at == START


@pytest.mark.parametrize("to", [ACTIVE, REDUCING])
def test_only_a_halt_touches_the_broker(to: SwitchState) -> None:
    def no_broker() -> Broker:
        raise AssertionError("the broker was asked")

    change_switch(
        "paper",
        to,
        "ada",
        "why",
        control=FakeControl(state=HALTED),
        broker=no_broker,
        clock=FakeClock(),
        tag=TAG,
    )


def test_a_halt_sets_the_switch_before_it_makes_the_broker() -> None:
    control = FakeControl()

    def unreadable_keys() -> Broker:
        assert control.state is HALTED
        raise InvalidInputError("secret broker has no value for api_key")

    with pytest.raises(InvalidInputError, match="secret broker"):
        change_switch(
            "paper",
            HALTED,
            "ada",
            "why",
            control=control,
            broker=unreadable_keys,
            clock=FakeClock(),
            tag=TAG,
        )


def test_a_halt_cancels_entries_although_the_switch_cannot_be_set() -> None:
    broker = with_orders(an_entry())
    answer = change(HALTED, FakeControl(readable=False), broker)
    assert not answer.complete
    assert answer.switch is None
    assert "unreachable" in str(answer.not_set)
    assert broker.orders_by_id["entry"].status is OrderStatus.CANCELED


@pytest.mark.parametrize("to", [ACTIVE, REDUCING])
def test_another_change_that_cannot_be_made_is_an_error(to: SwitchState) -> None:
    with pytest.raises(ControlUnavailableError):
        change(to, FakeControl(readable=False), None)


def test_a_change_says_why_in_one_line_that_can_be_kept() -> None:
    control = FakeControl()
    for empty in ("", " \n "):
        with pytest.raises(InvalidInputError, match="why: empty"):
            change(HALTED, control, None, why=empty)
    change(HALTED, control, None, why="two\nlines " + "x" * 1000)
    assert control.changes[0].why.startswith("two lines xxx")
    assert len(control.changes[0].why) == LONGEST_WHY


def test_what_the_switch_cannot_be() -> None:
    assert state_of("halted") is HALTED
    with pytest.raises(InvalidInputError, match=r"'off', only ACTIVE, REDUCING, HALTED"):
        state_of("off")


# -- a halt's entries ------------------------------------------------------------------------


def test_a_halt_cancels_our_entries_and_leaves_everything_else() -> None:
    broker = with_orders(
        an_entry(),
        an_entry(order_id="second-deployment", client_order_id=THEIRS),
        an_entry(order_id="foreign", client_order_id="by-hand"),
        an_order(order_id="our-stop", client_order_id=protect_id(OURS)),
        an_order(order_id="leg-of-a-filled-one", client_order_id="x", parent_order_id="old"),
        an_entry(order_id="filled", status=OrderStatus.FILLED, filled_quantity=Decimal(10)),
    )
    answer = change(HALTED, FakeControl(), broker)
    assert answer.complete
    assert answer.entries is not None
    assert [order.order_id for order in answer.entries.cancelled] == ["entry"]
    still_open = {order.order_id for order in broker.orders(START) if not order.status.is_final}
    assert still_open == {"second-deployment", "foreign", "our-stop", "leg-of-a-filled-one"}


def test_without_a_deployment_the_entries_of_any_are_cancelled() -> None:
    broker = with_orders(
        an_entry(),
        an_entry(order_id="other", client_order_id=THEIRS),
        an_entry(order_id="foreign", client_order_id="by-hand"),
    )
    done = cancel_entries(broker, FakeClock(), None)
    assert {order.order_id for order in done.cancelled} == {"entry", "other"}


def test_an_entry_that_arrives_after_the_switch_was_set_is_cancelled_too() -> None:
    clock = FakeClock()

    class Late(LegsGoWithTheirParent):
        def orders(self, since: object) -> list[BrokerOrder]:
            if clock.now() > START + timedelta(seconds=5):
                self.orders_by_id.setdefault("entry", an_entry())
            return list(self.orders_by_id.values())

    done = sweep(Late(), clock)
    assert [order.order_id for order in done.cancelled] == ["entry"]
    assert clock.now() - START >= WATCH


def test_what_a_cancelled_entry_had_bought_gets_its_stop_back() -> None:
    bought = an_entry(status=OrderStatus.PARTIALLY_FILLED, filled_quantity=Decimal(4))
    broker = with_orders(bought, a_leg(), AAPL=4)
    assert sweep(broker).complete
    (stop,) = broker.open_orders("AAPL")
    assert (stop.client_order_id, stop.quantity) == (protect_id(OURS), Decimal(4))
    assert (stop.order_type, stop.stop_price) == ("stop", Decimal("98.50"))
    # Run again after being cut off anywhere: no second stop.
    assert sweep(broker).complete
    assert broker.sent == [protect_id(OURS)]


@pytest.mark.parametrize("listed", [OrderStatus.HELD, OrderStatus.PENDING_CANCEL])
def test_a_leg_that_is_listed_longer_than_its_entry_covers_nothing(listed: OrderStatus) -> None:
    class LegsLinger(FakeBroker):
        def _cancel(self, order_id: str) -> None:
            for one, status in ((order_id, OrderStatus.CANCELED), ("leg", listed)):
                self.orders_by_id[one] = replace(self.orders_by_id[one], status=status)

    bought = an_entry(status=OrderStatus.PARTIALLY_FILLED, filled_quantity=Decimal(4))
    broker = LegsLinger(orders_by_id={"entry": bought, "leg": a_leg()}, held={"AAPL": Decimal(4)})
    assert sweep(broker).complete
    assert broker.sent == [protect_id(OURS)]


def test_shares_that_a_stop_covers_get_no_second_one() -> None:
    bought = an_entry(status=OrderStatus.PARTIALLY_FILLED, filled_quantity=Decimal(4))
    stop = an_order(order_id="repair", client_order_id="x", quantity=Decimal(4))
    broker = with_orders(bought, a_leg(), stop, AAPL=4)
    assert sweep(broker).complete
    assert broker.sent == []


def test_a_stop_that_is_refused_is_told() -> None:
    bought = an_entry(status=OrderStatus.PARTIALLY_FILLED, filled_quantity=Decimal(4))
    broker = with_orders(bought, a_leg(), AAPL=4)
    broker.faults = [Fault("submit", BrokerRejectedError("stop price above the market", 1, 422))]
    done = sweep(broker)
    assert not done.complete
    (sentence,) = done.unprotected
    assert "4 AAPL of the cancelled entry entry have no stop" in sentence
    assert "stop price above the market" in sentence


def test_a_filled_entry_keeps_the_stop_that_rests_behind_it() -> None:
    class FillsFirst(FakeBroker):
        def _cancel(self, order_id: str) -> None:
            self.orders_by_id["entry"] = an_entry(
                status=OrderStatus.FILLED, filled_quantity=Decimal(10)
            )
            raise BrokerRejectedError("order is not cancelable", 42210000, 422)

    broker = FillsFirst(orders_by_id={"entry": an_entry(), "leg": a_leg(OrderStatus.NEW)})
    done = sweep(broker)
    assert done.complete
    assert done.cancelled[0].status is OrderStatus.FILLED
    assert broker.sent == []


def test_a_cancellation_that_is_stuck_is_told() -> None:
    broker = with_orders(an_entry())
    broker.stuck_cancels = True
    clock = FakeClock()
    done = sweep(broker, clock)
    assert not done.complete
    assert [order.status for order in done.not_confirmed] == [OrderStatus.PENDING_CANCEL]
    assert clock.now() - START <= GIVE_UP + timedelta(seconds=1)


def test_a_clock_that_stands_still_keeps_nobody_for_ever() -> None:
    class Still(FakeClock):
        def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)

    clock = Still()
    assert sweep(with_orders(an_entry()), clock).complete
    assert sum(clock.slept) == WATCH.total_seconds()


@pytest.mark.parametrize(
    "error",
    [OutcomeUnknownError("ReadTimeout"), ThrottledError("status 429", retry_after=1.0)],
)
@pytest.mark.parametrize("after_effect", [False, True])
def test_a_cancellation_without_a_clear_answer_is_asked_for_again(
    error: Exception, after_effect: bool
) -> None:
    broker = with_orders(an_entry())
    broker.faults = [Fault("cancel", error, after_effect=after_effect)]
    assert sweep(broker).complete
    assert broker.orders_by_id["entry"].status is OrderStatus.CANCELED


def test_a_broker_that_comes_back_is_asked_again_and_one_that_stays_away_is_told() -> None:
    broker = with_orders(an_entry())
    broker.faults = [Fault("order", UNREACHABLE, times=3)]
    assert sweep(broker).complete
    broker = with_orders(an_entry())
    broker.faults = [Fault("order", UNREACHABLE, times=1000)]
    done = sweep(broker)
    assert not done.complete
    assert "ReadTimeout" in str(done.trouble)


# -- alarms ----------------------------------------------------------------------------------


def alarm_message(**changes: object) -> str:
    """As CloudWatch sends it (User Guide, "Alarm events"; the fields that are read)."""
    return json.dumps(
        {
            "AlarmName": "tradewind-NothingHappensAlarm",
            "AlarmDescription": "fetch_bars has not run for ten minutes",
            "AWSAccountId": "123456789012",
            "NewStateValue": "ALARM",
            "NewStateReason": "Threshold Crossed: 2 datapoints were less than the threshold",
            "StateChangeTime": "2020-11-12T14:31:00.123+0000",
            "OldStateValue": "OK",
            **changes,
        }
    )


def an_alarm(seconds: float) -> Alarm:
    return Alarm("NothingHappens", "no run", START + timedelta(seconds=seconds))


def test_what_an_alarm_says() -> None:
    alarm = alarm_of(alarm_message())
    assert alarm is not None
    assert alarm.name == "tradewind-NothingHappensAlarm"
    assert alarm.reason.startswith("Threshold Crossed")
    assert to_iso(alarm.at) == "2020-11-12T14:31:00.123000Z"


@pytest.mark.parametrize("state", ["OK", "INSUFFICIENT_DATA"])
def test_an_alarm_that_is_over_says_nothing(state: str) -> None:
    assert alarm_of(alarm_message(NewStateValue=state)) is None


@pytest.mark.parametrize("message", ["", "[]", "{}", "no json", alarm_message(StateChangeTime=7)])
def test_another_message_is_an_error(message: str) -> None:
    with pytest.raises(InvalidInputError, match="not a CloudWatch alarm"):
        alarm_of(message)


@pytest.mark.parametrize(
    ("stands", "then", "changes"),
    [(ACTIVE, REDUCING, 1), (REDUCING, REDUCING, 0), (HALTED, HALTED, 0)],
)
def test_an_alarm_only_lowers(stands: SwitchState, then: SwitchState, changes: int) -> None:
    control = FakeControl(state=stands)
    answer = lower_by_alarm("paper", an_alarm(0), control=control, clock=FakeClock())
    assert answer.state is control.state is then
    assert [change.who for change in control.changes] == ["NothingHappens"] * changes


def test_an_alarm_told_twice_does_not_undo_what_a_person_did_meanwhile() -> None:
    control, clock = FakeControl(), FakeClock()
    clock.sleep(1)
    lower_by_alarm("paper", an_alarm(0), control=control, clock=clock)
    lower_by_alarm("paper", an_alarm(0), control=control, clock=clock)
    clock.sleep(60)
    control.change_switch("paper", ACTIVE, "ada", "seen to it", clock.now())
    assert lower_by_alarm("paper", an_alarm(0), control=control, clock=clock).state is ACTIVE
    # The next one is news again.
    assert lower_by_alarm("paper", an_alarm(90), control=control, clock=clock).state is REDUCING
    assert len(control.changes) == 3

"""Entries, protection, repricing and late entries, step by step, with the broker breaking."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.errors import BrokerRejectedError, BrokerUnavailableError, OutcomeUnknownError
from tradewind.orders import procedures
from tradewind.orders.ids import protect_id
from tradewind.orders.model import (
    BrokerOrder,
    BrokerPosition,
    IntentKind,
    IntentStatus,
    OrderClass,
    OrderIntent,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.orders.symbol_orders import NotOursError

from tests.fakes import UNREACHABLE, FakeBroker, FakeClock, Fault, an_order, own_id

EXIT = OrderIntent(
    intent_id=own_id("exit"),
    account="paper",
    strategy="sma_crossover_20_50",
    mode="paper",
    session=date(2020, 11, 12),
    bar_time=datetime(2020, 11, 12, 14, 30, tzinfo=UTC),
    symbol="AAPL",
    kind=IntentKind.EXIT,
    side=Side.SELL,
    quantity=D(10),
    order_type=OrderType.MARKET,
    time_in_force=TimeInForce.DAY,
    order_class=OrderClass.SIMPLE,
    limit_price=None,
    stop_price=D("98.50"),
    decision_price=D(100),
    revision=1,
    target_order_id="stop-1",
    expires_at=None,
    reason="test",
)
REFUSED = BrokerRejectedError("account is restricted", 40310000, 403)

WASH_TRADE = BrokerRejectedError("potential wash trade detected", 40310000, 403)

ENTRY = an_order(
    order_id="entry-1",
    client_order_id=own_id("entry"),
    side=Side.BUY,
    order_type="limit",
    status=OrderStatus.FILLED,
)


def long_with_stop(**stop: object) -> FakeBroker:
    """Ten shares from an entry of ours, whose leg carries an id that the broker made."""
    order = an_order(
        order_id="stop-1", client_order_id="broker-made", parent_order_id="entry-1", **stop
    )
    return FakeBroker(held={"AAPL": D(10)}, orders_by_id={"entry-1": ENTRY, "stop-1": order})


def resting(broker: FakeBroker) -> list[tuple[str, D]]:
    return [
        (order.client_order_id, order.quantity)
        for order in broker.open_orders("AAPL")
        if order.order_type == "stop"
    ]


FOREIGN_TARGETS = [
    ("a foreign stop", procedures.reprice,
     an_order(order_id="x", client_order_id="mine")),
    ("another symbol's stop", procedures.reprice,
     an_order(order_id="x", symbol="TSLA")),
    ("an entry", procedures.reprice, an_order(order_id="x", side=Side.BUY)),
    ("a foreign entry", procedures.cancel_entry,
     an_order(order_id="x", client_order_id="mine", side=Side.BUY)),
    ("a stop", procedures.cancel_entry, an_order(order_id="x")),
    ("a foreign stop to cancel", procedures.cancel_stop,
     an_order(order_id="x", client_order_id="mine")),
    ("a foreign stop to renew", procedures.renew_stop,
     an_order(order_id="x", client_order_id="mine")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("procedure", "target"),
    [row[1:] for row in FOREIGN_TARGETS],
    ids=[str(row[0]) for row in FOREIGN_TARGETS],
)
def test_only_orders_of_ours_are_changed(procedure: Any, target: BrokerOrder) -> None:
    broker = FakeBroker(orders_by_id={"x": target})
    with pytest.raises(NotOursError, match="not one of ours"):
        procedure(replace(EXIT, target_order_id="x"), broker, FakeClock())
    assert broker.orders_by_id == {"x": target}


NAKED = [
    # (held, covered by a resting stop, protected then)
    ("nothing is held", 0, 0, 0),
    ("all is covered", 10, 10, 0),
    ("part is covered", 10, 4, 6),
    ("more is asked for than is held", 3, 0, 3),
]


@pytest.mark.parametrize(
    ("held", "covered", "protected"), [row[1:] for row in NAKED], ids=[str(r[0]) for r in NAKED]
)
def test_protection_is_never_for_more_than_is_naked(
    held: int, covered: int, protected: int
) -> None:
    resting_one = {"s": an_order(order_id="s", quantity=D(covered))} if covered else {}
    broker = FakeBroker(held={"AAPL": D(held)}, orders_by_id=resting_one)
    intent = replace(EXIT, kind=IntentKind.PROTECT, intent_id=own_id("p"))
    outcome = procedures.protect(intent, broker, FakeClock())
    assert [q for name, q in resting(broker) if name == own_id("p")] == ([D(protected)] if protected
                                                                    else [])  # fmt: skip
    assert (outcome.status is IntentStatus.SUBMITTED) is (protected > 0)


def test_a_stop_on_its_way_out_protects_nothing() -> None:
    leaving = an_order(order_id="s", status=OrderStatus.PENDING_CANCEL)
    broker = FakeBroker(held={"AAPL": D(10)}, orders_by_id={"s": leaving})
    intent = replace(EXIT, kind=IntentKind.PROTECT, intent_id=own_id("p"))
    procedures.protect(intent, broker, FakeClock())
    assert (own_id("p"), D(10)) in resting(broker)


@pytest.mark.parametrize("refused", [False, True])
def test_what_a_hanging_entry_bought_gets_a_stop_of_its_own_where_the_broker_takes_it(
    refused: bool,
) -> None:
    entry = replace(ENTRY, status=OrderStatus.PENDING_CANCEL, filled_quantity=D(4))
    leg = an_order(order_id="leg", order_class="oto", status=OrderStatus.HELD)
    broker = FakeBroker(
        held={"AAPL": D(4)},
        orders_by_id={"entry-1": entry, "leg": leg},
        faults=[Fault("submit", WASH_TRADE)] if refused else [],
    )
    intent = replace(EXIT, kind=IntentKind.PROTECT, intent_id=own_id("p"))
    outcome = procedures.protect(intent, broker, FakeClock())
    assert ((own_id("p"), D(4)) in resting(broker)) is not refused
    assert outcome.status is (IntentStatus.REJECTED if refused else IntentStatus.SUBMITTED)
    assert ("wash trade" in outcome.reason) is refused


def test_a_stop_without_shares_is_cancelled_and_one_with_shares_is_not() -> None:
    intent = replace(EXIT, kind=IntentKind.CANCEL_STOP, target_order_id="stop-1")
    broker = long_with_stop()
    assert procedures.cancel_stop(intent, broker, FakeClock()).reason_code == "shares_held"
    broker.held["AAPL"] = D(0)
    assert procedures.cancel_stop(intent, broker, FakeClock()).reason_code == "stop_cancelled"
    assert resting(broker) == []


TOO_MUCH = replace(
    EXIT, kind=IntentKind.CANCEL_STOP, intent_id=own_id("less"), target_order_id="stop-1",
    quantity=D(1),
)  # fmt: skip


def test_a_stop_for_more_than_is_held_gives_way_to_one_for_what_is_held() -> None:
    broker = long_with_stop()
    broker.held["AAPL"] = D(1)  # after a reverse split of one for ten
    for code in ("accepted", "already_there"):
        outcome = procedures.cancel_stop(TOO_MUCH, broker, FakeClock())
        assert (outcome.status, outcome.reason_code) == (IntentStatus.SUBMITTED, code)
        assert resting(broker) == [(own_id("less"), D(1))]


def test_an_attempt_cut_off_after_the_cancellation_protects_in_the_next() -> None:
    broker = long_with_stop()
    broker.held["AAPL"] = D(1)
    broker.cancel("stop-1")
    procedures.cancel_stop(TOO_MUCH, broker, FakeClock())
    assert resting(broker) == [(own_id("less"), D(1))]


def test_what_the_stop_sold_while_it_was_cancelled_is_not_covered_again() -> None:
    broker = long_with_stop()
    broker.held["AAPL"] = D(4)
    broker.races = {"stop-1": D(3)}
    procedures.cancel_stop(replace(TOO_MUCH, quantity=D(4)), broker, FakeClock())
    assert resting(broker) == [(own_id("less"), D(1))]


class SilentAfterCancellation(FakeBroker):
    """Tells no position once the stop is cancelled."""

    def positions(self) -> list[BrokerPosition]:
        if self.orders_by_id["stop-1"].status.is_final:
            raise BrokerUnavailableError("GET /v2/positions: timed out")
        return super().positions()


def test_a_broker_that_falls_silent_after_the_cancellation_leaves_nothing_naked() -> None:
    broker = SilentAfterCancellation(
        orders_by_id=long_with_stop().orders_by_id, held={"AAPL": D(1)}
    )
    procedures.cancel_stop(TOO_MUCH, broker, FakeClock())
    assert resting(broker) == [(own_id("less"), D(1))]


def test_while_the_cancellation_hangs_nothing_is_placed_beside_the_stop() -> None:
    broker = long_with_stop()
    broker.held["AAPL"], broker.stuck_cancels = D(1), True
    with pytest.raises(OutcomeUnknownError):
        procedures.cancel_stop(TOO_MUCH, broker, FakeClock())
    assert broker.sent == []


def test_a_stop_that_is_being_changed_is_left_alone() -> None:
    broker = long_with_stop()
    broker.held["AAPL"] = D(1)
    broker.orders_by_id["old"] = an_order(order_id="old", status=OrderStatus.PENDING_REPLACE)
    outcome = procedures.cancel_stop(TOO_MUCH, broker, FakeClock())
    assert (outcome.reason_code, "cancel" in broker.calls) == ("stop_in_transit", False)


RENEWED = replace(
    EXIT, kind=IntentKind.RENEW_STOP, intent_id=own_id("new"), quantity=D(70), stop_price=D("14.07")
)
RENEWALS = [
    # (shares the broker holds, the new stop's shares)
    ("after a split 7 for 1", 70, 70),
    ("before the broker has converted the position", 10, 10),
    ("the old stop has sold a part meanwhile", 60, 60),
    ("all is sold", 0, None),
]


@pytest.mark.parametrize(
    ("held", "covered"), [row[1:] for row in RENEWALS], ids=[str(row[0]) for row in RENEWALS]
)
def test_a_stop_in_old_units_is_put_again_once(held: int, covered: int | None) -> None:
    broker = long_with_stop()
    broker.held["AAPL"] = D(held)
    for _ in range(2):
        procedures.renew_stop(RENEWED, broker, FakeClock())
    assert resting(broker) == ([(own_id("new"), D(covered))] if covered else [])
    assert [order.stop_price for order in broker.open_orders("AAPL")] == (
        [D("14.07")] if covered else []
    )


@pytest.mark.parametrize("lags", [False, True], ids=["told at once", "the position lags"])
@pytest.mark.parametrize(
    ("held", "sold", "covered"),
    [(70, 4, 66), (70, 10, 60), (10, 4, 6), (10, 10, None)],
    ids=["a part, converted", "all of it, converted", "a part", "everything"],
)
def test_what_the_old_stop_sold_while_it_was_cancelled_is_not_covered_again(
    held: int, sold: int, covered: int | None, lags: bool
) -> None:
    broker = long_with_stop()
    broker.held["AAPL"], broker.races = D(held), {"stop-1": D(sold)}
    told = broker.positions()
    if lags:
        broker.positions = lambda: told  # type: ignore[method-assign]
    procedures.renew_stop(RENEWED, broker, FakeClock())
    assert resting(broker) == ([(own_id("new"), D(covered))] if covered else [])


def test_a_broker_that_falls_silent_while_a_stop_is_renewed_leaves_nothing_naked() -> None:
    broker = SilentAfterCancellation(
        orders_by_id=long_with_stop().orders_by_id, held={"AAPL": D(70)}, races={"stop-1": D(4)}
    )
    procedures.renew_stop(RENEWED, broker, FakeClock())
    assert resting(broker) == [(own_id("new"), D(66))]


def test_while_the_cancellation_hangs_no_stop_is_renewed() -> None:
    broker = long_with_stop()
    broker.held["AAPL"], broker.stuck_cancels = D(70), True
    for _ in range(2):
        with pytest.raises(OutcomeUnknownError, match="not confirmed"):
            procedures.renew_stop(RENEWED, broker, FakeClock())
    assert broker.sent == []


def test_a_broker_that_cannot_be_asked_keeps_the_stop_it_has() -> None:
    broker = long_with_stop()
    broker.faults = [Fault("positions", UNREACHABLE)]
    with pytest.raises(BrokerUnavailableError):
        procedures.renew_stop(RENEWED, broker, FakeClock())
    assert resting(broker) == [("broker-made", D(10))]


BEGUN = [
    ("the stop was cancelled", OrderStatus.CANCELED, True),
    ("the stop had sold its part", OrderStatus.FILLED, True),
    ("the broker does not know the stop any more", None, True),
    ("another old stop rests beside it", OrderStatus.CANCELED, False),
]


@pytest.mark.parametrize(
    ("status", "alone"), [row[1:] for row in BEGUN], ids=[row[0] for row in BEGUN]
)
def test_what_an_earlier_renewal_left_naked_is_protected(
    status: OrderStatus | None, alone: bool
) -> None:
    broker = long_with_stop()
    broker.held["AAPL"] = D(70)
    if status is None:
        del broker.orders_by_id["stop-1"]
    else:
        broker.orders_by_id["stop-1"] = replace(broker.orders_by_id["stop-1"], status=status)
    if not alone:
        broker.orders_by_id["other"] = an_order(order_id="other", quantity=D(4))
    procedures.renew_stop(RENEWED, broker, FakeClock())
    assert (own_id("new"), D(70 if alone else 66)) in resting(broker)


def test_repricing_replaces_the_stop_once() -> None:
    intent = replace(EXIT, kind=IntentKind.REPRICE, intent_id=own_id("up"), stop_price=D("99.10"))
    broker = long_with_stop()
    for _ in range(2):
        assert procedures.reprice(intent, broker, FakeClock()).status is IntentStatus.SUBMITTED
    assert broker.sent == [own_id("up")]
    assert [order.stop_price for order in broker.open_orders("AAPL")] == [D("99.10")]


def test_a_refused_repricing_keeps_the_old_stop() -> None:
    intent = replace(EXIT, kind=IntentKind.REPRICE, intent_id=own_id("up"), stop_price=D("99.10"))
    broker = long_with_stop()
    broker.faults = [Fault("replace", REFUSED)]
    assert procedures.reprice(intent, broker, FakeClock()).status is IntentStatus.REJECTED
    assert resting(broker) == [("broker-made", D(10))]


def test_a_stop_is_never_moved_down() -> None:
    intent = replace(EXIT, kind=IntentKind.REPRICE, intent_id=own_id("up"), stop_price=D("98.50"))
    broker = long_with_stop()
    assert procedures.reprice(intent, broker, FakeClock()).reason_code == "invalid_order"
    assert resting(broker) == [("broker-made", D(10))]


def test_protection_is_placed_once() -> None:
    intent = replace(EXIT, kind=IntentKind.PROTECT, intent_id=own_id("p"))
    broker = FakeBroker(held={"AAPL": D(10)})
    for _ in range(2):
        assert procedures.protect(intent, broker, FakeClock()).status is IntentStatus.SUBMITTED
    assert resting(broker) == [(own_id("p"), D(10))]


LATE_ENTRIES = [
    # (filled of 10, what becomes of the intent, what rests afterwards)
    ("nothing filled", 0, "cancelled_unfilled", []),
    ("4 filled", 4, "accepted", [(own_id("late"), D(4))]),
    ("all filled after all", 10, "filled_first", []),
]


@pytest.mark.parametrize(
    ("filled", "code", "rests"),
    [row[1:] for row in LATE_ENTRIES],
    ids=[str(row[0]) for row in LATE_ENTRIES],
)
def test_a_late_entry_is_cancelled_and_its_filled_part_protected(
    filled: int, code: str, rests: list[tuple[str, D]]
) -> None:
    entry = an_order(
        order_id="entry",
        side=Side.BUY,
        order_type="limit",
        order_class="oto",
        filled_quantity=D(filled),
        status=OrderStatus.FILLED if filled == 10 else OrderStatus.PARTIALLY_FILLED,
    )
    broker = FakeBroker(held={"AAPL": D(filled)}, orders_by_id={"entry": entry})
    intent = replace(
        EXIT, kind=IntentKind.CANCEL_ENTRY, intent_id=own_id("late"), target_order_id="entry"
    )
    outcome = procedures.cancel_entry(intent, broker, FakeClock())
    assert outcome.reason_code == code
    assert broker.orders_by_id["entry"].status.is_final
    assert resting(broker) == rests


LATE = replace(EXIT, kind=IntentKind.CANCEL_ENTRY, intent_id=own_id("late"),
               target_order_id="order-1")  # fmt: skip
BUY = replace(
    EXIT,
    intent_id=own_id("buy"),
    kind=IntentKind.ENTRY,
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    time_in_force=TimeInForce.GTC,
    order_class=OrderClass.OTO,
    limit_price=D("100.30"),
)


@pytest.mark.parametrize("filled", [4, 10], ids=["part", "all"])
def test_an_entry_that_fills_while_it_is_cancelled_is_protected(filled: int) -> None:
    """Its held leg goes with it, or becomes its stop; a held leg protects nothing."""
    broker = FakeBroker(fill_entries=False)
    procedures.enter(BUY, broker, FakeClock())
    broker.races = {"order-1": D(filled)}
    procedures.cancel_entry(LATE, broker, FakeClock())
    assert [quantity for _, quantity in resting(broker)] == [D(filled)]


def test_a_cancelled_entrys_held_leg_counts_for_nothing() -> None:
    # The broker still lists the leg for a moment after its entry is gone.
    broker = FakeBroker(entries_fill=D(4))
    procedures.enter(BUY, broker, FakeClock())
    listed = broker.open_orders

    def with_the_leg(symbol: str) -> list[BrokerOrder]:
        leg = replace(broker.orders_by_id["order-1-stop"], status=OrderStatus.HELD)
        return [*(o for o in listed(symbol) if o.order_id != leg.order_id), leg]

    broker.open_orders = with_the_leg  # type: ignore[method-assign]
    outcome = procedures.cancel_entry(LATE, broker, FakeClock())
    assert outcome.status is IntentStatus.SUBMITTED
    assert resting(broker)[0] == (own_id("late"), D(4))


@pytest.mark.parametrize(("held", "protected"), [(4, [(EXIT.intent_id, D(4))]), (0, [])])
def test_what_an_entry_bought_that_the_broker_does_not_know_any_more_is_protected(
    held: int, protected: list[tuple[str, D]]
) -> None:
    # While our record has it open, its cancellation comes before everything else in the symbol.
    broker = FakeBroker(held={"AAPL": D(held)})
    procedures.cancel_entry(replace(EXIT, target_order_id="gone"), broker, FakeClock())
    assert resting(broker) == protected


def test_an_entry_goes_as_its_intent_says() -> None:
    broker = FakeBroker()
    procedures.enter(replace(BUY, time_in_force=TimeInForce.DAY), broker, FakeClock())
    order = broker.orders_by_id["order-1"]
    assert (order.order_type, order.time_in_force, order.order_class, order.limit_price) == (
        "limit",
        "day",
        "oto",
        D("100.30"),
    )


FRACTION = replace(
    BUY,
    quantity=D("2.5"),
    order_class=OrderClass.SIMPLE,
    time_in_force=TimeInForce.DAY,
)
FRACTIONS = [
    # (filled at once, code, what rests)
    ("fills", None, "accepted", [(protect_id(own_id("buy")), D("2.5"))]),
    ("fills in part", D("0.5"), "not_filled_yet", []),
    ("does not fill", D(0), "not_filled_yet", []),
]


@pytest.mark.parametrize(
    ("fills", "code", "rests"), [row[1:] for row in FRACTIONS], ids=[str(r[0]) for r in FRACTIONS]
)
def test_a_fraction_is_protected_right_after_its_fill(
    fills: D | None, code: str, rests: list[tuple[str, D]]
) -> None:
    # A stop beside an open purchase would be refused as a wash trade: the next run sees to that.
    broker = FakeBroker(entries_fill=fills)
    outcome = procedures.enter(FRACTION, broker, FakeClock())
    assert (outcome.status, outcome.reason_code) == (IntentStatus.SUBMITTED, code)
    assert resting(broker) == rests
    for order in broker.open_orders("AAPL"):
        assert order.time_in_force == "day"


def test_a_fraction_that_was_cut_off_before_its_stop_gets_it() -> None:
    broker = FakeBroker()
    procedures.enter(FRACTION, FakeBroker(), FakeClock())
    broker.faults = [Fault("order", UNREACHABLE, times=99)]
    procedures.enter(FRACTION, broker, FakeClock())  # bought, and then nothing could be read
    broker.faults = []
    for _ in range(2):
        procedures.enter(FRACTION, broker, FakeClock())
    assert resting(broker) == [(protect_id(own_id("buy")), D("2.5"))]


RIVALS = [
    ("an order", an_order(order_id="x", client_order_id=own_id("1", "another"))),
    ("an entry", an_order(order_id="x", client_order_id=own_id("1", "another"), side=Side.BUY)),
    ("a leg", an_order(order_id="x", client_order_id="broker-made", parent_order_id="theirs")),
]


@pytest.mark.parametrize("order", [row[1] for row in RIVALS], ids=[row[0] for row in RIVALS])
def test_no_entry_beside_another_deployment(order: BrokerOrder) -> None:
    theirs = an_order(
        order_id="theirs", client_order_id=own_id("2", "another"), status=OrderStatus.FILLED
    )
    broker = FakeBroker(orders_by_id={"theirs": theirs, "x": order})
    outcome = procedures.enter(BUY, broker, FakeClock())
    assert (outcome.status, outcome.reason_code) == (IntentStatus.BLOCKED, "second_deployment")
    assert broker.sent == []


def test_a_foreign_order_stops_no_entry() -> None:
    foreign = an_order(order_id="x", client_order_id="mine")
    broker = FakeBroker(orders_by_id={"x": foreign})
    assert procedures.enter(BUY, broker, FakeClock()).status is IntentStatus.SUBMITTED


PROCEDURES: list[tuple[str, Any, OrderIntent]] = [
    ("enter", procedures.enter, BUY),
    ("protect", procedures.protect, replace(EXIT, intent_id=own_id("p"))),
    ("reprice", procedures.reprice, replace(EXIT, stop_price=D("99.10"))),
    ("cancel_entry", procedures.cancel_entry, LATE),
    ("cancel_stop", procedures.cancel_stop, TOO_MUCH),
    ("renew_stop", procedures.renew_stop, RENEWED),
]


@pytest.mark.parametrize(
    ("procedure", "intent"), [row[1:] for row in PROCEDURES], ids=[row[0] for row in PROCEDURES]
)
def test_nothing_is_sent_while_nobody_knows_what_an_earlier_attempt_did(
    procedure: Any, intent: OrderIntent
) -> None:
    broker = long_with_stop()
    broker.faults = [Fault("order_by_client_id", UNREACHABLE, times=99)]
    with pytest.raises(BrokerUnavailableError, match="earlier attempt"):
        procedure(intent, broker, FakeClock())
    assert (broker.sent, "cancel" in broker.calls) == ([], False)


@pytest.mark.parametrize(
    ("procedure", "intent"), [row[1:] for row in PROCEDURES], ids=[row[0] for row in PROCEDURES]
)
def test_a_first_attempt_asks_for_no_earlier_one(procedure: Any, intent: OrderIntent) -> None:
    broker = long_with_stop()
    with suppress(NotOursError):
        procedure(intent, broker, FakeClock(), first=True)
    assert "order_by_client_id" not in broker.calls

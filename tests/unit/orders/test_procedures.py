"""Exits, protection, repricing and late entries, step by step, with the broker breaking."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.errors import BrokerRejectedError, OutcomeUnknownError
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


def test_an_exit_cancels_its_stop_and_sells_everything() -> None:
    broker = long_with_stop()
    outcome = procedures.leave(EXIT, broker, FakeClock())
    assert outcome.status is IntentStatus.SUBMITTED
    assert broker.orders_by_id["stop-1"].status is OrderStatus.CANCELED
    assert broker.held == {"AAPL": D(0)}


def test_an_exit_sells_only_what_the_stop_left() -> None:
    # The stop sold 4 of 10 before it could be cancelled.
    broker = long_with_stop()
    broker.held["AAPL"] = D(6)
    procedures.leave(EXIT, broker, FakeClock())
    assert broker.held == {"AAPL": D(0)}


def test_an_exit_after_its_stop_sold_everything_does_nothing() -> None:
    broker = long_with_stop(status=OrderStatus.FILLED)
    broker.held.clear()
    outcome = procedures.leave(EXIT, broker, FakeClock())
    assert (outcome.status, outcome.reason_code) == (IntentStatus.NOT_NEEDED, "nothing_left")
    assert broker.sent == []


def test_a_refused_sale_puts_protection_back() -> None:
    broker = long_with_stop()
    broker.faults = [Fault("submit", REFUSED)]
    outcome = procedures.leave(EXIT, broker, FakeClock())
    assert outcome.status is IntentStatus.REJECTED
    assert resting(broker) == [(protect_id(own_id("exit")), D(10))]


def test_a_stuck_cancellation_sells_nothing() -> None:
    # Selling while the stop may still work could sell twice.
    broker = long_with_stop()
    broker.stuck_cancels = True
    with pytest.raises(OutcomeUnknownError, match="not confirmed"):
        procedures.leave(EXIT, broker, FakeClock())
    assert broker.held == {"AAPL": D(10)}


def test_an_exit_run_twice_sells_once() -> None:
    broker = long_with_stop()
    procedures.leave(EXIT, broker, FakeClock())
    again = procedures.leave(EXIT, broker, FakeClock())
    assert again.reason_code == "already_there"
    assert broker.held == {"AAPL": D(0)}
    assert broker.sent == [own_id("exit")]


def test_an_exit_leaves_a_foreign_stop_alone() -> None:
    # Somebody's own stop in the same symbol is neither ours nor our leg.
    broker = long_with_stop()
    broker.orders_by_id["foreign"] = an_order(order_id="foreign", client_order_id="mine")
    procedures.leave(EXIT, broker, FakeClock())
    assert broker.orders_by_id["foreign"].status is OrderStatus.NEW


def test_an_exit_does_not_sell_beside_a_sale_that_is_working() -> None:
    broker = long_with_stop()
    broker.orders_by_id["sale"] = an_order(order_id="sale", order_type="market")  # an id of ours
    outcome = procedures.leave(EXIT, broker, FakeClock())
    assert (outcome.status, outcome.reason_code) == (IntentStatus.NOT_NEEDED, "exit_working")
    assert broker.sent == []


UNCLEAR = OutcomeUnknownError("POST /v2/orders: status 504")


def test_a_sale_that_may_have_arrived_leaves_no_stop_behind() -> None:
    # The sale fills, the answer is a 504, the look-ups fail, then the broker recovers. A stop put
    # back now would rest over no shares, and sell short when triggered.
    broker = long_with_stop()
    already_there, look_ups = 1, 3
    broker.faults = [Fault("submit", UNCLEAR, after_effect=True)]
    asked = broker.order_by_client_id

    def flaky(client_order_id: str) -> BrokerOrder | None:
        nonlocal already_there, look_ups
        if already_there:
            already_there -= 1
        elif look_ups:
            look_ups -= 1
            raise UNREACHABLE
        return asked(client_order_id)

    broker.order_by_client_id = flaky  # type: ignore[method-assign]
    outcome = procedures.leave(EXIT, broker, FakeClock())
    assert outcome.status is IntentStatus.UNKNOWN
    assert (broker.held, resting(broker)) == ({"AAPL": D(0)}, [])


@pytest.mark.parametrize(
    ("sold_meanwhile", "protected"), [(0, 10), (4, 6), (10, 0)], ids=["none", "part", "all"]
)
def test_a_position_that_cannot_be_read_after_the_cancellation_is_protected_again(
    sold_meanwhile: int, protected: int
) -> None:
    """For what the stop had left when it was cancelled, and no share more."""
    broker = long_with_stop()
    cancel = broker.cancel

    def cancel_late(order_id: str) -> None:
        cancel(order_id)
        stop = broker.orders_by_id[order_id]
        broker.orders_by_id[order_id] = replace(stop, filled_quantity=D(sold_meanwhile))

    broker.cancel = cancel_late  # type: ignore[method-assign]
    readings = 0
    read = broker.positions

    def once() -> list[BrokerPosition]:
        nonlocal readings
        readings += 1
        if readings > 1:
            raise UNREACHABLE
        return read()

    broker.positions = once  # type: ignore[method-assign]
    outcome = procedures.leave(EXIT, broker, FakeClock())
    if protected:
        assert outcome.status is IntentStatus.UNKNOWN
        assert resting(broker) == [(protect_id(own_id("exit")), D(protected))]
    else:
        assert outcome.reason_code == "nothing_left"
        assert resting(broker) == []


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
]  # fmt: skip


@pytest.mark.parametrize(
    ("procedure", "target"),
    [row[1:] for row in FOREIGN_TARGETS],
    ids=[str(row[0]) for row in FOREIGN_TARGETS],
)
def test_only_orders_of_ours_are_changed(procedure: Any, target: BrokerOrder) -> None:
    broker = FakeBroker(orders_by_id={"x": target})
    with pytest.raises(BrokerRejectedError, match="not one of ours"):
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


def test_a_stop_without_shares_is_cancelled_and_one_with_shares_is_not() -> None:
    intent = replace(EXIT, kind=IntentKind.CANCEL_STOP, target_order_id="stop-1")
    broker = long_with_stop()
    assert procedures.cancel_stop(intent, broker, FakeClock()).reason_code == "shares_held"
    broker.held["AAPL"] = D(0)
    assert procedures.cancel_stop(intent, broker, FakeClock()).reason_code == "stop_cancelled"
    assert resting(broker) == []


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

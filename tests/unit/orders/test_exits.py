"""Leaving a position, with the broker breaking at every step: never sold twice, never naked."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import pytest
from tradewind.errors import BrokerRejectedError, OutcomeUnknownError, ThrottledError
from tradewind.orders.exits import leave
from tradewind.orders.ids import protect_id
from tradewind.orders.model import BrokerOrder, IntentStatus, OrderRequest, OrderStatus, Side

from tests.fakes import UNREACHABLE, FakeBroker, FakeClock, Fault, an_order, own_id
from tests.unit.orders.test_procedures import EXIT, long_with_stop, resting

REFUSED = BrokerRejectedError("account is restricted", 40310000, 403)
THROTTLED = ThrottledError("status 429")
UNCLEAR = OutcomeUnknownError("POST /v2/orders: status 504")
BACK = protect_id(EXIT.intent_id)


def test_an_exit_cancels_its_stop_and_sells_everything() -> None:
    broker = long_with_stop()
    outcome = leave(EXIT, broker, FakeClock())
    assert outcome.status is IntentStatus.SUBMITTED
    assert broker.orders_by_id["stop-1"].status is OrderStatus.CANCELED
    assert broker.held == {"AAPL": D(0)}


def test_an_exit_sells_only_what_the_stop_left() -> None:
    # The stop sold 4 of 10 before it could be cancelled.
    broker = long_with_stop()
    broker.fill("stop-1", D(4))
    leave(EXIT, broker, FakeClock())
    assert broker.held == {"AAPL": D(0)}


@pytest.mark.parametrize("raced", [4, 10], ids=["part", "all"])
@pytest.mark.parametrize("lags", [False, True], ids=["told at once", "the position lags"])
def test_a_stop_that_fills_while_it_is_cancelled_leads_to_no_double_sale(
    raced: int, lags: bool
) -> None:
    broker = long_with_stop()
    broker.races = {"stop-1": D(raced)}
    told = broker.positions()
    if lags:
        broker.positions = lambda: told  # type: ignore[method-assign]
    leave(EXIT, broker, FakeClock())
    assert broker.held == {"AAPL": D(0)}


def test_an_exit_after_its_stop_sold_everything_does_nothing() -> None:
    broker = long_with_stop(status=OrderStatus.FILLED)
    broker.held.clear()
    outcome = leave(EXIT, broker, FakeClock())
    assert (outcome.status, outcome.reason_code) == (IntentStatus.NOT_NEEDED, "nothing_left")
    assert broker.sent == []


FAILED_SALES = [
    # (what became of the sale's request, status of the intent)
    ("refused", [Fault("submit", REFUSED)], IntentStatus.REJECTED),
    ("throttled to the end", [Fault("submit", THROTTLED, times=3)], IntentStatus.UNKNOWN),
    ("nobody there", [Fault("submit", UNREACHABLE, times=3)], IntentStatus.UNKNOWN),
    ("unclear, and the broker says it is not there", [Fault("submit", UNCLEAR, times=3)],
     IntentStatus.UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(
    ("faults", "status"), [row[1:] for row in FAILED_SALES], ids=[str(r[0]) for r in FAILED_SALES]
)
def test_a_sale_that_surely_failed_puts_protection_back(
    faults: list[Fault], status: IntentStatus
) -> None:
    broker = long_with_stop()
    broker.faults = [replace(fault) for fault in faults]
    outcome = leave(EXIT, broker, FakeClock())
    assert (outcome.status, outcome.reason_code) == (status, "sale_failed")
    assert resting(broker) == [(BACK, D(10))]
    assert broker.held == {"AAPL": D(10)}


def test_a_stop_is_put_back_at_the_price_it_had() -> None:
    # The price fell below where the trail belongs (99.20), which is why the position is left; a
    # stop above the price is refused.
    broker = long_with_stop()
    submit = broker.submit

    def takes_no_sale(request: OrderRequest) -> BrokerOrder:
        if request.order_type == "market":
            raise REFUSED
        if request.stop_price is not None and request.stop_price >= D("98.60"):
            raise BrokerRejectedError("stop price must be less than current price", 42210000, 422)
        return submit(request)

    broker.submit = takes_no_sale  # type: ignore[method-assign]
    leave(replace(EXIT, stop_price=D("99.20")), broker, FakeClock())
    assert resting(broker) == [(BACK, D(10))]


SOLD_IN_PART = [
    # (what the stop sells while it is cancelled, is the sale refused, held and protected then)
    ("nothing is sold meanwhile", 0, False, 5),
    ("the stop sells as much meanwhile", 5, False, 5),
    ("the stop sells part of it meanwhile", 2, False, 5),
    ("the sale is refused", 0, True, 10),
]


@pytest.mark.parametrize(
    ("raced", "refused", "stays"), [r[1:] for r in SOLD_IN_PART], ids=[r[0] for r in SOLD_IN_PART]
)
def test_what_a_cancelled_stop_covered_and_is_not_sold_is_protected_again(
    raced: int, refused: bool, stays: int
) -> None:
    # The books know of 5 of 10 shares: an execution of the entry has not been told yet.
    broker = long_with_stop()
    broker.races = {"stop-1": D(raced)} if raced else {}
    broker.faults = [Fault("submit", REFUSED)] if refused else []
    leave(replace(EXIT, quantity=D(5)), broker, FakeClock())
    assert (broker.held, resting(broker)) == ({"AAPL": D(stays)}, [(BACK, D(stays))])


def test_no_stop_is_put_back_for_more_than_is_held() -> None:
    # Somebody else sold 7 of 10; the stop still named all.
    broker = long_with_stop()
    broker.held = {"AAPL": D(3)}
    leave(EXIT, broker, FakeClock())
    assert (broker.held, resting(broker)) == ({"AAPL": D(0)}, [])


def test_a_sale_refused_a_moment_after_it_was_taken_puts_protection_back() -> None:
    broker = long_with_stop()
    submit = broker.submit

    def refused_later(request: object) -> BrokerOrder:
        broker.submit = submit  # type: ignore[method-assign]
        return an_order(order_id="sale", order_type="market", status=OrderStatus.REJECTED)

    broker.submit = refused_later  # type: ignore[method-assign]
    assert leave(EXIT, broker, FakeClock()).status is IntentStatus.REJECTED
    assert resting(broker) == [(BACK, D(10))]


def test_a_sale_that_may_have_arrived_leaves_no_stop_behind() -> None:
    # The sale fills, the answer is a 504, the look-ups fail. A stop put back now would rest over
    # no shares, and sell short when triggered.
    broker = long_with_stop()
    broker.faults = [
        Fault("submit", UNCLEAR, after_effect=True),
        Fault("order_by_client_id", UNREACHABLE, times=3),
    ]
    outcome = leave(EXIT, broker, FakeClock(), first=True)
    assert (outcome.status, outcome.reason_code) == (IntentStatus.UNKNOWN, "no_clear_answer")
    assert (broker.held, resting(broker)) == ({"AAPL": D(0)}, [])


def test_a_stuck_cancellation_sells_nothing() -> None:
    # Selling while the stop may still work could sell twice.
    broker = long_with_stop()
    broker.stuck_cancels = True
    for _ in range(2):
        with pytest.raises(OutcomeUnknownError, match="not confirmed"):
            leave(EXIT, broker, FakeClock())
    assert (broker.held, broker.sent) == ({"AAPL": D(10)}, [])


def test_what_one_stop_left_is_protected_again_when_another_is_stuck() -> None:
    broker = long_with_stop(quantity=D(4))
    broker.orders_by_id["stop-2"] = an_order(order_id="stop-2", quantity=D(6),
                                             status=OrderStatus.PENDING_CANCEL)  # fmt: skip
    cancel = broker.cancel

    def only_the_first(order_id: str) -> None:
        if order_id == "stop-1":
            cancel(order_id)

    broker.cancel = only_the_first  # type: ignore[method-assign]
    outcome = leave(EXIT, broker, FakeClock())
    assert (outcome.status, outcome.reason_code) == (IntentStatus.UNKNOWN, "sale_failed")
    assert (BACK, D(4)) in resting(broker)
    assert broker.held == {"AAPL": D(10)}


@pytest.mark.parametrize("fault", [THROTTLED, UNREACHABLE, UNCLEAR], ids=str)
def test_a_cancellation_is_asked_for_again_only_if_it_did_not_arrive(fault: Exception) -> None:
    broker = long_with_stop()
    broker.faults = [Fault("cancel", fault, after_effect=fault is UNCLEAR)]
    assert leave(EXIT, broker, FakeClock()).status is IntentStatus.SUBMITTED
    assert broker.calls.count("cancel") == (1 if fault is UNCLEAR else 2)


def test_an_exit_run_twice_sells_once() -> None:
    broker = long_with_stop()
    leave(EXIT, broker, FakeClock())
    again = leave(EXIT, broker, FakeClock())
    assert again.reason_code == "already_there"
    assert broker.held == {"AAPL": D(0)}
    assert broker.sent == [EXIT.intent_id]


EARLIER_SALES = [
    # (status, sold of 10, what rests in the end)
    ("still at work", OrderStatus.NEW, 0, []),
    ("sold all", OrderStatus.FILLED, 10, []),
    ("expired unsold", OrderStatus.EXPIRED, 0, [(BACK, D(10))]),
    ("refused in part", OrderStatus.REJECTED, 4, [(BACK, D(6))]),
]


@pytest.mark.parametrize(
    ("status", "sold", "rests"), [r[1:] for r in EARLIER_SALES], ids=[r[0] for r in EARLIER_SALES]
)
def test_an_earlier_sale_that_ended_unsold_leaves_nothing_naked(
    status: OrderStatus, sold: int, rests: list[tuple[str, D]]
) -> None:
    sale = an_order(order_id="sale", client_order_id=EXIT.intent_id, order_type="market",
                    status=status, filled_quantity=D(sold))  # fmt: skip
    broker = FakeBroker(held={"AAPL": D(10 - sold)}, orders_by_id={"sale": sale})
    for _ in range(2):
        leave(EXIT, broker, FakeClock())
    assert resting(broker) == rests


def test_an_exit_leaves_a_foreign_stop_alone() -> None:
    # Somebody's own stop in the same symbol is neither ours nor our leg.
    broker = long_with_stop()
    broker.orders_by_id["foreign"] = an_order(order_id="foreign", client_order_id="mine")
    leave(EXIT, broker, FakeClock())
    assert broker.orders_by_id["foreign"].status is OrderStatus.NEW


def test_an_exit_does_not_sell_beside_a_sale_that_is_working() -> None:
    broker = long_with_stop()
    broker.orders_by_id["sale"] = an_order(order_id="sale", order_type="market")  # an id of ours
    outcome = leave(EXIT, broker, FakeClock())
    assert (outcome.status, outcome.reason_code) == (IntentStatus.NOT_NEEDED, "exit_working")
    assert broker.sent == []


def entry_at_work() -> FakeBroker:
    """4 of 10 are bought; the entry's leg is held, and no stop works."""
    entry = an_order(
        order_id="entry", client_order_id=own_id("buy"), side=Side.BUY, order_type="limit",
        status=OrderStatus.PARTIALLY_FILLED, filled_quantity=D(4),
    )  # fmt: skip
    leg = an_order(order_id="leg", client_order_id="broker-made", parent_order_id="entry",
                   order_class="oto", status=OrderStatus.HELD)  # fmt: skip
    return FakeBroker(held={"AAPL": D(4)}, orders_by_id={"leg": leg, "entry": entry})


@pytest.mark.parametrize("raced", [0, 3], ids=["cancelled as it was", "filled more meanwhile"])
def test_an_exit_cancels_an_entry_that_is_still_at_work_first(raced: int) -> None:
    # Whatever the entry goes on buying has to be sold with what it has bought.
    broker = entry_at_work()
    broker.races = {"entry": D(raced)} if raced else {}
    leave(EXIT, broker, FakeClock())
    assert broker.held == {"AAPL": D(0)}
    assert broker.open_orders("AAPL") == []


@pytest.mark.parametrize(
    ("sold_meanwhile", "protected"), [(0, 10), (4, 6), (10, 0)], ids=["none", "part", "all"]
)
def test_a_position_that_cannot_be_read_after_the_cancellation_is_protected_again(
    sold_meanwhile: int, protected: int
) -> None:
    """For what the stop had left when it was cancelled, and no share more."""
    broker = long_with_stop()
    broker.races = {"stop-1": D(sold_meanwhile)} if sold_meanwhile else {}
    broker.faults = [Fault("positions", UNREACHABLE)]
    outcome = leave(EXIT, broker, FakeClock())
    if protected:
        assert outcome.status is IntentStatus.UNKNOWN
        assert resting(broker) == [(BACK, D(protected))]
    else:
        assert outcome.reason_code == "nothing_left"
        assert resting(broker) == []


def test_what_a_cancelled_entry_bought_is_protected_when_it_cannot_be_sold() -> None:
    broker = entry_at_work()
    broker.faults = [Fault("positions", UNREACHABLE)]
    assert leave(EXIT, broker, FakeClock()).reason_code == "sale_failed"
    assert resting(broker) == [(BACK, D(4))]


def test_an_entry_whose_cancellation_is_stuck_costs_no_stop() -> None:
    broker = entry_at_work()
    broker.orders_by_id["stop-1"] = an_order(order_id="stop-1", quantity=D(4))
    cancel = broker.cancel

    def all_but_the_entry(order_id: str) -> None:
        if order_id != "entry":
            cancel(order_id)

    broker.cancel = all_but_the_entry  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknownError):
        leave(EXIT, broker, FakeClock())
    assert broker.orders_by_id["stop-1"].status is OrderStatus.NEW

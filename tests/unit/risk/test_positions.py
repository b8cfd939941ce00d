"""What is put right when no strategy is asked. AAPL at 100 USD unless a case says otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.alerts.model import CRITICAL
from tradewind.market.bar import MINUTE
from tradewind.market.cycle import Cycle, reconciliation_name
from tradewind.orders.model import (
    BrokerOrder,
    IntentKind,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.risk.assessment import Assessment, Position, assess, assess_positions
from tradewind.risk.limits import RiskLimits
from tradewind.strategies.decision import Action

from tests.fakes import an_order
from tests.unit.risk.test_assessment import (
    HELD,
    HOLDING,
    NOON,
    OPEN,
    POSITION,
    SESSION,
    STOP,
    bar,
    book,
    cycle_at,
    wish,
)

CLOSE = SESSION.close


def reconciling(bar_time: datetime) -> Cycle:
    return replace(cycle_at(bar_time), execution=reconciliation_name("paper", bar_time))


def put_right(
    bar_time: datetime = NOON, price: str = "100", unsent: Any = None, **changes: Any
) -> Assessment:
    return assess_positions(
        reconciling(bar_time),
        [Position("AAPL", "sma", D(price))],
        book(bar_time, **{**HOLDING, **changes}),
        RiskLimits(),
        unsent or {},
    )


STUCK = replace(STOP, status=OrderStatus.PENDING_CANCEL, updated_at=NOON - 2 * MINUTE)
GOING = replace(STUCK, updated_at=NOON + timedelta(seconds=50))
ENTRY = an_order(order_id="entry", side=Side.BUY, order_type="limit", limit_price=D("100.30"),
                 filled_quantity=D(4), status=OrderStatus.PARTIALLY_FILLED)  # fmt: skip
HANGING = replace(ENTRY, status=OrderStatus.PENDING_CANCEL, updated_at=NOON - 2 * MINUTE)
JUST_ASKED = replace(HANGING, updated_at=NOON - MINUTE)
SALE = an_order(order_id="sale", order_type="market", stop_price=None)
FLAT: dict[str, Any] = {"holdings": {}, "positions": {}}
NAKED: dict[str, Any] = {"open_orders": ()}
ENTERING: dict[str, Any] = {
    "open_orders": (ENTRY,),
    "orders_of_ours": {"entry": "tw-1"},
}
HUNG: dict[str, Any] = {**ENTERING, "open_orders": (HANGING,)}
EARLY, LAST = OPEN - 16 * MINUTE, CLOSE - MINUTE
SITUATIONS = [
    # (what is found, the bar's minute, the price, what is done: kind, shares, order; else nothing)
    ("all is well", {}, NOON, "100", None),
    ("a stop below the trail is left to the strategies' run", {"highs": {"AAPL": D(105)}}, NOON,
     "104.9", None),
    ("no stop rests", NAKED, NOON, "100", ("protect", 10, None)),
    ("a stop covers a part", {"open_orders": (replace(STOP, quantity=D(4)),)}, NOON, "100",
     ("protect", 6, None)),
    ("a stop is being cancelled", {"open_orders": (GOING,)}, NOON, "100", None),
    ("a stop hangs in its cancellation", {"open_orders": (STUCK,)}, NOON, "100",
     ("protect", 10, None)),
    ("protection was refused once", {**NAKED, "failed_protection": {"AAPL": 1}}, NOON, "100",
     ("protect", 10, None)),
    ("protection was refused twice", {**NAKED, "failed_protection": {"AAPL": 2}}, NOON, "100",
     ("exit", 10, None)),
    ("it was refused twice before, and rests now", {"failed_protection": {"AAPL": 2}}, NOON, "100",
     None),
    ("refused twice, beside a stop that hangs: the sale first waits for it",
     {"open_orders": (STUCK,), "failed_protection": {"AAPL": 2}}, NOON, "100",
     ("exit", 10, "stop-1")),
    ("the price is below the trail", {"highs": {"AAPL": D(105)}}, NOON, "103",
     ("exit", 10, "stop-1")),
    ("an exit is at work", {"open_orders": (SALE,), "orders_of_ours": {"sale": "tw-2"}}, NOON,
     "90", None),
    ("the session ends", {}, CLOSE - 6 * MINUTE, "100", ("exit", 10, "stop-1")),
    ("an entry filled in part", ENTERING, NOON, "100", ("cancel_entry", 10, "entry")),
    ("an entry that filled nothing", {**FLAT, **ENTERING}, NOON, "100",
     ("cancel_entry", 10, "entry")),
    ("its cancellation is not confirmed yet", {**ENTERING, "open_orders": (JUST_ASKED,)}, NOON,
     "100", ("cancel_entry", 10, "entry")),
    ("its cancellation hangs, and its shares are naked", HUNG, NOON, "100",
     ("protect", 10, "entry")),
    ("its cancellation hangs, and its shares have their stop",
     {"open_orders": (HANGING, STOP), "orders_of_ours": {"entry": "tw-1", "stop-1": "tw-1"}}, NOON,
     "100", ("cancel_entry", 10, "entry")),
    ("its cancellation hangs, and the price fell: nothing is sold while it may buy", HUNG, NOON,
     "90", ("cancel_entry", 10, "entry")),
    ("its cancellation hangs, and nothing was bought", {**FLAT, **HUNG}, NOON, "100",
     ("cancel_entry", 10, "entry")),
    ("a stop for more than the broker says is held",
     {"positions": {"AAPL": replace(POSITION, quantity=D(1))}}, NOON, "100",
     ("cancel_stop", 1, "stop-1")),
    ("a stop without shares", FLAT, NOON, "100", ("cancel_stop", 10, "stop-1")),
    ("a stop that is not ours, without shares", {**FLAT, "orders_of_ours": {}}, NOON, "100", None),
    ("before the open: no stop rests", NAKED, EARLY, "100", ("protect", 10, None)),
    ("before the open: below the trail nothing is sold yet", NAKED, EARLY, "90", None),
    ("before the open: yesterday's entry", ENTERING, EARLY, "100", ("cancel_entry", 10, "entry")),
    ("at the close: nothing is sold any more", {}, LAST, "100", None),
    ("at the close: the night needs a stop", NAKED, LAST, "100", ("protect", 10, None)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "bar_time", "price", "done"),
    [row[1:] for row in SITUATIONS],
    ids=[str(row[0]) for row in SITUATIONS],
)
def test_what_is_put_right(
    changes: dict[str, Any], bar_time: datetime, price: str, done: tuple[str, int, str] | None
) -> None:
    found = [
        (str(intent.kind), int(intent.quantity), intent.target_order_id)
        for intent in put_right(bar_time, price, **changes).intents
    ]
    assert found == ([done] if done else [])


def test_a_trading_run_judges_refused_protection_the_same() -> None:
    refused = {**HOLDING, **NAKED, "failed_protection": {"AAPL": 2}}
    assessment = assess(
        cycle_at(NOON), [wish(Action.HOLD, bar(NOON))], book(NOON, **refused), RiskLimits()
    )
    assert assessment.decisions[0].reason_code == "protection_refused"
    assert assessment.decisions[0].action is Action.EXIT
    assert assessment.intents[0].kind is IntentKind.EXIT
    (alert,) = assessment.alerts
    assert (alert.type, alert.severity) == ("protection_refused", CRITICAL)


def test_people_are_told_when_refused_protection_sells() -> None:
    assessment = put_right(**NAKED, failed_protection={"AAPL": 2})
    (alert,) = assessment.alerts
    assert (alert.type, alert.severity) == ("protection_refused", CRITICAL)
    assert "AAPL: 10 shares are sold" in alert.message
    assert put_right(**NAKED).alerts == ()


def test_people_are_told_once_of_an_entry_that_hangs() -> None:
    assert put_right(**ENTERING).alerts == ()
    told = [
        *put_right(**HUNG).alerts,
        *put_right(NOON + MINUTE, "90", **HUNG).alerts,
        *assess(
            cycle_at(NOON + 2 * MINUTE),
            [wish(Action.HOLD, bar(NOON + 2 * MINUTE))],
            book(NOON, **{**HOLDING, **HUNG}),
            RiskLimits(),
        ).alerts,
    ]
    assert [(alert.type, alert.severity) for alert in told] == [("entry_stuck", CRITICAL)] * 3
    assert len({alert.dedupe_key for alert in told}) == 1


LIFETIMES = [
    # (shares held, how long their stop lives: the broker takes parts of shares for the day only)
    ("10", TimeInForce.GTC),
    ("10.000000000", TimeInForce.GTC),
    ("10.5", TimeInForce.DAY),
    ("0.000000001", TimeInForce.DAY),
]


@pytest.mark.parametrize(("quantity", "lifetime"), LIFETIMES)
def test_parts_of_shares_have_their_stop_for_the_day(quantity: str, lifetime: TimeInForce) -> None:
    held = replace(HELD, quantity=D(quantity), cost=D(quantity) * 100)
    (intent,) = put_right(**NAKED, holdings={"AAPL": held}).intents
    assert (intent.order_type, intent.time_in_force) == (OrderType.STOP, lifetime)
    assert intent.quantity == D(quantity)


def test_the_same_minute_hands_out_what_it_committed_before() -> None:
    (first,) = put_right(**NAKED).intents
    # Committed by then, so that a second one would have the next revision and another id.
    again = put_right(**NAKED, revisions={"AAPL": 1}, unsent={"AAPL": first})
    assert again.intents == (first,)


def test_another_need_than_before_gets_another_intent() -> None:
    (first,) = put_right(**NAKED).intents
    (other,) = put_right(
        CLOSE - 6 * MINUTE, **NAKED, revisions={"AAPL": 1}, unsent={"AAPL": first}
    ).intents
    assert (other.kind, other.revision) == (IntentKind.EXIT, 2)


def test_a_reconciling_run_and_a_trading_run_never_share_an_id() -> None:
    """Both may commit for one minute; the revision, committed first, tells them apart."""
    (trading,) = assess(
        cycle_at(NOON),
        [wish(Action.HOLD, bar(NOON))],
        book(NOON, **{**HOLDING, **NAKED}),
        RiskLimits(),
    ).intents
    (repair,) = put_right(**NAKED, revisions={"AAPL": trading.revision}).intents
    assert trading.intent_id != repair.intent_id


def never_touched() -> list[BrokerOrder]:
    return [replace(SALE, order_id="theirs"), replace(ENTRY, order_id="theirs")]


@pytest.mark.parametrize("order", never_touched(), ids=["a sale", "a purchase"])
def test_foreign_orders_are_left_alone(order: BrokerOrder) -> None:
    assert put_right(open_orders=(STOP, order)).intents == ()

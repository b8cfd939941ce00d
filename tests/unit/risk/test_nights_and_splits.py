"""Positions overnight, over a split and before other actions. AAPL at 100 USD, ten held."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.market.bar import MINUTE
from tradewind.market.session import Session
from tradewind.orders.model import IntentKind, OrderStatus, TimeInForce
from tradewind.risk.assessment import Assessment, Position, assess, assess_positions
from tradewind.risk.limits import RiskLimits
from tradewind.strategies.decision import Action

from tests.unit.risk.test_assessment import (
    HELD,
    HOLDING,
    MERGER,
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
from tests.unit.risk.test_positions import reconciling

DAY = RiskLimits()
NIGHT = RiskLimits(hold_overnight=True)
CLOSE = SESSION.close
TOMORROW = SESSION.date + timedelta(days=1)
LAST_FIVE = CLOSE - 6 * MINUTE  # the bar whose run starts five minutes before the close
DUE: dict[str, Any] = {"split_due": {"AAPL": TOMORROW}}
MERGES: dict[str, Any] = {"action_due": {"AAPL": MERGER}}

ENDS = [
    # (what applies, the decided bar, limits, what is known, the decision and its reason)
    ("by day, six minutes before", LAST_FIVE - MINUTE, DAY, {}, (Action.HOLD, "because")),
    ("by day, five minutes before", LAST_FIVE, DAY, {}, (Action.EXIT, "session_end")),
    ("by day, a split is no other reason", LAST_FIVE, DAY, DUE, (Action.EXIT, "session_end")),
    ("overnight", LAST_FIVE, NIGHT, {}, (Action.HOLD, "because")),
    ("overnight, the last minute", CLOSE - 2 * MINUTE, NIGHT, {}, (Action.HOLD, "because")),
    ("overnight, a split is due", LAST_FIVE, NIGHT, DUE, (Action.EXIT, "split_due")),
    ("overnight, a split is due, at noon", NOON, NIGHT, DUE, (Action.HOLD, "because")),
    ("overnight, another symbol's split", LAST_FIVE, NIGHT, {"split_due": {"MSFT": TOMORROW}},
     (Action.HOLD, "because")),
    ("overnight, a merger is due", LAST_FIVE, NIGHT, MERGES, (Action.EXIT, "action_due")),
    ("a minute earlier", LAST_FIVE - MINUTE, NIGHT, MERGES, (Action.HOLD, "because")),
    ("by day, a merger is no other reason", LAST_FIVE, DAY, MERGES, (Action.EXIT, "session_end")),
    ("overnight, another symbol's", LAST_FIVE, NIGHT, {"action_due": {"MSFT": MERGER}},
     (Action.HOLD, "because")),
    ("overnight, both", LAST_FIVE, NIGHT, {**DUE, **MERGES}, (Action.EXIT, "split_due")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("bar_time", "limits", "changes", "expected"),
    [row[1:] for row in ENDS],
    ids=[str(row[0]) for row in ENDS],
)
def test_what_the_end_of_a_session_does(
    bar_time: datetime,
    limits: RiskLimits,
    changes: dict[str, Any],
    expected: tuple[Action, str],
) -> None:
    known = book(bar_time, **{**HOLDING, **changes})
    (decision,) = assess(
        cycle_at(bar_time), [wish(Action.HOLD, bar(bar_time))], known, limits
    ).decisions
    assert (decision.action, decision.reason_code) == expected


@pytest.mark.parametrize(("minutes", "action"), [(6, Action.HOLD), (5, Action.EXIT)])
def test_a_half_day_ends_at_its_own_close(minutes: int, action: Action) -> None:
    """27 November 2020: the exchange closed at 13:00 New York (18:00 UTC)."""
    day = Session(
        date(2020, 11, 27),
        datetime(2020, 11, 27, 14, 30, tzinfo=UTC),
        datetime(2020, 11, 27, 18, 0, tzinfo=UTC),
    )
    bar_time = day.close - (minutes + 1) * MINUTE
    cycle = replace(cycle_at(bar_time), session=day)
    (decision,) = assess(
        cycle, [wish(Action.HOLD, bar(bar_time))], book(bar_time, **HOLDING), DAY
    ).decisions
    assert decision.action is action


def test_trailing_goes_on_from_the_highest_high_since_entry() -> None:
    """Entered yesterday at 100, yesterday's high was 110: the stop belongs at 108.35 today."""
    held = replace(HELD, opened_at=OPEN - timedelta(days=1))
    known = book(NOON, **{**HOLDING, "holdings": {"AAPL": held}, "highs": {"AAPL": D(110)}})
    (intent,) = assess(cycle_at(NOON), [wish(Action.HOLD, bar(NOON, "109"))], known, NIGHT).intents
    assert (intent.kind, intent.stop_price) == (IntentKind.REPRICE, D("108.35"))


# After a split 7:1 of today: 70 shares at 100 USD, a stop of yesterday for 10 at 689.50.
OLD_STOP = replace(
    STOP, quantity=D(10), stop_price=D("689.50"), submitted_at=NOON - timedelta(days=1)
)
SPLIT: dict[str, Any] = {
    **HOLDING,
    "holdings": {"AAPL": replace(HELD, quantity=D(70), cost=D(7000))},
    "positions": {"AAPL": replace(POSITION, quantity=D(70))},
    "open_orders": (OLD_STOP,),
    "split_since": {"AAPL": SESSION.date},
}
ONE_LEFT: dict[str, Any] = {
    "holdings": {"AAPL": replace(HELD, quantity=D(1), cost=D(100))},
    "positions": {"AAPL": replace(POSITION, quantity=D(1))},
}
EARLY = OPEN - 16 * MINUTE
AFTER = [
    # (what is found, the bar, the price, what is done: kind, shares, stop, the order it is about)
    ("before the open", {}, EARLY, "100", ("renew_stop", 70, "98.50", "stop-1")),
    ("in the session too, should the run before the open be missing", {}, NOON, "100",
     ("renew_stop", 70, "98.50", "stop-1")),
    ("below the trail before the open: as near as the broker takes one", {}, EARLY, "98",
     ("renew_stop", 70, "96.53", "stop-1")),
    ("below the trail in the session: sold, the old stop cancelled", {}, NOON, "98",
     ("exit", 70, "98.50", "stop-1")),
    ("a stop of today is in the new units", {"open_orders": (replace(
        OLD_STOP, quantity=D(70), stop_price=D("98.50"), submitted_at=OPEN),)}, NOON, "100", None),
    ("a stop of today for a part", {"open_orders": (replace(
        OLD_STOP, stop_price=D("98.50"), submitted_at=OPEN),)}, NOON, "100",
     ("protect", 60, "98.50", None)),
    ("a split that was before the stop", {"split_since": {"AAPL": date(2020, 11, 11)}}, NOON, "100",
     ("protect", 60, "98.50", None)),
    ("shares that the broker has not converted yet, at the new price",
     {"holdings": {"AAPL": replace(HELD, cost=D(1000))}, "positions": {"AAPL": POSITION}}, EARLY,
     "100", ("renew_stop", 10, "98.50", "stop-1")),
    ("a reverse split 1:10 renews the stop for too many shares", ONE_LEFT, EARLY, "100",
     ("renew_stop", 1, "98.50", "stop-1")),
    ("the same, before our books have converted what the broker has",
     {**ONE_LEFT, "holdings": {"AAPL": HELD}}, EARLY, "100",
     ("renew_stop", 10, "98.50", "stop-1")),
    ("a stop of today, for the shares of before the broker converted them, is reduced",
     {**ONE_LEFT, "open_orders": (replace(
         OLD_STOP, stop_price=D("98.50"), submitted_at=OPEN),)}, NOON, "100",
     ("cancel_stop", 1, "98.50", "stop-1")),
    ("an old stop in its cancellation is asked for again", {"open_orders": (replace(
        OLD_STOP, status=OrderStatus.PENDING_CANCEL, updated_at=NOON),)}, NOON, "100",
     ("renew_stop", 70, "98.50", "stop-1")),
    ("one that hangs in it counts as none", {"open_orders": (replace(
        OLD_STOP, status=OrderStatus.PENDING_CANCEL, updated_at=NOON - MINUTE),)}, NOON, "100",
     ("protect", 70, "98.50", None)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "bar_time", "price", "done"),
    [row[1:] for row in AFTER],
    ids=[str(row[0]) for row in AFTER],
)
def test_stops_of_before_a_split_are_put_again(
    changes: dict[str, Any],
    bar_time: datetime,
    price: str,
    done: tuple[str, int, str, str | None] | None,
) -> None:
    known = book(bar_time, **{**SPLIT, **changes})
    by_reconciliation = assess_positions(
        reconciling(bar_time), [Position("AAPL", "sma", D(price))], known, NIGHT, {}
    )
    told = [
        (str(one.kind), int(one.quantity), str(one.stop_price), one.target_order_id)
        for one in by_reconciliation.intents
    ]
    assert told == ([done] if done is not None else [])


def test_a_renewed_stop_rests_overnight_and_leaves_the_decision_to_hold() -> None:
    made: Assessment = assess(
        cycle_at(NOON), [wish(Action.HOLD, bar(NOON))], book(NOON, **SPLIT), NIGHT
    )
    (intent,), (decision,) = made.intents, made.decisions
    assert (intent.kind, intent.time_in_force) == (IntentKind.RENEW_STOP, TimeInForce.GTC)
    assert (decision.action, decision.reason_code) == (Action.HOLD, "because")

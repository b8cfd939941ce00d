"""The size that live trading has reached, and what it makes of an entry."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.risk.assessment import Assessment, assess
from tradewind.risk.limits import RiskLimits
from tradewind.risk.live_ramp import SizeStep, live_size
from tradewind.risk.permission import Permission
from tradewind.risk.sizing import Size, scaled
from tradewind.strategies.decision import Action

from tests.unit.risk.test_assessment import HOLDING, NOON, bar, book, cycle_at, wish

FIRST = date(2021, 3, 1)


def days(count: int) -> list[date]:
    return [FIRST + timedelta(days=number) for number in range(count)]


STEPS = [
    # (sessions since the approval, day of a breach or None, part of the size)
    (0, None, "0.10"),
    (4, None, "0.10"),
    (5, None, "0.20"),
    (9, None, "0.20"),
    (10, None, "0.40"),
    (15, None, "0.80"),
    (20, None, "1"),
    (400, None, "1"),
    (20, 19, "0.10"),  # a breach in the newest session
    (20, 20, "0.10"),  # today, in a session that is not over
    (20, 14, "0.20"),  # five clean ones since
    (20, 0, "0.80"),
]


@pytest.mark.parametrize(("sessions", "breach", "fraction"), STEPS)
def test_the_size_doubles_with_each_five_clean_sessions(
    sessions: int, breach: int | None, fraction: str
) -> None:
    breaches = {} if breach is None else {FIRST + timedelta(days=breach): "switch lowered"}
    step = live_size(days(sessions), breaches)
    assert step.fraction == D(fraction)
    assert ("switch lowered" in step.reason) == (breach is not None)


@given(st.integers(0, 60), st.sets(st.integers(0, 60)))
def test_it_is_never_more_than_all_nor_less_than_the_first_step(
    sessions: int, breached: set[int]
) -> None:
    breaches = {FIRST + timedelta(days=day): "breach" for day in breached}
    fraction = live_size(days(sessions), breaches).fraction
    assert D("0.10") <= fraction <= 1
    assert live_size(days(sessions), {}).fraction >= fraction


TENTH = SizeStep(D("0.10"), "10 % of size")
SIZES = [
    # (shares that risk allows, at the price, shares at a tenth of the size)
    (249, "100.30", 24),
    (9, "100.30", 0),  # less than a share
    (100, "9.99", 0),  # ten shares are 99.90 USD, below the smallest notional
    (110, "9.99", 11),
]


@pytest.mark.parametrize(("shares", "price", "left"), SIZES)
def test_a_size_is_scaled_to_whole_shares(shares: int, price: str, left: int) -> None:
    size = scaled(Size(D(shares), "risk per trade"), TENTH, D(price), RiskLimits())
    assert (size.quantity, size.limited_by) == (D(left), "risk per trade, 10 % of size")


def run(action: Action, permission: Permission, **changes: Any) -> Assessment:
    known = book(NOON, **{**changes, "permission": permission})
    return assess(cycle_at(NOON), [wish(action, bar(NOON))], known, RiskLimits())


def test_an_entry_is_scaled_and_says_so() -> None:
    (intent,) = run(Action.ENTER, Permission(size=TENTH)).intents
    assert intent.quantity == D(24)
    assert "10 % of size" in intent.reason


def test_without_an_approval_nothing_is_entered_and_exits_go_on() -> None:
    nobody = Permission(live_refusal="no written check is on record")
    (decision,) = run(Action.ENTER, nobody).decisions
    assert (decision.action, decision.reason_code) == (Action.WAIT, "live_not_approved")
    assert decision.reason == "no written check is on record"
    assert run(Action.EXIT, nobody, **HOLDING).decisions[0].action is Action.EXIT
    assert run(Action.HOLD, nobody, **HOLDING).decisions[0].action is Action.HOLD


def test_a_stopped_symbol_is_closed_and_not_entered() -> None:
    stopped = Permission(stopped={"AAPL": "anna stopped it"})
    assert run(Action.ENTER, stopped).decisions[0].reason_code == "trading_stopped"
    (closed,) = run(Action.HOLD, stopped, **HOLDING).decisions
    assert (closed.action, closed.reason_code) == (Action.EXIT, "trading_stopped")
    other = Permission(stopped={"MSFT": "anna stopped it"})
    assert run(Action.ENTER, other).decisions[0].action is Action.ENTER

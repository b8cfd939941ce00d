"""The size that live trading has reached, and what it makes of an entry."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.risk.allocation import Allotment, Funds
from tradewind.risk.assessment import Assessment, assess
from tradewind.risk.limits import RiskLimits
from tradewind.risk.live_ramp import SizeStep, live_size
from tradewind.risk.permission import Permission
from tradewind.risk.sizing import Size
from tradewind.strategies.decision import Action

from tests.unit.risk.test_assessment import (
    HELD,
    HOLDING,
    NOON,
    POSITION,
    bar,
    book,
    cycle_at,
    wish,
)

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


def test_of_several_breaches_the_last_one_counts() -> None:
    breaches = {FIRST: "an old one", FIRST + timedelta(days=14): "switch lowered"}
    step = live_size(days(20), breaches)
    assert step == SizeStep(
        D("0.20"),
        "20 % of size after 5 clean sessions since the breach of 2021-03-15 (switch lowered), "
        "more after 5 further ones",
    )


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
    # (a 100 USD share with its stop at 98.50, of 100,000 USD; what is there already; shares, by)
    ("a quarter of a tenth", {}, {}, 25, "exposure per symbol, 10 % of size"),
    ("2 % of a tenth over twice an ATR of 10", {"atr": D(10)}, {}, 10,
     "risk per trade, 10 % of size"),
    ("all of ours together have a tenth", {}, {"MSFT": D(9_050)}, 9,
     "exposure in all, 10 % of size"),
    ("the tenth is used up", {}, {"MSFT": D(10_000)}, 0, "exposure in all, 10 % of size"),
    ("more is held than a tenth since a breach", {}, {"MSFT": D(60_000)}, 0,
     "exposure in all, 10 % of size"),
    ("foreign positions take none of it", {}, {"KO": D(60_000)}, 25,
     "exposure per symbol, 10 % of size"),
    ("but room in the account", {}, {"KO": D(99_000)}, 10, "exposure in all"),
    ("less than a share", {"limit_price": D(2600), "stop_price": D(2561)}, {}, 0,
     "exposure per symbol, 10 % of size"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "exposure", "shares", "by"), [row[1:] for row in SIZES], ids=[row[0] for row in SIZES]
)
def test_what_a_tenth_of_the_size_is(
    asked: dict[str, D], exposure: dict[str, D], shares: int, by: str
) -> None:
    funds = Funds(D(100_000), D(100_000), exposure, {}, TENTH, ("AAPL", "MSFT"))
    plain: Any = {"limit_price": D(100), "stop_price": D("98.50"), "atr": None}
    size = funds.size("AAPL", **{**plain, **asked}, limits=RiskLimits())
    assert size == Size(D(shares), by)


def test_a_strategys_part_ramps_with_the_account() -> None:
    """A strategy with a fifth has a fifth of the tenth: 2,000 USD for its two symbols."""
    part = Allotment(frozenset(("AAPL", "MSFT")), D("0.2"))
    own = dict.fromkeys(part.symbols, part)
    funds = Funds(D(100_000), D(100_000), {}, own, TENTH, part.symbols)
    plain: Any = {"limit_price": D(10), "stop_price": D("9.85"), "atr": None}
    size = funds.size("AAPL", **plain, limits=RiskLimits())
    told = "exposure per symbol of the strategy's 0.2 of equity, 10 % of size"
    assert size == Size(D(50), told)
    funds.spend("AAPL", D(1_900))
    assert funds.size("MSFT", **plain, limits=RiskLimits()).quantity == D(10)


def test_entries_of_one_minute_share_the_tenth() -> None:
    funds = Funds(D(100_000), D(100_000), {}, {}, TENTH, ("AAPL", "MSFT"))
    funds.spend("AAPL", D(9_050))
    plain: Any = {"limit_price": D(100), "stop_price": D("98.50"), "atr": None}
    size = funds.size("MSFT", **plain, limits=RiskLimits())
    assert size == Size(D(9), "exposure in all, 10 % of size")


def run(action: Action, permission: Permission, **changes: Any) -> Assessment:
    known = book(NOON, **{**changes, "permission": permission})
    return assess(cycle_at(NOON), [wish(action, bar(NOON))], known, RiskLimits())


def test_an_entry_is_scaled_and_says_so() -> None:
    (intent,) = run(Action.ENTER, Permission(size=TENTH)).intents
    assert intent.quantity == D(24)
    assert "10 % of size" in intent.reason


def test_what_is_held_without_a_bar_takes_its_part_of_the_tenth() -> None:
    """No wish can be made for MSFT: it has never had a bar here."""
    held = replace(HELD, symbol="MSFT", quantity=D(98))
    position = replace(POSITION, symbol="MSFT", quantity=D(98), current_price=D(100))
    (intent,) = run(
        Action.ENTER, Permission(size=TENTH), holdings={"MSFT": held}, positions={"MSFT": position}
    ).intents
    assert intent.quantity == D(1)  # 200 USD are left, an entry may cost 100.30 a share


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

"""Protections: who is locked, from when until when, and what it does to the size."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.errors import InvalidInputError
from tradewind.market.session_table import default_table
from tradewind.risk.locks import Lock, in_force
from tradewind.risk.protections import (
    ClosedTrip,
    EquityChange,
    Protected,
    Protection,
    ProtectionSettings,
    TradingMinutes,
    protect,
)

# Thursday and Friday, and the Monday after: 14:30 to 21:00 UTC each.
SESSIONS = default_table().between(date(2020, 11, 12), date(2020, 11, 16))
THURSDAY, FRIDAY, MONDAY = SESSIONS
SETTINGS = ProtectionSettings()
UNTOUCHED = EquityChange(D(0), D(0))


def at(minute: float, session: Any = THURSDAY) -> datetime:
    """So many minutes after a session's open."""
    moment: datetime = session.open + timedelta(minutes=minute)
    return moment


def trip(minute: float, symbol: str = "AAPL", profit: str = "0.001", **changes: Any) -> ClosedTrip:
    plain = ClosedTrip(symbol, at(minute), D(profit), by_stop=False)
    return replace(plain, **changes)


def stop(minute: float, symbol: str = "AAPL", **changes: Any) -> ClosedTrip:
    return trip(minute, symbol, "-0.015", by_stop=True, **changes)


def run(
    moment: datetime,
    *trips: ClosedTrip,
    change: EquityChange = UNTOUCHED,
    standing: tuple[Lock, ...] = (),
    **settings: Any,
) -> Protected:
    return protect(moment, trips, change, SESSIONS, replace(SETTINGS, **settings), standing)


def codes(protected: Protected) -> list[tuple[str, str | None]]:
    return sorted((lock.code, lock.symbol) for lock in protected.locks)


ONE_STOP_EACH = [stop(10, "AAPL"), stop(20, "MSFT"), stop(30, "QQQ"), stop(40, "SPY")]
FOUR_LOSSES = [trip(minute, profit="-0.003") for minute in (100, 110, 120, 130)]

CASES = [
    # (what, the run's minute, round trips, the locks that hold: code and symbol)
    ("nothing happened", 100, [], []),
    ("4 minutes after an exit", 104, [trip(100)], [("cooldown", "AAPL")]),
    ("5 minutes after an exit", 105, [trip(100)], []),
    ("the end is rounded up to the minute", 105, [trip(100.5)], [("cooldown", "AAPL")]),
    ("and there it ends", 106, [trip(100.5)], []),
    ("an exit that is still to come", 99, [trip(100)], []),
    ("two stops in a symbol within 60 minutes", 90, [stop(10), stop(69)], [("stop_guard", "AAPL")]),
    ("two stops 60 minutes apart", 90, [stop(10), stop(70)], []),
    ("one stop each in two symbols", 90, [stop(10), stop(69, "MSFT")], []),
    ("an exit that is no stop does not count", 90, [stop(10), trip(69)], []),
    ("the lock's last minute", 128, [stop(10), stop(69)], [("stop_guard", "AAPL")]),
    ("the lock's end", 129, [stop(10), stop(69)], []),
    ("four stops in all", 50, ONE_STOP_EACH, [("stop_guard", None)]),
    ("three stops in all", 50, ONE_STOP_EACH[:3], []),
    ("a fifth within the window locks anew", 100, [*ONE_STOP_EACH, stop(45, "V")],
     [("stop_guard", None)]),
    ("four losses of 0.3 % in a symbol", 140, FOUR_LOSSES, [("low_profit", "AAPL")]),
    ("three of them", 140, FOUR_LOSSES[:3], []),
    ("four that lost exactly 1 % together", 140,
     [replace(one, profit=D("-0.0025")) for one in FOUR_LOSSES], []),
    ("four in two symbols", 140, [*FOUR_LOSSES[:3], trip(130, "MSFT", "-0.003")], []),
    ("until half a session later", 324, FOUR_LOSSES, [("low_profit", "AAPL")]),
    ("and no longer", 325, FOUR_LOSSES, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("minute", "trips", "expected"), [row[1:] for row in CASES], ids=[str(row[0]) for row in CASES]
)
def test_closed_trades(minute: int, trips: list[ClosedTrip], expected: list[Any]) -> None:
    assert codes(run(at(minute), *trips)) == expected
    assert codes(run(at(minute), *reversed(trips))) == expected  # in any order


def test_nights_heal_nothing() -> None:
    """Two stops at the close are as near to the open as the market's own minutes make them."""
    stops = [stop(380), stop(385)]
    (lock,) = [one for one in run(at(0, FRIDAY), *stops).locks if one.code == "stop_guard"]
    # 5 minutes of the hour were left on Thursday.
    assert lock.until == at(55, FRIDAY)
    apart = [stop(350), stop(0, closed_at=at(15, FRIDAY))]  # 40 + 15 regular minutes apart
    assert ("stop_guard", "AAPL") in codes(run(at(16, FRIDAY), *apart))


EQUITY = [
    # (since the previous close, from the peak, locks, size)
    ("at the peak", "0", "0", [], "1"),
    ("a hair above -10 % today", "-0.0999999", "0", [], "1"),
    ("-10 % today", "-0.10", "0", [("daily_drawdown", None)], "1"),
    ("a hair above -7.5 % from the peak", "0", "-0.0749999", [], "1"),
    ("-7.5 % from the peak", "0", "-0.075", [], "0.5"),
    ("-40 % from the peak locks only by parameter", "0", "-0.40", [], "0.5"),
]


@pytest.mark.parametrize(
    ("day", "peak", "locks", "size"), [row[1:] for row in EQUITY], ids=[row[0] for row in EQUITY]
)
def test_drawdowns(day: str, peak: str, locks: list[Any], size: str) -> None:
    protected = run(at(100), change=EquityChange(D(day), D(peak)))
    assert codes(protected) == locks
    assert protected.size_factor == D(size)
    assert bool(protected.size_reason) == (size != "1")


def test_a_daily_drawdown_stays_locked_when_it_recovers_and_ends_with_the_next_session() -> None:
    fallen = run(at(100), change=EquityChange(D("-0.11")))
    (lock,) = fallen.locks
    assert lock.until == FRIDAY.open
    recovered = run(at(200), change=EquityChange(D("-0.05")), standing=fallen.locks)
    assert recovered.locks == fallen.locks
    assert run(at(0, FRIDAY), change=UNTOUCHED, standing=fallen.locks).locks == ()


def test_a_drawdown_found_each_minute_is_one_lock() -> None:
    first = run(at(100), change=EquityChange(D("-0.11"))).locks
    again = run(at(101), change=EquityChange(D("-0.12")), standing=first).locks
    assert again == first
    (lock,) = run(at(101), change=EquityChange(D("-0.12"))).locks
    assert lock.lock_id("paper") == first[0].lock_id("paper")
    assert lock.lock_id("paper") != lock.lock_id("live")


def test_a_deep_drawdown_locks_once_a_peak_where_a_parameter_says_so() -> None:
    settings: dict[str, Any] = {"locking_drawdown": D("0.15"), "locking_sessions": 2}
    peak = EquityChange(D(0), D("-0.15"), at(0))
    (lock,) = run(at(100), change=peak, **settings).locks
    assert (lock.code, lock.symbol, lock.until) == ("peak_drawdown", None, FRIDAY.close)
    assert run(at(10, MONDAY), change=peak, standing=(lock,), **settings).locks == ()
    # A new peak may be fallen from again.
    other = replace(peak, peak_at=at(5, FRIDAY))
    assert run(at(10, MONDAY), change=other, standing=(lock,), **settings).locks != ()


@pytest.mark.parametrize("name", Protection)
def test_each_can_be_switched_off_by_its_name(name: Protection) -> None:
    bad = EquityChange(D("-0.2"), D("-0.2"))
    trips = [*(stop(minute) for minute in (100, 110, 120, 130)), trip(131)]
    settings = ProtectionSettings(locking_drawdown=D("0.15"))
    everything = protect(at(132), trips, bad, SESSIONS, settings)
    assert {lock.code for lock in everything.locks} == set(Protection)
    without = replace(settings, off=frozenset({name}))
    left = protect(at(132), trips, bad, SESSIONS, without, everything.locks)
    assert {lock.code for lock in left.locks} == set(Protection) - {name}
    assert (left.size_factor == 1) == (name is Protection.PEAK_DRAWDOWN)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"cooldown": 0}, "cooldown is 0"),
    ({"stops_in_symbol": 0}, "stops_in_symbol is 0"),
    ({"low_profit_window": -1}, "low_profit_window is -1"),
    ({"daily_drawdown": D(0)}, "daily_drawdown is 0"),
    ({"daily_drawdown": D(1)}, "daily_drawdown is 1"),
    ({"halving_drawdown": D("-0.1")}, "halving_drawdown is -0.1"),
    ({"locking_drawdown": D("0.05")}, "locking_drawdown 0.05 comes before"),
    ({"reduced_size": D(0)}, "reduced_size is 0"),
    ({"reduced_size": D("1.5")}, "reduced_size is 1.5"),
]


@pytest.mark.parametrize(("changes", "says"), WRONG)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        ProtectionSettings(**changes)


def test_an_unknown_name_is_told_with_those_that_are_known() -> None:
    assert ProtectionSettings.without(["cooldown"]).off == {Protection.COOLDOWN}
    with pytest.raises(InvalidInputError, match=r"cooldwon.*known are cooldown, stop_guard"):
        ProtectionSettings.without(["cooldwon"])


def test_the_longest_lock_is_named_first_and_the_stored_one_counts() -> None:
    short = Lock("AAPL", at(0), at(10), "cooldown", "short", "a")
    long = Lock(None, at(0), at(20), "stop_guard", "long", "b")
    retold = replace(short, until=at(300), reason="told again")
    assert in_force([short, long], [retold], at(5)) == (long, short)
    assert in_force([short, long], [retold], at(15)) == (long,)


def test_minutes_are_counted_where_the_market_is_open() -> None:
    time = TradingMinutes(SESSIONS)
    assert time.later(at(0), 389) == at(389)
    assert time.later(at(0), 390) == at(0, FRIDAY)  # the close is the next open
    assert time.later(at(400), 1) == at(1, FRIDAY)  # in the night
    assert time.later(at(0), 10_000) == MONDAY.close  # no further than is known
    assert time.elapsed(at(10, FRIDAY)) == timedelta(minutes=400)
    assert time.elapsed(datetime(2020, 1, 1, tzinfo=UTC)) == timedelta(0)

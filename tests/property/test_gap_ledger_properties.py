"""What holds for the gap ledger whatever comes, in whatever order and portions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from tradewind.market.availability import availability, backfill_plan
from tradewind.market.bar import MINUTE
from tradewind.market.gap_ledger import (
    GapLedger,
    MinuteState,
    ProviderAnswer,
    expected_minutes,
    gaps,
)
from tradewind.market.session import Session
from tradewind.market.session_table import default_table

TABLE = default_table()
SYMBOLS = ("AAPL", "UGA")

# Before and after both clock changes of 2020, a half-day, its eve, and an ordinary day.
DAYS = ["2020-03-06", "2020-03-09", "2020-10-30", "2020-11-02", "2020-11-12", "2020-11-25",
        "2020-11-27"]  # fmt: skip
SESSIONS = [
    session for day in DAYS if (session := TABLE.session_on(date.fromisoformat(day))) is not None
]

sessions = st.sampled_from(SESSIONS)
any_day = st.dates(date(1990, 1, 2), date(2034, 12, 31))

Event = Callable[[GapLedger], None]


@st.composite
def minutes_of(draw: st.DrawFn, session: Session) -> list[datetime]:
    """Starts in and around the beginning of a session, some of them twice."""
    numbers = draw(st.lists(st.integers(-5, 25), max_size=30))
    return [session.open + number * MINUTE for number in numbers]


@st.composite
def moments(draw: st.DrawFn, session: Session) -> datetime:
    return session.open + timedelta(seconds=draw(st.integers(-60, 3_000)))


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    """Bars that were stored and answers that lacked some, in two sessions."""
    happenings: list[Event] = []
    for _ in range(draw(st.integers(0, 12))):
        session = draw(st.sampled_from(SESSIONS[:2]))
        at = draw(moments(session))
        if draw(st.booleans()):
            symbol = draw(st.sampled_from(SYMBOLS))
            bars = [(symbol, start) for start in draw(minutes_of(session))]
            happenings.append(partial(GapLedger.bars_stored, bars=bars, at=at))
        else:
            came = {symbol: frozenset(draw(minutes_of(session))) for symbol in SYMBOLS}
            answer = ProviderAnswer(SYMBOLS, session.open, session.open + 25 * MINUTE, at, came)
            happenings.append(partial(GapLedger.answered, answer=answer))
    return happenings


def ledger_after(happenings: list[Event]) -> GapLedger:
    ledger = GapLedger(TABLE)
    for happening in happenings:
        happening(ledger)
    return ledger


@given(st.data())
def test_order_and_repetition_change_nothing(data: st.DataObject) -> None:
    happenings = data.draw(events())
    again = data.draw(st.lists(st.sampled_from(happenings), max_size=5)) if happenings else []
    shuffled = data.draw(st.permutations([*happenings, *again]))
    assert ledger_after(shuffled) == ledger_after(happenings)


@given(st.data())
def test_any_portions_of_bars_make_the_same_ledger(data: st.DataObject) -> None:
    session = data.draw(sessions)
    at = data.draw(moments(session))
    bars = [(s, start) for s in SYMBOLS for start in data.draw(minutes_of(session))]
    whole, parts = GapLedger(TABLE), GapLedger(TABLE)
    whole.bars_stored(bars, at)
    rest = list(data.draw(st.permutations(bars)))
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        parts.bars_stored(rest[:size], at)
        rest = rest[size:]
    assert parts == whole


@given(st.data())
def test_every_expected_minute_is_in_exactly_one_place(data: st.DataObject) -> None:
    """gaps + received + no trade = expected"""
    ledger = ledger_after(data.draw(events()))
    session = data.draw(st.sampled_from(SESSIONS[:2]))
    until = data.draw(moments(session))
    ledger.open(SYMBOLS, session)
    expected = set(expected_minutes(session, until) or ())
    for entry in ledger.entries:
        if entry.session != session:
            continue
        missing = {minute for gap in entry.gaps(until) for minute in gap}
        received = entry.received.keys() & expected
        no_trade = entry.no_trade & expected
        assert missing | received | no_trade == expected
        assert len(missing) + len(received) + len(no_trade) == len(expected)
        counted = availability(ledger, [entry.symbol], [session], until)
        assert (counted.expected, counted.received, counted.no_trade, counted.missing) == (
            len(expected), len(received), len(no_trade), len(missing),
        )  # fmt: skip
        assert 0 <= counted.figure <= 1


@given(any_day)
def test_every_session_expects_its_own_length(day: date) -> None:
    session = TABLE.session_on(day)
    if session is None:
        return
    assert session.minutes in (390, 270, 210)
    everything = list(expected_minutes(session, session.close + timedelta(days=7)) or ())
    assert len(everything) == session.minutes
    assert all(TABLE.session_of(minute) == session for minute in everything)
    assert expected_minutes(session, session.open) is None
    assert len(gaps(session, (), (), session.close)) == 1


@given(st.data())
def test_more_can_only_help(data: st.DataObject) -> None:
    """Bars and answers never open a gap, and a bar's minute is never taken for a quiet one."""
    happenings = data.draw(events())
    until = SESSIONS[0].open + 30 * MINUTE
    ledger = GapLedger(TABLE)
    ledger.open(SYMBOLS, SESSIONS[0])
    missing = len(SYMBOLS) * 30
    for happening in happenings:
        happening(ledger)
        now = availability(ledger, SYMBOLS, [SESSIONS[0]], until).missing
        assert now <= missing
        missing = now
    for entry in ledger.entries:
        for minute in entry.received:
            assert entry.state(minute) in (MinuteState.RECEIVED, MinuteState.BACKFILLED)


@given(st.data())
def test_the_backfill_plan_covers_the_gaps_and_names_nobody_without_one(
    data: st.DataObject,
) -> None:
    ledger = ledger_after(data.draw(events()))
    ledger.open(SYMBOLS, data.draw(st.sampled_from(SESSIONS[:2])))
    until = max(session.open for session in SESSIONS[:2]) + data.draw(st.integers(0, 400)) * MINUTE
    missing = {
        (entry.symbol, minute)
        for entry in ledger.entries
        for gap in entry.gaps(until)
        for minute in gap
    }
    plan = backfill_plan(ledger.open_gaps(until))
    covered: set[tuple[str, datetime]] = set()
    for call in plan:
        assert call.session.contains(call.first)
        assert call.session.contains(call.last)
        inside = {
            (symbol, call.first + number * MINUTE)
            for symbol in call.symbols
            for number in range((call.last - call.first) // MINUTE + 1)
        }
        assert {symbol for symbol, _ in inside & missing} == set(call.symbols)
        assert {call.first, call.last} <= {minute for _, minute in inside & missing}
        assert not covered & inside  # nothing is asked for twice
        covered |= inside
    assert missing <= covered
    # carrying the plan out empties the ledger
    ledger.bars_stored(covered, until)
    assert backfill_plan(ledger.open_gaps(until)) == []


@given(st.data(), st.integers(1, 60))
def test_a_decision_without_a_hole_has_its_whole_window(data: st.DataObject, window: int) -> None:
    """No hole: walking back from the decided minute over received and quiet minutes alone, the
    window fills. A hole: it names missing minutes only."""
    ledger = ledger_after(data.draw(events()))
    session = SESSIONS[1]
    decided = session.open + data.draw(st.integers(0, 24)) * MINUTE
    hole = ledger.hole_before("AAPL", decided, window)
    entries = {e.session.date: e for e in ledger.entries if e.symbol == "AAPL"}
    for minute in hole:
        entry = entries.get(minute.date())
        assert entry is None or entry.state(minute) is MinuteState.MISSING
    if hole:
        assert hole == sorted(set(hole))
        assert hole[-1] <= decided
        return
    received = sorted(
        minute for entry in entries.values() for minute in entry.received if minute <= decided
    )
    assert len(received) >= window
    walked = [m for m in received[-window:] if m.date() == decided.date()]
    if walked:
        between = (decided - walked[0]) // MINUTE + 1
        quiet = sum(walked[0] <= m <= decided for m in entries[decided.date()].no_trade)
        assert len(walked) + quiet == between

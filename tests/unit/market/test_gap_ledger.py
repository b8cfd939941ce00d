"""Missing, received and quiet minutes. The day is Thursday 2020-11-12 (14:30 to 21:00 UTC)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from fractions import Fraction
from pathlib import Path

import pytest
from tradewind.errors import InvalidInputError
from tradewind.market.availability import (
    NOTHING_EXPECTED,
    Availability,
    BackfillCall,
    availability,
    backfill_plan,
)
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.bar_trace import BarTrace, TraceKind, traces_of
from tradewind.market.csv_bars import read_bars
from tradewind.market.gap_ledger import (
    GapLedger,
    LedgerEntry,
    MinuteRange,
    MinuteState,
    ProviderAnswer,
    empty_minutes,
    expected_minutes,
    gaps,
)
from tradewind.market.session import Session
from tradewind.market.session_table import default_table

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)


def session_on(day: str) -> Session:
    session = default_table().session_on(date.fromisoformat(day))
    assert session is not None
    return session


TODAY = session_on("2020-11-12")


def m(minute: int) -> datetime:
    """That many minutes after the open."""
    return OPEN + minute * MINUTE


def ranges(*pairs: tuple[int, int]) -> list[MinuteRange]:
    return [MinuteRange(m(first), m(last)) for first, last in pairs]


# -- expected minutes and gaps --------------------------------------------------------------------

EXPECTED = [
    # (session, as of, minutes)
    ("2020-11-12", "2020-11-12 14:30", 0),
    ("2020-11-12", "2020-11-12 14:30:59", 0),
    ("2020-11-12", "2020-11-12 14:31", 1),
    ("2020-11-12", "2020-11-12 14:31:59", 1),
    ("2020-11-12", "2020-11-12 20:59", 389),
    ("2020-11-12", "2020-11-12 21:00", 390),
    ("2020-11-12", "2020-12-31 21:00", 390),
    ("2020-11-12", "2020-01-01 21:00", 0),
    ("2020-11-27", "2020-11-27 23:00", 210),  # a half-day
    ("2020-03-06", "2020-03-07 00:00", 390),  # around the clock changes
    ("2020-03-09", "2020-03-10 00:00", 390),
    ("2020-10-30", "2020-10-31 00:00", 390),
    ("2020-11-02", "2020-11-03 00:00", 390),
]


@pytest.mark.parametrize(("day", "until", "count"), EXPECTED)
def test_a_minute_is_expected_when_it_is_over(day: str, until: str, count: int) -> None:
    session = session_on(day)
    expected = expected_minutes(session, datetime.fromisoformat(until).replace(tzinfo=UTC))
    minutes = list(expected or ())
    assert len(minutes) == count
    assert minutes == [session.open + number * MINUTE for number in range(count)]


GAPS = [
    # (received, no trade, as of minute, gaps)
    ("all is there", [0, 1, 2], [], 3, []),
    ("the first", [1, 2], [], 3, [(0, 0)]),
    ("the last", [0, 1], [], 3, [(2, 2)]),
    ("two apart", [0, 2, 4], [], 5, [(1, 1), (3, 3)]),
    ("a run", [0, 4], [], 5, [(1, 3)]),
    ("nothing", [], [], 3, [(0, 2)]),
    ("quiet minutes are no gap", [0, 4], [1, 2], 5, [(3, 3)]),
    ("what is not over is no gap", [0], [], 1, []),
    ("early and late bars do not count", [-5, 0, 400], [], 2, [(1, 1)]),
]


@pytest.mark.parametrize(
    ("received", "no_trade", "until", "expected"), [row[1:] for row in GAPS],
    ids=[str(row[0]) for row in GAPS],
)  # fmt: skip
def test_gaps(
    received: list[int], no_trade: list[int], until: int, expected: list[tuple[int, int]]
) -> None:
    found = gaps(TODAY, [m(i) for i in received], {m(i) for i in no_trade}, m(until))
    assert found == ranges(*expected)


# -- what a provider's silence means --------------------------------------------------------------


def answer(
    came: Mapping[str, Sequence[int]], first: int, last: int, asked: int, seconds: int = 5
) -> ProviderAnswer:
    return ProviderAnswer(
        tuple(sorted(came)), m(first), m(last), m(asked) + timedelta(seconds=seconds),
        {symbol: frozenset(m(i) for i in minutes) for symbol, minutes in came.items()},
    )  # fmt: skip


SILENCE = [
    # (bars that came by symbol, first and last minute asked for, the UGA minutes shown to be empty)
    ("bars around it", {"UGA": [100, 102]}, (100, 102), [101]),
    ("within five minutes on both sides", {"UGA": [100, 105]}, (100, 105), [101, 102, 103, 104]),
    ("too wide a silence", {"UGA": [100, 111]}, (100, 111), []),
    ("nine minutes look like no trade", {"UGA": [100, 110]}, (100, 110), [105]),
    ("nothing before", {"UGA": [103]}, (100, 103), []),
    ("nothing after", {"UGA": [100]}, (100, 103), []),
    ("another symbol's bar of this minute", {"UGA": [], "SPY": [101]}, (100, 103), [101]),
    ("another symbol's bars around it", {"UGA": [], "SPY": [100, 102]}, (100, 102),
     [100, 101, 102]),
    ("nobody has anything", {"UGA": [], "SPY": []}, (100, 103), []),
    ("the session's first minutes", {"UGA": [2]}, (0, 2), [0, 1]),
    ("the sixth minute has five before it", {"UGA": [6]}, (0, 6), [1, 2, 3, 4]),
    ("the sixth from the end has five after it", {"UGA": [383]}, (383, 389), [385, 386, 387, 388]),
    ("the session's last minutes", {"UGA": [387]}, (387, 389), [388, 389]),
    ("minutes not asked for say nothing", {"UGA": [100, 102]}, (102, 102), []),
    ("early and late bars prove it too", {"UGA": [-1, 2]}, (-1, 2), [0, 1]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("came", "asked_for", "empty"), [row[1:] for row in SILENCE],
    ids=[str(row[0]) for row in SILENCE],
)  # fmt: skip
def test_silence_counts_only_where_the_provider_speaks(
    came: dict[str, list[int]], asked_for: tuple[int, int], empty: list[int]
) -> None:
    found = empty_minutes(answer(came, *asked_for, asked=395), TODAY)
    assert found.get("UGA", []) == [m(i) for i in empty]


def test_a_minute_that_was_not_over_when_asked_says_nothing() -> None:
    """Asked at minute 103 and five seconds: minute 102 is over, 103 is not."""
    asked = answer({"UGA": [], "SPY": [101, 102, 103]}, 101, 104, asked=103)
    assert empty_minutes(asked, TODAY) == {"UGA": [m(101), m(102)]}


STATES = [
    # (when asked, seconds after the open, each time without a bar; state of minute 100)
    ("never asked", [], MinuteState.MISSING),
    ("asked once, soon", [6063], MinuteState.MISSING),
    ("twice, 59 s apart", [6063, 6122], MinuteState.MISSING),
    ("twice, a minute apart", [6063, 6123], MinuteState.NO_TRADE),
    ("the two looks told in the wrong order", [6123, 6063], MinuteState.NO_TRADE),
    ("one look often told", [6063, 6063, 6063], MinuteState.MISSING),
    ("once, a second before T+15 min", [6060 + 899], MinuteState.MISSING),
    ("once, at T+15 min", [6060 + 900], MinuteState.NO_TRADE),
]


@pytest.mark.parametrize(
    ("looks", "state"), [row[1:] for row in STATES], ids=[str(row[0]) for row in STATES]
)
def test_how_a_minute_is_confirmed_to_have_no_trade(looks: list[int], state: MinuteState) -> None:
    ledger = GapLedger(default_table())
    ledger.open(["UGA"], TODAY)
    for seconds in looks:
        ledger.answered(answer({"UGA": [99, 101], "SPY": []}, 99, 101, asked=0, seconds=seconds))
    assert ledger.entries[-1].state(m(100)) is state


def entry_with_a_quiet_minute() -> tuple[GapLedger, LedgerEntry]:
    ledger = GapLedger(default_table())
    ledger.answered(answer({"UGA": [99, 101]}, 99, 101, asked=200))
    (entry,) = ledger.entries
    assert entry.state(m(100)) is MinuteState.NO_TRADE
    return ledger, entry


def test_a_bar_that_comes_after_all_counts_more_than_silence() -> None:
    ledger, entry = entry_with_a_quiet_minute()
    ledger.bars_stored([("UGA", m(100))], at=m(300))
    assert entry.state(m(100)) is MinuteState.BACKFILLED
    assert entry.no_trade == set()


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(3, MinuteState.RECEIVED), (60, MinuteState.RECEIVED), (61, MinuteState.BACKFILLED)],
)
def test_a_bar_is_backfilled_when_it_came_too_late_for_its_run(
    seconds: int, state: MinuteState
) -> None:
    ledger = GapLedger(default_table())
    ledger.bars_stored([("AAPL", m(0))], at=m(1) + timedelta(seconds=seconds))
    ledger.bars_stored([("AAPL", m(0))], at=m(50))  # read again
    assert ledger.entries[0].state(m(0)) is state


def test_a_bar_that_was_refused_is_neither_there_nor_quiet() -> None:
    """It came (so the minute had trades) and was not stored (so it is asked for again)."""
    ledger = GapLedger(default_table())
    ledger.answered(answer({"AAPL": [99, 100, 101]}, 99, 101, asked=200))
    ledger.bars_stored([("AAPL", m(99)), ("AAPL", m(101))], at=m(200))
    assert ledger.gaps("AAPL", TODAY, m(102))[-1] == MinuteRange(m(100), m(100))


def test_bars_outside_regular_hours_are_not_of_the_ledger() -> None:
    ledger = GapLedger(default_table())
    ledger.bars_stored([("AAPL", m(-1)), ("AAPL", m(390))], at=m(400))
    assert ledger.entries == []


def test_an_answer_may_span_nights() -> None:
    friday, monday = session_on("2020-11-13"), session_on("2020-11-16")
    spy = [*MinuteRange(friday.open, friday.last_bar), *MinuteRange(monday.open, monday.last_bar)]
    ledger = GapLedger(default_table())
    ledger.answered(
        ProviderAnswer(("SPY", "UGA"), friday.open, monday.last_bar, monday.close + 20 * MINUTE,
                       {"SPY": frozenset(spy), "UGA": frozenset()})
    )  # fmt: skip
    assert [(e.symbol, len(e.no_trade)) for e in ledger.entries] == [("UGA", 390), ("UGA", 390)]


# -- holes in what a decision looks back over -----------------------------------------------------


def ledger_of(*missing: int, quiet: Sequence[int] = (), until: int = 200) -> GapLedger:
    """AAPL today, received on time up to a minute, but for some."""
    ledger = GapLedger(default_table())
    absent = {*missing, *quiet}
    for i in range(until):
        if i not in absent:
            ledger.bars_stored([("AAPL", m(i))], at=m(i + 1))
    for i in quiet:
        ledger.answered(
            ProviderAnswer(("AAPL", "SPY"), m(i), m(i), m(until), {"SPY": frozenset({m(i)})})
        )
    return ledger


HOLES = [
    # (missing, quiet, decided minute, window, hole)
    ("none", [], [], 100, 51, []),
    ("the oldest bar of the window is there, a gap before it", [49], [], 100, 51, []),
    ("a gap takes no place, so the window reaches further", [50], [], 100, 51, [50]),
    ("in the middle", [60, 61], [], 100, 51, [60, 61]),
    ("the decided minute itself", [100], [], 100, 51, [100]),
    ("later than the decided minute", [101], [], 100, 51, []),
    ("a quiet minute is no hole", [], [60], 100, 51, []),
    ("but the window reaches further for it", [49], [60], 100, 51, [49]),
    ("a window of one bar", [99], [], 100, 1, []),
    ("a window of one bar that is missing", [100], [], 100, 1, [100]),
]


@pytest.mark.parametrize(
    ("missing", "quiet", "decided", "window", "hole"), [row[1:] for row in HOLES],
    ids=[str(row[0]) for row in HOLES],
)  # fmt: skip
def test_a_hole_within_the_bars_a_decision_uses(
    missing: list[int], quiet: list[int], decided: int, window: int, hole: list[int]
) -> None:
    ledger = ledger_of(*missing, quiet=quiet)
    assert ledger.hole_before("AAPL", m(decided), window) == [m(i) for i in hole]


def test_a_window_reaches_over_a_night_a_weekend_and_a_half_day() -> None:
    table = default_table()
    ledger = GapLedger(table)
    half_day, monday = session_on("2020-11-27"), session_on("2020-11-30")
    for session in (session_on("2020-11-25"), half_day, monday):
        bars = [("AAPL", minute) for minute in MinuteRange(session.open, session.last_bar)]
        bars.remove(("AAPL", session.open + 100 * MINUTE))
        ledger.bars_stored(bars, at=session.close)
    decided = monday.open + 9 * MINUTE
    # 10 bars of Monday, and those of Friday after its minute 100: 109 of them
    assert ledger.hole_before("AAPL", decided, 10 + 109) == []
    assert ledger.hole_before("AAPL", decided, 10 + 110) == [half_day.open + 100 * MINUTE]
    # and on into Wednesday, past Thanksgiving, back to before its minute 100 too
    assert ledger.hole_before("AAPL", decided, 10 + 209 + 290) == [
        session_on("2020-11-25").open + 100 * MINUTE,
        half_day.open + 100 * MINUTE,
    ]


def test_a_session_that_was_never_read_is_a_hole_as_a_whole() -> None:
    ledger = ledger_of(until=30)
    yesterday = session_on("2020-11-11")
    assert ledger.hole_before("AAPL", m(29), 30) == []
    assert ledger.hole_before("AAPL", m(29), 31) == list(
        MinuteRange(yesterday.open, yesterday.last_bar)
    )


def test_a_decision_outside_regular_hours_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="2020-11-12T21:00:00Z lies outside regular"):
        ledger_of().hole_before("AAPL", m(390), 1)


# -- availability ---------------------------------------------------------------------------------


def test_availability_counts_quiet_minutes_as_kept() -> None:
    ledger = ledger_of(5, 6, quiet=[50], until=200)
    assert availability(ledger, ["AAPL"], [TODAY], m(200)) == Availability(200, 197, 1)
    # a symbol nothing came of is missing as a whole
    both = availability(ledger, ["AAPL", "MSFT"], [TODAY], m(200))
    assert (both, both.missing, both.figure) == (
        Availability(400, 197, 1), 202, Fraction(198, 400),
    )  # fmt: skip


PROMISE = [
    # (expected, received, no trade, kept)
    (0, 0, 0, True),
    (16_380, 16_380, 0, True),  # 21 sessions of two symbols
    (16_380, 16_364, 0, True),  # 16 minutes lost of 16.38 allowed
    (16_380, 16_363, 0, False),
    (16_380, 16_000, 364, True),
    (1_000, 999, 0, True),
]


@pytest.mark.parametrize(("expected", "received", "no_trade", "kept"), PROMISE)
def test_the_promise_is_999_of_1000(
    expected: int, received: int, no_trade: int, kept: bool
) -> None:
    assert Availability(expected, received, no_trade).promise_kept is kept


def test_nothing_expected_is_nothing_lost() -> None:
    assert availability(GapLedger(default_table()), ["AAPL"], [TODAY], OPEN) == NOTHING_EXPECTED
    assert NOTHING_EXPECTED.figure == 1


# -- backfill -------------------------------------------------------------------------------------

PLANS = [
    # (missing minutes by symbol, calls)
    ("nothing missing", {"AAPL": [], "MSFT": []}, []),
    ("one", {"AAPL": [7], "MSFT": []}, [("AAPL", 7, 7)]),
    ("both at once", {"AAPL": [7, 8], "MSFT": [7, 8]}, [("AAPL MSFT", 7, 8)]),
    ("one within the other's", {"AAPL": [10, 11, 12, 13], "MSFT": [11]}, [("AAPL MSFT", 10, 13)]),
    ("a quarter of an hour apart", {"AAPL": [10], "MSFT": [25]}, [("AAPL MSFT", 10, 25)]),
    ("farther apart", {"AAPL": [10], "MSFT": [26]}, [("AAPL", 10, 10), ("MSFT", 26, 26)]),
]


@pytest.mark.parametrize(
    ("missing", "calls"), [row[1:] for row in PLANS], ids=[str(row[0]) for row in PLANS]
)
def test_gaps_share_few_calls(
    missing: dict[str, list[int]], calls: list[tuple[str, int, int]]
) -> None:
    ledger = GapLedger(default_table())
    for symbol, absent in missing.items():
        bars = [(symbol, m(i)) for i in range(50) if i not in absent]
        ledger.bars_stored(bars, at=m(60))
    assert backfill_plan(ledger.open_gaps(m(50))) == [
        BackfillCall(tuple(symbols.split()), TODAY, m(first), m(last))
        for symbols, first, last in calls
    ]


def test_calls_do_not_reach_over_a_night() -> None:
    ledger = GapLedger(default_table())
    yesterday = session_on("2020-11-11")
    for session in (TODAY, yesterday):
        ledger.open(["AAPL"], session)
    assert [(call.first, call.last) for call in backfill_plan(ledger.open_gaps(m(2)))] == [
        (yesterday.open, yesterday.last_bar),
        (m(0), m(1)),
    ]


@pytest.mark.parametrize(
    ("gap", "asked"), [((100, 102), (95, 107)), ((2, 2), (0, 7)), ((386, 389), (381, 389))]
)
def test_a_call_asks_for_the_minutes_around_too(
    gap: tuple[int, int], asked: tuple[int, int]
) -> None:
    call = BackfillCall(("UGA",), TODAY, m(gap[0]), m(gap[1]))
    assert call.with_neighbours() == MinuteRange(m(asked[0]), m(asked[1]))


def test_an_outage_is_backfilled_and_the_ledger_is_empty() -> None:
    """Two symbols, ten minutes lost; one minute of UGA had no trade."""
    ledger = GapLedger(default_table())
    lost = range(100, 110)
    for symbol in ("AAPL", "UGA"):
        there = [(symbol, m(i)) for i in range(390) if i not in lost]
        ledger.bars_stored(there, at=m(391))
    (call,) = backfill_plan(ledger.open_gaps(m(390)))
    assert (call.symbols, call.first, call.last) == (("AAPL", "UGA"), m(100), m(109))
    asked = call.with_neighbours()
    came = {"AAPL": list(range(95, 115)), "UGA": [i for i in range(95, 115) if i != 105]}
    ledger.answered(
        ProviderAnswer(call.symbols, asked.first, asked.last, m(420),
                       {symbol: {m(i) for i in minutes} for symbol, minutes in came.items()})
    )  # fmt: skip
    ledger.bars_stored([(s, m(i)) for s, minutes in came.items() for i in minutes], at=m(420))
    assert backfill_plan(ledger.open_gaps(m(420))) == []
    assert availability(ledger, call.symbols, [TODAY], m(420)) == Availability(780, 779, 1)


# -- traces ---------------------------------------------------------------------------------------


def bar(minute: int, close: str, feed: str = "iex") -> Bar:
    return Bar("AAPL", m(minute), D(100), D(200), D(1), D(close), 10, feed)


def test_late_and_corrected_bars_leave_a_trace() -> None:
    at = m(3) + timedelta(seconds=4)
    stored = {("AAPL", m(1)): bar(1, "101"), ("AAPL", m(0)): bar(0, "100")}
    came = [
        bar(0, "100"),  # equal
        bar(0, "100", feed="sip"),  # equal, from elsewhere
        bar(1, "102"),  # corrected
        bar(2, "103"),  # on time
    ]
    assert traces_of(came, stored, at) == [
        BarTrace(TraceKind.CORRECTED, bar(1, "101"), bar(1, "102"), at)
    ]
    (late,) = traces_of([bar(1, "102")], {}, at)
    assert (late.kind, late.old, late.new.close) == (TraceKind.LATE, None, D(102))
    # a minute after its end a bar is still on time, as it is for the ledger
    assert traces_of([bar(1, "102")], {}, m(3)) == []
    # a week later it is history that is read in
    week = timedelta(days=7)
    assert len(traces_of([bar(1, "102")], {}, m(1) + week)) == 1
    assert traces_of([bar(1, "102")], {}, m(1) + week + timedelta(seconds=1)) == []


# -- recorded files -------------------------------------------------------------------------------

WEEK = [f"2019-02-{day}" for day in range(11, 16)]
# Regular minutes of that week in which another of the ten symbols traded and this one did not.
# 1,950 are expected of each.
QUIET = {"AAPL": 2, "AMZN": 6, "BAC": 0, "MSFT": 2, "PPLT": 1_384, "QQQ": 2, "SPY": 0, "TZA": 167,
         "UGA": 1_562, "VXXB": 1}  # fmt: skip


def test_a_week_of_ten_symbols_has_no_trade_minutes_and_no_gaps() -> None:
    """Before the provider was asked twice, a minute without a bar is a gap; then it is quiet."""
    if not SHARED.is_dir():
        pytest.skip("the recorded bars (../shared/data) are not on this machine")
    came: dict[str, set[datetime]] = {}
    for symbol in QUIET:
        path = SHARED / "bars_1min" / "av_2019_02" / f"{symbol}_1min.csv"
        came[symbol] = {bar.start for bar in read_bars(path, symbol, "end")}
    week = [session_on(day) for day in WEEK]
    ledger = GapLedger(default_table())
    asked_at = week[-1].close + timedelta(hours=1)
    ledger.bars_stored([(s, start) for s, starts in came.items() for start in starts], asked_at)
    for symbol, quiet in QUIET.items():
        before = availability(ledger, [symbol], week, asked_at)
        assert (before.expected, before.missing) == (1_950, quiet), symbol
    # PPLT, UGA, TZA miss the promise until the silence is explained
    assert not availability(ledger, ["TZA"], week, asked_at).promise_kept
    assert len(backfill_plan(ledger.open_gaps(asked_at))) >= len(week)
    ledger.answered(ProviderAnswer(tuple(QUIET), week[0].open, week[-1].last_bar, asked_at, came))
    for symbol, quiet in QUIET.items():
        after = availability(ledger, [symbol], week, asked_at)
        assert after == Availability(1_950, 1_950 - quiet, quiet), symbol
    assert backfill_plan(ledger.open_gaps(asked_at)) == []


@pytest.mark.parametrize("symbol", ["AAPL", "MSFT", "INTC", "WMT"])
def test_fifty_two_sessions_without_a_gap(symbol: str) -> None:
    if not SHARED.is_dir():
        pytest.skip("the recorded bars (../shared/data) are not on this machine")
    path = SHARED / "bars_1min" / "av_2020_2021" / f"intraday_1min_{symbol}.csv"
    sessions = default_table().between(date(2020, 10, 26), date(2021, 1, 8))
    ledger = GapLedger(default_table())
    now = sessions[-1].close
    ledger.bars_stored([(symbol, bar.start) for bar in read_bars(path, symbol, "end")], now)
    expected = 50 * 390 + 2 * 210
    assert availability(ledger, [symbol], sessions, now) == Availability(expected, expected, 0)

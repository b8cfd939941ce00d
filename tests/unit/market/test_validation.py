"""Which bars are stored, held back and refused. The day is Thursday 2020-11-12 (open 14:30 UTC)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.errors import InvalidInputError
from tradewind.market.adjustment import FactorTable, KnownClose, SplitFactor, SuspectedSplit
from tradewind.market.bar import FAULTS, MINUTE, Bar
from tradewind.market.csv_bars import read_bars
from tradewind.market.session_table import default_table
from tradewind.market.validation import validate
from tradewind.market.verdict import Reason, Validated, ValidationRules

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
NOTHING_KNOWN = FactorTable([])


def at(minute: int, price: str = "100", volume: int = 1_000, **changes: Any) -> Bar:
    """A bar that many minutes after the open."""
    p = D(price)
    return replace(Bar("AAPL", OPEN + minute * MINUTE, p, p, p, p, volume, "iex"), **changes)


def judge(
    bars: Sequence[Bar],
    *,
    as_of: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    known: Mapping[str, KnownClose] | None = None,
    factors: FactorTable = NOTHING_KNOWN,
    **rules: Any,
) -> Validated:
    return validate(
        bars,
        as_of=as_of,
        sessions=default_table(),
        closes_before=lambda _: known or {},
        factors=factors,
        rules=ValidationRules(**rules),
    )


# -- each bar by itself ---------------------------------------------------------------------------

IMPOSSIBLE = [
    (at(0, open=D("NaN")), "price_not_finite", "a price is not a finite number"),
    (at(0, high=D("Infinity")), "price_not_finite", "a price is not a finite number"),
    (at(0, low=D("sNaN")), "price_not_finite", "a price is not a finite number"),
    (at(0, low=D(0)), "price_not_positive", "a price is zero or negative"),
    (at(0, close=D(-1)), "price_not_positive", "a price is zero or negative"),
    (at(0, low=D(101)), "ohlc_order", "open or close lies outside low..high"),
    (at(0, high=D(99)), "ohlc_order", "open or close lies outside low..high"),
    (at(0, open=D("100.01")), "ohlc_order", "open or close lies outside low..high"),
    (at(0, volume=-1), "negative_volume", "volume is negative"),
    (at(0, volume=1_000_000_001), "absurd_volume", "volume 1000000001 is more than 1000000000"),
    (at(0, start=OPEN.replace(second=30)), "not_a_minute", "the label is not a whole minute"),
    (at(0, start=OPEN.replace(microsecond=1)), "not_a_minute", "the label is not a whole minute"),
    (at(0, start=OPEN.replace(tzinfo=None)), "no_time_zone", "the label has no time zone"),
]


@pytest.mark.parametrize(("bar", "code", "words"), IMPOSSIBLE)
def test_what_cannot_be_true_is_rejected_and_the_rest_of_the_batch_is_not(
    bar: Bar, code: str, words: str
) -> None:
    result = judge([at(1), bar, at(2)])
    (rejected,) = result.rejected
    assert (rejected.bar is bar, rejected.code) == (True, code)
    assert rejected.reason.startswith(words)
    assert [accepted.start for accepted in result.accepted] == [at(1).start, at(2).start]
    assert result.counts() == {code: 1}


def test_every_fault_of_a_bar_has_a_reason() -> None:
    assert set(FAULTS) <= set(Reason)


WHEN = [
    # (label in New York, accepted in regular hours / accepted / why not)
    ("2020-11-12 03:59", "outside_hours"),
    ("2020-11-12 04:00", "extended"),
    ("2020-11-12 09:29", "extended"),
    ("2020-11-12 09:30", "regular"),
    ("2020-11-12 15:59", "regular"),
    ("2020-11-12 16:00", "extended"),
    ("2020-11-12 19:59", "extended"),
    ("2020-11-12 20:00", "outside_hours"),
    ("2020-11-12 23:30", "outside_hours"),
    # the same wall clock in summer
    ("2020-07-01 03:59", "outside_hours"),
    ("2020-07-01 04:00", "extended"),
    ("2020-07-01 09:30", "regular"),
    ("2020-07-01 19:59", "extended"),
    ("2020-07-01 20:00", "outside_hours"),
    # around the clock changes of 2020
    ("2020-03-06 19:59", "extended"),
    ("2020-03-09 04:00", "extended"),
    ("2020-03-09 03:59", "outside_hours"),
    ("2020-10-30 19:59", "extended"),
    ("2020-11-02 04:00", "extended"),
    # a half-day
    ("2020-11-27 12:59", "regular"),
    ("2020-11-27 13:00", "extended"),
    # Thanksgiving, a Saturday, Sunday of a clock change
    ("2020-11-26 10:00", "closed_day"),
    ("2020-11-14 10:00", "closed_day"),
    ("2020-11-01 01:30", "closed_day"),
    # before and beyond the table
    ("1969-12-31 10:00", "outside_calendar"),
]


@pytest.mark.parametrize(("label", "what"), WHEN)
def test_a_label_lies_in_regular_hours_in_early_or_late_ones_or_nowhere(
    label: str, what: str
) -> None:
    wall = datetime.fromisoformat(label).replace(tzinfo=ZoneInfo("America/New_York"))
    result = judge([at(0, start=wall.astimezone(UTC))])
    if what in ("regular", "extended"):
        assert result.in_session == (what == "regular",)
    else:
        assert result.counts() == {what: 1}


def test_every_session_of_the_table_opens_at_half_past_nine() -> None:
    """Early and late hours are measured from the open."""
    table = default_table()
    for session in table.between(table.first_day, table.last_day):
        opens = session.open.astimezone(ZoneInfo("America/New_York"))
        assert (opens.date(), opens.hour, opens.minute) == (session.date, 9, 30)


@pytest.mark.parametrize(
    ("seconds", "counts"),
    [(0, {}), (-1, {"future": 1}), (-60, {"future": 1}), (59, {})],
    ids=["just over", "a second too early", "not begun", "long over"],
)
def test_a_minute_must_be_over(seconds: int, counts: dict[str, int]) -> None:
    assert judge([at(0)], as_of=OPEN + MINUTE + timedelta(seconds=seconds)).counts() == counts


def test_a_judgement_needs_a_moment_with_a_zone() -> None:
    with pytest.raises(InvalidInputError, match="as_of without a zone"):
        judge([at(0)], as_of=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    "rules",
    [{"max_jump": D(0)}, {"max_jump": D(1)}, {"confirmations": 0}, {"max_volume": 0}],
)
def test_rules_that_make_no_sense_are_refused(rules: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match="need 0 < max_jump < 1"):
        ValidationRules(**rules)


# -- one bar a minute -----------------------------------------------------------------------------

FULL = at(0, "100", 900, high=D(102), low=D(99))
PART = at(0, "100", 500, high=D(101), low=D(99))
BIGGER = at(0, "100", 950, high=D(103), low=D(98))
ASKEW = at(0, "100", 950, high=D(101))  # more volume, but a range that lacks FULL's

DUPLICATES = [
    # (what came, which one counts, counts)
    ("the same twice", [FULL, FULL], FULL, {"repeated": 1}),
    ("thrice, one from a second page", [FULL, FULL, replace(FULL)], FULL, {"repeated": 2}),
    ("the same values with other digits", [FULL, replace(FULL, high=D("102.00"))], FULL,
     {"repeated": 1}),
    ("before and after late trades", [PART, FULL], FULL, {"less_complete": 1}),
    ("three stages", [PART, BIGGER, FULL], BIGGER, {"less_complete": 2}),
    ("stages and a repeat", [PART, FULL, PART], FULL, {"less_complete": 1, "repeated": 1}),
    ("more volume in less range", [FULL, ASKEW], None, {"conflicting_duplicate": 2}),
    ("same volume, another close", [FULL, replace(FULL, close=D(99))], None,
     {"conflicting_duplicate": 2}),
    ("one that holds both others", [FULL, ASKEW, replace(BIGGER, volume=951)],
     replace(BIGGER, volume=951), {"less_complete": 2}),
    ("one that holds only one of two", [PART, FULL, ASKEW], None, {"conflicting_duplicate": 3}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("came", "counts_as", "counts"), [row[1:] for row in DUPLICATES],
    ids=[str(row[0]) for row in DUPLICATES],
)  # fmt: skip
def test_duplicates(came: list[Bar], counts_as: Bar | None, counts: dict[str, int]) -> None:
    for order in (came, came[::-1]):
        result = judge([*order, at(1)])
        assert result.counts() == counts
        assert [bar for bar in result.accepted if bar.start == OPEN] == (
            [counts_as] if counts_as else []
        )


def test_the_same_minute_of_two_symbols_is_no_duplicate() -> None:
    assert len(judge([at(0), at(0, symbol="MSFT", volume=7)]).accepted) == 2


# -- jumps ----------------------------------------------------------------------------------------

YESTERDAY = {"AAPL": KnownClose(datetime(2020, 11, 11, 20, 59, tzinfo=UTC), D(100))}
A_MINUTE_AGO = {"AAPL": KnownClose(OPEN - MINUTE, D(100))}


def path(*closes: str) -> list[Bar]:
    return [at(minute, close) for minute, close in enumerate(closes)]


# prices by minute, the last known close is 100; + accepted, r released, h held
LEVELS = [
    ("quiet", "100 101 100 99 100", "+++++"),
    ("exactly twenty percent", "120 121", "++"),
    ("beyond it, unconfirmed", "120.01", "h"),
    ("down, unconfirmed", "79.99 79", "hh"),
    ("one bar short of confirmed", "130 131 130", "hhh"),
    ("confirmed by three", "130 131 130 129", "r+++"),
    ("confirmed downwards", "70 69 70 71 70", "r++++"),
    ("a spike of one bar", "130 100 101 100 99", "h++++"),
    ("a spike of three bars", "130 131 130 100 101", "hhh++"),
    ("a spike at the end", "100 101 100 130", "+++h"),
    ("out and back again", "130 131 130 129 100 101 102 103", "r+++r+++"),
    ("just beyond, then just within", "121 119 118 119 120", "r++++"),
    ("no two agree", "130 180 250 350 480", "hhhhh"),
    ("another level after the first", "130 200 201 202 203", "hr+++"),
]


@pytest.mark.parametrize(
    ("prices", "expected"), [row[1:] for row in LEVELS], ids=[row[0] for row in LEVELS]
)
def test_a_new_level_must_be_confirmed(prices: str, expected: str) -> None:
    bars = path(*prices.split())
    result = judge(bars, known=A_MINUTE_AGO)
    held, released = {h.bar.start for h in result.held}, {r.start for r in result.released}
    fates = "".join(
        "h" if bar.start in held else "r" if bar.start in released else "+" for bar in bars
    )
    assert fates == expected
    assert {h.code for h in result.held} <= {Reason.JUMP}
    assert {bar.start for bar in result.accepted} == {bar.start for bar in bars} - held


def test_a_held_bar_says_what_it_was_measured_by() -> None:
    (held,) = judge([at(0, "130.50")], known=A_MINUTE_AGO).held
    assert held.reference == A_MINUTE_AGO["AAPL"]
    assert held.reason == (
        "low 130.50 and high 130.50 after 100 at 2020-11-12T14:29:00Z "
        "is a jump that the next bars have not confirmed"
    )


WICKS = [
    # (the bar; the price is 100 before it and 100 or 70 after it)
    ("an absurd high", {"high": D(1000)}, "100", "h"),
    ("an absurd low", {"low": D(1)}, "100", "h"),
    ("both", {"high": D(150), "low": D(50)}, "100", "h"),
    ("a fall within the minute", {"low": D(69), "close": D(70)}, "70", "r"),
    ("a fall and an absurd low", {"low": D(1), "close": D(70)}, "70", "h"),
]


@pytest.mark.parametrize(
    ("changes", "after", "fate"), [row[1:] for row in WICKS], ids=[str(row[0]) for row in WICKS]
)
def test_a_print_that_is_gone_within_its_minute_is_not_confirmed(
    changes: dict[str, Any], after: str, fate: str
) -> None:
    bars = [at(0, **changes), *(at(minute, after) for minute in range(1, 5))]
    result = judge(bars, known=A_MINUTE_AGO)
    assert [h.bar for h in result.held if h.bar.start == OPEN] == ([bars[0]] if fate == "h" else [])


def test_bars_held_before_are_released_when_they_are_read_again_with_their_followers() -> None:
    bars = path("130", "131", "130", "129", "130")
    for there in (1, 2, 3):
        assert not judge(bars[:there], known=A_MINUTE_AGO).accepted
    assert len(judge(bars[:4], known=A_MINUTE_AGO).accepted) == 4


def test_without_any_close_before_there_is_nothing_to_measure_by() -> None:
    assert len(judge([at(0, "5000")]).accepted) == 1


def test_each_symbol_is_measured_by_its_own_close() -> None:
    asked: list[Mapping[str, datetime]] = []

    def closes_before(starts: Mapping[str, datetime]) -> Mapping[str, KnownClose]:
        asked.append(starts)
        return {"AAPL": A_MINUTE_AGO["AAPL"], "MSFT": KnownClose(OPEN - MINUTE, D(200))}

    bars = [at(2), at(1), at(1, "200", symbol="MSFT"), at(0, "5", symbol="SPY", volume=-1)]
    result = validate(
        bars, as_of=OPEN + timedelta(hours=1), sessions=default_table(),
        closes_before=closes_before, factors=NOTHING_KNOWN, rules=ValidationRules(),
    )  # fmt: skip
    assert len(result.accepted) == 3
    # asked once; a rejected bar needs no measure
    assert asked == [{"AAPL": at(1).start, "MSFT": at(1).start}]


def test_a_known_close_must_be_older_than_the_batch() -> None:
    with pytest.raises(InvalidInputError, match="AAPL: the close given as known is of 2020-11-12"):
        judge([at(0)], known={"AAPL": KnownClose(OPEN, D(100))})


def test_early_and_late_prints_measure_nothing() -> None:
    """A belated print before the open neither holds back the open nor lets a jump pass."""
    early = [at(-60, "130"), at(-59, "131"), at(-58, "130"), at(-57, "131")]
    result = judge([*early, at(0, "100"), at(1, "131")], known=YESTERDAY)
    assert [h.bar for h in result.held] == [*early[1:], at(1, "131")]
    assert result.in_session == (False, True)


# -- splits ---------------------------------------------------------------------------------------

TODAY = date(2020, 11, 12)


def factor(rates: str, known_at: datetime = OPEN - timedelta(days=30)) -> SplitFactor:
    new, old = rates.split(":")
    return SplitFactor("AAPL", TODAY, D(new), D(old), known_at)


def test_a_split_nobody_told_of_is_held_however_long_it_lasts() -> None:
    result = judge(path("50", "50.1", "49.9", "50", "51", "50"), known=YESTERDAY)
    assert result.counts() == {"suspected_split": 6}
    assert result.suspected == (
        SuspectedSplit("AAPL", TODAY, Fraction(2), YESTERDAY["AAPL"], D(50),
                       datetime(2026, 1, 1, tzinfo=UTC)),
    )  # fmt: skip
    assert result.held[0].reason.endswith("looks like a split that no corporate action tells of")


def test_a_suspicion_lasts_while_the_price_drifts_away_from_the_ratio() -> None:
    drifting = path("50", "55", "60", "65", "71", "71", "71", "71", "71")
    assert judge(drifting, known=YESTERDAY).counts() == {"suspected_split": 9}
    # the first bars are no longer read again: the suspicion, stored, still stands
    later = [at(200 + minute, "71") for minute in range(6)]
    (suspicion,) = judge(drifting, known=YESTERDAY).suspected
    result = judge(later, known=YESTERDAY, factors=FactorTable([], [suspicion]))
    assert result.counts() == {"suspected_split": 6}
    assert result.suspected == ()
    # without it, six bars that agree would have been believed
    assert len(judge(later, known=YESTERDAY).released) == 1


SPLIT_ANSWERS = [
    # (what is known, prices, fates)
    ("the factor", factor("2:1"), "50 50.1 49.9 50", "++++"),
    ("the factor, and a jump of its own", factor("2:1"), "65 66 65 66", "r+++"),
    ("a factor of 1: the market did it", factor("1:1"), "50 50.1 49.9 50", "r+++"),
    ("a factor of 1, not yet confirmed", factor("1:1"), "50 50.1 49.9", "hhh"),
    ("a factor the price does not follow", factor("2:1"), "100 101 100 99", "ssss"),
    ("the factor, but learnt too late", factor("2:1", datetime(2027, 1, 1, tzinfo=UTC)),
     "50 50.1 49.9 50", "ssss"),
    ("a reverse split", factor("1:50"), "5000 5001", "++"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("known", "prices", "expected"), [row[1:] for row in SPLIT_ANSWERS],
    ids=[str(row[0]) for row in SPLIT_ANSWERS],
)  # fmt: skip
def test_what_is_known_of_a_split_decides(known: SplitFactor, prices: str, expected: str) -> None:
    bars = path(*prices.split())
    result = judge(bars, known=YESTERDAY, factors=FactorTable([known]))
    held = {h.bar.start: "s" if h.code is Reason.SUSPECTED_SPLIT else "h" for h in result.held}
    fates = "".join(held.get(bar.start) or ("r" if bar in result.released else "+") for bar in bars)
    assert fates == expected


def test_within_a_session_nothing_is_a_split() -> None:
    result = judge(path("100", "50", "50", "50", "50"), known=YESTERDAY)
    assert (len(result.accepted), len(result.released), result.held) == (5, 1, ())


# -- what holds for any batch ---------------------------------------------------------------------

any_price = st.decimals("1", "400", places=2)


@st.composite
def batches(draw: st.DrawFn) -> list[Bar]:
    """Bars of two symbols over a few minutes: good, doubled, crossed and jumping ones."""
    bars = []
    for _ in range(draw(st.integers(0, 25))):
        one, other, high, low = (draw(any_price) for _ in range(4))
        bars.append(
            Bar(
                draw(st.sampled_from(["AAPL", "MSFT"])),
                OPEN + draw(st.integers(-3, 8)) * MINUTE,
                one,
                max(high, one) if draw(st.booleans()) else high,
                min(low, one) if draw(st.booleans()) else low,
                other,
                draw(st.integers(-1, 5)),
                "iex",
            )
        )
    return bars + draw(st.lists(st.sampled_from(bars), max_size=5)) if bars else bars


@given(batches())
def test_every_bar_ends_in_exactly_one_place(batch: list[Bar]) -> None:
    result = judge(batch, known=YESTERDAY)
    assert len(result.accepted) + sum(result.counts().values()) == len(batch)
    assert len(result.in_session) == len(result.accepted)
    minutes = [(bar.symbol, bar.start) for bar in result.accepted]
    assert minutes == sorted(set(minutes))


@given(st.data())
def test_the_order_of_a_batch_does_not_matter(data: st.DataObject) -> None:
    batch = data.draw(batches())
    shuffled = data.draw(st.permutations(batch))
    one, other = judge(batch, known=YESTERDAY), judge(shuffled, known=YESTERDAY)
    assert (one.accepted, one.released, one.held) == (other.accepted, other.released, other.held)
    assert (one.counts(), one.suspected) == (other.counts(), other.suspected)


@given(batches())
def test_what_was_accepted_is_accepted_again(batch: list[Bar]) -> None:
    """Reading the same minutes again changes nothing and alarms nobody."""
    once = judge(batch, known=YESTERDAY)
    again = judge([*batch, *once.accepted], known=YESTERDAY)
    assert (again.accepted, again.held) == (once.accepted, once.held)


# -- recorded files -------------------------------------------------------------------------------

RECORDED: list[tuple[str, Literal["start", "end"], int, int]] = [
    # (file, label, rows, of them in regular hours)
    ("av_2020_2021/intraday_1min_AAPL.csv", "end", 44_356, 19_920),
    ("av_2020_2021/intraday_1min_MSFT.csv", "end", 32_560, 19_920),
    ("av_2020_2021/intraday_1min_INTC.csv", "end", 30_719, 19_920),
    ("av_2020_2021/intraday_1min_WMT.csv", "end", 24_622, 19_920),
    ("av_2019_02/AAPL_1min.csv", "end", 1_948, 1_948),
    ("av_2019_02/AMZN_1min.csv", "end", 1_944, 1_944),
    ("av_2019_02/BAC_1min.csv", "end", 1_950, 1_950),
    ("av_2019_02/MSFT_1min.csv", "end", 1_948, 1_948),
    ("av_2019_02/PPLT_1min.csv", "end", 566, 566),
    ("av_2019_02/QQQ_1min.csv", "end", 1_948, 1_948),
    ("av_2019_02/SPY_1min.csv", "end", 1_950, 1_950),
    ("av_2019_02/TZA_1min.csv", "end", 1_783, 1_783),
    ("av_2019_02/UGA_1min.csv", "end", 388, 388),
    ("av_2019_02/VXXB_1min.csv", "end", 1_949, 1_949),
    ("lean/SPY_20131004_20131011.csv", "start", 4_839, 2_340),
    ("aapl_2024_01/AAPL_20240102_20240122.csv", "start", 9_998, 5_070),
    ("aapl_2025_09_26/AAPL_20250926_ib.csv", "start", 960, 390),
]
SPLIT_FILE = "lean/AAPL_20140605_20140609_split7for1.csv"


def recorded(name: str) -> Path:
    if not SHARED.is_dir():
        pytest.skip("the recorded bars (../shared/data) are not on this machine")
    return SHARED / "bars_1min" / name


@pytest.mark.parametrize(("name", "label", "rows", "regular"), RECORDED)
def test_good_files_are_accepted_to_the_last_bar(
    name: str, label: Literal["start", "end"], rows: int, regular: int
) -> None:
    result = judge(read_bars(recorded(name), "X", label))
    assert (len(result.accepted), sum(result.in_session)) == (rows, regular)
    assert result.counts() == {}


def test_a_split_that_is_known_is_no_jump() -> None:
    """7:1 on 2014-06-09. One minute is held, rightly: the first print at 04:00 is still at the old
    price (open 645.57, low 92.23)."""
    bars = read_bars(recorded(SPLIT_FILE), "AAPL", "start")
    known = SplitFactor("AAPL", date(2014, 6, 9), D(7), D(1), datetime(2014, 4, 23, tzinfo=UTC))
    result = judge(bars, factors=FactorTable([known]))
    assert [(h.bar.start, h.code) for h in result.held] == [
        (datetime(2014, 6, 9, 8, 0, tzinfo=UTC), Reason.JUMP)
    ]
    assert (sum(result.in_session), result.suspected) == (3 * 390, ())


def test_a_split_that_is_not_known_holds_back_the_day() -> None:
    bars = read_bars(recorded(SPLIT_FILE), "AAPL", "start")
    result = judge(bars)
    monday = [bar for bar in bars if bar.start.date() >= date(2014, 6, 9)]
    assert [h.bar for h in result.held] == monday
    assert result.counts() == {"suspected_split": len(monday)}
    (suspicion,) = result.suspected
    assert (suspicion.effective, suspicion.ratio) == (date(2014, 6, 9), Fraction(7))
    assert (suspicion.before.close, suspicion.after) == (D("645.57"), D("92.42"))
    # what was suspected is answered by the factor, and the day is let in
    known = SplitFactor("AAPL", date(2014, 6, 9), D(7), D(1), datetime(2014, 6, 10, tzinfo=UTC))
    assert len(judge(bars, factors=FactorTable([known], [suspicion])).held) == 1

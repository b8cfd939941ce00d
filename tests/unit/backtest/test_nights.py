"""Holding overnight in a backtest: gaps told apart, splits as live trading takes them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path

import pytest
from tradewind.backtest.book import RulesInForce
from tradewind.backtest.run import BacktestResult, run
from tradewind.errors import InvalidInputError
from tradewind.market.adjustment import FactorTable, SplitFactor
from tradewind.market.bar import Bar
from tradewind.market.corporate_actions import CorporateAction
from tradewind.market.csv_bars import read_bars
from tradewind.orders.model import IntentKind
from tradewind.portfolio.executions import Purpose
from tradewind.risk.limits import RiskLimits
from tradewind.risk.protections import ProtectionSettings

from tests.unit.backtest.invented import (
    CALENDAR,
    CASH,
    FULL_DAY,
    NEXT_DAY,
    Candle,
    Told,
    assert_losses_are_bounded,
    at,
    day,
    told,
)

NIGHT = RiskLimits(hold_overnight=True)
LAST_FIVE = FULL_DAY.minutes - 6  # the bar whose run starts five minutes before the close


def factor(new: int = 2, old: int = 1, known_at: datetime | None = None) -> FactorTable:
    known = known_at or FULL_DAY.open - timedelta(days=1)
    return FactorTable([SplitFactor("AAPL", NEXT_DAY.date, D(new), D(old), known)])


def over_the_night(
    strategy: Told,
    monday: dict[int, Candle] | None = None,
    otherwise: Candle = ("100", "100", "100", "100"),
    factors: FactorTable | None = None,
    limits: RiskLimits = NIGHT,
    actions: tuple[CorporateAction, ...] = (),
) -> tuple[BacktestResult, list[Bar]]:
    bars = [*day({}), *day(monday or {}, session=NEXT_DAY, otherwise=otherwise)]
    result = run(
        bars, [FULL_DAY, NEXT_DAY], {"AAPL": strategy},
        RulesInForce(limits, ProtectionSettings()), CASH, calendar=CALENDAR,
        factors=factors or FactorTable(()), actions=actions,
    )  # fmt: skip
    return result, bars


def sent(result: BacktestResult) -> list[tuple[str, datetime]]:
    return [
        (str(one.kind), one.bar_time)
        for one in result.intents
        if one.kind is not IntentKind.REPRICE
    ]


ENTERS = told([60])


def test_a_gap_over_the_night_is_told_apart_from_one_in_the_session() -> None:
    """A hole of 8 % in the night, and on the next day one of the same size within the session."""
    lower: Candle = ("92", "92", "92", "92")
    result, bars = over_the_night(ENTERS, otherwise=lower)
    (trip,) = result.round_trips
    assert trip.gap_loss == trip.night_gap_loss == trip.quantity * (D("98.51") - D("92"))
    assert assert_losses_are_bounded(result, bars) == 1

    within = dict.fromkeys(range(200, NEXT_DAY.minutes), lower)
    result, bars = over_the_night(told([60], session=NEXT_DAY), within)
    (trip,) = result.round_trips
    assert trip.gap_loss > 0
    assert trip.night_gap_loss == 0


def test_a_thin_symbols_first_trade_of_the_day_is_its_night() -> None:
    first_at_ten: dict[int, Candle] = dict.fromkeys(range(10))
    result, _ = over_the_night(ENTERS, first_at_ten, ("92", "92", "92", "92"))
    (trip,) = result.round_trips
    assert trip.exit_at == at(10, NEXT_DAY)
    assert trip.night_gap_loss == trip.gap_loss > 0


def test_what_is_bought_at_the_open_has_no_night_behind_it() -> None:
    falls: dict[int, Candle] = {7: ("92", "92", "92", "92")}
    result, _ = over_the_night(told([5], session=NEXT_DAY), falls)
    (trip,) = result.round_trips
    assert (trip.night_gap_loss, trip.gap_loss > 0) == (D(0), True)


def test_a_split_that_is_known_is_closed_before() -> None:
    result, _ = over_the_night(ENTERS, factors=factor())
    assert sent(result) == [("entry", at(60)), ("exit", at(LAST_FIVE))]
    (trip,) = result.round_trips
    assert trip.exit_reason == "split_due"


def spin_off(known_at: datetime) -> tuple[CorporateAction, ...]:
    return (CorporateAction("a", "AAPL", "spin_off", NEXT_DAY.date, known_at),)


def test_another_action_that_is_known_is_closed_before_too() -> None:
    """Known at minute 70, after the entry; the second entry is refused."""
    result, _ = over_the_night(told([60, 100], [80]), actions=spin_off(at(70)))
    assert sent(result) == [("entry", at(60)), ("exit", at(80))]
    assert [(one.reason_code, one.bar_time) for one in result.refusals] == [("action_due", at(100))]
    result, _ = over_the_night(ENTERS, actions=spin_off(at(70)))
    (trip,) = result.round_trips
    assert (trip.exit_reason, sent(result)[-1]) == ("action_due", ("exit", at(LAST_FIVE)))


def test_one_that_became_known_in_the_night_is_held_over() -> None:
    """Through its own session, at whose end it is closed."""
    result, _ = over_the_night(ENTERS, actions=spin_off(FULL_DAY.close + timedelta(hours=2)))
    assert sent(result) == [("entry", at(60)), ("exit", at(LAST_FIVE, NEXT_DAY))]


def test_by_day_a_split_is_no_other_reason() -> None:
    result, _ = over_the_night(ENTERS, factors=factor(), limits=RiskLimits())
    assert [trip.exit_reason for trip in result.round_trips] == ["session_end"]


def test_a_split_that_became_known_too_late_has_the_stop_put_again_before_the_open() -> None:
    """Bars are at one level: shares and prices stay, and the stop is where it was."""
    late = factor(known_at=FULL_DAY.close + timedelta(hours=2))
    result, _ = over_the_night(ENTERS, factors=late)
    plain, _ = over_the_night(ENTERS)
    before_open = NEXT_DAY.open - timedelta(minutes=16)
    assert sent(result) == [("entry", at(60)), ("renew_stop", before_open)]
    entry, renewed = (
        one for one in result.intents if one.kind in (IntentKind.ENTRY, IntentKind.RENEW_STOP)
    )
    assert renewed.quantity == entry.quantity
    assert result.equity == plain.equity
    assert result.fills == plain.fills


def test_a_renewed_stop_protects_as_the_old_one_did() -> None:
    late = factor(known_at=FULL_DAY.close + timedelta(hours=2))
    falls: dict[int, Candle] = {100: ("100", "100", "98", "98")}
    told_so, _ = over_the_night(ENTERS, falls, factors=late)
    plain, _ = over_the_night(ENTERS, falls)
    assert [(one.price, one.quantity, one.at) for one in told_so.fills] == [
        (one.price, one.quantity, one.at) for one in plain.fills
    ]
    assert [one.purpose for one in told_so.executions] == [Purpose.ENTRY, Purpose.STOP]
    (trip,) = told_so.round_trips
    assert trip.night_gap_loss == trip.gap_loss == 0


JUMPS = [
    # (what is known, held overnight, why it is refused: None when it is not)
    ("two levels, though the split is known", factor(), True, "looks like a split"),
    ("by day too: signals would come of it", factor(), False, "looks like a split"),
    ("nobody told of a split", FactorTable(()), True, "tell of a factor of 1"),
    ("by day that is the market's business", FactorTable(()), False, None),
    ("somebody said that it is none", factor(1), True, None),
    ("of another symbol", FactorTable([SplitFactor("MSFT", NEXT_DAY.date, D(2), D(1),
                                                   FULL_DAY.open)]), False, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("factors", "overnight", "said"), [row[1:] for row in JUMPS], ids=[row[0] for row in JUMPS]
)
def test_bars_at_two_levels_are_refused(
    factors: FactorTable, overnight: bool, said: str | None
) -> None:
    half: Candle = ("50", "50", "50", "50")
    limits = RiskLimits(hold_overnight=overnight)
    if said is None:
        over_the_night(told([]), otherwise=half, factors=factors, limits=limits)
        return
    with pytest.raises(InvalidInputError, match=said) as refused:
        over_the_night(told([]), otherwise=half, factors=factors, limits=limits)
    assert "bars of AAPL go from 100 at the end of 2020-11-12 to 50 on 2020-11-13" in (
        str(refused.value)
    )


LEAN = Path(__file__).resolve().parents[4] / "shared/data/bars_1min/lean"
LEAN = LEAN / "AAPL_20140605_20140609_split7for1.csv"


def test_apples_split_of_2014() -> None:
    """As traded the bars are refused; at one level the position is carried over at its value."""
    if not LEAN.is_file():
        pytest.skip("the recorded bars (../shared/data) are not on this machine")
    raw = [bar for bar in read_bars(LEAN, "AAPL") if CALENDAR.in_session(bar.start)]
    sessions = CALENDAR.between(date(2014, 6, 6), date(2014, 6, 9))
    late = sessions[0].close + timedelta(hours=2)
    table = FactorTable([SplitFactor("AAPL", date(2014, 6, 9), D(7), D(1), late)])
    strategy = told([270], session=sessions[0])

    def traded(bars: list[Bar]) -> BacktestResult:
        return run(
            bars, sessions, {"AAPL": strategy}, RulesInForce(NIGHT), CASH, calendar=CALENDAR,
            factors=table,
        )  # fmt: skip

    with pytest.raises(InvalidInputError, match=r"looks like a split \(7\)"):
        traded(raw)
    level = list(table.adjusted(raw, sessions[1].close))
    result = traded(level)
    assert ("renew_stop", sessions[1].open - timedelta(minutes=16)) in sent(result)
    evening = next(one for one in result.equity if one.at == sessions[0].close)
    morning = next(one for one in result.equity if one.at > sessions[1].open)
    assert abs(morning.equity / evening.equity - 1) < D("0.01")  # what the price itself did

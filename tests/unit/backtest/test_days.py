"""Days nobody wishes for, and the ends of ordinary ones: what is decided, sold and lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal as D
from pathlib import Path

import pytest
from tradewind.backtest.run import BacktestResult
from tradewind.errors import InvalidInputError
from tradewind.market.csv_bars import read_bars
from tradewind.orders.model import IntentKind
from tradewind.risk.limits import RiskLimits
from tradewind.risk.protections import Protection, ProtectionSettings

from tests.unit.backtest.invented import (
    CALENDAR,
    CASH,
    FULL_DAY,
    HALF_DAY,
    NEXT_DAY,
    AlwaysLong,
    Candle,
    assert_losses_are_bounded,
    at,
    backtest,
    day,
    reasons,
    session_of,
    told,
)

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "bars_1min" / "av_2020_2021"
# All of the account in one symbol, whatever the stop: so that a fall of one symbol is a drawdown.
ALL_IN = RiskLimits(risk_per_trade=D(1), max_symbol_exposure=D(1))
# No trade for a quarter of an hour, and then a tenth lower.
HALT: dict[int, Candle] = dict.fromkeys(range(60, 75))
HALT_AND_LOWER: dict[int, Candle] = {
    **HALT,
    **dict.fromkeys(range(75, 390), ("90", "90", "90", "90")),
}


def sales(result: BacktestResult) -> list[tuple[str, str, datetime]]:
    return [(trip.exit_reason, str(trip.exit_price), trip.exit_at) for trip in result.round_trips]


def test_bought_at_the_next_open_and_flat_before_the_close() -> None:
    result = backtest(day({}), told([30]))
    (trip,) = result.round_trips
    assert (trip.entry_at, str(trip.entry_price)) == (at(31), "100.02")
    # Decided at 15:55 New York on the bar of 15:54, sold at the open of the bar that begins then.
    assert sales(result) == [("session_end", "99.98", at(385))]
    assert reasons(result)[at(384)] == ("exit", "session_end")
    assert reasons(result)[at(389)] == ("wait", "session_over")
    assert len(result.decisions) == len(result.equity) == 390
    assert result.refusals == ()


def test_a_half_day_ends_early() -> None:
    result = backtest(day({}, session=HALF_DAY), told([30, 196], session=HALF_DAY), HALF_DAY)
    assert sales(result) == [("session_end", "99.98", at(205, HALF_DAY))]
    assert len(result.decisions) == 210
    late = backtest(day({}, session=HALF_DAY), told([196], session=HALF_DAY), HALF_DAY)
    assert [(one.reason_code, one.bar_time) for one in late.refusals] == [
        ("outside_entry_window", at(196, HALF_DAY))
    ]


def test_a_gap_down_of_twelve_percent_costs_the_gap_and_no_more() -> None:
    below: Candle = ("88", "89", "87", "88")
    bars = day(dict.fromkeys(range(60, 390), below))
    result = backtest(bars, told([30]))
    assert sales(result) == [("stop", "87.98", at(60))]
    (trip,) = result.round_trips
    # 1.5 % below the fill at 100.02.
    assert trip.stop_price == D("98.51")
    assert trip.worst_price_owed == D(88)
    assert trip.gap_loss == D("10.51") * trip.quantity
    assert trip.exit_slippage == D("0.02") * trip.quantity
    assert assert_losses_are_bounded(result, bars) == 1


def test_a_gap_over_a_night_meets_no_position() -> None:
    below: Candle = ("88", "89", "87", "88")
    bars = day({}) + day({}, session=NEXT_DAY, otherwise=below)
    result = backtest(bars, told([30]), FULL_DAY, NEXT_DAY)
    assert [reason for reason, _, _ in sales(result)] == ["session_end"]


def test_a_flash_crash_that_recovers_costs_the_stop() -> None:
    bars = day({60: ("100", "100", "70", "100")})
    result = backtest(bars, told([30]))
    assert [(reason, price) for reason, price, _ in sales(result)] == [("stop", "98.49")]
    assert result.round_trips[0].gap_loss == 0
    assert assert_losses_are_bounded(result, bars) == 1


def test_the_stop_follows_the_highs_and_never_falls() -> None:
    rising: dict[int, Candle] = {60: ("100", "104", "100", "104")}
    high = dict.fromkeys(range(61, 90), ("104", "104", "104", "104"))
    falling = dict.fromkeys(range(90, 390), ("103", "103", "102", "102.50"))
    bars = day({**rising, **high, **falling})
    result = backtest(bars, told([30]))
    # First to 1.5 % below the fill at 100.02, then to 1.5 % below the high of 104.
    assert [
        (str(one.stop_price), one.bar_time)
        for one in result.intents
        if one.kind is IntentKind.REPRICE
    ] == [("98.51", at(31)), ("102.44", at(60))]
    # 102.44 less 2 bp, on the tick below.
    assert [(reason, price) for reason, price, _ in sales(result)] == [("stop", "102.41")]


def test_a_halted_symbol_fills_nothing_until_it_trades_again() -> None:
    bars = day(HALT_AND_LOWER) + day({}, "MSFT")
    result = backtest(bars, told([30, 65], [62]))
    # What the strategy wishes meanwhile is not to be had: the stop sells at the resumption.
    assert next(one for one in result.round_trips if one.symbol == "AAPL").exit_at == at(75)
    assert {one.at for one in result.fills if one.symbol == "AAPL"} == {at(31), at(75)}
    assert assert_losses_are_bounded(result, bars) == 1


def test_an_exit_that_waits_through_a_halt_is_done_at_the_resumption() -> None:
    bars = day(HALT_AND_LOWER) + day({}, "MSFT")
    result = backtest(bars, told([30], [59]))
    decided = reasons(result)
    assert decided[at(59)] == ("exit", "told")
    assert {decided[at(minute)] for minute in range(60, 75)} == {("hold", "exit_working")}
    trip = next(one for one in result.round_trips if one.symbol == "AAPL")
    assert (trip.exit_reason, str(trip.exit_price), trip.exit_at) == ("told", "89.98", at(75))


def test_entries_in_a_halted_symbol_are_refused_for_what_is_missing() -> None:
    """The strategy wants in at the last bar before the halt and at the first one after it."""
    decided = reasons(backtest(day(HALT) + day({}, "MSFT"), told([59, 75])))
    assert decided[at(59)] == ("enter", "told")
    assert decided[at(60)] == ("wait", "entry_not_filled")
    assert decided[at(61)] == ("wait", "stale_bar")
    assert {decided[at(minute)] for minute in range(62, 75)} == {("wait", "halted")}
    # The other symbol traded on: what is missing were minutes without a trade, and no hole.
    assert decided[at(75)] == ("enter", "told")


def test_minutes_that_nobody_has_are_a_hole() -> None:
    result = backtest(day(HALT), told([75, 85]))
    assert reasons(result)[at(75)] == ("wait", "hole")
    # Ten minutes on they are settled, or none of the five that the strategy looks at.
    assert reasons(result)[at(85)] == ("enter", "told")


def test_when_all_data_stops_nothing_is_entered_and_what_is_held_keeps_its_stop() -> None:
    gone: dict[int, Candle] = dict.fromkeys(range(100, 390))
    result = backtest(day(gone) + day(gone, "MSFT"), told([30, 200]), FULL_DAY)
    assert {one.at for one in result.fills} == {at(31)}
    assert result.round_trips == ()
    # From 15:55 on the sale waits for somebody to trade with.
    assert reasons(result)[at(384)] == ("exit", "session_end")
    assert reasons(result)[at(386)] == ("hold", "exit_working")


def test_after_a_night_without_a_sale_the_position_has_its_stop_again_and_is_sold() -> None:
    gone: dict[int, Candle] = dict.fromkeys(range(100, 390))
    bars = day(gone) + day({}, session=NEXT_DAY, otherwise=("99", "99", "99", "99"))
    result = backtest(bars, told([30]), FULL_DAY, NEXT_DAY)
    protected = [one for one in result.intents if one.kind is IntentKind.PROTECT]
    assert [one.bar_time for one in protected] == [at(-16, NEXT_DAY)]
    assert sales(result) == [("session_end", "98.98", at(385, NEXT_DAY))]


def test_a_stop_locks_its_symbol_for_a_while_and_a_second_one_for_longer() -> None:
    low: Candle = ("100", "100", "98", "100")
    bars = day({60: low, 80: low})
    wanted = told([30, 62, 66, 82, 100, 139, 140])
    decided = reasons(backtest(bars, wanted))
    # Left within 10:30, no entry until five minutes later; the second stop within the hour locks
    # for an hour.
    assert decided[at(62)] == ("wait", "cooldown")
    assert decided[at(66)] == ("enter", "told")
    assert {decided[at(minute)] for minute in (82, 100, 139)} == {("wait", "stop_guard")}
    assert decided[at(140)] == ("enter", "told")
    off = backtest(bars, wanted, protections=ProtectionSettings.without(Protection))
    assert reasons(off)[at(62)] == ("enter", "told")
    assert off.refusals == ()


def test_a_loss_from_the_peak_halves_what_is_bought_next() -> None:
    crash: Candle = ("91", "91", "91", "91")
    result = backtest(day(dict.fromkeys(range(60, 390), crash)), told([30, 100]), limits=ALL_IN)
    first, second = (one for one in result.intents if one.kind is IntentKind.ENTRY)
    assert "equity is -9." in second.reason
    assert second.quantity * 2 <= first.quantity * D(100) / D(91) * D("0.92")


def test_the_drawdown_stop_ends_entries_until_the_next_session() -> None:
    crash: Candle = ("88", "88", "88", "88")
    bars = day(dict.fromkeys(range(60, 390), crash)) + day({}, session=NEXT_DAY, otherwise=crash)
    strategy = replace(
        told([30, 100]), enter=told([30, 100]).enter | told([30], session=NEXT_DAY).enter
    )
    result = backtest(bars, strategy, FULL_DAY, NEXT_DAY, limits=ALL_IN)
    assert [(one.bar_time, one.reason_code) for one in result.refusals] == [
        (at(100), "daily_drawdown")
    ]
    assert "-12." in result.refusals[0].reason
    # The close of the bad day is what the next one is measured from.
    assert [one.at for one in result.fills if one.side == "buy"] == [at(31), at(31, NEXT_DAY)]


# What is there (USD) -> shares at a limit of 100.30 (ten cost 1003.00) and the cash left of 100.02
# a share.
MONEY = [("1003.00", "10", "2.80"), ("1002.99", "9", "102.81"), ("1103.30", "11", "3.08")]


@pytest.mark.parametrize(("cash", "shares", "left"), MONEY)
def test_buying_power_counts_to_the_cent(cash: str, shares: str, left: str) -> None:
    result = backtest(day({}), told([30]), limits=ALL_IN, cash=D(cash))
    (bought, _) = result.fills
    assert str(bought.quantity) == shares
    assert D(cash) - bought.quantity * bought.price == D(left)


def test_two_entries_of_one_minute_share_the_money() -> None:
    bars = day({}) + day({}, "MSFT")
    result = backtest(bars, told([30]), limits=ALL_IN, cash=D("1504.50"))
    assert [(one.symbol, one.quantity) for one in result.fills[:1]] == [("AAPL", D(15))]
    assert [(one.symbol, one.reason_code) for one in result.refusals] == [("MSFT", "no_size")]


def test_an_entry_that_does_not_fill_is_cancelled_in_the_next_run() -> None:
    bars = day({31: ("100.50", "101", "100.40", "100.50")})
    result = backtest(bars, told([30]))
    assert result.fills == ()
    assert reasons(result)[at(31)] == ("wait", "entry_not_filled")
    assert [one.kind for one in result.intents] == [IntentKind.ENTRY, IntentKind.CANCEL_ENTRY]


def test_the_daily_range_of_history_sizes_a_position() -> None:
    """Twice a daily ATR of 10 on 2 % of 100,000: 100 shares. One session less, and the stop's
    distance and the caps decide: a quarter of the account at 100.30."""
    days = CALENDAR.between(session_of("2020-10-20").date, FULL_DAY.date)
    wide: dict[int, Candle] = {0: ("100", "105", "95", "100")}
    for sessions, shares in ((days[-16:], "100"), (days[-15:], "249")):
        bars = [bar for one in sessions for bar in day(wide, session=one)]
        (bought, _) = backtest(bars, told([30])).fills
        assert str(bought.quantity) == shares


REFUSED = [
    ("two bars that differ", [*day({})[:1], *day({0: ("99", "99", "99", "99")})[:1]], (FULL_DAY,)),
    ("in order", day({}), (NEXT_DAY, FULL_DAY)),
    (r"outside low\.\.high", day({3: ("100", "99", "98", "99")}), (FULL_DAY,)),
]


@pytest.mark.parametrize(("says", "bars", "sessions"), REFUSED, ids=[r[0] for r in REFUSED])
def test_what_cannot_be_true_is_refused(says: str, bars: list, sessions: tuple) -> None:  # type: ignore[type-arg]
    with pytest.raises(InvalidInputError, match=says):
        backtest(bars, told([30]), *sessions)


@pytest.mark.parametrize("share", ["0.25", "1"])
def test_the_worst_recorded_day(share: str) -> None:
    """INTC lost 6.3 % on 2020-12-18, most of it within minutes before the close."""
    path = RECORDED / "intraday_1min_INTC.csv"
    if not path.exists():
        pytest.skip("../shared/data/bars_1min/av_2020_2021 is not there")
    session = session_of("2020-12-18")
    bars = [bar for bar in read_bars(path, "INTC", "end") if bar.start < session.close]
    limits = RiskLimits(max_symbol_exposure=D(share), risk_per_trade=D(1))
    result = backtest(bars, AlwaysLong(), session, limits=limits)
    assert assert_losses_are_bounded(result, bars) >= 3
    # A stop lies 1.5 % below the price decided on, or higher: a loss is what was paid above that,
    # a gap and the slippage.
    for trip in result.round_trips:
        stop = trip.entry_decision_price * D("0.985") - D("0.01")
        owed = (trip.entry_price - stop) * trip.quantity
        assert trip.profit_loss >= -(owed + trip.gap_loss + trip.exit_slippage)
    last = result.equity[-1].equity
    assert last == CASH + sum((trip.profit_loss for trip in result.round_trips), D(0))

"""Each finding of the linter: an outcome that has it, and one that just does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal as D
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tradewind.backtest.arrays import PRICE_SCALE, BarArrays
from tradewind.backtest.linter import Finding, findings
from tradewind.backtest.look_ahead import Cause, Difference, LookAhead
from tradewind.backtest.metrics import summarise
from tradewind.backtest.outcome import ExitReason, Outcome, Trades
from tradewind.backtest.overfitting import BacktestOverfitting, Deflation, TrackRecord
from tradewind.backtest.settings import BacktestSettings, Fixed
from tradewind.errors import InvalidInputError
from tradewind.market.session_table import default_table

CALENDAR = default_table()
SESSIONS = CALENDAR.between(date(2020, 10, 1), date(2020, 11, 25))
FIRST, LAST = SESSIONS[0].date, SESSIONS[-1].date
# Bars a session; in each three trades, of 10 shares at 100 USD, each a minute long.
BARS, TRADES = 8, 3
CASH = 100_000.0
# Days that differ, with a little profit: a sound result over the 40 sessions.
PROFITS = [(90.0, 40.0, -20.0), (50.0, -30.0, 10.0), (20.0, 60.0, -10.0), (-40.0, 30.0, 30.0)]


def minute(start: datetime, gap: int = 0) -> list[int]:
    """The starts of a session's bars; the second bar comes ``gap`` minutes late."""
    opens = int(start.timestamp())
    return [opens + 60 * (bar + (gap if bar else 0)) for bar in range(BARS)]


def bars(
    days: Sequence[date] = (),
    *,
    gap: int = 0,
    volume: int = 10,
    off_the_grid: float = 0.0,
    later: int = 100,
    apart: int = 1,
    shifted: int = 0,
    symbol: str = "AAPL",
) -> BarArrays:
    """``gap``: minutes without a bar after the first of the first session. ``off_the_grid``: the
    part of the prices that are no whole cents. ``later``: USD from the third session on. ``apart``:
    minutes between bars. ``shifted``: sessions whose bars all come a minute late."""
    sessions = [one for one in SESSIONS if not days or one.date in days]
    count = len(sessions) * BARS
    start = np.array(
        [at for n, one in enumerate(sessions) for at in minute(one.open, 0 if n else gap)]
    )
    price = np.full(count, 100 * PRICE_SCALE, np.int64)
    price[: round(off_the_grid * count)] += 5_000
    price[2 * BARS :] = later * PRICE_SCALE
    number = np.tile(np.arange(BARS, dtype=np.int32), len(sessions))
    late = np.repeat(np.arange(len(sessions)) < shifted, BARS)
    start += 60 * (number * (apart - 1) + late)
    return BarArrays(
        symbol, start, price, price, price, price,
        np.full(count, volume, np.int64),
        np.repeat(np.arange(len(sessions), dtype=np.int32), BARS),
        number * apart + late.astype(np.int32),
        np.full(len(sessions), 390, np.int32),
        tuple(one.date for one in sessions),
    )  # fmt: skip


def outcome(
    profits: NDArray[np.float64] | None = None,
    *,
    trades: int | None = None,
    held: float = 0.001,
    symbols: tuple[str, ...] = ("AAPL",),
    second: Sequence[int] = (),
    open_at_end: bool = False,
    settings: BacktestSettings | None = None,
    days: Sequence[date] = (),
) -> Outcome:
    """``profits``: USD a trade, three a session. ``trades``: only the first so many, the rest did
    not happen. ``held``: what buying and holding makes, with ups and downs. ``second``: trades in
    the second symbol. ``open_at_end``: the last trade is."""
    own = bars(days)
    sessions = len(own.session_dates)
    if profits is None:
        profits = np.array([one for n in range(sessions) for one in PROFITS[n % len(PROFITS)]])
    count = len(profits) if trades is None else trades
    pnl = profits[:count]
    entry = np.array([n // TRADES * BARS + 1 + n % TRADES * 2 for n in range(count)], np.int64)
    leave = entry + 1
    equity = np.full(len(own), CASH)
    np.add.at(equity, leave, 0)
    for at, made in zip(leave, pnl, strict=True):
        equity[at:] += made
    invested = np.zeros(len(own))
    invested[entry] = 1_000
    reason = np.full(count, ExitReason.SIGNAL, np.int8)
    if open_at_end:
        reason[-1] = ExitReason.END
    symbol = np.zeros(count, np.int32)
    symbol[list(second)] = 1
    flat = np.zeros(count)
    wobble = np.where((own.session % 2 == 1) & (own.session < sessions - 1), 0.02, 0)
    return Outcome(
        symbols,
        settings or BacktestSettings(),
        "sma_crossover_20_50",
        {"fast": 20, "slow": 50},
        own.start,
        own.session,
        own.session_dates,
        equity,
        invested,
        Trades(
            symbol, entry, leave, own.start[entry], own.start[leave], flat + 100, flat + 100,
            flat + 10, flat, pnl, reason, flat, flat, flat,
        ),
        CASH * (np.linspace(1, 1 + held, len(own)) + wobble),
        0.1,
    )  # fmt: skip


def even(**changes: float) -> NDArray[np.float64]:
    """Every trade makes 10 USD, but the last one of the first session: ``last`` USD."""
    profits = np.tile([12.0, 8.0, 10.0], len(SESSIONS))
    profits[5] += 3
    if "last" in changes:
        profits[2] = changes["last"]
    return profits


def losing(total: float, at: slice) -> NDArray[np.float64]:
    """``total`` in the trades at some places, and nothing in all others together."""
    profits = np.tile([1.0, -1.0, 0.0], len(SESSIONS))
    profits[at] = 0
    profits[at.start] = total
    return profits


def poorer(by: float) -> NDArray[np.float64]:
    """The sound result less so many USD a trade; what is left to it is 19 USD a trade."""
    return np.tile(np.ravel(PROFITS), len(SESSIONS) // len(PROFITS)) - by


@dataclass(frozen=True)
class Rerun:
    factor: float
    profit_loss: float


def looked(cause: Cause | None) -> tuple[LookAhead, ...]:
    at = SESSIONS[0].open
    difference = cause and Difference("AAPL", at, at, "enter: up", "wait: down", cause)
    return (LookAhead(390, 100, 1, difference),)


def deflation(probability: float) -> Deflation:
    return Deflation(TrackRecord(0.2, 40), 100, 0.01, 0.1, 0.99, probability, 70)


def overfitting(probability: float) -> BacktestOverfitting:
    none = np.zeros(0)
    return BacktestOverfitting(16, 100, 48, 4, probability, 0.4, -0.5, 1, 0.2, 0, none, none, none)


@dataclass(frozen=True)
class Given:
    """An outcome with what is known beside it."""

    outcome: Mapping[str, Any]
    beside: Mapping[str, Any]

    def findings(self) -> tuple[Finding, ...]:
        run = outcome(**self.outcome)
        return findings(run, summarise(run), **{"parameters": 2, **self.beside})


def run(**changes: Any) -> Given:
    return Given(changes, {})


def beside(**changes: Any) -> Given:
    return Given({}, changes)


FREE = BacktestSettings(slippage=Fixed(), regulatory_fees=False)
TWO = ("AAPL", "MSFT")
# Of trades that add up to nothing, and one group that makes all of it.
WON = 5_000.0
MONDAY = date(2020, 10, 5)
WITHOUT_MONDAY = tuple(one.date for one in SESSIONS if one.date != MONDAY)

CASES = [
    # code; severity; an outcome that has it, one that just does not
    ("no_trades", "error", run(trades=0), run(trades=1)),
    ("too_few_trades", "warning", run(trades=99), run(trades=100)),
    ("too_few_trades", "error", run(trades=29), run(trades=100)),
    ("too_many_parameters", "warning", beside(parameters=5), beside(parameters=4)),
    ("too_many_parameters", "error", beside(parameters=13), beside(parameters=0)),
    ("look_ahead", "error", beside(look_ahead=looked(Cause.FUTURE)),
     beside(look_ahead=looked(None))),
    ("memory", "error", beside(look_ahead=looked(Cause.MEMORY)), beside(look_ahead=looked(None))),
    # The first entry is in bar 1, decided when one bar was known.
    ("warm_up_traded", "error", beside(warm_up=2), beside(warm_up=1)),
    ("tuned_sessions_traded", "error", beside(tuned_until=FIRST),
     beside(tuned_until=date(2020, 9, 30))),
    ("tuned_sessions_traded", "error", beside(tuned_until=LAST), beside()),
    ("stale_fills", "note", beside(bars=[bars(gap=6)]), beside(bars=[bars(gap=5)])),
    ("fills_beyond_volume", "warning", beside(bars=[bars(volume=9)]),
     beside(bars=[bars(volume=10)])),
    ("no_costs", "warning", run(settings=FREE), run(settings=replace(FREE, commission=D("1e-5")))),
    ("no_costs", "warning", run(settings=FREE),
     run(settings=replace(FREE, slippage=Fixed(D("1e-5"))))),
    ("no_costs", "warning", run(settings=replace(FREE, regulatory_fees=True, fee_factor=D(0))),
     run(settings=replace(FREE, regulatory_fees=True))),
    ("dies_at_twice_the_cost", "error", beside(cost_cases=[Rerun(1, 5), Rerun(2, 0)]),
     beside(cost_cases=[Rerun(1, 5), Rerun(2, 1)])),
    # A strategy that loses at its own costs has no edge that could die.
    ("dies_at_twice_the_cost", "error", beside(cost_cases=[Rerun(1, 5), Rerun(2, -5)]),
     beside(cost_cases=[Rerun(1, -5), Rerun(2, -9)])),
    ("drawdown_beyond_limit", "error", beside(drawdown_limit=0.00049),
     beside(drawdown_limit=0.0005)),
    ("one_trade", "warning", run(profits=losing(WON, slice(0, 1))),
     run(profits=losing(WON, slice(0, 1)) + np.where(np.arange(120) == 7, 5, 0))),
    ("one_day", "warning", run(profits=losing(WON, slice(0, 3))),
     run(profits=losing(WON, slice(0, 3)) + np.where(np.arange(120) == 7, 5, 0))),
    ("one_symbol", "warning", run(symbols=TWO, profits=even(last=-1e3), second=[2]),
     run(symbols=TWO, second=[0])),
    ("open_at_the_end", "warning", run(profits=losing(WON, slice(119, 120)), open_at_end=True),
     run(profits=losing(WON, slice(119, 120)))),
    ("open_at_the_end", "warning", run(profits=losing(WON, slice(119, 120)), open_at_end=True),
     run(open_at_end=True)),
    # Without a smaller risk to pay for.
    ("worse_than_buy_and_hold", "warning", run(profits=-even()), run(profits=-even(), held=-0.05)),
    ("worse_than_buy_and_hold", "note", run(held=0.3), run(held=0.01)),
    ("trials_not_deflated", "warning", beside(trials=2), beside(trials=1)),
    ("trials_not_deflated", "warning", beside(trials=2),
     beside(trials=2, deflation=deflation(0.96))),
    ("luck_of_many_trials", "error", beside(trials=2, deflation=deflation(0.949)),
     beside(trials=2, deflation=deflation(0.95))),
    ("overfitted", "warning", beside(overfitting=overfitting(0.21)),
     beside(overfitting=overfitting(0.2))),
    ("overfitted", "error", beside(overfitting=overfitting(0.51)),
     beside(overfitting=overfitting(0.2))),
    # Below a Sharpe ratio of 0 no length would prove anything.
    ("short_track_record", "warning", run(profits=poorer(16.5)), run(profits=poorer(16))),
    ("short_track_record", "warning", run(profits=poorer(19)), run(profits=poorer(20))),
    ("sessions_missing", "warning",
     Given({"days": WITHOUT_MONDAY}, {"calendar": CALENDAR}), beside(calendar=CALENDAR)),
    ("sessions_missing", "warning",
     Given({"days": WITHOUT_MONDAY}, {"bars": [bars(WITHOUT_MONDAY)], "calendar": CALENDAR}),
     beside(bars=[bars()], calendar=CALENDAR)),
    ("split_in_the_bars", "error", beside(bars=[bars(later=51)]), beside(bars=[bars(later=57)])),
    ("split_in_the_bars", "error", beside(bars=[bars(later=300)]), beside(bars=[bars(later=125)])),
    ("bars_of_several_minutes", "error", beside(bars=[bars(apart=2)]), beside(bars=[bars(gap=6)])),
    ("first_minutes_missing", "warning", beside(bars=[bars(shifted=len(SESSIONS))]),
     beside(bars=[bars(shifted=len(SESSIONS) - 1)])),
    ("prices_off_the_tick_grid", "note", beside(bars=[bars(off_the_grid=0.0126)]),
     beside(bars=[bars(off_the_grid=0.0094)])),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "severity", "has", "has_not"),
    CASES,
    ids=[f"{row[0]}-{number}" for number, row in enumerate(CASES)],
)
def test_findings(code: str, severity: str, has: Given, has_not: Given) -> None:
    assert [one.severity for one in has.findings() if one.code == code] == [severity]
    assert code not in {one.code for one in has_not.findings()}


def test_a_sound_outcome_has_none() -> None:
    """With all that can be looked at: bars, costs, trials, calendar."""
    given = beside(
        trials=100,
        bars=[bars()],
        cost_cases=[Rerun(1, 5), Rerun(2, 1)],
        look_ahead=looked(None),
        warm_up=1,
        tuned_until=date(2020, 9, 30),
        deflation=deflation(0.97),
        overfitting=overfitting(0.05),
        calendar=CALENDAR,
    )
    assert given.findings() == ()


SENTENCES = [
    ("too_few_trades", run(trades=10),
     "10 trades of 17.00 USD on average, give or take 26.47 USD: below 100 an average says little; "
     "test more sessions or symbols."),
    ("too_many_parameters", beside(parameters=5),
     "5 parameters for 120 trades are 24.0 trades each, of 30 wished for: fix some of them, or "
     "test more sessions."),
    ("warm_up_traded", beside(warm_up=2),
     "1 of 120 trades were entered before 2 bars were known, the first in AAPL 2020-10-01 13:31 "
     "UTC after 1: give more history before the first session that is traded."),
    ("tuned_sessions_traded", beside(tuned_until=FIRST),
     "3 of 120 trades were entered in sessions up to 2020-10-01, on which the parameters were "
     "chosen: judge the later sessions alone, or walk forward."),
    ("stale_fills", beside(bars=[bars(gap=6)]),
     "1 of 240 fills came more than 5 minutes after their decision, the latest 6 minutes: their "
     "prices were not there when it was made; use fuller bars, or a convention that is flat at the "
     "close."),
    ("dies_at_twice_the_cost", beside(cost_cases=[Rerun(1, 800), Rerun(2, -8200)]),
     "800 USD at the assumed costs are -8,200 USD at twice as much: the edge is smaller than what "
     "is not known about costs; trade less often."),
    ("one_trade", run(profits=losing(WON, slice(0, 1))),
     "the best trade (AAPL 2020-10-01 13:31 UTC) made 5,000 USD of 4,999 USD in all, the rest "
     "-1.00 USD: one event is no edge; test more sessions or symbols."),
    ("sessions_missing", Given({"days": WITHOUT_MONDAY}, {"calendar": CALENDAR}),
     "AAPL: 1 of 40 sessions from 2020-10-01 to 2020-11-25 have no bars, 2020-10-05 the first: "
     "averages jump over them; fill the gap or end before it."),
    ("luck_of_many_trials", beside(trials=2, deflation=deflation(0.9)),
     "the best of 100 trials without any edge would show a Sharpe ratio of 1.59 and this shows "
     "3.17: it is better than luck with a probability of 90.0 %, of 95.0 % asked for."),
]  # fmt: skip


@pytest.mark.parametrize(("code", "given", "sentence"), SENTENCES, ids=[r[0] for r in SENTENCES])
def test_sentences_have_the_figures(code: str, given: Given, sentence: str) -> None:
    assert [one.sentence for one in given.findings() if one.code == code] == [sentence]


def test_the_gravest_come_first() -> None:
    found = beside(trials=2, warm_up=2, bars=[bars(gap=6)]).findings()
    assert [one.severity for one in found] == ["error", "warning", "note"]


def test_a_session_without_anything() -> None:
    """One bar, no trade, no variance: nothing to divide by."""
    one = outcome(trades=0, days=[FIRST])
    short = replace(
        one,
        time=one.time[:1],
        session=one.session[:1],
        equity=one.equity[:1],
        invested=one.invested[:1],
        buy_and_hold=one.buy_and_hold[:1],
    )
    assert [found.code for found in findings(short, summarise(short), parameters=2)] == [
        "no_trades"
    ]


def test_bars_of_other_symbols_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="bars of MSFT for an outcome of AAPL"):
        beside(bars=[bars(symbol="MSFT")]).findings()


def test_the_first_bar_is_where_the_tests_think() -> None:
    assert datetime.fromtimestamp(int(bars().start[0]), UTC) == SESSIONS[0].open

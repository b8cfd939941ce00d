"""Recorded sessions, traded by the compiled pass and by the plain reference: order by order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pytest
from tradewind.backtest.arrays import BarArrays, arrays_of
from tradewind.backtest.book import RulesInForce
from tradewind.backtest.costs import Costs
from tradewind.backtest.live import run_live
from tradewind.backtest.live_rules import in_force
from tradewind.backtest.run import run
from tradewind.backtest.settings import BacktestSettings
from tradewind.backtest.signals import bars_of, signals_of
from tradewind.market.csv_bars import read_bars
from tradewind.market.csv_rows import NEW_YORK
from tradewind.market.session_table import default_table
from tradewind.strategies.sma_crossover import SmaCrossover

from tests.e2e.command import RECORDED
from tests.unit.backtest.live_beside_reference import (
    Trip,
    assert_same,
    equity_of_reference,
    trips_of_outcome,
    trips_of_reference,
)

pytestmark = [pytest.mark.live_parity]

CALENDAR = default_table()
STRATEGY = SmaCrossover(20, 50)
SETTINGS = BacktestSettings()


@pytest.fixture(scope="module")
def recorded() -> list[BarArrays]:
    if not RECORDED.exists():
        pytest.skip("../shared/data/bars_1min/av_2020_2021 is not there")
    return [
        arrays_of(
            symbol, read_bars(RECORDED / f"intraday_1min_{symbol}.csv", symbol, "end"), CALENDAR
        )
        for symbol in ("AAPL", "MSFT")
    ]


# Minutes of purchase and sale in New York, and why it was sold.
DAYS = {
    "2020-11-12": {
        "AAPL": ["12:09-12:45 signal", "14:07-14:22 signal", "15:01-15:40 signal"],
        "MSFT": ["10:53-11:03 signal", "12:09-12:33 signal", "13:38-14:23 signal"],
    },
    "2020-10-28": {
        "AAPL": ["10:51-10:55 signal", "11:52-12:30 stop", "13:39-14:28 signal",
                 "15:28-15:47 signal"],
        "MSFT": ["10:41-10:56 signal", "11:21-11:36 signal", "11:52-12:19 signal",
                 "13:40-14:18 signal"],
    },
}  # fmt: skip


@pytest.mark.parametrize("day", DAYS)
def test_a_whole_day(day: str, recorded: list[BarArrays]) -> None:
    """The sessions before it are history: nothing is entered in them."""
    session = CALENDAR.session_on(date.fromisoformat(day))
    assert session is not None
    upto = [_until(own, session.date) for own in recorded]
    signals = []
    for own in upto:
        wishes = signals_of(own, STRATEGY)
        wishes.enter[own.start < session.open.timestamp()] = False
        signals.append(wishes)
    outcome = run_live(upto, signals, SETTINGS)
    result = run(
        [bar for own in upto for bar in bars_of(own)],
        [session],
        {own.symbol: STRATEGY for own in upto},
        RulesInForce(*in_force(SETTINGS)),
        SETTINGS.cash,
        calendar=CALENDAR,
        costs=Costs.of(SETTINGS),
    )
    found = trips_of_outcome(outcome)
    assert found == trips_of_reference(result)
    told = {symbol: [_told(one) for one in found if one.symbol == symbol] for symbol in DAYS[day]}
    assert told == DAYS[day]
    traded = outcome.time >= session.open.timestamp()
    assert outcome.equity[traded].tolist() == equity_of_reference(
        result, outcome.time[traded].tolist()
    )
    assert (outcome.equity[~traded] == float(SETTINGS.cash)).all()


def _told(trip: Trip) -> str:
    minutes = [
        datetime.fromtimestamp(seconds, NEW_YORK) for seconds in (trip.entry_time, trip.exit_time)
    ]
    return f"{minutes[0]:%H:%M}-{minutes[1]:%H:%M} {trip.reason}"


def _until(own: BarArrays, day: date) -> BarArrays:
    kept = np.array([one <= day for one in own.session_dates])[own.session]
    count = int(kept.sum())
    dates = tuple(one for one in own.session_dates if one <= day)
    return replace(
        own,
        **{
            name: getattr(own, name)[:count]
            for name in ("start", "open", "high", "low", "close", "volume", "session", "minute")
        },
        session_minutes=own.session_minutes[: len(dates)],
        session_dates=dates,
    )


@pytest.mark.slow
def test_all_sessions(recorded: list[BarArrays]) -> None:
    outcome = assert_same(recorded, dict.fromkeys(("AAPL", "MSFT"), STRATEGY), SETTINGS, CALENDAR)
    assert len(outcome.trades) == 344

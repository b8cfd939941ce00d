"""Recorded sessions, traded by the compiled pass and by the plain reference: order by order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from tradewind.backtest.arrays import BarArrays, arrays_of
from tradewind.backtest.costs import Costs
from tradewind.backtest.live import run_live
from tradewind.backtest.live_rules import rules_in_force
from tradewind.backtest.run import run
from tradewind.backtest.settings import BacktestSettings
from tradewind.backtest.signals import bars_of, signals_of
from tradewind.market.csv_bars import read_bars
from tradewind.market.session_table import default_table
from tradewind.strategies.sma_crossover import SmaCrossover

from tests.e2e.command import RECORDED
from tests.unit.backtest.live_beside_reference import (
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


# Round trips of the day, of which the first and its reason are told in full.
DAYS = [
    ("2020-11-12", []),
    ("2020-10-28", []),
]


@pytest.mark.parametrize("day", ["2020-11-12", "2020-10-28"])
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
        rules_in_force(SETTINGS),
        SETTINGS.cash,
        calendar=CALENDAR,
        costs=Costs.of(SETTINGS),
    )
    print(trips_of_outcome(outcome))
    assert trips_of_outcome(outcome) == trips_of_reference(result)
    traded = outcome.time >= session.open.timestamp()
    assert outcome.equity[traded].tolist() == equity_of_reference(
        result, outcome.time[traded].tolist()
    )
    assert (outcome.equity[~traded] == float(SETTINGS.cash)).all()


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
    print(len(outcome.trades), outcome.equity[-1])

"""Where the money came from: hours, weekdays, months, drawdowns, reasons, gaps and costs."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal as D

import numpy as np
import pytest
from tradewind.backtest.breakdown import (
    CostCase,
    Drawdown,
    GapLosses,
    HoldingTime,
    PeriodRow,
    ReasonRow,
    break_even_cost,
    breakdown,
    by_hour,
    by_weekday,
    cost_sensitivity,
    drawdown_series,
    monthly_returns,
    rolling_sharpe,
    trade_details,
    worst_drawdowns,
)
from tradewind.backtest.metrics import summarise
from tradewind.backtest.outcome import ExitReason, Outcome
from tradewind.backtest.settings import BacktestSettings, Fixed
from tradewind.errors import InvalidInputError

from tests.unit.backtest.outcomes import Trip, outcome_of


def test_by_hour_of_new_york() -> None:
    """The bars start at 14:30 UTC: 9:30 New York in winter, 10:30 in summer."""
    # 31 minutes reach into the next hour.
    minutes = [100.0] * 10 + [103.0] * 20 + [102.0]
    trips = [Trip(5, 6, pnl=3), Trip(6, 7, pnl=-1), Trip(30, 30, pnl=-1)]
    winter = by_hour(outcome_of([minutes], trips))
    assert winter == (
        PeriodRow("09:00", 3.0, 2, 2.0, 0.5),
        PeriodRow("10:00", -1.0, 1, -1.0, 0.0),
    )
    summer = by_hour(outcome_of([minutes], trips, dates=[date(2020, 7, 6)]))
    assert [row.period for row in summer] == ["10:00", "11:00"]
    # The clocks change between two sessions: 2020-03-06 in winter, 2020-03-09 in summer.
    spring = [date(2020, 3, 6), date(2020, 3, 9)]
    both = by_hour(outcome_of([[101], [103]], [Trip(0, 0, pnl=1), Trip(1, 1, pnl=2)], dates=spring))
    assert both == (
        PeriodRow("09:00", 1.0, 1, 1.0, 1.0),
        PeriodRow("10:00", 2.0, 1, 2.0, 1.0),
    )


def test_by_weekday_names_all_five() -> None:
    trips = [Trip(2, 3, pnl=-2), Trip(3, 4, pnl=4)]
    found = by_weekday(outcome_of([[101, 102], [100, 100], [104]], trips))
    assert found == (
        PeriodRow("Monday", 2.0, 0, 0.0, None),
        PeriodRow("Tuesday", -2.0, 2, 2.0, 0.5),
        PeriodRow("Wednesday", 4.0, 0, 0.0, None),
        PeriodRow("Thursday", 0.0, 0, 0.0, None),
        PeriodRow("Friday", 0.0, 0, 0.0, None),
    )


def test_monthly_returns() -> None:
    dates = [date(2020, 11, 27), date(2020, 11, 30), date(2020, 12, 31), date(2021, 2, 1)]
    first, second = monthly_returns(outcome_of([[120], [110], [99], [118.8]], dates=dates))
    assert (first.year, second.year) == (2020, 2021)
    assert first.months[9:] == (None, pytest.approx(0.1), pytest.approx(-0.1))
    assert first.total == pytest.approx(-0.01)
    # January has no session: February is compared with December.
    assert second.months[:3] == (None, pytest.approx(0.2), None)
    assert second.total == pytest.approx(0.2)


def test_months_after_the_money_is_gone_are_undefined() -> None:
    (year,) = monthly_returns(outcome_of([[0], [0]], dates=[date(2020, 10, 30), date(2020, 11, 2)]))
    assert year.months[9:11] == (-1.0, None)
    assert year.total == -1.0


def test_rolling_sharpe() -> None:
    outcome = outcome_of([[100], [110], [99], [118.8]])
    dates, values = rolling_sharpe(outcome, 3)
    assert dates == outcome.session_dates[2:]
    # The last three returns: 10 %, -10 %, 20 %, as in the figures by hand.
    assert values[-1] == pytest.approx(1 / 15 / math.sqrt(7 / 300) * math.sqrt(252))
    assert rolling_sharpe(outcome, 5) == ((), ())
    assert rolling_sharpe(outcome_of([[100], [100], [101]]), 2)[1][0] is None
    assert rolling_sharpe(outcome_of([[0], [0], [0]]), 2)[1] == (None, None)
    with pytest.raises(InvalidInputError, match="2 or more"):
        rolling_sharpe(outcome, 1)


def minute(number: int, day: int = 9) -> datetime:
    return datetime(2020, 11, day, 14, 30 + number, tzinfo=UTC)


def test_the_worst_drawdowns_deepest_first() -> None:
    outcome = outcome_of([[95, 100, 120, 90], [60, 120, 121], [110, 100]])
    assert drawdown_series(outcome) == pytest.approx(
        [0.05, 0, 0, 0.25, 0.5, 0, 0, 1 - 110 / 121, 1 - 100 / 121]
    )
    assert worst_drawdowns(outcome) == (
        Drawdown(0.5, minute(2), minute(0, 10), minute(1, 10), 2, 2),
        Drawdown(pytest.approx(21 / 121), minute(2, 10), minute(1, 11), None, 2, 1),
        Drawdown(pytest.approx(0.05), minute(0), minute(0), minute(1), 1, 1),
    )
    assert worst_drawdowns(outcome, 1) == worst_drawdowns(outcome)[:1]
    assert worst_drawdowns(outcome_of([[100, 101]])) == ()


TRIPS = [
    Trip(0, 2, pnl=5, mae=-0.1, mfe=0.2),
    Trip(2, 3, pnl=-30, reason=ExitReason.STOP, gap_loss=20),
    Trip(3, 3, pnl=-4, reason=ExitReason.STOP),
    Trip(0, 3, pnl=9, quantity=1, reason=ExitReason.END),
]


def test_trades_by_reason_holding_time_and_gaps() -> None:
    found = breakdown(outcome_of([[100, 100, 100, 80]], TRIPS))
    assert found.reasons == (
        ReasonRow("signal", 1, 5.0, 1.0),
        ReasonRow("stop", 2, -34.0, 0.0),
        ReasonRow("end", 1, 9.0, 1.0),
    )
    assert found.holding == HoldingTime(0, 1.5, 1.5, 3)
    # -20 in all; without the gap the second had lost 10.
    assert found.gaps == GapLosses(trades=1, loss=20.0, largest=20.0, profit_loss_without=0.0)


def test_details_of_each_trade() -> None:
    found = trade_details(outcome_of([[100, 100, 100, 80]], TRIPS))
    assert found.holding.tolist() == [2, 1, 0, 3]
    assert found.returns == pytest.approx([0.005, -0.03, -0.004, 0.09])
    assert (found.mae[0], found.mfe[0], found.gap_loss[1]) == (-0.1, 0.2, 20.0)


def test_without_trades() -> None:
    found = breakdown(outcome_of([[100]]))
    assert (found.reasons, found.holding, found.drawdowns) == ((), None, ())
    assert found.gaps == GapLosses(0, 0.0, 0.0, 0.0)
    assert [(row.period, row.trades, row.win_rate) for row in found.hours] == [("09:00", 0, None)]


@pytest.mark.parametrize(
    "outcome",
    [outcome_of([[100]]), outcome_of([[0], [-5]]), outcome_of([[100, 100, 100, 80]], TRIPS)],
)
def test_json_is_strict(outcome: Outcome) -> None:
    told = json.dumps(breakdown(outcome).as_json(), allow_nan=False)
    for one in json.loads(told)["drawdowns"]:
        assert datetime.fromisoformat(one["begin"]).tzinfo == UTC


def test_broken_equity_is_refused() -> None:
    outcome = outcome_of([[100, 101]])
    outcome.equity[1] = np.nan
    with pytest.raises(InvalidInputError, match="equity is nan"):
        breakdown(outcome)


# -- costs -----------------------------------------------------------------------------------


def costing(per_cost: float, edge: float) -> tuple[CostCase, ...]:
    """Of 100,000 USD, a run that earns ``edge`` less ``per_cost`` for each basis point."""

    def run(settings: BacktestSettings) -> Outcome:
        assert isinstance(settings.slippage, Fixed)
        paid = float(settings.slippage.fraction) * 10_000 * per_cost
        return outcome_of([[100_000], [100_000 + edge - paid]], cash=100_000)

    return cost_sensitivity(run, BacktestSettings(slippage=Fixed(D("0.0001"))))


def test_at_no_cost_and_up_to_three_times_it() -> None:
    cases = costing(per_cost=400, edge=1000)
    assert [(case.factor, case.profit_loss) for case in cases] == [
        (0, 1000),
        (1, pytest.approx(600)),
        (2, pytest.approx(200)),
        (3, pytest.approx(-200)),
    ]
    assert cases[1].total_return == pytest.approx(0.006)
    assert cases[1].sharpe is not None
    json.dumps([case.as_json() for case in cases], allow_nan=False)


@pytest.mark.parametrize(
    ("per_cost", "edge", "gone"),
    [
        (400, 1000, 2.5),
        (1000, 1000, 1.0),
        # Beyond three times, where nothing was measured.
        (300, 1000, None),
        # Without cost, nothing is lost to it.
        (0, 1000, None),
        # No edge to begin with.
        (100, 0, 0.0),
        (100, -1, 0.0),
    ],
)
def test_the_cost_at_which_the_edge_is_gone(
    per_cost: float, edge: float, gone: float | None
) -> None:
    found = break_even_cost(costing(per_cost, edge))
    assert found == (None if gone is None else pytest.approx(gone))


def test_the_deepest_is_the_one_of_the_figures() -> None:
    outcome = outcome_of([[95, 100, 120, 90], [60, 120, 121], [110, 100]])
    deepest, figures = worst_drawdowns(outcome, 1)[0], summarise(outcome)
    assert deepest.depth == figures.max_drawdown
    assert (deepest.minutes, deepest.sessions) == (
        figures.max_drawdown_minutes,
        figures.max_drawdown_sessions,
    )

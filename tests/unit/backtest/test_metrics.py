"""The figures of a backtest, each by hand, and what is undefined when."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from tradewind.backtest.metrics import Metrics, daily_returns, summarise
from tradewind.backtest.outcome import ExitReason, Outcome
from tradewind.errors import InvalidInputError

from tests.unit.backtest.outcomes import Trip, outcome_of

YEAR = math.sqrt(252)


def test_figures_of_the_curve() -> None:
    # Daily returns: 10 %, -10 %, 20 %. The mean is 1/15, the squares around it 7/150.
    found = summarise(outcome_of([[100, 105, 110], [88, 99], [118.8]]))
    deviation = math.sqrt(7 / 300)
    assert (found.bars, found.sessions, found.final_equity) == (6, 3, 118.8)
    assert found.total_return == pytest.approx(0.188)
    assert found.annual_return == pytest.approx(1.188**84 - 1)
    assert found.volatility == pytest.approx(deviation * YEAR)
    assert found.sharpe == pytest.approx(1 / 15 / deviation * YEAR)
    assert found.sortino == pytest.approx(1 / 15 / (0.1 / math.sqrt(3)) * YEAR)
    # 110 -> 88, below what the sessions' ends show (110 -> 99).
    assert found.max_drawdown == pytest.approx(0.2)
    assert found.calmar == pytest.approx((1.188**84 - 1) / 0.2)
    assert daily_returns(outcome_of([[100, 105, 110], [88, 99], [118.8]])) == pytest.approx(
        [0.1, -0.1, 0.2]
    )


# (equity of sessions of two minutes from 100 USD, depth, minutes, sessions, calendar days,
# recovered). The first session is a Monday.
DRAWDOWNS: list[tuple[list[list[float]], float, int, int, int, bool | None]] = [
    ([[100, 100], [101, 102]], 0, 0, 0, 0, None),
    # Below the starting cash from the first minute on.
    ([[90, 95], [100, 100]], 0.1, 2, 1, 1, True),
    # The peak is reached in the minute that is not counted.
    ([[100, 90], [99, 100]], 0.1, 2, 2, 2, True),
    # Never again.
    ([[100, 80], [90, 99]], 0.2, 3, 2, 2, False),
    # The deeper of two; the last peak counts, not the first.
    ([[100, 95], [110, 110], [110, 88], [100, 111]], 0.2, 2, 2, 2, True),
    # Two equally deep: the first.
    ([[50, 100], [75, 60], [50, 50], [100, 100]], 0.5, 1, 1, 1, True),
    # Friday to Monday: two sessions, four days.
    ([[100, 100]] * 4 + [[100, 99], [99, 99], [100, 100]], 0.01, 3, 2, 4, True),
    # Nothing left, and debt.
    ([[100, 50], [0, 0]], 1.0, 3, 2, 2, False),
    ([[100, 50], [-5, -5]], 1.0, 3, 2, 2, False),
]


@pytest.mark.parametrize(("equity", "depth", "minutes", "sessions", "days", "again"), DRAWDOWNS)
def test_the_deepest_drawdown_and_how_long_it_lasted(
    equity: list[list[float]],
    depth: float,
    minutes: int,
    sessions: int,
    days: int,
    again: bool | None,
) -> None:
    found = summarise(outcome_of(equity))
    assert found.max_drawdown == pytest.approx(depth)
    assert (
        found.max_drawdown_minutes,
        found.max_drawdown_sessions,
        found.max_drawdown_days,
        found.max_drawdown_recovered,
    ) == (minutes, sessions, days, again)


def test_figures_of_trades() -> None:
    trips = [
        Trip(0, 1, pnl=30, fees=2, mae=-0.01, mfe=0.04),
        Trip(2, 3, pnl=-10, fees=2, mae=-0.03, mfe=0.0),
        Trip(4, 5, pnl=0, fees=1, mae=-0.02, mfe=0.02, reason=ExitReason.STOP, gap_loss=4),
        Trip(5, 5, pnl=-5, quantity=5, reason=ExitReason.END),
    ]
    found = summarise(outcome_of([[1000, 1030, 1030], [1020, 1020, 1015]], trips, cash=1000))
    assert (found.trades, found.open_trades, found.fees) == (4, 1, 5)
    # A trade that makes nothing is not won, and no loss either.
    assert found.win_rate == 0.25
    assert found.profit_factor == 2
    assert found.expectancy == 3.75
    # 30, -10, 0 on 1,000 USD, -5 on 500.
    assert found.expectancy_return == pytest.approx((0.03 - 0.01 + 0 - 0.01) / 4)
    assert (found.mean_mae, found.worst_mae) == (pytest.approx(-0.015), -0.03)
    assert (found.mean_mfe, found.best_mfe) == (pytest.approx(0.015), 0.04)
    assert found.gap_loss == 4


def test_exposure_and_turnover() -> None:
    trips = [
        Trip(0, 2, pnl=20, price=10, quantity=50, exit_price=10.4),
        # Into the next session, and still open at the end: bought, not sold.
        Trip(2, 3, pnl=0, price=10, quantity=10, exit_price=10, reason=ExitReason.END),
    ]
    outcome = outcome_of(
        [[1000, 1010, 1020], [1020]], trips, cash=1000, invested=[500, 510, 100, 0]
    )
    found = summarise(outcome)
    assert found.exposure == 0.75
    assert found.mean_invested == pytest.approx(1110 / 4050)
    assert found.annual_return is not None
    assert found.exposure_adjusted_return == pytest.approx(found.annual_return / 0.75)
    # 500 and 100 bought and 520 sold in the first of two sessions, of 1,020 at its end.
    assert found.turnover == pytest.approx((500 + 100 + 520) / 1020 / 2)


def test_a_fill_counts_in_the_session_it_lies_in() -> None:
    """Exits are in order, entries need not be: several symbols."""
    trips = [
        Trip(2, 3, pnl=0, price=10, quantity=10),
        # Entered in the last minute of the session before.
        Trip(1, 5, pnl=0, price=10, quantity=20),
        Trip(4, 5, pnl=0, price=10, quantity=30),
    ]
    found = summarise(outcome_of([[1000, 1000], [500, 500], [250, 250]], trips, cash=1000))
    # Bought and sold: 100 within the second, 200 from the first to the third, 300 in the third.
    traded = [200, 100 + 100, 200 + 300 + 300]
    ends = [1000, 500, 250]
    expected = sum(usd / end for usd, end in zip(traded, ends, strict=True)) / 3
    assert found.turnover == pytest.approx(expected)


def test_buy_and_hold_and_cash_stand_beside() -> None:
    found = summarise(outcome_of([[100], [101]], hold=[110, 99], cash=100))
    alone = summarise(outcome_of([[110], [99]], cash=100))
    assert found.buy_and_hold.as_json() == {
        name: value
        for name, value in alone.as_json().items()
        if name in found.buy_and_hold.as_json()
    }
    assert found.buy_and_hold.max_drawdown == pytest.approx(0.1)
    assert found.cash.as_json() == {
        "final_equity": 100.0,
        "total_return": 0.0,
        "annual_return": 0.0,
        "volatility": 0.0,
        "max_drawdown": 0.0,
        "max_drawdown_minutes": 0,
        "max_drawdown_sessions": 0,
        "max_drawdown_days": 0,
        "max_drawdown_recovered": None,
        "sharpe": None,
        "sortino": None,
        "calmar": None,
    }


OF_TRADES = {
    "win_rate", "profit_factor", "expectancy", "expectancy_return", "mean_mae", "worst_mae",
    "mean_mfe", "best_mfe",
}  # fmt: skip
RATIOS = {"sharpe", "sortino", "calmar"}
NEVER_IN = {"exposure_adjusted_return"}
BANKRUPT = {"volatility", "sharpe", "sortino", "turnover"}
WON = [Trip(0, 1, pnl=5)]
# What is undefined when: (sessions of equity from 100 USD, trades, the undefined figures).
UNDEFINED: dict[str, tuple[list[list[float]], list[Trip], set[str]]] = {
    "one bar": ([[101]], [], {"volatility", *RATIOS, *OF_TRADES, *NEVER_IN}),
    "one session that loses": (
        [[100, 90]],
        [],
        # A mean and a downside deviation are there, a standard deviation is not.
        {"volatility", "sharpe", *OF_TRADES, *NEVER_IN},
    ),
    "no trades, nothing happens": ([[100, 100], [100]], [], {*RATIOS, *OF_TRADES, *NEVER_IN}),
    "the same return each session": (
        [[100 * 1.01**day] for day in range(1, 30)],
        [],
        {*RATIOS, *OF_TRADES, *NEVER_IN},
    ),
    "no loss at all": ([[101], [103]], WON, {"sortino", "calmar", "profit_factor", *NEVER_IN}),
    "only losses": ([[99], [97]], [Trip(0, 1, pnl=-3)], NEVER_IN),
    "nothing left at the end": ([[100], [0]], [], {"turnover", *OF_TRADES, *NEVER_IN}),
    "nothing left on the way": ([[0], [0], [0]], [], {*BANKRUPT, *OF_TRADES, *NEVER_IN}
                                | {"mean_invested"}),
    "debt": (
        [[50], [-10]],
        [],
        {"annual_return", "calmar", "turnover", *OF_TRADES, *NEVER_IN},
    ),
    "beyond a float's range": (
        [[100, 100e4]],
        [],
        {"annual_return", "volatility", *RATIOS, *OF_TRADES, *NEVER_IN},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNDEFINED)
def test_what_is_undefined_is_none_and_the_rest_is_a_number(case: str) -> None:
    equity, trips, undefined = UNDEFINED[case]
    found = summarise(outcome_of(equity, trips))
    told = found.as_json()
    said = {name for name, value in told.items() if value is None} - {"max_drawdown_recovered"}
    assert said == undefined
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_json_holds_every_figure_in_plain_types() -> None:
    told = summarise(outcome_of([[100, 99], [101]], WON)).as_json()
    assert set(told) == set(Metrics.__dataclass_fields__)
    kinds = {type(value) for value in told.values()} | {
        type(value) for side in ("buy_and_hold", "cash") for value in told[side].values()
    }
    assert kinds <= {int, float, bool, type(None), dict}


def broken(column: str, at: int, value: float) -> Outcome:
    outcome = outcome_of([[100, 101, 102]], WON)
    if hasattr(outcome, column):
        getattr(outcome, column)[at] = value
    else:
        getattr(outcome.trades, column)[at] = value
    return outcome


GOOD = outcome_of([[100, 101], [102]], WON)
# (outcome, what its message has to name)
REFUSED: list[tuple[Outcome, str]] = [
    (broken("equity", 1, math.nan), r"equity is nan in minute 1 \(2020-11-09 14:31 UTC\)"),
    (broken("equity", 2, math.inf), "equity is inf in minute 2"),
    (broken("invested", 0, -math.inf), "invested is -inf in minute 0"),
    (broken("buy_and_hold", 0, math.nan), "buy_and_hold is nan"),
    (broken("pnl", 0, math.nan), "pnl of trade 0 is nan"),
    (broken("exit_price", 0, math.inf), "exit_price of trade 0 is inf"),
    (broken("mae", 0, math.nan), "mae of trade 0"),
    (broken("quantity", 0, 0.0), "trade 0 has no value"),
    (outcome_of([]), "no minute"),
    (replace(GOOD, time=GOOD.time[:2]), "time has 2 minutes, its equity 3"),
    (replace(GOOD, session_dates=(date(2020, 11, 9),)), "sessions 0 to 0"),
    (replace(GOOD, session_dates=(*GOOD.session_dates, date(2020, 11, 11))), "sessions 0 to 2"),
    (replace(GOOD, session=np.array([1, 1, 2], np.int32)), "sessions 0 to 1"),
]


@pytest.mark.parametrize(("outcome", "named"), REFUSED)
def test_broken_outcomes_are_refused_by_name(outcome: Outcome, named: str) -> None:
    with pytest.raises(InvalidInputError, match=named):
        summarise(outcome)

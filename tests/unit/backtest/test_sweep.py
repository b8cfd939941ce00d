"""A sweep gives for each pair what a backtest of that pair alone gives."""

from __future__ import annotations

from decimal import Decimal as D

import numpy as np
import pytest
from tradewind.backtest.engine import backtest
from tradewind.backtest.metrics import daily_returns, summarise
from tradewind.backtest.settings import BacktestSettings, FillConvention, Fixed
from tradewind.backtest.sweep import sweep
from tradewind.errors import InvalidInputError
from tradewind.strategies.sma_crossover import SmaCrossover

from benchmarks.simulated_bars import simulated

BARS = simulated(2_000, seed=3)
FREE = BacktestSettings.of(FillConvention.NEXT_OPEN)


@pytest.mark.parametrize(
    "settings",
    [
        FREE,
        BacktestSettings.of(FillConvention.VECTORBT, stop=D("0.002"), trail=D("0.002")),
        BacktestSettings.of(
            FillConvention.NEXT_OPEN, commission=D("0.0001"), slippage=Fixed(D("0.0002")),
            daily_drawdown=D("0.01"),
        ),
        BacktestSettings(),
    ],
)  # fmt: skip
def test_each_trial_is_the_backtest_of_its_pair(settings: BacktestSettings) -> None:
    found = sweep(BARS, range(2, 60, 9), range(10, 400, 83), settings)

    assert len(found.parameters) == 29  # of 7 x 5 pairs those with fast < slow
    for trial, (fast, slow) in enumerate(found.parameters.tolist()):
        alone = backtest([BARS], SmaCrossover(fast, slow), settings)
        figures = summarise(alone)
        assert found.daily_returns[trial].tolist() == daily_returns(alone).tolist()
        assert found.trades[trial] == figures.trades
        for name in ("total_return", "sharpe", "sortino", "max_drawdown", "profit_factor"):
            expected = getattr(figures, name)
            ours = getattr(found, name)[trial]
            assert ours == pytest.approx(np.nan if expected is None else expected, nan_ok=True)


def test_pairs_come_in_the_order_given_and_once() -> None:
    found = sweep(BARS, [10, 5, 10], [20, 8], FREE)
    assert found.parameters.tolist() == [[10, 20], [5, 20], [5, 8]]


def test_no_trade_is_a_trial_too() -> None:
    found = sweep(simulated(30), [2], [30, 400], FREE)
    assert found.trades.tolist() == [0, 0]
    assert found.total_return.tolist() == [0, 0]
    assert np.isnan(found.sharpe).all()
    assert np.isnan(found.profit_factor).all()


def test_progress_reaches_the_number_of_trials() -> None:
    told: list[int] = []
    sweep(BARS, range(2, 12), range(20, 23), FREE, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 30


@pytest.mark.parametrize(
    ("fast", "slow", "words"),
    [
        ([20], [10, 20], "no pair with fast < slow"),
        ([], [10], "no pair with fast < slow"),
        ([1], [10], "fast=1, slow=10"),
        ([5], [401], "fast=5, slow=401"),
    ],
)
def test_lengths_that_make_no_sense(fast: list[int], slow: list[int], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        sweep(BARS, fast, slow, FREE)


def test_what_stops_the_progress_stops_the_sweep() -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(BARS, range(2, 200), range(200, 210), FREE, progress=stop)

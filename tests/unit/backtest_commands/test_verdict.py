"""One plain sentence about the best of a sweep, and how its trials are put in order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tradewind.backtest.overfitting import Deflation, TrackRecord
from tradewind.backtest.sweep import SweepOutcome
from tradewind_local.backtest_commands.ranking import ranked
from tradewind_local.backtest_commands.verdict import Verdict

DAILY = 252**-0.5


def deflation(sharpe: float, luck: float, deflated: float, trials: int) -> Deflation:
    record = TrackRecord(sharpe * DAILY, 60)
    return Deflation(record, trials, 0.1, luck * DAILY, 0.9, deflated, 100.0)


NOTHING = Verdict(20, 50, 1, None, None, None, None, ())

SENTENCES = [
    # (verdict, the sentence)
    (
        replace(NOTHING, trials=190, deflation=deflation(1.5, 2.1, 0.37, 190)),
        "The best of 190, 20/50, is a fluke with a probability of 63 %: the best of as many "
        "without any edge would show a Sharpe ratio of 2.10 by luck, and it shows 1.50.",
    ),
    (
        replace(NOTHING, trials=5000, deflation=deflation(0.5, 3, 0.00001, 5000)),
        "The best of 5,000, 20/50, is a fluke with a probability of more than 99.9 %: the best of "
        "as many without any edge would show a Sharpe ratio of 3.00 by luck, and it shows 0.50.",
    ),
    (
        replace(NOTHING, deflation=deflation(9, 0, 0.996, 1)),
        "The best of 1, 20/50, is a fluke with a probability of 0.4 %: its Sharpe ratio is 9.00.",
    ),
    (NOTHING, "The best of 1, 20/50, cannot be told from luck: its daily returns do not vary."),
]


@pytest.mark.parametrize(("verdict", "sentence"), SENTENCES)
def test_the_sentence(verdict: Verdict, sentence: str) -> None:
    assert verdict.sentence == sentence
    assert verdict.as_json()["sentence"] == sentence


def test_what_could_not_be_judged_is_said() -> None:
    verdict = replace(NOTHING, missing=("No walk forward: it takes 12 sessions.",))
    assert verdict.details == ("No walk forward: it takes 12 sessions.",)


def test_ranks_go_by_sharpe_ratio_and_the_undefined_come_last() -> None:
    nan = float("nan")
    returns = np.random.default_rng(1).normal(0, 0.01, (4, 30))
    swept = SweepOutcome(
        parameters=np.array([[5, 20], [5, 40], [10, 20], [10, 40]], np.int64),
        daily_returns=returns,
        total_return=np.zeros(4),
        sharpe=np.array([nan, 1.0, 2.0, 1.0]),
        sortino=np.array([nan, 1.0, 2.0, np.inf]),
        max_drawdown=np.full(4, 0.1),
        profit_factor=np.array([nan, 1.0, np.inf, 1.0]),
        trades=np.array([0, 3, 4, 5], np.int64),
        engine_ms=1.0,
    )
    found = ranked(swept, 4, trials=None)
    assert [(one.fast, one.slow) for one in found] == [(10, 20), (5, 40), (10, 40), (5, 20)]
    assert [one.sharpe for one in found] == [2.0, 1.0, 1.0, None]
    assert [one.profit_factor for one in found] == [None, 1.0, 1.0, None]
    assert all(one.deflated is not None and 0 <= one.deflated <= 1 for one in found)
    # More trials leave less of it.
    assert ranked(swept, 1, trials=1000)[0].deflated < found[0].deflated  # type: ignore[operator]

"""How likely a result is luck: the papers' own examples, and what noise and an edge have to give.

The golden values are of Bailey and Lopez de Prado: "The Sharpe Ratio Efficient Frontier" (2012) and
"The Deflated Sharpe Ratio" (2014, its numerical example).
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from tradewind.backtest.overfitting import (
    SESSIONS_A_YEAR,
    TrackRecord,
    deflate,
    deflated_sharpe,
    expected_best_sharpe,
    minimum_track_record,
    overfitting_probability,
    probabilistic_sharpe,
    sharpes,
    track_record,
)
from tradewind.errors import InvalidInputError

Floats = NDArray[np.float64]

# The example of 2014: five years of 250 days, an annualised Sharpe ratio of 2.5.
DAYS = 250
FOUND = TrackRecord(2.5 / math.sqrt(DAYS), 1250, -3, 10)
NORMAL = TrackRecord(2.5 / math.sqrt(DAYS), 1250)
VARIANCE = 0.5 / DAYS
# The example of 2012: two years of a hedge fund's months.
FUND = TrackRecord(0.45755008833277844, 24, -2.448, 10.164)


def noise(seed: int, sessions: int, trials: int) -> Floats:
    return np.random.default_rng(seed).normal(0, 0.01, (sessions, trials))


# -- one track record -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "probability"),
    [
        (FUND, 0.9132343068848602),
        # The same as if the months were normally distributed: 98.2 %.
        (TrackRecord(FUND.sharpe, 24), 0.9815912360834967),
    ],
)
def test_probabilistic_sharpe(record: TrackRecord, probability: float) -> None:
    assert probabilistic_sharpe(record) == pytest.approx(probability, abs=1e-12)


MINIMUM = [
    # periods a year, annual Sharpe, annual benchmark, skew, kurtosis; years for 95 %
    (250, 2, 1, 0, 3, 2.731187801728176),
    (52, 2, 1, 0, 3, 2.828833586945237),
    (12, 3, 2.5, -0.72, 5.78, 27.3529201960403),
]


@pytest.mark.parametrize(("periods", "sharpe", "benchmark", "skew", "kurtosis", "years"), MINIMUM)
def test_minimum_track_record(
    periods: int, sharpe: float, benchmark: float, skew: float, kurtosis: float, years: float
) -> None:
    record = TrackRecord(sharpe / math.sqrt(periods), 1000, skew, kurtosis)
    needed = minimum_track_record(record, benchmark / math.sqrt(periods))
    assert needed is not None
    assert needed / periods == pytest.approx(years, abs=1e-9)


def test_a_record_of_the_minimum_length_reaches_the_confidence() -> None:
    needed = minimum_track_record(FUND)
    assert needed is not None
    assert FUND.sessions < needed  # 91.3 % is not yet 95 %
    shorter, longer = (
        TrackRecord(FUND.sharpe, sessions, FUND.skew, FUND.kurtosis)
        for sessions in (math.floor(needed), math.ceil(needed))
    )
    assert probabilistic_sharpe(shorter) < 0.95 <= probabilistic_sharpe(longer)


def test_no_length_proves_what_is_not_above_the_benchmark() -> None:
    assert minimum_track_record(FUND, FUND.sharpe) is None
    assert minimum_track_record(TrackRecord(-0.1, 24)) is None
    assert minimum_track_record(TrackRecord(1e-200, 24)) is None


def test_the_moments_of_a_series() -> None:
    returns = np.array([0.02, -0.01, 0.005, 0.0, -0.03, 0.01])
    mean = sum(returns) / 6
    second, third, fourth = (sum((r - mean) ** power for r in returns) / 6 for power in (2, 3, 4))
    record = track_record(returns)
    assert record is not None
    assert record.sessions == 6
    assert record.sharpe == pytest.approx(mean / math.sqrt(second * 6 / 5), rel=1e-12)
    assert record.annual_sharpe == pytest.approx(record.sharpe * math.sqrt(252), rel=1e-12)
    assert record.skew == pytest.approx(third / second**1.5, rel=1e-12)
    assert record.kurtosis == pytest.approx(fourth / second**2, rel=1e-12)


@pytest.mark.parametrize("returns", [[], [0.01], [0.0, 0.0, 0.0], [0.001] * 50])
def test_returns_that_tell_nothing(returns: list[float]) -> None:
    assert track_record(np.array(returns)) is None


# -- the best of many -------------------------------------------------------------------------

DEFLATED = [
    # record, trials; DSR
    (FOUND, 100, 0.9003968344493903),
    # "had the researcher made only 46 trials": about 95 %
    (FOUND, 46, 0.9505017068755787),
    (NORMAL, 88, 0.9504908166760139),
    (NORMAL, 100, 0.9427705859565294),
]


@pytest.mark.parametrize(("record", "trials", "probability"), DEFLATED)
def test_deflated_sharpe(record: TrackRecord, trials: int, probability: float) -> None:
    assert deflated_sharpe(record, trials, VARIANCE) == pytest.approx(probability, abs=1e-12)


def test_the_luck_of_a_hundred_trials() -> None:
    assert expected_best_sharpe(100, 1) == pytest.approx(2.5306028932016846, abs=1e-12)
    luck = expected_best_sharpe(100, VARIANCE)
    assert luck == pytest.approx(0.11317200186513214, abs=1e-12)
    assert luck * math.sqrt(DAYS) == pytest.approx(1.7894064662732077, abs=1e-12)


def test_one_trial_is_not_deflated() -> None:
    assert expected_best_sharpe(1, 0.5) == 0
    assert deflated_sharpe(FOUND, 1, VARIANCE) == probabilistic_sharpe(FOUND)


def test_deflating_a_column_counts_all_trials() -> None:
    returns = noise(1, 250, 40)
    ratios = sharpes(returns)
    assert ratios[7] == pytest.approx(returns[:, 7].mean() / returns[:, 7].std(ddof=1), rel=1e-12)
    judged = deflate(returns, 7)
    assert judged is not None
    assert (judged.trials, judged.variance) == (40, pytest.approx(ratios.var(ddof=1)))
    assert judged.luck == expected_best_sharpe(40, judged.variance)
    assert judged.annual_luck == judged.luck * math.sqrt(SESSIONS_A_YEAR)
    assert judged.deflated == deflated_sharpe(judged.record, 40, judged.variance)
    # Trials whose returns were not kept count too.
    more = deflate(returns, 7, trials=4000)
    assert more is not None
    assert more.deflated < judged.deflated
    assert more.probabilistic == judged.probabilistic == probabilistic_sharpe(judged.record)


def test_trials_that_never_traded_count_with_a_sharpe_ratio_of_zero() -> None:
    returns = noise(2, 100, 3)
    returns[:, 1] = 0
    assert sharpes(returns)[1] == 0
    assert deflate(returns, 1) is None
    judged = deflate(returns, 0)
    assert judged is not None
    assert judged.trials == 3


def test_a_session_alone_tells_nothing() -> None:
    assert deflate(noise(2, 1, 3), 0) is None
    assert list(sharpes(noise(2, 1, 3))) == [0, 0, 0]


def test_the_best_of_noise_is_not_believed_and_an_edge_is() -> None:
    """Undeflated, the best of 100 noises looks like a find in most samples."""
    believed = {"probabilistic": 0, "deflated": 0, "edge": 0}
    for seed in range(40):
        returns = noise(seed, 252, 100)
        judged = deflate(returns, int(sharpes(returns).argmax()))
        returns[:, 3] += 0.004  # a daily Sharpe ratio of 0.4
        edge = deflate(returns, 3)
        assert judged is not None
        assert edge is not None
        believed["probabilistic"] += judged.probabilistic > 0.95
        believed["deflated"] += judged.deflated > 0.95
        believed["edge"] += edge.deflated > 0.95
    assert believed["probabilistic"] >= 38
    assert believed["deflated"] <= 2
    assert believed["edge"] >= 36


# -- the probability of overfitting -----------------------------------------------------------


def by_the_paper(returns: Floats, blocks: int) -> tuple[Floats, Floats, Floats]:
    """CSCV as its paper tells it, one split after the other: logits, and the chosen trial's Sharpe
    ratios in and out of sample. For returns without ties."""
    parts = np.split(returns, blocks)
    logits, inside, outside = [], [], []
    for chosen in combinations(range(blocks), blocks // 2):
        train = np.vstack([parts[number] for number in chosen])
        test = np.vstack([parts[number] for number in range(blocks) if number not in chosen])
        before = train.mean(axis=0) / train.std(axis=0, ddof=1)
        after = test.mean(axis=0) / test.std(axis=0, ddof=1)
        best = int(np.argmax(before))
        rank = sorted(after).index(after[best]) + 1
        omega = rank / (len(after) + 1)
        logits.append(math.log(omega / (1 - omega)))
        inside.append(before[best])
        outside.append(after[best])
    annual = math.sqrt(252)
    return np.array(logits), np.array(inside) * annual, np.array(outside) * annual


def test_cscv_is_the_papers() -> None:
    returns = noise(3, 48, 7)
    result = overfitting_probability(returns, blocks=8)
    logits, inside, outside = by_the_paper(returns, 8)
    assert len(result.logits) == math.comb(8, 4)
    for got, expected in (
        (result.logits, logits),
        (result.in_sample, inside),
        (result.out_of_sample, outside),
    ):
        assert np.sort(got) == pytest.approx(np.sort(expected), rel=1e-9)
    assert result.probability == np.mean(logits <= 0)
    assert result.probability_of_loss == np.mean(outside < 0)
    slope, intercept = np.polyfit(inside, outside, 1)
    assert (result.slope, result.intercept) == pytest.approx((slope, intercept), rel=1e-9)
    assert result.r_squared == pytest.approx(np.corrcoef(inside, outside)[0, 1] ** 2, rel=1e-9)


def test_among_noise_the_choice_is_worth_nothing() -> None:
    """The best of noise is in the lower half as often as in the upper one, over many samples."""
    results = [overfitting_probability(noise(seed, 120, 20), blocks=6) for seed in range(200)]
    # 0.014 is one standard error.
    assert np.mean([one.probability for one in results]) == pytest.approx(0.5, abs=0.06)
    assert np.mean([one.any_trial for one in results]) == pytest.approx(0, abs=0.1)
    # Choosing well in sample: what was found there is not there outside.
    assert np.mean([one.in_sample.mean() for one in results]) > 2
    assert np.mean([one.out_of_sample.mean() for one in results]) == pytest.approx(0, abs=0.3)


def test_trials_alike_over_all_sessions_are_overfitted_for_certain() -> None:
    """The paper's first test case: what is best in one half has to be worst in the other."""
    returns = noise(4, 160, 30)
    returns -= returns.mean(axis=0)
    result = overfitting_probability(returns, blocks=8)
    assert result.probability == 1
    assert result.probability_of_loss == 1
    assert result.slope < 0


def test_one_true_edge_is_found_again() -> None:
    probabilities = []
    for seed in range(20):
        returns = noise(seed, 252, 50)
        returns[:, 17] += 0.004
        result = overfitting_probability(returns, blocks=10)
        probabilities.append(result.probability)
        assert result.out_of_sample.mean() > 3 > result.any_trial
    assert np.mean(probabilities) < 0.05
    assert max(probabilities) < 0.15


@pytest.mark.parametrize(
    ("trials", "probability"),
    # All equal: in the middle of their ranks, which is not above the median.
    [(2, 1.0), (3, 1.0), (8, 1.0)],
)
def test_equal_trials_share_their_rank(trials: int, probability: float) -> None:
    returns = np.repeat(noise(6, 64, 1), trials, axis=1)
    result = overfitting_probability(returns, blocks=8)
    assert list(result.logits) == [0.0] * math.comb(8, 4)
    assert result.probability == probability


def test_trials_that_never_trade() -> None:
    result = overfitting_probability(np.zeros((64, 5)), blocks=8)
    assert (result.slope, result.intercept, result.r_squared) == (0, 0, 0)
    assert result.probability_of_loss == 0


def test_the_oldest_sessions_are_left_out_of_equal_blocks() -> None:
    returns = noise(7, 53, 6)
    result = overfitting_probability(returns, blocks=8)
    assert (result.sessions, result.sessions_left_out) == (48, 5)
    assert np.array_equal(result.logits, overfitting_probability(returns[5:], blocks=8).logits)


def test_sixteen_blocks_in_steps() -> None:
    """As many trials as make it work in several steps; none is forgotten or told twice."""
    told: list[int] = []
    result = overfitting_probability(noise(8, 64, 300), progress=told.append)
    assert sum(told) == len(result.logits) == 12_870
    assert len(told) > 1
    assert np.isfinite(result.logits).all()
    assert np.isfinite(result.out_of_sample).all()


REFUSED = [
    # returns, blocks; what is said
    (noise(9, 64, 1), 8, "two trials"),
    (noise(9, 64, 4), 7, "even number"),
    (noise(9, 64, 4), 0, "even number"),
    (noise(9, 64, 4), 22, "even number from 2 to 20"),
    (noise(9, 15, 4), 8, "15 sessions are too few for 8 blocks"),
    (np.full((64, 4), np.nan), 8, "not a finite number"),
    (np.full((64, 4), np.inf), 8, "not a finite number"),
    (np.zeros(64), 8, "table"),
]


@pytest.mark.parametrize(("returns", "blocks", "said"), REFUSED)
def test_refused_tables(returns: Floats, blocks: int, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        overfitting_probability(returns, blocks=blocks)


def test_refused_figures() -> None:
    for wrong in (
        lambda: TrackRecord(0.1, 1),
        lambda: TrackRecord(math.nan, 10),
        lambda: TrackRecord(0.1, 10, skew=2, kurtosis=3),
        lambda: expected_best_sharpe(0, 1),
        lambda: expected_best_sharpe(3, -1),
        lambda: minimum_track_record(FUND, confidence=1),
        lambda: deflate(noise(9, 64, 4), 0, trials=3),
    ):
        with pytest.raises(InvalidInputError):
            wrong()

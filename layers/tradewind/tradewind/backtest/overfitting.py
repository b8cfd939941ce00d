"""How likely a backtest's result is luck: of the sample, and of having tried many.

Sources, cited below by their number:

[1] Bailey and Lopez de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15 (2), 2012:
    the probabilistic Sharpe ratio and the minimum track record length.
[2] Bailey and Lopez de Prado, "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest
    Overfitting and Non-Normality", Journal of Portfolio Management 40 (5), 2014.
[3] Bailey, Borwein, Lopez de Prado and Zhu, "The Probability of Backtest Overfitting", Journal of
    Computational Finance 20 (4), 2017: combinatorially symmetric cross-validation (CSCV).

Returns are daily fractions, one a session. Sharpe ratios are per session and not annualised where
nothing else is said (risk-free rate 0, ddof 1); skew and kurtosis are the plain moments of the
sample, and the kurtosis of a normal distribution is 3. ``docs/overfitting.md`` explains the
figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tradewind.errors import InvalidInputError

SESSIONS_A_YEAR = 252
CONFIDENCE = 0.95
BLOCKS = 16
# 184,756 splits: more take long and tell no more.
MOST_BLOCKS = 20

_EULER_MASCHERONI = 0.5772156649015329
_NORMAL = NormalDist()
# A variance below this part of the mean square is what rounding leaves of none.
_NO_VARIANCE = 1e-12
# Sharpe ratios that agree to so many decimals are the same: equal trials rank equal.
_DECIMALS = 12
# Elements of the tables that one step of the CSCV works on: they stay in the processor's caches.
_STEP = 250_000

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """What is known of a series of daily returns. InvalidInputError for fewer than two sessions and
    for moments that no sample has."""

    sharpe: float
    sessions: int
    skew: float = 0.0
    kurtosis: float = 3.0

    def __post_init__(self) -> None:
        if self.sessions < 2:
            raise InvalidInputError(f"a track record of {self.sessions} sessions: give at least 2")
        if not all(map(math.isfinite, (self.sharpe, self.skew, self.kurtosis))):
            raise InvalidInputError("Sharpe ratio, skew and kurtosis have to be finite numbers")
        # Pearson's inequality; the room is for rounding.
        if self.kurtosis < (1 + self.skew**2) * (1 - 1e-9):
            raise InvalidInputError(
                f"kurtosis {self.kurtosis} with skew {self.skew}: no sample has less than "
                "1 + skew ** 2 (a normal distribution has 3)"
            )

    @property
    def variance(self) -> float:
        """Of the Sharpe ratio's estimate, times (sessions - 1), [1]."""
        return max(
            1 - self.skew * self.sharpe + (self.kurtosis - 1) / 4 * self.sharpe**2,
            0.0,
        )

    @property
    def annual_sharpe(self) -> float:
        return self.sharpe * math.sqrt(SESSIONS_A_YEAR)


def track_record(returns: Floats) -> TrackRecord | None:
    """Of daily returns [sessions]; None where they tell nothing: fewer than two, or all the same.

    InvalidInputError for NaN and infinite returns.
    """
    _check_finite(returns)
    if len(returns) < 2:
        return None
    sharpe = float(sharpes(returns[:, np.newaxis])[0])
    deviations = returns - returns.mean()
    spread = float(np.mean(deviations**2))
    if spread <= _NO_VARIANCE * float(np.mean(returns**2)):
        return None
    return TrackRecord(
        sharpe,
        len(returns),
        float(np.mean(deviations**3)) / spread**1.5,
        float(np.mean(deviations**4)) / spread**2,
    )


def sharpes(returns: Floats) -> Floats:
    """The Sharpe ratio [trials] of each column of daily returns [sessions, trials]; 0 for a trial
    whose returns do not vary, as one that never traded."""
    if len(returns) < 2:
        return np.zeros(returns.shape[1])
    return _sharpes(returns.sum(axis=0), (returns**2).sum(axis=0), len(returns))


def probabilistic_sharpe(record: TrackRecord, benchmark: float = 0.0) -> float:
    """PSR: the probability (0..1) that the true Sharpe ratio is above ``benchmark``, [1].

    ``Phi((SR - SR*) sqrt(T - 1) / sqrt(1 - skew SR + (kurtosis - 1) / 4 SR ** 2))``
    """
    distance = (record.sharpe - benchmark) * math.sqrt(record.sessions - 1)
    if record.variance == 0:
        return 0.5 if distance == 0 else float(distance > 0)
    return _NORMAL.cdf(distance / math.sqrt(record.variance))


def minimum_track_record(
    record: TrackRecord, benchmark: float = 0.0, confidence: float = CONFIDENCE
) -> float | None:
    """MinTRL: the sessions that a record like this needs for PSR(benchmark) to reach
    ``confidence``; None where no length is enough, [1].

    ``1 + (1 - skew SR + (kurtosis - 1) / 4 SR ** 2) (Z(confidence) / (SR - SR*)) ** 2``
    """
    if not 0.5 < confidence < 1:
        raise InvalidInputError(f"confidence {confidence}: give more than 0.5 and less than 1")
    if record.sharpe <= benchmark:
        return None
    ratio = _NORMAL.inv_cdf(confidence) / (record.sharpe - benchmark)
    # Not ``** 2``, which fails where the product is infinite: a ratio that is hardly above.
    needed = 1 + record.variance * ratio * ratio
    return needed if math.isfinite(needed) else None


def expected_best_sharpe(trials: int, variance: float) -> float:
    """What the best of ``trials`` without any edge shows on average, where the Sharpe ratios of the
    trials have this ``variance``, [2]. One trial is not a choice: 0.

    ``sqrt(V) ((1 - g) Z(1 - 1 / N) + g Z(1 - 1 / (N e)))``, g the Euler-Mascheroni constant
    """
    if trials < 1:
        raise InvalidInputError(f"{trials} trials: there is at least the one that is judged")
    if not math.isfinite(variance) or variance < 0:
        raise InvalidInputError(f"variance of the trials' Sharpe ratios {variance}: give 0 or more")
    if trials == 1:
        return 0.0
    usual = _NORMAL.inv_cdf(1 - 1 / trials)
    rare = _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - _EULER_MASCHERONI) * usual + _EULER_MASCHERONI * rare)


def deflated_sharpe(record: TrackRecord, trials: int, variance: float) -> float:
    """DSR: the probability (0..1) that the true Sharpe ratio is above what the best of all trials
    shows by luck: PSR(expected_best_sharpe), [2]."""
    return probabilistic_sharpe(record, expected_best_sharpe(trials, variance))


@dataclass(frozen=True, slots=True)
class Deflation:
    """A chosen trial before the background of all that were tried.

    ``variance``: of the trials' Sharpe ratios. ``luck``: the Sharpe ratio that the best of them
    shows on average without any edge. ``probabilistic``: PSR against 0. ``deflated``: DSR.
    ``minimum_sessions``: the track record length at which PSR against 0 reaches 95 %, None where no
    length is enough.
    """

    record: TrackRecord
    trials: int
    variance: float
    luck: float
    probabilistic: float
    deflated: float
    minimum_sessions: float | None

    @property
    def annual_luck(self) -> float:
        return self.luck * math.sqrt(SESSIONS_A_YEAR)


def deflate(returns: Floats, chosen: int, *, trials: int | None = None) -> Deflation | None:
    """Judge column ``chosen`` of daily returns [sessions, trials].

    ``trials``: all that were ever tried on these bars, where that is more than there are columns;
    trials that resemble each other count in full, which errs on the careful side. None where the
    chosen trial's returns tell nothing (see :func:`track_record`).
    """
    _check_table(returns)
    columns = returns.shape[1]
    counted = columns if trials is None else trials
    if counted < columns:
        raise InvalidInputError(f"{counted} trials counted, {columns} given: count all of them")
    record = track_record(returns[:, chosen])
    if record is None:
        return None
    variance = float(np.var(sharpes(returns), ddof=1)) if columns > 1 else 0.0
    luck = expected_best_sharpe(counted, variance)
    return Deflation(
        record,
        counted,
        variance,
        luck,
        probabilistic_sharpe(record),
        probabilistic_sharpe(record, luck),
        minimum_track_record(record),
    )


@dataclass(frozen=True, slots=True)
class BacktestOverfitting:
    """What CSCV says about choosing the best of some trials, [3].

    One element a split in ``logits``, ``in_sample`` and ``out_of_sample``: the logit of the chosen
    trial's relative rank out of sample, and its Sharpe ratio on either side, annualised.
    ``probability``: PBO, the part of the splits in which the trial that was best in sample is in
    the lower half out of sample (logit <= 0). ``probability_of_loss``: the part in which its Sharpe
    ratio is negative there. ``slope``, ``intercept`` and ``r_squared`` of the line ``out_of_sample
    = intercept + slope * in_sample``: the degradation of performance. ``any_trial``: the average
    Sharpe ratio of all trials out of sample, annualised: choosing by lot. ``sessions_left_out``:
    the oldest ones, so many that the blocks are equally long.
    """

    blocks: int
    trials: int
    sessions: int
    sessions_left_out: int
    probability: float
    probability_of_loss: float
    slope: float
    intercept: float
    r_squared: float
    any_trial: float
    logits: Floats
    in_sample: Floats
    out_of_sample: Floats


def overfitting_probability(
    returns: Floats,
    *,
    blocks: int = BLOCKS,
    progress: Callable[[int], None] | None = None,
) -> BacktestOverfitting:
    """CSCV over daily returns [sessions, trials].

    The sessions are cut into ``blocks`` equally long ones; every half of the blocks is once the
    sample in which the trial with the highest Sharpe ratio is chosen (the first of equals), and the
    other half is what it is then judged on. 16 blocks make 12,870 splits. A trial that does not
    vary in a half has a Sharpe ratio of 0 there; equal trials share the mean of their ranks.

    ``progress`` is called with the number of splits that were done since its last call. Memory does
    not grow with the number of splits beyond the result's three numbers each. InvalidInputError for
    fewer than two trials, an odd number of blocks, and fewer than two sessions a block.
    """
    _check_table(returns)
    sessions, trials = returns.shape
    if trials < 2:
        raise InvalidInputError("the probability of overfitting needs two trials or more")
    if blocks % 2 or not 2 <= blocks <= MOST_BLOCKS:
        raise InvalidInputError(f"{blocks} blocks: give an even number from 2 to {MOST_BLOCKS}")
    if sessions < 2 * blocks:
        raise InvalidInputError(
            f"{sessions} sessions are too few for {blocks} blocks of two or more: "
            f"give {2 * blocks} sessions, or fewer blocks"
        )
    length = sessions // blocks
    kept = returns[sessions - length * blocks :].reshape(blocks, length, trials)
    sums, squares = kept.sum(axis=1), (kept**2).sum(axis=1)

    count = math.comb(blocks, blocks // 2)
    logits, chosen_in, chosen_out = np.empty(count), np.empty(count), np.empty(count)
    everywhere = 0.0
    done = 0
    for member in _halves(blocks, max(1, _STEP // trials)):
        # Each half and its complement are two splits: what one has in sample, the other is
        # judged on.
        half = blocks // 2 * length
        sides = [
            _sharpes(side @ sums, side @ squares, half).round(_DECIMALS)
            for side in (member, 1 - member)
        ]
        for inside, outside in (sides, sides[::-1]):
            here = slice(done, done + len(member))
            logits[here], chosen_in[here], chosen_out[here] = _choose(inside, outside)
            everywhere += float(outside.sum())
            done += len(member)
        if progress is not None:
            progress(2 * len(member))

    annual = math.sqrt(SESSIONS_A_YEAR)
    chosen_in *= annual
    chosen_out *= annual
    slope, intercept, r_squared = _line(chosen_in, chosen_out)
    return BacktestOverfitting(
        blocks=blocks,
        trials=trials,
        sessions=length * blocks,
        sessions_left_out=sessions - length * blocks,
        probability=float(np.mean(logits <= 0)),
        probability_of_loss=float(np.mean(chosen_out < 0)),
        slope=slope,
        intercept=intercept,
        r_squared=r_squared,
        any_trial=everywhere / (count * trials) * annual,
        logits=logits,
        in_sample=chosen_in,
        out_of_sample=chosen_out,
    )


def _halves(blocks: int, rows: int) -> Iterator[Floats]:
    """[rows or fewer, blocks]: 1 where a block is in the half, for all halves with the first
    block."""
    batch: list[tuple[int, ...]] = []
    others = combinations(range(1, blocks), blocks // 2 - 1)
    last = math.comb(blocks - 1, blocks // 2 - 1)
    for number, members in enumerate(others, 1):
        batch.append((0, *members))
        if len(batch) == rows or number == last:
            member = np.zeros((len(batch), blocks))
            member[np.arange(len(batch))[:, np.newaxis], batch] = 1.0
            yield member
            batch = []


def _choose(inside: Floats, outside: Floats) -> tuple[Floats, Floats, Floats]:
    """Of Sharpe ratios [splits, trials]: the logit of the best one's rank outside, and its Sharpe
    ratio inside and outside, [splits] each."""
    splits = np.arange(len(inside))
    best = inside.argmax(axis=1)
    there = outside[splits, best]
    below = np.count_nonzero(outside < there[:, np.newaxis], axis=1)
    equal = np.count_nonzero(outside == there[:, np.newaxis], axis=1)
    rank = below + (equal + 1) / 2
    return np.log(rank / (outside.shape[1] + 1 - rank)), inside[splits, best], there


def _sharpes(sums: Floats, squares: Floats, count: int) -> Floats:
    """From the sums of ``count`` returns and of their squares, of any shape."""
    mean = sums / count
    variance = (squares - sums * mean) / (count - 1)
    varies = variance > _NO_VARIANCE * squares / count
    return np.divide(
        mean, np.sqrt(np.where(varies, variance, 1.0)), out=np.zeros_like(mean), where=varies
    )


def _line(x: Floats, y: Floats) -> tuple[float, float, float]:
    """Slope, intercept and R squared of the least squares; a flat line where x does not vary."""
    from_x, from_y = x - x.mean(), y - y.mean()
    spread_x, spread_y = float(from_x @ from_x), float(from_y @ from_y)
    together = float(from_x @ from_y)
    slope = together / spread_x if spread_x > 0 else 0.0
    explained = together**2 / (spread_x * spread_y) if spread_x * spread_y > 0 else 0.0
    return slope, float(y.mean() - slope * x.mean()), explained


def _check_table(returns: Floats) -> None:
    if returns.ndim != 2 or not returns.shape[1]:
        raise InvalidInputError("daily returns have to be a table [sessions, trials]")
    _check_finite(returns)


def _check_finite(returns: Floats) -> None:
    if not np.isfinite(returns).all():
        raise InvalidInputError("a daily return is not a finite number")

"""Windows, choices and joined results of walking forward; nothing of a later session in any."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal as D
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from tradewind.backtest.arrays import PRICE_SCALE, BarArrays, arrays_of
from tradewind.backtest.engine import backtest
from tradewind.backtest.metrics import daily_returns, summarise
from tradewind.backtest.outcome import ExitReason
from tradewind.backtest.settings import BacktestSettings, FillConvention
from tradewind.backtest.walk_forward import Start, WalkForward, Window, walk_forward, windows
from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session_table import default_table
from tradewind.risk.limits import RiskLimits
from tradewind.strategies.sma_crossover import SmaCrossover

CALENDAR = default_table()
SESSIONS = CALENDAR.between(date(2020, 10, 1), date(2020, 10, 22))
# Bars a session. The longest average and the bar before take one session and a bar.
BARS = 30
FAST, SLOW = (2, 3, 5), (8, 13, 30)
HISTORY = 2
# So short that windows have less history than there is.
LIMITS = RiskLimits(daily_atr_sessions=1)
PEER = BacktestSettings.of(FillConvention.NEXT_OPEN, limits=LIMITS)

ROLLING, ANCHORED = Start.ROLLING, Start.ANCHORED


def market(
    seed: int = 1, *, until: int | None = None, factor: D = D(1), after: int = 99
) -> BarArrays:
    """A random walk in cents over ``until`` sessions; ``factor`` on the prices from one on."""
    draw = random.Random(seed)
    cents, bars = 10_000, []
    for number, session in enumerate(SESSIONS[:until]):
        for minute in range(BARS):
            opened = cents + draw.randint(-8, 8)
            cents = opened + draw.randint(-20, 20)
            prices = [
                D(one) / 100 for one in (opened, max(opened, cents), min(opened, cents), cents)
            ]
            if number >= after:
                prices = [one * factor for one in prices]
            bars.append(Bar("AAPL", session.open + minute * MINUTE, *prices, 1000, "file"))
    return arrays_of("AAPL", bars, CALENDAR)


@dataclass(frozen=True)
class Tried:
    parameters: NDArray[np.int64]
    daily_returns: NDArray[np.float64]


def sweep(
    bars: BarArrays, fast: Sequence[int], slow: Sequence[int], settings: BacktestSettings
) -> Tried:
    """One pair after the other."""
    pairs = [(one, other) for one in fast for other in slow if one < other]
    returns = [daily_returns(backtest([bars], SmaCrossover(*pair), settings)) for pair in pairs]
    return Tried(np.array(pairs), np.array(returns))


def walk(bars: BarArrays, start: Start = ROLLING, **changes: int) -> WalkForward:
    lengths = {"in_sample": 4, "out_of_sample": 3, **changes}
    return walk_forward(bars, FAST, SLOW, PEER, sweep, start=start, **lengths)


WINDOWS = [
    # sessions, history, in sample, out of sample, start; windows
    (10, 0, 4, 3, ROLLING, [(0, 4, 7), (3, 7, 10)]),
    (10, 0, 4, 3, ANCHORED, [(0, 4, 7), (0, 7, 10)]),
    (10, 2, 4, 3, ROLLING, [(2, 6, 9), (5, 9, 10)]),
    (10, 2, 4, 3, ANCHORED, [(2, 6, 9), (2, 9, 10)]),
    (10, 2, 7, 5, ROLLING, [(2, 9, 10)]),
    (10, 0, 2, 1, ROLLING, [(n, n + 2, n + 3) for n in range(8)]),
    (10, 0, 4, 99, ROLLING, [(0, 4, 10)]),
]


@pytest.mark.parametrize(("sessions", "history", "within", "out", "start", "expected"), WINDOWS)
def test_windows(
    sessions: int,
    history: int,
    within: int,
    out: int,
    start: Start,
    expected: Sequence[tuple[int, int, int]],
) -> None:
    assert windows(sessions, history, within, out, start) == [Window(*one) for one in expected]


REFUSED = [
    ((10, 0, 0, 3), "in_sample is 0"),
    ((10, 0, 1, 3), "in_sample is 1: a Sharpe ratio needs 2 sessions"),
    ((10, 0, 4, 0), "out_of_sample is 0"),
    ((10, 2, 8, 3), "10 sessions are too few: 2 warm the averages and 8 are in sample"),
]


@pytest.mark.parametrize(("lengths", "said"), REFUSED)
def test_refused_windows(lengths: tuple[int, int, int, int], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        windows(*lengths, ROLLING)


def test_no_pair_is_refused() -> None:
    for fast, slow in (((), ()), ((8,), (8,)), ((5, 6), (3, 5))):
        with pytest.raises(InvalidInputError, match="no pair with fast < slow"):
            walk_forward(market(), fast, slow, PEER, sweep, in_sample=4, out_of_sample=3)


@pytest.mark.parametrize("start", Start)
def test_each_window_trades_what_was_best_before_it(start: Start) -> None:
    """Each pair run by itself over all sessions before: its returns in sample decide."""
    bars = market()
    result = walk(bars, start)
    assert result.trials == 9
    assert len(result.steps) == 4
    for number, step in enumerate(result.steps):
        end = HISTORY + 4 + 3 * number
        first = HISTORY if start is ANCHORED else end - 4
        assert step.in_sample == (SESSIONS[first].date, SESSIONS[end - 1].date)
        last = min(end + 3, len(SESSIONS)) - 1
        assert step.out_of_sample == (SESSIONS[end].date, SESSIONS[last].date)
        known = bars.part(0, end * BARS)
        best = max(
            _sharpe(daily_returns(backtest([known], SmaCrossover(fast, slow), PEER))[first:])
            for fast in FAST
            for slow in SLOW
        )
        chosen = backtest([known], SmaCrossover(step.fast, step.slow), PEER)
        assert _sharpe(daily_returns(chosen)[first:]) == pytest.approx(best, rel=0.02)
        assert step.in_sample_sharpe == pytest.approx(best * 252**0.5, rel=0.02)


def _sharpe(returns: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return float(returns.mean() / returns.std(ddof=1))


def test_history_is_seen_and_not_traded() -> None:
    """A window's trades are those of a run over all bars before it, but for the entries there."""
    bars = market()
    result = walk(bars)
    trades = result.outcome.trades
    begins = [int(SESSIONS[HISTORY + 4 + 3 * n].open.timestamp()) for n in range(4)]
    windows_of = np.searchsorted(begins, trades.entry_time, side="right") - 1
    assert trades.entry_time.min() >= begins[0]
    assert set(windows_of) == {0, 1, 2, 3}
    for number, step in enumerate(result.steps):
        whole = backtest([bars], SmaCrossover(step.fast, step.slow), PEER).trades
        entered = set(whole.entry_bar)
        mine = trades.entry_bar[windows_of == number]
        assert len(mine) == step.trades
        # A position that the whole run already had at the window's start shifts the first ones.
        assert len(entered.intersection(mine)) >= len(mine) - 1
        # The first bar of a window is too early to act in: what was decided before it is history.
        first_bar = (HISTORY + 4 + 3 * number) * BARS
        assert first_bar not in mine


def test_trades_and_minutes_are_those_of_the_bars() -> None:
    bars = market()
    outcome = walk(bars).outcome
    first = (HISTORY + 4) * BARS
    assert list(outcome.time) == list(bars.start[first:])
    assert outcome.session_dates == bars.session_dates[HISTORY + 4 :]
    assert list(outcome.session) == list(bars.session[first:] - bars.session[first])
    trades = outcome.trades
    assert len(trades) > 10
    assert list(trades.entry_time) == list(bars.start[trades.entry_bar])
    assert trades.entry_price == pytest.approx(bars.open[trades.entry_bar] / PRICE_SCALE)
    closes = bars.close[first:] / bars.close[first]
    assert outcome.buy_and_hold == pytest.approx(100_000 * closes)


def test_windows_go_on_with_what_they_have() -> None:
    bars = market()
    result = walk(bars)
    outcome = result.outcome
    metrics = summarise(outcome)
    growth = np.prod([1 + step.out_of_sample_return for step in result.steps])
    assert metrics.total_return == pytest.approx(growth - 1)
    assert outcome.trades.pnl.sum() == pytest.approx(outcome.equity[-1] - 100_000)
    # A window ends flat: what was open is at its last close.
    last = [at for at in range(len(outcome.time) - 1) if outcome.session[at + 1] % 3 == 0
            and outcome.session[at + 1] != outcome.session[at]]  # fmt: skip
    assert len(last) == 3
    marked = outcome.trades.reason == ExitReason.END
    assert set(outcome.trades.exit_time[marked]) <= {*outcome.time[last], outcome.time[-1]}


def test_live_parity_goes_on_with_exact_money() -> None:
    """Equity of whole cents is no binary fraction, and live_parity takes no finer amounts than
    millionths of a USD."""
    settings = BacktestSettings.of(FillConvention.LIVE_PARITY, limits=LIMITS)
    result = walk_forward(market(), FAST, SLOW, settings, sweep, in_sample=4, out_of_sample=3)
    assert len(result.steps) == 4
    assert sum(step.trades for step in result.steps[:-1]) > 0
    earned = sum(round(float(pnl) * 100) for pnl in result.outcome.trades.pnl)
    assert float(result.outcome.equity[-1]) == 100_000 + earned / 100


def test_efficiency_stability_and_moves() -> None:
    result = walk(market())
    made_in = [
        daily_returns(backtest([market(until=HISTORY + 4 + 3 * n)],
                               SmaCrossover(step.fast, step.slow), PEER))[-4:]
        for n, step in enumerate(result.steps)
    ]  # fmt: skip
    made_out = daily_returns(result.outcome)
    assert result.efficiency == pytest.approx(
        made_out.mean() / np.concatenate(made_in).mean(), rel=0.02
    )
    pairs = [(step.fast, step.slow) for step in result.steps]
    assert result.stability == max(pairs.count(pair) for pair in pairs) / 4
    moved = [
        abs(b - a) / a for one, other in pairwise(pairs)
        for a, b in zip(one, other, strict=True)
    ]  # fmt: skip
    assert result.moves == pytest.approx(sum(moved) / 6)
    alone = walk(market(), out_of_sample=99)
    assert (alone.stability, alone.moves) == (1, None)


@pytest.mark.parametrize("start", Start)
@pytest.mark.parametrize("factor", [D("0.5"), D("0.97"), D("1.01"), D(2)])
def test_later_sessions_change_nothing_before_them(start: Start, factor: D) -> None:
    """Other prices from the third window's traded sessions on: what it chose, and all before it,
    stays; so it does where the later sessions are not there at all."""
    begins = HISTORY + 4 + 3 * 2
    known = walk(market(), start)
    other = walk(market(factor=factor, after=begins), start)
    fewer = walk(market(until=begins), start)
    minutes = 2 * 3 * BARS
    for later in (other, fewer):
        assert later.steps[:2] == known.steps[:2]
        assert list(later.outcome.equity[:minutes]) == list(known.outcome.equity[:minutes])
    chosen, again = known.steps[2], other.steps[2]
    assert (chosen.in_sample, chosen.fast, chosen.slow, chosen.in_sample_sharpe) == (
        again.in_sample, again.fast, again.slow, again.in_sample_sharpe,
    )  # fmt: skip
    assert again.out_of_sample_return != chosen.out_of_sample_return


def test_progress_is_told_window_by_window() -> None:
    told: list[int] = []
    walk_forward(
        market(), FAST, SLOW, PEER, sweep, in_sample=4, out_of_sample=3, progress=told.append
    )
    assert told == [1, 1, 1, 1]


def test_money_that_is_gone_ends_the_walk() -> None:
    """With so little that no share can be bought nothing is traded, and nothing fails."""
    result = walk_forward(
        market(), FAST, SLOW, replace(PEER, cash=D(1)), sweep, in_sample=4, out_of_sample=3
    )
    assert len(result.outcome.trades) == 0
    assert list(result.outcome.equity) == [1.0] * len(result.outcome.time)
    assert result.efficiency is None
    assert [step.in_sample_sharpe for step in result.steps] == [None] * 4

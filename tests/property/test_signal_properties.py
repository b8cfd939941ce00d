"""The compiled crossover says on every bar what the strategy itself says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.backtest.arrays import MOST_PRICE, BarArrays, arrays_of
from tradewind.backtest.signals import bars_of, signals_of
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session_table import default_table
from tradewind.strategies.protocol import MarketView, Wish
from tradewind.strategies.sma_crossover import LONGEST_AVERAGE, SmaCrossover

OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Asked:
    """The same strategy under another name, so that it is asked bar by bar."""

    inner: SmaCrossover
    name: str = "asked"
    needs_prediction: bool = False

    @property
    def bars_needed(self) -> int:
        return self.inner.bars_needed

    def decide(self, view: MarketView) -> Wish:
        return self.inner.decide(view)


def arrays(closes: list[D]) -> BarArrays:
    bars = [
        Bar("AAPL", OPEN + number * MINUTE, close, close, close, close, 1, "file")
        for number, close in enumerate(closes)
    ]
    return arrays_of("AAPL", bars, default_table())


# Few levels, so that the averages often tie; cents, and adjusted prices of six decimals.
CLOSES = st.one_of(
    st.lists(st.sampled_from((D("9.99"), D("10"), D("10.01"))), min_size=1, max_size=90),
    st.lists(st.decimals("0.01", "500", places=6), min_size=1, max_size=90),
)
LENGTHS = st.integers(2, 12).flatmap(
    lambda fast: st.tuples(st.just(fast), st.integers(fast + 1, 30))
)


@settings(max_examples=150)
@given(CLOSES, LENGTHS)
def test_compiled_and_asked_want_the_same_on_every_bar(
    closes: list[D], lengths: tuple[int, int]
) -> None:
    bars = arrays(closes)
    compiled = signals_of(bars, SmaCrossover(*lengths))
    asked = signals_of(bars, Asked(SmaCrossover(*lengths)))
    assert compiled.enter.tolist() == asked.enter.tolist()
    assert compiled.leave.tolist() == asked.leave.tolist()


@given(st.integers(0, 2**32 - 1))
def test_the_longest_averages_of_the_highest_prices_do_not_overflow(seed: int) -> None:
    """Against Python's integers, which know no end."""
    rng = np.random.default_rng(seed)
    count = 2 * LONGEST_AVERAGE
    top = MOST_PRICE * 1_000_000 - 1
    close = rng.choice([top, top - 1, 1], count)
    fast, slow = LONGEST_AVERAGE - 1, LONGEST_AVERAGE
    bars = arrays([D(1)] * 2)
    columns = dict.fromkeys(("open", "high", "low", "close"), close)
    many = BarArrays(
        "AAPL", 60 * np.arange(count), volume=close, session=np.zeros(count, np.int32),
        minute=np.zeros(count, np.int32), session_minutes=bars.session_minutes,
        session_dates=bars.session_dates, **columns,
    )  # fmt: skip
    signals = signals_of(many, SmaCrossover(fast, slow))

    exact = close.tolist()
    sides = [
        sum(exact[t + 1 - fast : t + 1]) * slow - sum(exact[t + 1 - slow : t + 1]) * fast
        for t in range(slow - 1, count)
    ]
    assert signals.leave[slow - 1 :].tolist() == [side < 0 for side in sides]
    assert signals.enter[slow:].tolist() == [before <= 0 < now for before, now in pairwise(sides)]
    assert not signals.enter[:slow].any()
    assert not signals.leave[: slow - 1].any()


def test_bars_and_arrays_tell_the_same() -> None:
    bars = arrays([D("113.504"), D("0.000001")])
    back = bars_of(bars)
    assert [bar.close for bar in back] == [D("113.504"), D("0.000001")]
    assert [bar.start for bar in back] == [OPEN, OPEN + timedelta(minutes=1)]
    assert arrays_of("AAPL", back, default_table()).fingerprint() == bars.fingerprint()

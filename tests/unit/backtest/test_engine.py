"""A backtest as a whole: several symbols, what an outcome tells of itself, what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal as D

import numpy as np
import pytest
from tradewind.backtest.arrays import BarArrays, arrays_of
from tradewind.backtest.engine import backtest
from tradewind.backtest.settings import BacktestSettings, FillConvention
from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session_table import default_table
from tradewind.strategies.sma_crossover import SmaCrossover

OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
SETTINGS = BacktestSettings.of(FillConvention.NEXT_OPEN, cash=D(10_000))
CROSSOVER = SmaCrossover(2, 3)


def arrays(symbol: str, closes: dict[int, str]) -> BarArrays:
    """Bars that stand still at their close, by minute of the session."""
    bars = [
        Bar(symbol, OPEN + minute * MINUTE, *[D(close)] * 4, 100, "file")
        for minute, close in closes.items()
    ]
    return arrays_of(symbol, bars, default_table())


# Crosses up at its fourth close, and is bought at the fifth bar's open.
AAPL = arrays("AAPL", dict(enumerate(["10", "9", "8", "11", "10", "11"])))
# Starts later and misses a minute.
MSFT = arrays("MSFT", {2: "50", 3: "40", 4: "30", 6: "60", 7: "50", 8: "60"})


def test_the_symbols_of_a_peers_convention_trade_apart() -> None:
    both = backtest([AAPL, MSFT], CROSSOVER, SETTINGS)
    half = BacktestSettings.of(FillConvention.NEXT_OPEN, cash=D(5_000))
    alone = [backtest([own], CROSSOVER, half) for own in (AAPL, MSFT)]

    assert both.symbols == ("AAPL", "MSFT")
    assert both.time.tolist() == [int(OPEN.timestamp()) + 60 * minute for minute in range(9)]
    assert both.trades.symbol.tolist() == [0, 1]
    assert both.trades.entry_price.tolist() == [10, 50]
    assert both.trades.pnl.tolist() == [500, 1000]
    assert both.equity[-1] == pytest.approx(sum(one.equity[-1] for one in alone))
    # AAPL's last close is carried on; MSFT is cash until its first bar and then what it holds.
    assert both.equity[[0, 5, 6, 7, 8]] == pytest.approx([10_000, 10_500, 10_500, 10_500, 11_500])
    assert both.invested[[3, 4, 6, 8]] == pytest.approx([0, 5_000, 5_500, 11_500])
    assert both.buy_and_hold[[0, 1, 8]] == pytest.approx([10_000, 9_500, 11_500])


def test_an_outcome_tells_what_it_is_of() -> None:
    outcome = backtest([AAPL], CROSSOVER, SETTINGS)
    assert (outcome.strategy, dict(outcome.parameters)) == (
        "sma_crossover_2_3",
        {"fast": 2, "slow": 3},
    )
    assert outcome.settings == SETTINGS
    assert outcome.engine_ms > 0
    assert outcome.buy_and_hold == pytest.approx(AAPL.close / AAPL.close[0] * 10_000)


# Crosses up at the last close of its first session, which is that session's decision, and in the
# second one.
NEXT_DAY = 24 * 60
TWO_DAYS = arrays(
    "AAPL",
    dict(enumerate(["10", "9", "8", "11"]))
    | {NEXT_DAY + n: close for n, close in enumerate(["10", "8", "11", "11", "11"])},
)


@pytest.mark.parametrize(
    ("trade_from", "entry_bars"),
    [
        (None, [4, 8]),
        (date(2020, 11, 12), [4, 8]),
        (date(2020, 11, 13), [8]),
        # From a day on that has no bars, and from one after all of them.
        (date(2020, 11, 11), [4, 8]),
        (date(2020, 11, 14), []),
    ],
)
def test_sessions_of_history_are_seen_and_not_entered_in(
    trade_from: date | None, entry_bars: list[int]
) -> None:
    outcome = backtest([TWO_DAYS], CROSSOVER, SETTINGS, trade_from=trade_from)
    assert outcome.trades.entry_bar.tolist() == entry_bars
    assert len(outcome.time) == 9


def test_one_bar_and_no_trade_are_an_outcome() -> None:
    for count in range(1, 4):
        bars = arrays("AAPL", dict.fromkeys(range(count), "10"))
        outcome = backtest([bars], CROSSOVER, SETTINGS)
        assert len(outcome.trades) == 0
        assert outcome.equity.tolist() == [10_000] * count


@pytest.mark.parametrize(
    ("bars", "settings", "words"),
    [
        ([], SETTINGS, "needs the bars of one symbol at least"),
        ([AAPL, AAPL], SETTINGS, "a symbol is there twice: AAPL, AAPL"),
        ([AAPL], replace(SETTINGS, regulatory_fees=True), "regulatory fees belong to"),
    ],
)
def test_refusals(bars: list[BarArrays], settings: BacktestSettings, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        backtest(bars, CROSSOVER, settings)


def test_the_outcome_shares_nothing_that_the_next_run_writes() -> None:
    first = backtest([AAPL], CROSSOVER, SETTINGS)
    kept = first.equity.copy()
    backtest([MSFT], CROSSOVER, SETTINGS)
    assert np.array_equal(first.equity, kept)

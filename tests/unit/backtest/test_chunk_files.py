"""Files that pass between a backtest's functions: the same content, the same bytes; damage shows.
And the ranking of what is in them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from tradewind.backtest.arrays import BarArrays, arrays_of
from tradewind.backtest.bar_columns import packed, unpacked
from tradewind.backtest.trials import Trials, luck, ranking
from tradewind.errors import PayloadMismatchError
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session_table import default_table

OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
NAN, INF = float("nan"), float("inf")


def some_bars() -> BarArrays:
    prices = [Decimal("119.62"), Decimal("119.6301"), Decimal("119.5")]
    bars = [
        Bar("AAPL", OPEN + number * MINUTE, price, price, price, price, 100 + number, "iex")
        for number, price in enumerate(prices)
    ]
    return arrays_of("AAPL", bars, default_table())


def test_bars_come_back_as_they_were() -> None:
    arrays = some_bars()
    back = unpacked(packed(arrays))
    assert back.fingerprint() == arrays.fingerprint()
    assert back.session_dates == arrays.session_dates
    assert back.session.tolist() == arrays.session.tolist()
    assert packed(arrays) == packed(back)


def test_what_is_no_whole_file_of_bars_is_refused() -> None:
    content = packed(some_bars())
    for damaged in (b"", b"PK\x03\x04", b"[]", content[:-30]):
        with pytest.raises(PayloadMismatchError):
            unpacked(damaged)


def test_columns_that_disagree_with_their_fingerprint_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = packed(some_bars())
    monkeypatch.setattr(BarArrays, "fingerprint", lambda _: "another")
    with pytest.raises(PayloadMismatchError, match="not the ones that were packed"):
        unpacked(content)


def some_trials(symbol: str, rows: list[tuple[int, int, float, float]], days: int) -> Trials:
    """Of (fast, slow, sharpe, total_return); each day earns what the trial does in all."""
    dates = tuple(date(2020, 11, 2) + timedelta(days=number) for number in range(days))
    figures = [[total, sharpe, NAN, 0.0, INF] for _, _, sharpe, total in rows]
    wave = np.where(np.arange(days) % 2, 1.5, 0.5)
    return Trials(
        symbol,
        dates,
        np.array([row[:2] for row in rows], np.int64),
        np.array(figures, np.float64),
        np.arange(len(rows), dtype=np.int64),
        np.array([wave * row[3] / days for row in rows]),
    )


def test_trials_come_back_as_they_were() -> None:
    trials = some_trials("AAPL", [(5, 20, 1.0, 0.1), (5, 30, NAN, 0.0)], 4)
    back = Trials.unpacked(trials.packed())
    assert back.packed() == trials.packed()
    assert (back.symbol, back.session_dates) == ("AAPL", trials.session_dates)
    with pytest.raises(PayloadMismatchError, match="not a file of trials"):
        Trials.unpacked(b"nothing")


def test_the_best_sharpe_ratio_comes_first_and_the_undefined_ones_last() -> None:
    apple = some_trials("AAPL", [(5, 20, NAN, 9.0), (5, 30, 1.0, 0.1), (10, 30, -2.0, 0.5)], 4)
    other = some_trials("MSFT", [(5, 20, 1.0, 0.2), (5, 30, INF, 0.0), (10, 30, 1.0, 0.1)], 4)
    rows = ranking([apple, other])
    assert [(row["symbol"], row["fast"], row["slow"]) for row in rows] == [
        ("MSFT", 5, 20),  # of three equal ratios the largest return
        ("AAPL", 5, 30),  # then the order given
        ("MSFT", 10, 30),
        ("AAPL", 10, 30),
        ("AAPL", 5, 20),
        ("MSFT", 5, 30),
    ]
    assert rows[0] == {
        **{"symbol": "MSFT", "fast": 5, "slow": 20, "trades": 0},
        **{"total_return": 0.2, "sharpe": 1.0, "max_drawdown": 0.0},
        **{"sortino": None, "profit_factor": None},  # undefined is None, never NaN
    }


def test_luck_counts_the_trials_of_all_symbols() -> None:
    rows = [(5, 20, 1.0, 0.10), (5, 30, 2.0, 0.12)]
    alone = luck([some_trials("AAPL", rows, 40)])
    together = luck([some_trials("AAPL", rows, 40), some_trials("MSFT", [(5, 20, -1.0, -0.1)], 40)])
    assert 0 <= together["deflated_sharpe"] <= alone["deflated_sharpe"] <= 1
    assert 0 <= together["overfitting_probability"] <= 1


# Too little to tell: one trial, too few sessions, trials that never traded.
@pytest.mark.parametrize(
    ("rows", "days", "unknown"),
    [
        ([(5, 20, 1.0, 0.1)], 40, {"overfitting_probability"}),
        ([(5, 20, 1.0, 0.1), (5, 30, 2.0, 0.2)], 10, {"overfitting_probability"}),
        ([(5, 20, NAN, 0.0)], 1, {"overfitting_probability", "deflated_sharpe"}),
    ],
)
def test_where_there_is_too_little_to_tell_nothing_is_told(
    rows: list[tuple[int, int, float, float]], days: int, unknown: set[str]
) -> None:
    told = luck([some_trials("AAPL", rows, days)])
    assert {name for name, value in told.items() if value is None} == unknown


def test_a_trial_that_has_lost_everything_is_counted_all_the_same() -> None:
    trials = some_trials("AAPL", [(5, 20, 1.0, 0.1), (5, 30, NAN, -1.0)], 40)
    trials.daily_returns[1, 20:] = NAN
    told = luck([trials])
    assert 0 <= told["deflated_sharpe"] <= 1
    assert 0 <= told["overfitting_probability"] <= 1

"""The indicators: against tables made elsewhere, and as a function of exactly 200 bars."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tradewind.features.arrays import Floats, block_of
from tradewind.features.definition import FEATURE_BARS
from tradewind.features.indicators import compute_indicators, indicators_of
from tradewind.features.talib_loader import talib

from tests.unit.features.bar_series import from_rows, walk

GOLDEN = Path(__file__).parents[4] / "shared" / "data" / "golden"
needs_golden = pytest.mark.skipif(not GOLDEN.exists(), reason="needs the golden tables")

NAMES = [
    "SMA_20",
    "SMA_50",
    "EMA_20",
    "RSI_14",
    "MACD_12_26_9",
    "MACD_SIGNAL_12_26_9",
    "MACD_HIST_12_26_9",
    "ATR_14",
]


def test_one_row_per_indicator_at_the_newest_bar() -> None:
    bars = walk("MSFT")
    values = compute_indicators(bars)
    assert [value.indicator_name for value in values] == NAMES
    assert {value.symbol for value in values} == {"MSFT"}
    assert {value.timestamp for value in values} == {bars[-1].start}
    assert all(value.value.as_tuple().exponent == -6 for value in values)


def test_fewer_bars_than_the_definition_asks_give_nothing() -> None:
    bars = walk()
    assert compute_indicators(bars[-FEATURE_BARS:]) != []
    assert compute_indicators(bars[-FEATURE_BARS + 1 :]) == []
    assert compute_indicators([]) == []


def test_older_history_does_not_change_a_digit() -> None:
    bars = walk(count=300)
    assert compute_indicators(bars) == compute_indicators(bars[-FEATURE_BARS:])


def test_a_symbol_does_not_depend_on_its_company() -> None:
    """In a block, symbols that are not ready are left out and the others stay as they are."""
    ready, other, short = walk("AAPL", seed=1), walk("MSFT", seed=2), walk("NEW", count=199)
    block = block_of({"AAPL": ready, "NEW": short, "MSFT": other})
    assert block.symbols == ("AAPL", "MSFT")
    assert indicators_of(block) == compute_indicators(ready) + compute_indicators(other)


def test_prices_that_do_not_move() -> None:
    still = from_rows([dict.fromkeys(("open", "high", "low", "close", "volume"), "50")] * 200)
    values = {value.indicator_name: value.value for value in compute_indicators(still)}
    assert values["SMA_20"] == values["SMA_50"] == values["EMA_20"] == 50
    assert values["ATR_14"] == values["MACD_12_26_9"] == values["MACD_HIST_12_26_9"] == 0
    assert values["RSI_14"] == 0  # TA-Lib's answer where nothing was gained and nothing lost


# -- golden tables ---------------------------------------------------------------------------

# Where each indicator stands in the second table, and how far apart the two may be. That table
# runs from its first of 502 daily bars, ours from 200 bars before: the seeds differ. What is left
# of Wilder's seed (RSI, ATR) after 186 bars is (13/14)^186 = 1e-6 of it, of the EMAs' less.
# Its MACD also seeds the fast EMA at its own first bar, TA-Lib both EMAs at the slow one's.
SERIES = [
    ("SMA_20", "sma", "sma", 1e-6),
    ("EMA_20", "ema", "ema", 1e-5),
    ("RSI_14", "rsi", "rsi", 1e-4),
    ("MACD_12_26_9", "macd", "macd", 1e-5),
    ("MACD_SIGNAL_12_26_9", "macd", "signal", 1e-5),
    ("MACD_HIST_12_26_9", "macd", "histogram", 1e-5),
    ("ATR_14", "atr", "atr", 1e-4),
]


@needs_golden
@pytest.mark.parametrize(("name", "file", "column", "tolerance"), SERIES)
def test_against_an_independent_library(
    name: str, file: str, column: str, tolerance: float
) -> None:
    folder = GOLDEN / "indicators_skender"
    expected = json.loads((folder / f"{file}.standard.json").read_text())
    with (folder / "quotes_default.csv").open(newline="") as table:
        bars = from_rows(list(csv.DictReader(table)))
    assert len(bars) == len(expected) == 502
    for end in range(FEATURE_BARS, len(bars) + 1):
        values = {v.indicator_name: v.value for v in compute_indicators(bars[:end])}
        assert float(values[name]) == pytest.approx(expected[end - 1][column], abs=tolerance)


def reference_rows(file: str, which: str) -> list[dict[str, str]]:
    """The rows of TA-Lib's own regression test that run over all bars without settings."""
    table: dict[str, Any] = json.loads(
        (GOLDEN / "talib_regtest" / "regtest_rows_raw.json").read_text()
    )[file]
    rows = [dict(zip(table["field_order"], row.split(", "), strict=True)) for row in table["rows"]]
    return [
        row
        for row in rows
        if which in row.values()
        and row["expectedRetCode"] == "TA_SUCCESS"
        and (row["startIdx"], row["endIdx"]) == ("0", "251")
        and row.get("unstablePeriod", "0") == "0"
        and row.get("compatibility", "TA_COMPATIBILITY_DEFAULT") == "TA_COMPATIBILITY_DEFAULT"
    ]


def difference(text: str) -> int:
    """``252-15`` as the table writes it."""
    first, *others = map(int, text.split("-"))
    return first - sum(others)


def reference_columns() -> tuple[Floats, Floats, Floats]:
    with (GOLDEN / "talib_regtest" / "talib_252_bars.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 252
    high, low, close = (np.array([float(r[n]) for r in rows]) for n in ("high", "low", "close"))
    return high, low, close


@needs_golden
@pytest.mark.parametrize(
    ("file", "which", "indicator", "rows"),
    [
        ("test_rsi.c", "TA_RSI_TEST", "RSI", 4),
        ("test_ma.c", "TA_MAType_SMA", "SMA", 10),
        ("test_ma.c", "TA_MAType_EMA", "EMA", 7),
        # the rows of a true range averaged over 14 bars
        ("test_trange.c", "14", "ATR", 7),
    ],
)
def test_the_installed_talib_passes_its_own_regression_rows(
    file: str, which: str, indicator: str, rows: int
) -> None:
    """Over the 252 reference bars, to the two to four decimals that the rows give."""
    high, low, close = reference_columns()
    columns = (high, low, close) if indicator == "ATR" else (close,)
    cases = reference_rows(file, which)
    assert len(cases) == rows
    for row in cases:
        series = getattr(talib, indicator)(*columns, int(row["optInTimePeriod"]))
        index, expected = (
            next(row[field] for field in row if field.rstrip("0") == f"oneOfTheExpectedOutReal{x}")
            for x in ("Index", "")
        )
        place = difference(row["expectedBegIdx"]) + difference(index)
        assert series[place] == pytest.approx(float(expected), abs=0.01), row


@needs_golden
def test_the_installed_talib_passes_its_own_macd_rows() -> None:
    _, _, close = reference_columns()
    macd, signal, histogram = talib.MACD(close, 12, 26, 9)
    first = 33
    assert macd[first] == pytest.approx(-1.9738, abs=1e-4)
    assert signal[first] == pytest.approx(-2.7071, abs=1e-4)
    assert histogram[first] == pytest.approx(-1.9738 + 2.7071, abs=1e-4)


@needs_golden
def test_reference_bars_through_our_own_function() -> None:
    """The last of the 252 reference bars: RSI(14) 49.63 and ATR(14) 3.26, also from 200 bars."""
    with (GOLDEN / "talib_regtest" / "talib_252_bars.csv").open(newline="") as table:
        bars = from_rows(list(csv.DictReader(table)))
    values = {value.indicator_name: value.value for value in compute_indicators(bars)}
    assert values["RSI_14"] == pytest.approx(Decimal("49.63"), abs=Decimal("0.01"))
    assert values["ATR_14"] == pytest.approx(Decimal("3.26"), abs=Decimal("0.01"))

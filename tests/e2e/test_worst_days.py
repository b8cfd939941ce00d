"""Invented bad minutes on the whole chain: what the stops at the exchange lose, and what the report
of that session says of each of them.

The four symbols cross at 09:36 and are bought a minute later; then each has its own misfortune. A
crash that begins and ends within a minute is not among them: the exchange draws its trades inside
the minute, and no record tells afterwards where the first one beyond the stop lay. A backtest has
it (``tests/unit/reports/test_worst_days.py``).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from tradewind.market.bar import MINUTE
from tradewind.market.session import Session
from tradewind.market.session_table import default_table

from tests.e2e.command import run
from tests.unit.backtest.invented import Candle, candle, session_of

pytestmark = pytest.mark.e2e

DATE = "2020-12-14"
SESSION = session_of(DATE)
BEFORE = default_table().previous(SESSION.date)
MINUTES, HISTORY, RISES, FALLS, RETURNS = 18, 80, 6, 10, 14
FLAT: Candle = ("100", "100", "100", "100")
UP: Candle = ("100.10", "100.10", "100.10", "100.10")
STALE = range(FALLS + 1, RETURNS)

# From 09:40 on, by minute; where a minute is not named, the price stays where it was. For all of
# them no quote comes from 09:41 to 09:43.
DAYS: dict[str, dict[int, Candle]] = {
    "AAPL": {FALLS: ("88.10", "88.20", "88", "88.10")},  # a gap of 12 %
    "MSFT": {FALLS: None, RETURNS: ("90", "90.10", "89.90", "90")},  # a halt, a tenth lower
    "INTC": {FALLS: ("85", "100.10", "84", "100.10")},  # a crash, recovered within the minute
    "WMT": {RETURNS: ("95", "95.10", "94.90", "95")},  # nothing but stale quotes, then lower
}
# Symbol -> where the market opened beyond the stop, and in which minute.
GAPS = {"AAPL": ("88.1", FALLS), "MSFT": ("90", RETURNS), "INTC": ("85", FALLS),
        "WMT": ("95", RETURNS)}  # fmt: skip


def written(path: Path, symbol: str, changes: Mapping[int, Candle]) -> Path:
    """The end of the session before, and the minutes of this one, as a file of bars."""
    lines = ["timestamp,open,high,low,close,volume"]
    minutes: list[tuple[Session, int, Candle]] = [
        (BEFORE, minute, FLAT) for minute in range(BEFORE.minutes - HISTORY, BEFORE.minutes)
    ]
    now: Candle = FLAT
    for minute in range(MINUTES):
        if minute == RISES:
            now = UP
        told = changes.get(minute, None if minute in STALE else now)
        minutes.append((SESSION, minute, told))
        if told is not None:
            now = (told[3],) * 4
    for session, minute, prices in minutes:
        bar = candle(symbol, session.open + minute * MINUTE, prices)
        if bar is not None:
            lines.append(f"{bar.start:%Y-%m-%d %H:%M:%S},{bar.open},{bar.high},{bar.low},"
                         f"{bar.close},{bar.volume}")  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``tradewind report --json`` says of the session."""
    folder = tmp_path_factory.mktemp("worst")
    state, told = folder / "state", folder / "report.json"
    options = ["--date", DATE, "--minutes", str(MINUTES), "--timezone", "UTC"]
    for symbol, changes in DAYS.items():
        options += ["--bars", f"{symbol}={written(folder / f'{symbol}.csv', symbol, changes)}"]
    run(folder / "log", *options, "--state", str(state))
    subprocess.run(
        [sys.executable, "-m", "tradewind_local", "report", "--date", DATE, "--state", str(state),
         "--json", str(told)],
        check=True, timeout=120, stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(told.read_text())
    return found


@pytest.mark.parametrize("symbol", DAYS)
def test_the_report_says_that_the_loss_is_the_gap_and_no_more(
    report: dict[str, Any], symbol: str
) -> None:
    (one,) = (trade for trade in report["trades"] if trade["symbol"] == symbol)
    gap, minute = GAPS[symbol]
    assert (one["exit_reason"], one["gap_price"], one["within"]) == ("stop", gap, True)
    assert one["exit_at"].startswith(f"{SESSION.open + minute * MINUTE:%Y-%m-%dT%H:%M}")
    # By the files: bought at 100.10, the exchange's only price of that minute.
    quantity, lowest = D(one["quantity"]), D(gap) * D("0.9998") - D("0.01")
    assert one["entry_price"] == "100.1"
    assert D(one["exit_price"]) >= lowest
    assert D(one["loss"]) <= D(one["most_loss"]) <= quantity * (D("100.10") - lowest)


def test_nothing_is_bought_while_quotes_are_stale(report: dict[str, Any]) -> None:
    assert len(report["trades"]) == len(DAYS)
    assert report["positions_left"] == []


def test_a_backtest_of_the_same_bars_lost_as_much(report: dict[str, Any]) -> None:
    """But for its slippage, and the tick that its prices are rounded by. One decision a symbol is
    another: the broker is read three seconds into the minute that opens with the gap, when the stop
    has sold; a backtest reads it at the end of the minute before."""
    compared = report["divergence"]
    assert compared["decisions"] == MINUTES * len(DAYS)
    assert compared["decisions"] - compared["decisions_alike"] == len(DAYS)
    assert (compared["matched"], compared["only_live"], compared["only_backtest"]) == (4, 0, 0)
    for trade in compared["trades"]:
        live, backtest = trade["live"], trade["backtest"]
        for price in ("entry_price", "exit_price"):
            allowed = D(live[price]) * D("0.0002") + D("0.01")
            assert abs(D(live[price]) - D(backtest[price])) <= allowed

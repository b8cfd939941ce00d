"""Recorded sessions, decided minute by minute on the twin and once more in a backtest."""

from __future__ import annotations

from pathlib import Path

import pytest
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.csv_bars import read_bars
from tradewind.market.session import Session
from tradewind.market.session_table import default_table
from tradewind.strategies.sma_crossover import SmaCrossover

from tests.e2e.command import RECORDED, recorded_bars, run
from tests.e2e.parity import backtest_of, differences, fill_prices, paper_session
from tests.unit.backtest.invented import session_of

pytestmark = [pytest.mark.e2e, pytest.mark.live_parity, pytest.mark.slow]

# 390 runs of about 0.4 s, and four times that on a busy machine.
WHOLE_SESSION_SECONDS = 700.0
STRATEGIES = {symbol: SmaCrossover(20, 50) for symbol in ("AAPL", "MSFT")}


@pytest.mark.parametrize("day", ["2020-11-12", "2020-10-28"])
def test_a_session_is_decided_the_same(day: str, tmp_path: Path) -> None:
    bars = recorded_bars()
    if not bars:
        pytest.skip("../shared/data/bars_1min/av_2020_2021 is not there")
    state, session = tmp_path / "state", session_of(day)
    options = [*bars, "--date", day, "--label", "end", "--state", str(state)]
    run(tmp_path / "log", *options, seconds=WHOLE_SESSION_SECONDS)
    paper = paper_session(state, session)
    backtest = backtest_of(paper, STRATEGIES)
    assert len(paper.told.decisions) == 2 * session.minutes
    assert [one for one in differences(paper.told, backtest) if one.explained is None] == []
    # The exchange draws its ticks inside the bar; the backtest's price is the bar's open and the
    # slippage. That is all that may lie between the two.
    known = {(bar.symbol, bar.start): bar for bar in paper.bars}
    matched = fill_prices(paper.told, backtest)
    assert matched
    for ours, theirs in matched:
        bar = known[ours.symbol, ours.minute]
        assert abs(ours.price - theirs.price) <= bar.high - bar.low + theirs.price / 2000


def test_a_halt_is_refused_for_the_same_reasons(tmp_path: Path) -> None:
    """MSFT crosses on the bar of 09:33, too early for an entry, and is not traded again before
    09:40: its newest bar goes on to say "enter"."""
    if not recorded_bars():
        pytest.skip("../shared/data/bars_1min/av_2020_2021 is not there")
    state, session = tmp_path / "state", session_of("2020-12-14")
    options = ["--date", "2020-12-14", "--minutes", "14", "--state", str(state)]
    for symbol in STRATEGIES:
        bars = read_bars(RECORDED / f"intraday_1min_{symbol}.csv", symbol, "end")
        traded = [bar for bar in bars if symbol != "MSFT" or not _is_halted(bar, session)]
        options += ["--bars", f"{symbol}={_written(tmp_path / f'{symbol}.csv', traded)}"]
    run(tmp_path / "log", *options, "--timezone", "UTC")
    paper = paper_session(state, session)
    codes = {one.code for (_, symbol), one in paper.told.decisions.items() if symbol == "MSFT"}
    assert {"outside_entry_window", "stale_bar", "halted"} <= codes
    found = differences(paper.told, backtest_of(paper, STRATEGIES))
    assert [one for one in found if one.explained is None] == []


def _is_halted(bar: Bar, session: Session) -> bool:
    return session.open + 4 * MINUTE <= bar.start < session.open + 10 * MINUTE


def _written(path: Path, bars: list[Bar]) -> Path:
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [
        f"{bar.start:%Y-%m-%d %H:%M:%S},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}"
        for bar in bars
        if default_table().in_session(bar.start)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path

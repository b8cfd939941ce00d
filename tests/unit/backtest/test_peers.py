"""Trade by trade against backtesting.py and vectorbt: on simulated bars from stored lists always,
on recorded bars and more against the tools themselves.

Nothing differs: bars and prices of entries and exits, sizes, and the reasons that backtesting.py
tells. What one has to know to see them agree (benchmarks/peers.py does it):

- backtesting.py does not list a position that is still open; vectorbt and we mark it to the close;
- backtesting.py sizes an order a bar before its fill, so it is told the next open;
- vectorbt does not say why it sold;
- vectorbt drops cash below a billionth of what a purchase was paid from, and may buy a share less
  later: not seen on these bars, once in thousands of trades of 10 million USD at 1 USD a share.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tradewind.backtest.arrays import BarArrays
from tradewind.backtest.bar_file import read_arrays
from tradewind.backtest.outcome import ExitReason
from tradewind.market.session_table import default_table

from benchmarks.simulated_bars import simulated
from tests.unit.backtest.peer_trades import (
    CONVENTIONS,
    GOLDEN,
    GOLDEN_BARS,
    GOLDEN_SEED,
    NORMAL,
    PART_OF_EQUITY,
    PEERS_PYTHON,
    TIGHT,
    Parameters,
    differences,
    of_ours,
    of_peer,
)

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "bars_1min" / "av_2020_2021"
STORED: list[dict[str, Any]] = json.loads(GOLDEN.read_text(encoding="utf-8"))

needs_peers = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.skipif(not PEERS_PYTHON.exists(), reason="needs .venv-peers: make test-all"),
]


@pytest.mark.parametrize(
    "stored", STORED, ids=lambda one: f"{one['peer']}: {Parameters(**one['parameters'])}"
)
def test_as_the_peers_traded(stored: dict[str, Any]) -> None:
    bars = simulated(GOLDEN_BARS, GOLDEN_SEED)
    outcome = of_ours(stored["peer"], bars, Parameters(**stored["parameters"]))
    assert differences(outcome, stored["trades"]) == []
    assert len(stored["trades"]) > 50


def test_the_stored_trades_try_every_exit() -> None:
    bars = simulated(GOLDEN_BARS, GOLDEN_SEED)
    for peer in CONVENTIONS:
        reasons = np.concatenate(
            [of_ours(peer, bars, one).trades.reason for one in (NORMAL, TIGHT, PART_OF_EQUITY)]
        )
        assert {ExitReason.SIGNAL, ExitReason.STOP, ExitReason.END} == set(reasons.tolist())
        assert (of_ours(peer, bars, TIGHT).trades.gap_loss > 0).any()


def recorded(symbol: str, regular_only: bool) -> BarArrays:
    path = RECORDED / f"intraday_1min_{symbol}.csv"
    if not path.exists():
        pytest.skip("the recorded bars (../shared/data) are not on this machine")
    return read_arrays(path, symbol, default_table(), label="end", regular_only=regular_only)


class TestAgainstThePeersThemselves:
    pytestmark = needs_peers

    @pytest.mark.parametrize("peer", CONVENTIONS)
    @pytest.mark.parametrize("parameters", [NORMAL, TIGHT], ids=str)
    @pytest.mark.parametrize("regular_only", [True, False], ids=["regular", "all"])
    @pytest.mark.parametrize("symbol", ["AAPL", "MSFT", "INTC", "WMT"])
    def test_on_recorded_bars(
        self, peer: str, parameters: Parameters, regular_only: bool, symbol: str
    ) -> None:
        bars = recorded(symbol, regular_only)
        found = of_peer(peer, bars, parameters)["trades"]
        assert differences(of_ours(peer, bars, parameters), found) == []
        assert len(found) > 200

    @pytest.mark.parametrize("peer", CONVENTIONS)
    @pytest.mark.parametrize("parameters", [NORMAL, TIGHT, PART_OF_EQUITY], ids=str)
    @pytest.mark.parametrize("seed", range(2))
    def test_on_simulated_bars(self, peer: str, parameters: Parameters, seed: int) -> None:
        bars = simulated(60_000, seed)
        found = of_peer(peer, bars, parameters)["trades"]
        assert differences(of_ours(peer, bars, parameters), found) == []
        assert len(found) > 500

    def test_the_stored_trades_are_what_the_peers_still_do(self) -> None:
        bars = simulated(GOLDEN_BARS, GOLDEN_SEED)
        for stored in STORED:
            found = of_peer(stored["peer"], bars, Parameters(**stored["parameters"]))
            assert found["trades"] == stored["trades"]

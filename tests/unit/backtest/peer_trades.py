"""What backtesting.py and vectorbt trade, from ``.venv-peers`` or stored.

    .venv/bin/python -m tests.unit.backtest.peer_trades

writes ``golden/peer_trades.json`` anew (after ``make bench`` or ``make test-all`` made the
environment): their round trips on SIMULATED bars, so that ``make test`` holds the conventions
without them.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import numpy as np
from tradewind.backtest.arrays import BarArrays
from tradewind.backtest.engine import backtest
from tradewind.backtest.outcome import ExitReason, Outcome
from tradewind.backtest.settings import BacktestSettings, FillConvention
from tradewind.strategies.sma_crossover import SmaCrossover

from benchmarks.simulated_bars import simulated

ROOT = Path(__file__).resolve().parents[3]
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
GOLDEN = Path(__file__).parent / "golden" / "peer_trades.json"
CONVENTIONS = {
    "backtesting.py": FillConvention.NEXT_OPEN,
    "vectorbt": FillConvention.VECTORBT,
}
GOLDEN_BARS, GOLDEN_SEED = 6_000, 7

Trips = list[dict[str, Any]]


@dataclass(frozen=True)
class Parameters:
    """Of one comparison; ``stop`` trails as well."""

    fast: int = 20
    slow: int = 50
    stop: str = "0.015"
    risk: str = "0.02"

    def __str__(self) -> str:
        return f"{self.fast}/{self.slow}, stop {self.stop}, risk {self.risk}"


NORMAL, TIGHT = Parameters(), Parameters(stop="0.002")
PART_OF_EQUITY = Parameters(fast=5, slow=30, stop="0.006", risk="0.003")


def of_peer(peer: str, bars: BarArrays, parameters: Parameters, runs: int = 0) -> dict[str, Any]:
    """Its trades and its times in ms (``benchmarks/peers.py``)."""
    with tempfile.TemporaryDirectory(prefix="tradewind-peers-") as folder:
        path = Path(folder) / "bars.npz"
        prices = {name: getattr(bars, name) for name in ("start", "open", "high", "low", "close")}
        np.savez(path, **prices)
        run = subprocess.run(
            [
                PEERS_PYTHON, "-m", "benchmarks.peers", peer, path,
                "--fast", str(parameters.fast), "--slow", str(parameters.slow),
                "--stop", parameters.stop, "--trail", parameters.stop,
                "--risk", parameters.risk, "--runs", str(runs),
            ],
            capture_output=True, text=True, check=True, cwd=ROOT,
        )  # fmt: skip
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def of_ours(peer: str, bars: BarArrays, parameters: Parameters) -> Outcome:
    settings = BacktestSettings.of(
        CONVENTIONS[peer],
        stop=D(parameters.stop),
        trail=D(parameters.stop),
        risk=D(parameters.risk),
    )
    return backtest([bars], SmaCrossover(parameters.fast, parameters.slow), settings)


def differences(outcome: Outcome, peer: Trips) -> list[str]:
    """Every entry, exit, size, and price to a millionth of a USD; and the reason, where the peer
    tells one."""
    trades = outcome.trades
    found = [
        f"{len(trades)} round trips, the peer has {len(peer)}"
    ] if len(trades) != len(peer) else []  # fmt: skip
    for number, other in enumerate(peer[: len(trades)]):
        ours = {
            "entry_bar": int(trades.entry_bar[number]),
            "entry_price": round(float(trades.entry_price[number]), 6),
            "exit_bar": int(trades.exit_bar[number]),
            "exit_price": round(float(trades.exit_price[number]), 6),
            "quantity": float(trades.quantity[number]),
            "exit_reason": ExitReason(trades.reason[number]).word,
        }
        theirs = {
            name: round(value, 6) if name.endswith("price") else value
            for name, value in other.items()
        }
        if theirs["exit_reason"] is None:
            theirs["exit_reason"] = ours["exit_reason"]
        if ours != theirs:
            found.append(f"round trip {number}: {ours}, the peer: {theirs}")
    return found


def main() -> None:
    bars = simulated(GOLDEN_BARS, GOLDEN_SEED)
    stored = [
        {
            "peer": peer,
            "parameters": vars(parameters),
            "trades": of_peer(peer, bars, parameters)["trades"],
        }
        for peer in CONVENTIONS
        for parameters in (NORMAL, TIGHT, PART_OF_EQUITY)
    ]
    GOLDEN.parent.mkdir(exist_ok=True)
    text = json.dumps(stored).replace('{"entry_bar"', '\n{"entry_bar"').replace("}, {", "},\n{")
    GOLDEN.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

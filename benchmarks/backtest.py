"""Backtests beside backtesting.py and vectorbt, in one run, on SIMULATED bars.

    .venv/bin/python -m benchmarks.backtest

prints the table (``make bench`` does too). Each engine runs in a process of its own, so that its
peak memory is its own: with ``--measure NAME`` that process measures one thing and prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
RECORDED = ROOT.parent / "shared/data/bars_1min/av_2020_2021/intraday_1min_AAPL.csv"
BARS = 60_000
MANY_TIMES = 100
PAIRS = (range(5, 45), range(50, 300, 10))
RUNS = {"backtesting.py": 3, "vectorbt": 20}


def table() -> str:
    """A Markdown table; takes a minute or two, most of it the peers'."""
    from benchmarks.simulated_bars import simulated

    bars = simulated(BARS)
    with tempfile.TemporaryDirectory(prefix="tradewind-bench-") as folder:
        ours = _measured("run", {"NUMBA_CACHE_DIR": folder})
        warm = _measured("run", {"NUMBA_CACHE_DIR": folder})
        sweep = _measured("sweep", {"NUMBA_CACHE_DIR": folder})
        many = _measured("many", {"NUMBA_CACHE_DIR": folder})
        peers = {name: _peer(name, bars, Path(folder)) for name in RUNS}
        command = _command()
    lines = [
        f"SMA 20/50, stop and trail 1.5 %, {BARS:,} SIMULATED one-minute bars, one process each",
        "",
        "| engine | first run ms | run ms, median | times ours | peak memory MB | round trips |",
        "|---|---|---|---|---|---|",
        f"| Tradewind with all metrics, compiling | {ours['first_ms']:.0f} | {ours['ms']:.2f} | 1 "
        f"| {ours['peak_mb']:.0f} | {ours['trades']} |",
        f"| the same, compiled before | {warm['first_ms']:.0f} | {warm['ms']:.2f} | 1 "
        f"| {warm['peak_mb']:.0f} | {warm['trades']} |",
        f"| the same, without metrics | | {warm['bare_ms']:.2f} | | | |",
    ]
    lines += [
        f"| {name} | {one['first_ms']:.0f} | {one['ms']:.1f} | {one['ms'] / warm['ms']:.0f} "
        f"| {one['peak_mb']:.0f} | {one['trades']} |"
        for name, one in peers.items()
    ]
    lines += [
        "",
        "| what | took | peak memory MB |",
        "|---|---|---|",
        f"| {sweep['pairs']:,} pairs on {BARS:,} bars, {sweep['cores']} cores | {sweep['ms']:.0f} "
        f"ms | {sweep['peak_mb']:.0f} |",
        f"| {BARS * MANY_TIMES:,} bars | {many['bare_ms']:.0f} ms | |",
        f"| the same with all metrics | {many['ms']:.0f} ms | {many['peak_mb']:.0f} |",
        *command,
    ]
    return "\n".join(lines)


def _measured(name: str, environment: dict[str, str]) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.backtest", "--measure", name],
        capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ, **environment},
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def _peer(name: str, bars: Any, folder: Path) -> dict[str, Any]:
    import numpy as np

    path = folder / "bars.npz"
    np.savez(path, **{one: getattr(bars, one) for one in ("start", "open", "high", "low", "close")})
    run = subprocess.run(
        [PEERS_PYTHON, "-m", "benchmarks.peers", name, path, "--runs", str(RUNS[name])],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    answer = json.loads(run.stdout)
    return {
        "first_ms": answer["first_ms"],
        "ms": statistics.median(answer["warm_ms"]),
        "peak_mb": answer["peak_mb"],
        "trades": len(answer["trades"]),
    }


def _command() -> list[str]:
    """``tradewind backtest`` on recorded bars: with an empty compile cache, and with a full one."""
    if not RECORDED.exists():
        return ["| `tradewind backtest` on recorded bars | they are not on this machine | |"]
    with tempfile.TemporaryDirectory(prefix="tradewind-bench-") as folder:
        took = [_seconds_of_command(folder) for _ in range(4)]
    return [
        f"| `tradewind backtest` on AAPL's recorded file, nothing compiled | {took[0]:.1f} s | |",
        f"| the same, warm | {statistics.median(took[1:]):.2f} s | |",
    ]


def _seconds_of_command(cache: str) -> float:
    began = time.perf_counter()
    run = subprocess.run(
        [
            sys.executable, "-m", "tradewind_local", "backtest", "--bars", f"AAPL={RECORDED}",
            "--label", "end", "--strategy", "sma_crossover", "--fast", "20", "--slow", "50",
        ],
        capture_output=True, check=True, cwd=ROOT, env={**os.environ, "NUMBA_CACHE_DIR": cache},
    )  # fmt: skip
    took = time.perf_counter() - began
    if b"Sharpe" not in run.stdout:
        raise RuntimeError("tradewind backtest ended without its table")
    return took


# -- in a process of its own ------------------------------------------------------------------


def _median_ms(run: Callable[[], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def measure(name: str) -> dict[str, Any]:
    from tradewind.backtest.engine import backtest
    from tradewind.backtest.metrics import summarise
    from tradewind.backtest.settings import BacktestSettings, FillConvention
    from tradewind.strategies.sma_crossover import SmaCrossover

    from benchmarks.simulated_bars import repeated, simulated

    settings = BacktestSettings.of(FillConvention.NEXT_OPEN)
    bars = simulated(BARS)
    found: dict[str, Any] = {}
    if name == "sweep":
        from tradewind.backtest.sweep import sweep

        sweep(bars, [5], [50], settings)
        found["pairs"] = len(sweep(bars, *PAIRS, settings).parameters)
        found["cores"] = os.cpu_count()
        found["ms"] = _median_ms(lambda: sweep(bars, *PAIRS, settings), 5)
    else:
        if name == "many":
            bars = repeated(bars, MANY_TIMES)
        runs = 200 if name == "run" else 7
        crossover = SmaCrossover(20, 50)
        began = time.perf_counter()
        found["trades"] = summarise(backtest([bars], crossover, settings)).trades
        found["first_ms"] = (time.perf_counter() - began) * 1000
        found["bare_ms"] = _median_ms(lambda: backtest([bars], crossover, settings), runs)
        found["ms"] = _median_ms(lambda: summarise(backtest([bars], crossover, settings)), runs)
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--measure", choices=("run", "sweep", "many"))
    given = parser.parse_args()
    print(json.dumps(measure(given.measure)) if given.measure else table())


if __name__ == "__main__":
    main()

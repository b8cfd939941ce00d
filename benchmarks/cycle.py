"""Time and memory per step: an hour of the simulated market through the local twin.

Times are the handlers' own (their REPORT lines); a cycle's wall time on the twin also holds the
local cloud's, which says nothing about AWS.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

MINUTES = 60
# The steps that every cycle runs, in the state machine's order.
EVERY_CYCLE = (
    "fetch_bars",
    "sync_broker",
    "record_broker_state",
    "compute_features",
    "predict_trend",
    "assess_risk",
    "record_orders",
)
_MEMORY = re.compile(r"Max Memory Used: (\d+) MB")


def table() -> str:
    """A Markdown table by function, and the sum over a cycle that sends nothing."""
    with tempfile.TemporaryDirectory(prefix="tradewind-bench-") as folder:
        state, out = Path(folder) / "state", Path(folder) / "out.json"
        subprocess.run(
            [sys.executable, "-m", "tradewind_local", "run", "--minutes", str(MINUTES),
             "--state", str(state), "--json", str(out)],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        summary = json.loads(out.read_text())
        peaks = {path.stem: _peak(path) for path in (state / "reports").glob("*.log")}
    lines = ["| function | p50 ms | p95 ms | peak memory MB |", "|---|---|---|---|"]
    for name, took in summary["handler_ms"].items():
        lines.append(f"| {name} | {took['p50']} | {took['p95']} | {peaks.get(name, '-')} |")
    total = sum(summary["handler_ms"][name]["p50"] for name in EVERY_CYCLE)
    lines += [
        "",
        f"{summary['cycles']} cycles of {', '.join(summary['symbols'])} ({summary['source']}): "
        f"handlers' own time p50 {total:.0f} ms in sum over the steps of every cycle; "
        f"wall time on the twin p50 {summary['cycle_ms_p50']} ms, p95 {summary['cycle_ms_p95']} ms",
    ]
    return "\n".join(lines)


def _peak(path: Path) -> int:
    return max(int(found) for found in _MEMORY.findall(path.read_text(encoding="ascii")))

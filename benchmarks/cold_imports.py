"""Cold import of every function: ``python -X importtime``, with bytecode, the best of some runs.

Handlers build their clients when first used, so two things are measured: importing the handler,
and importing it with everything that its first event loads. The libraries' own share of the latter
is measured by importing them alone.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = 7

BOTO3 = ("boto3", "botocore.config")
# What we import of alpaca-py: its REST client, which does without pandas.
ALPACA = ("alpaca.common.rest",)
NUMPY = ("numpy",)

# What a function's first event loads beyond its handler: ours, and the libraries below it.
FIRST_EVENT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "fetch_bars": (
        ("tradewind.adapters.alpaca.market_data", "tradewind.adapters.request_budget"),
        ("requests", *BOTO3),
    ),
    "sync_broker": (("tradewind.adapters.alpaca.broker",), (*ALPACA, *BOTO3)),
    "place_order": (("tradewind.adapters.alpaca.broker",), (*ALPACA, *BOTO3)),
    "follow_orders": (("tradewind.adapters.alpaca.broker",), (*ALPACA, *BOTO3)),
    "predict_trend": (("tradewind.adapters.champion",), (*NUMPY, "onnxruntime", *BOTO3)),
    "compute_features": (
        ("tradewind.adapters.postgres.database",),
        (*NUMPY, "pg8000.native", *BOTO3),
    ),
    "assess_risk": (("tradewind.adapters.postgres.database",), ("pg8000.native", *BOTO3)),
    "record_broker_state": (("tradewind.adapters.postgres.database",), ("pg8000.native", *BOTO3)),
    "record_orders": (("tradewind.adapters.postgres.database",), ("pg8000.native", *BOTO3)),
    "log_trades": (("tradewind.adapters.postgres.database",), ("pg8000.native", *BOTO3)),
    "record_alert": (("tradewind.adapters.postgres.database",), ("pg8000.native", *BOTO3)),
    "query_api": (("tradewind.adapters.postgres.database",), ("pg8000.native", *BOTO3)),
    "notify": (("tradewind.adapters.slack",), ("requests", *BOTO3)),
    "refresh_broker_token": (("tradewind.adapters.alpaca.tokens",), ("requests", *BOTO3)),
    "daily_report": (
        ("tradewind.adapters.postgres.database", "tradewind.adapters.report_store"),
        ("pg8000.native", *BOTO3),
    ),
    "maintain_database": (
        ("tradewind.adapters.postgres.database", "tradewind.adapters.bar_archive"),
        ("pg8000.native", *BOTO3),
    ),
    "migrate_schema": (("tradewind.adapters.postgres.database",), ("pg8000.native", *BOTO3)),
}


@dataclass(frozen=True, slots=True)
class ColdImport:
    """Seconds. ``libraries`` is what ``first_event``'s libraries take when imported alone."""

    function: str
    handler: float
    first_event: float
    libraries: float


def measure(function: str) -> ColdImport:
    ours, libraries = FIRST_EVENT[function]
    return ColdImport(
        function,
        _seconds(function, ("app",)),
        _seconds(function, ("app", *ours, *libraries)),
        _seconds(function, libraries),
    )


def table() -> str:
    """A Markdown table of all functions."""
    lines = [
        "| function | handler s | with its first event s | libraries alone s | ours s |",
        "|---|---|---|---|---|",
    ]
    for function in sorted(FIRST_EVENT):
        got = measure(function)
        lines.append(
            f"| {function} | {got.handler:.3f} | {got.first_event:.3f} | {got.libraries:.3f} "
            f"| {got.first_event - got.libraries:+.3f} |"
        )
    return "\n".join(lines)


def _seconds(function: str, modules: tuple[str, ...]) -> float:
    """The least of some runs; the first one also writes the bytecode."""
    paths = [str(ROOT / "functions" / function), str(ROOT / "layers" / "tradewind")]
    code = f"import sys; sys.path[:0] = {paths!r}\n" + "\n".join(f"import {m}" for m in modules)
    return min(_once(code) for _ in range(RUNS))


def _once(code: str) -> float:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True
    )
    # Top-level imports are the lines whose module name is not indented; "site" is Python's own.
    top = re.findall(r"^import time:\s+\d+ \|\s+(\d+) \| (\S+)$", done.stderr, re.MULTILINE)
    own = [int(micros) for micros, module in top]
    names = [module for _, module in top]
    return sum(own[names.index("site") + 1 :]) / 1e6

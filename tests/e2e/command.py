"""``tradewind run`` as people start it: a process of its own, its output in a file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT.parent / "shared" / "data" / "bars_1min" / "av_2020_2021"
START_SECONDS = 90.0
END_SECONDS = 60.0
RUN_SECONDS = 240.0


def recorded_bars() -> list[str]:
    """The options of the recorded session, or [] where the recordings are not at hand."""
    options = []
    for symbol in ("AAPL", "MSFT"):
        path = RECORDED / f"intraday_1min_{symbol}.csv"
        if not path.exists():
            return []
        options += ["--bars", f"{symbol}={path}"]
    return options


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def wait_for(self, text: str) -> str:
        """Until the output holds ``text``; all of the output."""
        deadline = time.monotonic() + START_SECONDS
        while text not in self.said:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"never said {text!r}: {self.said}")
            time.sleep(0.05)
        return self.said

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(END_SECONDS)


def start(log: Path, *options: str) -> Running:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tradewind_local", "run", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": path},
        )
    return Running(process, log)


def run(log: Path, *options: str, seconds: float = RUN_SECONDS) -> dict[str, Any]:
    """Run to the end; the JSON summary. AssertionError with the output when it failed."""
    summary_file = log.with_suffix(".json")
    running = start(log, *options, "--json", str(summary_file))
    assert running.process.wait(seconds) == 0, running.said
    summary: dict[str, Any] = json.loads(summary_file.read_text())
    return summary


def left_running(state: Path) -> list[str]:
    """Processes that know the state folder, by their arguments or their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            known = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue  # it has gone, or is somebody else's
        if int(process.name) != os.getpid() and str(state).encode() in known:
            found.append(known.split(b"\0", 1)[0].decode(errors="replace"))
    return found


def wait_until_nothing_is_left(state: Path) -> list[str]:
    """Workers look for their parent twice a second."""
    deadline = time.monotonic() + 10
    while (left := left_running(state)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left

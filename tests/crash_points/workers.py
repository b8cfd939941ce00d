"""Combinations on several processes, each with a ground of its own."""

from __future__ import annotations

import gc
import multiprocessing
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tests.crash_points.combinations import Verdict, all_of, boundaries_of, try_out
from tests.crash_points.faults import FAULTS
from tests.crash_points.ground import Ground
from tests.crash_points.protection import NEVER
from tests.crash_points.scenarios import PRICES, SCENARIOS, market
from tests.crash_points.splits import factors

_ground: Ground | None = None


@dataclass
class Report:
    """What was run, and what did not hold."""

    combinations: int = 0
    seconds: float = 0.0
    boundaries: Counter[str] = field(default_factory=Counter)
    per_scenario: Counter[str] = field(default_factory=Counter)
    faults: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    longest_naked: timedelta = NEVER
    longest_naked_in: str = ""

    def add(self, verdict: Verdict) -> None:
        combination = verdict.combination
        self.combinations += 1
        self.per_scenario[combination.scenario.name] += 1
        self.faults.add(combination.fault.name)
        died_at = verdict.boundaries[-1] if combination.kill_at and verdict.boundaries else ""
        self.boundaries[died_at] += 1
        self.violations += [f"{combination} ({died_at}): {text}" for text in verdict.violations]
        self._note_naked(verdict.longest_naked, f"{combination} ({died_at})")

    def join(self, other: Report) -> None:
        self.combinations += other.combinations
        self.boundaries += other.boundaries
        self.per_scenario += other.per_scenario
        self.faults |= other.faults
        self.violations += other.violations
        self._note_naked(other.longest_naked, other.longest_naked_in)

    def _note_naked(self, naked: timedelta, where: str) -> None:
        if naked > self.longest_naked:
            self.longest_naked, self.longest_naked_in = naked, where

    def __str__(self) -> str:
        kinds = {name for name in self.boundaries if name}
        lines = [
            f"crash points: {self.combinations} combinations in {self.seconds:.0f} s: "
            f"{len(self.per_scenario)} scenarios, {len(self.faults)} faults, "
            f"{len(kinds)} kinds of boundary; {len(self.violations)} violations",
            *(f"  {name}: {count}" for name, count in sorted(self.per_scenario.items())),
            f"  longest without protection: {self.longest_naked.total_seconds():.1f} s in "
            f"{self.longest_naked_in}",
            *self.violations,
        ]
        return "\n".join(lines)


def run_all(processes: int) -> Report:
    """Every boundary of every scenario under every fault, with both continuations."""
    pairs = [(s, f) for s in range(len(SCENARIOS)) for f in range(len(FAULTS))]
    report, started = Report(), time.monotonic()
    # Forked, so that each begins with everything imported.
    context = multiprocessing.get_context("fork")
    with (
        tempfile.TemporaryDirectory() as folder,
        context.Pool(processes, _open_ground, (folder,)) as pool,
    ):
        for part in pool.imap_unordered(_try_pair, pairs):
            report.join(part)
    report.seconds = time.monotonic() - started
    return report


def run_some(verdicts: Iterable[Verdict]) -> Report:
    report, started = Report(), time.monotonic()
    for verdict in verdicts:
        report.add(verdict)
    report.seconds = time.monotonic() - started
    return report


def market_ground(folder: Path) -> Ground:
    return Ground(folder, market(), sorted(PRICES), factors())


def _open_ground(folder: str) -> None:
    """Stays open until the process ends; what it started ends with it."""
    global _ground
    # What is there already is never looked through again, here or in a forked worker.
    gc.collect()
    gc.freeze()
    _ground = market_ground(Path(tempfile.mkdtemp(dir=folder))).__enter__()


def _try_pair(pair: Sequence[int]) -> Report:
    assert _ground is not None
    scenario, fault = SCENARIOS[pair[0]], FAULTS[pair[1]]
    alive = boundaries_of(_ground, scenario, fault)
    killed = all_of(scenario, fault, alive.boundaries)
    return run_some([alive, *(try_out(_ground, combination) for combination in killed)])

"""Exactly once, whatever breaks: killed at every boundary, under every fault, and run again.

``docs/crash-points.md`` says what is proven and how to read what is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle

import pytest

from tests.crash_points.combinations import Combination, Then, Verdict, boundaries_of, try_out
from tests.crash_points.faults import FAULTS
from tests.crash_points.ground import Ground
from tests.crash_points.scenarios import SCENARIOS
from tests.crash_points.workers import Report, run_all, run_some

pytestmark = pytest.mark.crash_points

# The machine that this is meant for has two cores.
PROCESSES = 2
CHANGES = ("broker.submit", "broker.replace", "broker.cancel")


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[Report], None]:
    """Prints past pytest, which keeps what a test that passes prints to itself."""

    def print_report(report: Report) -> None:
        with capsys.disabled():
            print(f"\n{report}")  # noqa: T201 - how much was tried out is part of the result

    return print_report


def test_a_sample_touches_every_kind_of_boundary_and_every_fault(
    ground: Ground, tell: Callable[[Report], None]
) -> None:
    report = run_some(_sample(ground))
    tell(report)
    assert report.violations == []
    assert report.faults == {fault.name for fault in FAULTS}
    assert report.combinations > len(SCENARIOS) + 2 * len(FAULTS)


@pytest.mark.slow
def test_every_boundary_under_every_fault(tell: Callable[[Report], None]) -> None:
    report = run_all(PROCESSES)
    tell(report)
    assert report.violations == []
    assert set(report.per_scenario) == {scenario.name for scenario in SCENARIOS}
    assert report.faults == {fault.name for fault in FAULTS}
    assert report.combinations > 1_000


def _sample(ground: Ground) -> Iterator[Verdict]:
    """Each scenario undisturbed; each kind of boundary in the first scenario that has it; each
    fault in one scenario, alive and killed right after a change that it spoilt."""
    good_day, *bad_days = FAULTS
    then = cycle(Then)
    seen: set[str] = set()
    for scenario in SCENARIOS:
        alive = boundaries_of(ground, scenario, good_day)
        yield alive
        for number, name in enumerate(alive.boundaries, start=1):
            if name not in seen:
                seen.add(name)
                yield try_out(ground, Combination(scenario, good_day, number, next(then)))
    for fault, scenario in zip(bad_days, cycle(SCENARIOS), strict=False):
        alive = boundaries_of(ground, scenario, fault)
        yield alive
        for number in _after_changes(alive.boundaries)[:2]:
            yield try_out(ground, Combination(scenario, fault, number, next(then)))


def _after_changes(boundaries: list[str]) -> list[int]:
    """Where something was just sent; in the middle of it all when nothing was."""
    found = [
        number
        for number, name in enumerate(boundaries, start=1)
        if name.rpartition(" ")[2] in CHANGES
    ]
    return found or [len(boundaries) // 2 + 1]

"""Durations out of the functions' REPORT lines."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

_DURATION = re.compile(r"\tDuration: ([0-9.]+) ms")


def handler_durations(folder: Path) -> dict[str, list[float]]:
    """Milliseconds of every invocation by function (the file's name), in the order they ended."""
    durations = {}
    for path in sorted(folder.glob("*.log")):
        found = [float(text) for text in _DURATION.findall(path.read_text(encoding="ascii"))]
        if found:
            durations[path.stem] = found
    return durations


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile (``share`` in 0..1), to 0.1; None when there are no values."""
    if not values:
        return None
    ordered = sorted(values)
    # Rounded first: 0.95 * 100 is a hair above 95 in binary.
    rank = max(1, math.ceil(round(share * len(ordered), 9)))
    return round(ordered[rank - 1], 1)

"""Faults on demand: what a broker does on a bad day, scripted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from tradewind.errors import InvalidInputError

# What the broker's gateway says when nobody scripted a body.
BODIES: dict[int, object] = {
    429: {"code": 42910000, "message": "rate limit exceeded"},
    500: {"code": 50010000, "message": "internal server error occurred"},
    503: {"code": 50310000, "message": "service unavailable"},
    504: {"code": 50410000, "message": "gateway timeout"},
}


@dataclass(slots=True)
class Fault:
    """Waits for ``times`` requests that match; ``path`` may hold ``*``.

    With ``status`` the answer is that error; with ``reset`` the connection is cut without one;
    ``stall`` seconds pass first in any case. ``after_accept``: the request is carried out before.
    With ``truncate`` half of the true answer arrives, as if it were whole; with ``repeat`` the
    answer is the one given before under the same path. A fault that only stalls lets the true
    answer through.
    """

    method: str
    path: str
    times: int = 1
    status: int | None = None
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    after_accept: bool = False
    stall: float = 0.0
    reset: bool = False
    truncate: bool = False
    repeat: bool = False

    @property
    def hides_answer(self) -> bool:
        return self.reset or self.status is not None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Fault:
        """InvalidInputError when that is not a fault."""
        unknown = set(given) - set(cls.__slots__)
        if unknown or not {"method", "path"} <= set(given):
            raise InvalidInputError(f"not a fault: {dict(given)}")
        fault = cls(**given)
        if not (fault.hides_answer or fault.stall or fault.truncate or fault.repeat):
            raise InvalidInputError(
                f"a fault needs status, reset, stall, truncate or repeat: {dict(given)}"
            )
        fault.stall = float(fault.stall)
        if fault.status is not None and fault.body is None:
            fault.body = BODIES.get(fault.status, {"message": "fault"})
        return fault


class FaultScript:
    """Faults in the order they were added; each request meets at most one."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        for fault in self._faults:
            if fault.method == method and fnmatchcase(path, fault.path):
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
                return fault
        return None

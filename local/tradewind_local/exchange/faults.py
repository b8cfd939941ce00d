"""Faults on demand: what a broker does on a bad day, scripted or drawn from a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from tradewind.errors import InvalidInputError

from tradewind_local.exchange.http_messages import is_trading_path

# What the broker's gateway says when nobody scripted a body.
BODIES: dict[int, object] = {
    429: {"code": 42910000, "message": "rate limit exceeded"},
    500: {"code": 50010000, "message": "internal server error occurred"},
    503: {"code": 50310000, "message": "service unavailable"},
    504: {"code": 50410000, "message": "gateway timeout"},
}
MAINTENANCE_PAGE = (
    "<html><head><title>503 Service Temporarily Unavailable</title></head>"
    "<body><center><h1>503 Service Temporarily Unavailable</h1></center></body></html>"
)
# How long a connection is held open, in seconds, before it is cut without an answer.
HOLD = 1.0
# The ways to fail that have a name, for scripts and for the seeded weather.
KINDS: dict[str, dict[str, Any]] = {
    "429": {"status": 429},
    "500": {"status": 500},
    "503": {"status": 503},
    "504": {"status": 504},
    "504_after_accept": {"status": 504, "after_accept": True},
    "reset": {"reset": True},
    "reset_after_accept": {"reset": True, "after_accept": True},
    "accept_without_answer": {"after_accept": True, "stall": HOLD, "reset": True},
    "truncated": {"truncate": True},
    "slow": {"stall": HOLD},
}


@dataclass(slots=True)
class Fault:
    """Waits for ``times`` requests that match; ``path`` may hold ``*``.

    With ``status`` the answer is that error (a ``body`` of text is sent as HTML); with ``reset``
    the connection is cut without one; ``stall`` seconds pass first in any case. ``after_accept``:
    the request is carried out before. With ``truncate`` half of the true answer arrives, as if it
    were whole; with ``repeat`` the answer is the one given before under the same path. A fault
    that only stalls lets the true answer through.
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
        """``kind`` stands for the fields of one of KINDS. InvalidInputError when that is not a
        fault."""
        fields = dict(given)
        kind = fields.pop("kind", None)
        if kind is not None:
            fields = {**_kind(kind), **fields}
        unknown = set(fields) - set(cls.__slots__)
        if unknown or not {"method", "path"} <= set(fields):
            raise InvalidInputError(f"not a fault: {dict(given)}")
        fault = cls(**fields)
        if not (fault.hides_answer or fault.stall or fault.truncate or fault.repeat):
            raise InvalidInputError(
                f"a fault needs kind, status, reset, stall, truncate or repeat: {dict(given)}"
            )
        fault.stall = float(fault.stall)
        if fault.status is not None and fault.body is None:
            fault.body = BODIES.get(fault.status, {"message": "fault"})
        return fault


class Weather:
    """Each matching call fails with the same probability, in one of the listed ways.

    Which calls do depends on the seed and on how many matching calls came before, on nothing else.
    """

    def __init__(
        self,
        rate: float,
        seed: int,
        kinds: Sequence[str],
        method: str = "*",
        path: str = "/v2/*",
        hold: float = HOLD,
    ) -> None:
        """``method`` and ``path`` may hold ``*``; calls that are not of the trading API never
        match. ``hold`` seconds is how long the kinds that stall do. InvalidInputError."""
        if not 0 <= rate <= 1 or not kinds:
            raise InvalidInputError("random faults need a rate from 0 to 1 and at least one kind")
        self._rate, self._seed, self._hold = rate, seed, hold
        self._kinds = {kind: _kind(kind) for kind in kinds}
        self._method, self._path = method, path
        self._calls = 0

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Weather:
        """InvalidInputError when it is none."""
        try:
            return cls(**given)
        except TypeError as error:
            raise InvalidInputError(f"not random faults: {dict(given)}: {error}") from error

    def take(self, method: str, path: str) -> Fault | None:
        if not (
            is_trading_path(path)
            and fnmatchcase(method, self._method)
            and fnmatchcase(path, self._path)
        ):
            return None
        self._calls += 1
        draw = Random(f"{self._seed}/{self._calls}")  # noqa: S311 - repeatable
        if draw.random() >= self._rate:
            return None
        fields = dict(self._kinds[draw.choice(list(self._kinds))])
        if "stall" in fields:
            fields["stall"] = self._hold
        return Fault.of({"method": method, "path": path, **fields})


class FaultScript:
    """Faults in the order they were added; each request meets at most one: the broker's
    maintenance first, then what was scripted, then the weather."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._maintenance: tuple[datetime, datetime] | None = None
        self._weather: Weather | None = None

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def set_weather(self, weather: Weather | None) -> None:
        self._weather = weather

    def set_maintenance(self, window: tuple[datetime, datetime] | None) -> None:
        """From the first instant of the market's clock, before the second."""
        self._maintenance = window

    def clear(self) -> None:
        self._faults.clear()
        self._maintenance = None
        self._weather = None

    def take(self, method: str, path: str, now: datetime | None) -> Fault | None:
        if self._maintenance is not None and now is not None and is_trading_path(path):
            first, end = self._maintenance
            if first <= now < end:
                return Fault(method, path, status=503, body=MAINTENANCE_PAGE)
        for fault in self._faults:
            if fnmatchcase(method, fault.method) and fnmatchcase(path, fault.path):
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
                return fault
        return None if self._weather is None else self._weather.take(method, path)


def _kind(name: str) -> dict[str, Any]:
    try:
        return KINDS[name]
    except (KeyError, TypeError):
        raise InvalidInputError(f"no such kind of fault: {name!r}; there are {[*KINDS]}") from None

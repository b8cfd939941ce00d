"""What the broker does wrong in the killed minute: one row for each way it is known to fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tradewind_local.exchange.control import ExchangeControl

# Seconds: what the client is made to wait for an answer when one stalls, and for how long it does.
SHORT_TIMEOUT = 0.15
STALL = 0.4

Arm = Callable[[ExchangeControl, datetime], None]


@dataclass(frozen=True)
class Fault:
    """``arm`` is called with the market's instant when the minute begins. ``reads``: it is met by
    the reads that every run begins with; the others are met by nothing before the run sends.
    ``stops_all``: the broker lets nobody do anything about a position for that long. ``lasts`` so
    many further runs when it does not end by itself."""

    name: str
    arm: Arm
    reads: bool = False
    stalls: bool = False
    stops_all: bool = False
    lasts: int | None = None


def _changing(**what: Any) -> Arm:
    """The first order, the first replacement and the first cancellation of the minute."""

    def arm(control: ExchangeControl, _now: datetime) -> None:
        control.add_faults(
            [
                {"method": "POST", "path": "/v2/orders", **what},
                {"method": "PATCH", "path": "/v2/orders/*", **what},
                {"method": "DELETE", "path": "/v2/orders/*", **what},
            ]
        )

    return arm


def _reading(path: str, times: int, **what: Any) -> Arm:
    def arm(control: ExchangeControl, _now: datetime) -> None:
        control.add_faults([{"method": "GET", "path": path, "times": times, **what}])

    return arm


def _both(first: Arm, second: Arm) -> Arm:
    def arm(control: ExchangeControl, now: datetime) -> None:
        first(control, now)
        second(control, now)

    return arm


def _fills(**what: int) -> Arm:
    return lambda control, _now: control.fault_fills(**what)


def _slices(shares_per_tick: int) -> Arm:
    return lambda control, _now: control.limit_fills(Decimal(shares_per_tick))


def _maintenance(after: float, until: float) -> Arm:
    return lambda control, now: control.set_maintenance(
        now + timedelta(seconds=after), now + timedelta(seconds=until)
    )


def _stuck_cancellation(control: ExchangeControl, _now: datetime) -> None:
    control.stick_cancels(1)


def _nothing(_control: ExchangeControl, _now: datetime) -> None:
    """A good day."""


_LOOKUP = "/v2/orders:by_client_order_id"

FAULTS = (
    Fault("none", _nothing, reads=True),
    Fault("429", _changing(kind="429")),
    Fault("503", _changing(kind="503")),
    Fault("504 before accepting", _changing(kind="504")),
    Fault("504 after accepting", _changing(kind="504_after_accept")),
    Fault("reset before accepting", _changing(kind="reset")),
    Fault("reset after accepting", _changing(kind="reset_after_accept")),
    Fault("answer beyond the timeout", _changing(kind="slow", stall=STALL), stalls=True),
    Fault(
        "accepted without an answer",
        _changing(kind="accept_without_answer", stall=STALL),
        stalls=True,
    ),
    Fault("truncated answer", _changing(kind="truncated")),
    # Nobody knows what became of the request until the next run.
    Fault(
        "504 after accepting, and lookups fail",
        _both(_changing(kind="504_after_accept"), _reading(_LOOKUP, 6, kind="503")),
    ),
    Fault("reads fail", _reading("/v2/*", 2, kind="503"), reads=True),
    Fault("maintenance", _maintenance(after=0.5, until=30), reads=True, stops_all=True),
    Fault(
        "stuck cancellation",
        lambda control, _now: control.stick_cancels(1),
        stops_all=True,
        lasts=1,
    ),
    Fault("partial fills", _slices(50)),
    Fault("dropped fill", _fills(drop=1)),
    Fault("late fill", _fills(drop=1, reads=4)),
    Fault("doubled fills", _both(_slices(100), _fills(double=3))),
    Fault("reordered fills", _both(_slices(100), _fills(reorder=3))),
)

"""Limits of how often a provider may be asked, and the arithmetic of keeping them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from tradewind.errors import InvalidInputError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

# A window is counted in so many slots. A request is let go when its whole slot has left the
# window, so never more than the limit fall into any window, and none waits a slot too long.
SLOTS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PERIODS = {"second": 1, "minute": 60}
_LIMIT = re.compile(r"([1-9][0-9]{0,5})/(second|minute|day)").fullmatch


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """At most ``count`` requests in any ``period`` seconds; at most ``per_day`` on a New York date.

    ``per_day`` None: no such limit.
    """

    count: int
    period: int
    per_day: int | None = None

    @classmethod
    def parse(cls, text: str) -> RequestLimits:
        """From ``150/minute`` or ``1/second,25/day``."""
        found: dict[str, int] = {}
        for part in text.split(","):
            match = _LIMIT(part.strip())
            if match is None or match[2] in found:
                raise InvalidInputError(
                    f"request limits {text!r}: write them like 150/minute or 1/second,25/day"
                )
            found[match[2]] = int(match[1])
        per_day = found.pop("day", None)
        if len(found) != 1:
            raise InvalidInputError(
                f"request limits {text!r}: exactly one limit a second or a minute is needed"
            )
        ((period, count),) = found.items()
        return cls(count, _PERIODS[period], per_day)


@dataclass(frozen=True, slots=True)
class RequestCount:
    """What has been used: requests by slot (slots are numbered from 1970), and on a day."""

    slots: Mapping[int, int]
    day: str
    on_day: int


def take(limits: RequestLimits, used: RequestCount, at: datetime) -> tuple[float, RequestCount]:
    """Seconds to wait and the count after it; 0 seconds means that the request was counted.

    Slots far ahead of ``at`` belong to a clock that was set back and are forgotten; those of
    another function's clock that runs a little fast are counted.
    """
    width = timedelta(seconds=limits.period) / SLOTS
    current = (at - _EPOCH) // width
    slots = {
        slot: count
        for slot, count in used.slots.items()
        if current - SLOTS <= slot <= current + SLOTS
    }
    local = at.astimezone(_new_york())
    day = local.date().isoformat()
    on_day = used.on_day if used.day == day else 0
    if limits.per_day is not None and on_day >= limits.per_day:
        midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight - at).total_seconds(), RequestCount(slots, day, on_day)
    excess = sum(slots.values()) + 1 - limits.count
    if excess > 0:
        for slot in sorted(slots):
            excess -= slots[slot]
            if excess <= 0:
                free_at = _EPOCH + (slot + SLOTS + 1) * width
                return (free_at - at).total_seconds(), RequestCount(slots, day, on_day)
    slots[current] = slots.get(current, 0) + 1
    return 0.0, RequestCount(slots, day, on_day + 1)


@cache
def _new_york() -> ZoneInfo:
    # Settings import this module in every function, and zoneinfo takes longer than all of it.
    from zoneinfo import ZoneInfo

    return ZoneInfo("America/New_York")

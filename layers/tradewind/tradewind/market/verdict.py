"""What can become of an incoming bar, and by which rules: the words of validation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tradewind.errors import InvalidInputError
from tradewind.market.adjustment import KnownClose, SuspectedSplit
from tradewind.market.bar import Bar


class Reason(StrEnum):
    """Why a bar was not accepted. The first ones are the codes of ``bar.FAULTS``."""

    PRICE_NOT_FINITE = "price_not_finite"
    PRICE_NOT_POSITIVE = "price_not_positive"
    OHLC_ORDER = "ohlc_order"
    NEGATIVE_VOLUME = "negative_volume"
    NOT_A_MINUTE = "not_a_minute"
    NO_TIME_ZONE = "no_time_zone"
    ABSURD_VOLUME = "absurd_volume"
    FUTURE = "future"
    CLOSED_DAY = "closed_day"
    OUTSIDE_HOURS = "outside_hours"
    OUTSIDE_CALENDAR = "outside_calendar"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    # held
    JUMP = "jump"
    SUSPECTED_SPLIT = "suspected_split"
    # dropped
    REPEATED = "repeated"
    LESS_COMPLETE = "less_complete"


@dataclass(frozen=True, slots=True)
class ValidationRules:
    """``max_jump``: how far any price of a bar may lie from the last close, as a fraction of it;
    ``confirmations``: how many following bars must agree with a new level; ``max_volume``: shares
    in a minute (the busiest stocks trade some hundred millions a day)."""

    max_jump: Decimal = Decimal("0.20")
    confirmations: int = 3
    max_volume: int = 1_000_000_000

    def __post_init__(self) -> None:
        if not 0 < self.max_jump < 1 or self.confirmations < 1 or self.max_volume < 1:
            raise InvalidInputError(
                f"{self}: need 0 < max_jump < 1, confirmations >= 1, max_volume >= 1"
            )


@dataclass(frozen=True, slots=True)
class RejectedBar:
    bar: Bar
    code: Reason
    reason: str


@dataclass(frozen=True, slots=True)
class HeldBar:
    """``reference`` is the close it was measured by: the same for all bars one happening holds."""

    bar: Bar
    code: Reason
    reason: str
    reference: KnownClose


@dataclass(frozen=True, slots=True)
class Validated:
    """What became of a batch. ``accepted`` is by symbol and time, and ``in_session[i]`` says
    whether ``accepted[i]`` lies in regular hours; ``released`` are those accepted bars whose jump
    the bars after them confirmed. ``suspected`` holds one entry per symbol and jump."""

    accepted: tuple[Bar, ...]
    in_session: tuple[bool, ...]
    released: tuple[Bar, ...]
    held: tuple[HeldBar, ...]
    rejected: tuple[RejectedBar, ...]
    suspected: tuple[SuspectedSplit, ...]
    repeated: int
    less_complete: int

    def counts(self) -> dict[str, int]:
        """By reason, of everything that was not accepted; reasons without a bar are absent."""
        counted = Counter(str(held.code) for held in self.held)
        counted.update(str(rejected.code) for rejected in self.rejected)
        counted[str(Reason.REPEATED)] += self.repeated
        counted[str(Reason.LESS_COMPLETE)] += self.less_complete
        return {code: number for code, number in sorted(counted.items()) if number}

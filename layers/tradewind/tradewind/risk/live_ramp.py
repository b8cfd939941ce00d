"""How large live trading may be: small at first, and larger with every row of clean sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class RampRules:
    """``first`` of the ordinary size to begin with, times ``growth`` after each
    ``sessions_per_step`` sessions in a row without a breach, up to all of it."""

    first: Decimal = Decimal("0.10")
    growth: Decimal = Decimal(2)
    sessions_per_step: int = 5


@dataclass(frozen=True, slots=True)
class SizeStep:
    """``fraction`` of the size that risk would otherwise allow (above 0, at most 1), and why."""

    fraction: Decimal
    reason: str


WHOLE_SIZE = SizeStep(Decimal(1), "whole size")


def live_size(
    sessions: Sequence[date], breaches: Mapping[date, str], rules: RampRules | None = None
) -> SizeStep:
    """``sessions``: those traded live since the approval and over by now, oldest first;
    ``breaches``: what went wrong on which day since then, the present one included.

    A breach puts the size back to the first step at once, and the counting starts anew with the
    next session.
    """
    ramp = rules or RampRules()
    last_breach = max(breaches, default=None)
    clean = [day for day in sessions if last_breach is None or day > last_breach]
    steps, into = divmod(len(clean), ramp.sessions_per_step)
    fraction = min(ramp.first * ramp.growth**steps, Decimal(1))
    since = (
        f"since the breach of {last_breach} ({breaches[last_breach]})"
        if last_breach is not None
        else "since the approval"
    )
    told = f"{fraction * 100:.0f} % of size after {len(clean)} clean sessions {since}"
    if fraction < 1:
        told += f", more after {ramp.sessions_per_step - into} further ones"
    return SizeStep(fraction, told)

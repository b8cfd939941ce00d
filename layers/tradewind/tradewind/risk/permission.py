"""What people have allowed: which symbols may be entered, and at what part of the size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tradewind.risk.live_ramp import WHOLE_SIZE, SizeStep

LIVE_NOT_APPROVED = "live_not_approved"
TRADING_STOPPED = "trading_stopped"


@dataclass(frozen=True, slots=True)
class Permission:
    """``live_refusal``: the sentence that keeps a live account from entering anything, None when
    nothing does (other modes need no approval). ``stopped``: symbol -> the sentence that says who
    stopped it: no entries, and what is held is closed. ``size`` scales every entry."""

    live_refusal: str | None = None
    stopped: Mapping[str, str] = field(default_factory=dict)
    size: SizeStep = WHOLE_SIZE

    def refusal(self, symbol: str) -> tuple[str, str] | None:
        """The code and sentence that keep a symbol from being entered; None when allowed."""
        if self.live_refusal is not None:
            return LIVE_NOT_APPROVED, self.live_refusal
        if symbol in self.stopped:
            return TRADING_STOPPED, self.stopped[symbol]
        return None

    def wanted_exit(self, symbol: str) -> tuple[str, str] | None:
        """The code and sentence with which a position of a stopped symbol is closed."""
        if symbol in self.stopped:
            return TRADING_STOPPED, self.stopped[symbol]
        return None


UNRESTRICTED = Permission()

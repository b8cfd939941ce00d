"""The check between paper and live trading: what paper trading has shown, and what is missing.

Pure: whoever asks brings the evidence and the time. Every demand that is not met answers with a
sentence a person can act on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from tradewind.market.bar import to_iso
from tradewind.orders.control import SwitchChange, SwitchState
from tradewind.portfolio.differences import QuantityDifference

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class LiveThresholds:
    """What has to be shown on paper before real money is risked.

    ``sessions``: a month of trading days, so that more than one kind of market was met.
    ``round_trips``: fewer closed positions say nothing about costs. ``max_divergence``: how far the
    paper account's profit may lie from the backtest's of the same sessions, as a fraction of
    equity. ``alert_severity``: an open alert this severe or more is unfinished business.
    ``quiet``: how long the trading switch must not have been lowered.
    """

    sessions: int = 20
    round_trips: int = 50
    max_divergence: Decimal = Decimal("0.01")
    alert_severity: int = 4
    quiet: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that nobody has acknowledged."""

    type: str
    severity: int
    message: str
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class PaperEvidence:
    """What paper trading has left in the store of record. ``sessions``: those with an execution;
    ``round_trips``: positions opened and closed."""

    sessions: int
    round_trips: int
    open_alerts: Sequence[OpenAlert] = ()


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """``divergence``: |paper profit - backtest profit| over the same sessions as a fraction of
    equity, None when it was never measured. ``mode``: what this deployment was deployed as.
    ``switch_changes``: oldest first; ``switch`` is what stands."""

    mode: str
    evidence: PaperEvidence
    divergence: Decimal | None
    differences: Sequence[QuantityDifference]
    switch: SwitchState
    switch_changes: Sequence[SwitchChange]


@dataclass(frozen=True, slots=True)
class LiveVerdict:
    """Passed when nothing is missing."""

    missing: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.missing


def check_going_live(
    request: LiveRequest, at: datetime, thresholds: LiveThresholds | None = None
) -> LiveVerdict:
    """``at`` (aware UTC) is when the check is made."""
    return LiveVerdict(tuple(_missing(request, at, thresholds or LiveThresholds())))


def _missing(request: LiveRequest, at: datetime, demanded: LiveThresholds) -> Iterator[str]:
    evidence = request.evidence
    if request.mode != "live":
        yield f"this deployment runs in mode {request.mode}: deploy it with TradingMode=live"
    if evidence.sessions < demanded.sessions:
        yield (f"{evidence.sessions} sessions were traded on paper, {demanded.sessions} are needed")
    if evidence.round_trips < demanded.round_trips:
        yield (
            f"{evidence.round_trips} positions were opened and closed on paper, "
            f"{demanded.round_trips} are needed"
        )
    if request.divergence is None:
        yield "how far paper trading lies from the backtest of the same sessions was not measured"
    elif abs(request.divergence) > demanded.max_divergence:
        yield (
            f"paper trading lies {abs(request.divergence) * 100:.2f} % of equity from the backtest "
            f"of the same sessions, allowed are {demanded.max_divergence * 100:.2f} %"
        )
    severe = [one for one in evidence.open_alerts if one.severity >= demanded.alert_severity]
    if severe:
        named = ", ".join(f"{one.type} of {to_iso(one.timestamp)}" for one in severe[:_MOST_NAMED])
        more = f" and {len(severe) - _MOST_NAMED} more" if len(severe) > _MOST_NAMED else ""
        yield (
            f"alerts of severity {demanded.alert_severity} and above are not acknowledged: "
            f"{named}{more}"
        )
    if request.differences:
        told = "; ".join(str(one) for one in request.differences)
        yield f"quantities differ from the broker's and nothing explains it: {told}"
    if request.switch is not SwitchState.ACTIVE:
        yield f"the trading switch is {request.switch}, not {SwitchState.ACTIVE}"
    for change in request.switch_changes:
        lowered = change.state.severity > change.previous.severity
        if lowered and change.at is not None and at - change.at < demanded.quiet:
            yield (
                f"the trading switch was lowered at {to_iso(change.at)} by {change.who} "
                f"({change.why}); {demanded.quiet.days} days without that are needed"
            )

"""The check between paper and live trading: what paper trading has shown, and what is missing.

Pure: whoever asks brings the evidence and the time. Every demand that is not met answers with a
sentence a person can act on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from tradewind.market.bar import to_iso
from tradewind.orders.control import SwitchChange, SwitchState
from tradewind.portfolio.differences import QuantityDifference

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class LiveThresholds:
    """What has to be shown on paper before real money is risked.

    ``sessions``: a month of trading days, so that more than one kind of market was met.
    ``round_trips``: fewer closed positions say nothing about costs. ``mean_divergence``: how far a
    session's profit on paper may lie from its backtest's on average, in either direction, as a
    fraction of equity; ``worst_divergence``: how far in any one session. ``sessions`` of them have
    to be compared, too, and a session counts as compared when at least ``compared_share`` of it
    was. ``alert_severity``: an open alert this severe or more is unfinished business. ``quiet``:
    how long the trading switch must not have been lowered.
    """

    sessions: int = 20
    round_trips: int = 50
    mean_divergence: Decimal = Decimal("0.001")
    worst_divergence: Decimal = Decimal("0.005")
    compared_share: Decimal = Decimal("0.9")
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
class SessionDistance:
    """How far a session on paper lay from the backtest of the same bars: (paper profit - backtest
    profit) / equity as a ``fraction``, negative where paper earned less; None: nothing of it was
    compared. ``share``: the part of it that was, from 0 to 1."""

    session: date
    fraction: Decimal | None
    share: Decimal


@dataclass(frozen=True, slots=True)
class MeasuredDivergence:
    """How far paper trading lay from the backtest of the same bars, over ``sessions`` that were
    compared: the ``mean`` of their distances without their signs, so that a loss and a gain do not
    make up for each other, and the ``worst`` of them, with its sign. Fractions of equity.
    ``not_compared``: sessions of which it says nothing."""

    sessions: int
    mean: Decimal
    worst: SessionDistance
    not_compared: int


@dataclass(frozen=True, slots=True)
class PaperEvidence:
    """What paper trading has left in the store of record. ``sessions``: those with an execution;
    ``round_trips``: positions opened and closed; ``distances``: of the sessions in which paper or
    its backtest traded."""

    sessions: int
    round_trips: int
    distances: Sequence[SessionDistance] = ()
    open_alerts: Sequence[OpenAlert] = ()


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """``mode``: what this deployment was deployed as. ``switch_changes``: oldest first; ``switch``
    is what stands."""

    mode: str
    evidence: PaperEvidence
    differences: Sequence[QuantityDifference]
    switch: SwitchState
    switch_changes: Sequence[SwitchChange]


@dataclass(frozen=True, slots=True)
class Demand:
    """One demand of the check: what was shown and what is needed, in words; ``missing`` is the
    sentence that says what to do, None when the demand is met."""

    name: str
    shown: str
    needed: str
    missing: str | None

    @property
    def met(self) -> bool:
        return self.missing is None


@dataclass(frozen=True, slots=True)
class LiveVerdict:
    """Passed when every demand is met. ``divergence`` None: no session was compared."""

    demands: tuple[Demand, ...]
    divergence: MeasuredDivergence | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(one.missing for one in self.demands if one.missing is not None)

    @property
    def passed(self) -> bool:
        return not self.missing


def check_going_live(
    request: LiveRequest, at: datetime, thresholds: LiveThresholds | None = None
) -> LiveVerdict:
    """``at`` (aware UTC) is when the check is made."""
    demanded, evidence = thresholds or LiveThresholds(), request.evidence
    measured = measured_divergence(evidence.distances, demanded.compared_share)
    return LiveVerdict(
        (
            _deployment(request.mode),
            _at_least(
                "sessions", evidence.sessions, demanded.sessions, "sessions were traded on paper"
            ),
            _at_least(
                "round_trips",
                evidence.round_trips,
                demanded.round_trips,
                "positions were opened and closed on paper",
            ),
            _divergence(measured, demanded),
            _alerts(evidence.open_alerts, demanded),
            _differences(request.differences),
            _switch(request.switch),
            _quiet(request.switch_changes, at, demanded),
        ),
        measured,
    )


def measured_divergence(
    distances: Sequence[SessionDistance], compared_share: Decimal
) -> MeasuredDivergence | None:
    """Of the sessions of which at least ``compared_share`` was compared; None without any."""
    counted = [
        (abs(one.fraction), one)
        for one in distances
        if one.fraction is not None and one.share >= compared_share
    ]
    if not counted:
        return None
    return MeasuredDivergence(
        sessions=len(counted),
        mean=sum((distance for distance, _ in counted), Decimal(0)) / len(counted),
        worst=max(counted, key=lambda one: one[0])[1],
        not_compared=len(distances) - len(counted),
    )


def _deployment(mode: str) -> Demand:
    fault = f"this deployment runs in mode {mode}: deploy it with TradingMode=live"
    return Demand("deployment", f"mode {mode}", "mode live", None if mode == "live" else fault)


def _at_least(name: str, shown: int, needed: int, what: str) -> Demand:
    fault = f"{shown} {what}, {needed} are needed"
    return Demand(name, str(shown), f"at least {needed}", None if shown >= needed else fault)


def _divergence(measured: MeasuredDivergence | None, demanded: LiveThresholds) -> Demand:
    mean, worst = _percent(demanded.mean_divergence), _percent(demanded.worst_divergence)
    needed = (
        f"mean at most {mean}, worst at most {worst} of equity, over at least {demanded.sessions} "
        "sessions"
    )
    if measured is None or measured.worst.fraction is None:
        fault = (
            "how far paper trading lies from the backtest of the same sessions was not measured: "
            "the daily reports compare them"
        )
        return Demand("divergence", "not measured", needed, fault)
    furthest = f"{_percent(measured.worst.fraction)} on {measured.worst.session}"
    shown = f"mean {_percent(measured.mean)}, worst {furthest}, over {measured.sessions} sessions"
    if measured.not_compared:
        shown += f", {measured.not_compared} not compared"
    faults = []
    if measured.sessions < demanded.sessions:
        faults.append(
            f"{measured.sessions} sessions on paper were compared with a backtest, "
            f"{demanded.sessions} are needed"
        )
    if measured.mean > demanded.mean_divergence:
        faults.append(
            f"a session on paper lies {_percent(measured.mean)} of equity from its backtest on "
            f"average, allowed are {mean}"
        )
    if abs(measured.worst.fraction) > demanded.worst_divergence:
        faults.append(
            f"the session on paper furthest from its backtest lies {furthest} away, "
            f"allowed are {worst}"
        )
    return Demand("divergence", shown, needed, "; ".join(faults) or None)


def _percent(fraction: Decimal) -> str:
    return f"{fraction * 100:.2f} %"


def _alerts(alerts: Sequence[OpenAlert], demanded: LiveThresholds) -> Demand:
    severe = [one for one in alerts if one.severity >= demanded.alert_severity]
    shown, needed = f"{len(severe)} open", f"none of severity {demanded.alert_severity} and above"
    if not severe:
        return Demand("alerts", shown, needed, None)
    named = ", ".join(f"{one.type} of {to_iso(one.timestamp)}" for one in severe[:_MOST_NAMED])
    more = f" and {len(severe) - _MOST_NAMED} more" if len(severe) > _MOST_NAMED else ""
    fault = (
        f"alerts of severity {demanded.alert_severity} and above are not acknowledged: "
        f"{named}{more}"
    )
    return Demand("alerts", shown, needed, fault)


def _differences(differences: Sequence[QuantityDifference]) -> Demand:
    told = "; ".join(str(one) for one in differences)
    fault = f"quantities differ from the broker's and nothing explains it: {told}"
    return Demand("books", f"{len(differences)} differ", "none", fault if differences else None)


def _switch(state: SwitchState) -> Demand:
    fault = f"the trading switch is {state}, not {SwitchState.ACTIVE}"
    needed = str(SwitchState.ACTIVE)
    return Demand("switch", str(state), needed, None if state is SwitchState.ACTIVE else fault)


def _quiet(changes: Sequence[SwitchChange], at: datetime, demanded: LiveThresholds) -> Demand:
    needed = f"not lowered for {demanded.quiet.days} days"
    lowered = [
        (change.at, change)
        for change in changes
        if change.at is not None and change.state.severity > change.previous.severity
    ]
    if not lowered:
        return Demand("quiet", "never lowered", needed, None)
    when, change = lowered[-1]
    fault = (
        f"the trading switch was lowered at {to_iso(when)} by {change.who} ({change.why}); "
        f"{demanded.quiet.days} days without that are needed"
    )
    shown = f"lowered at {to_iso(when)}"
    return Demand("quiet", shown, needed, fault if at - when < demanded.quiet else None)

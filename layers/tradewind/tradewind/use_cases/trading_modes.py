"""Start and stop paper trading, and let an account trade with real money.

Each answer says what stands afterwards, so that asking twice changes nothing the second time. Who
asked is part of every record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from tradewind.errors import InvalidInputError
from tradewind.market.bar import to_iso
from tradewind.market.session_table import SessionTable
from tradewind.orders.control import LONGEST_WHO, LONGEST_WHY, SwitchChange
from tradewind.risk.going_live import (
    LiveRequest,
    LiveThresholds,
    LiveVerdict,
    check_going_live,
)
from tradewind.risk.live_ramp import SizeStep, live_size
from tradewind.risk.modes import LiveApproval, PaperRun, RunState, newest_by_symbol
from tradewind.use_cases.entry_permission import ramp_sessions
from tradewind.use_cases.ports import Clock
from tradewind.use_cases.trading_switch import one_line
from tradewind.use_cases.unit_of_work import Database, Stores


@dataclass(frozen=True, slots=True)
class PaperTradingAnswer:
    """``symbols`` are in ``state`` now; ``changed`` those that were not before."""

    account: str
    strategy: str
    state: RunState
    symbols: tuple[str, ...]
    changed: tuple[str, ...]

    def as_payload(self) -> dict[str, Any]:
        return {
            "account": self.account,
            "strategy": self.strategy,
            "state": str(self.state),
            "symbols": list(self.symbols),
            "changed": list(self.changed),
        }


@dataclass(frozen=True, slots=True)
class LiveTradingAnswer:
    """``approval`` and ``size`` stand when the account may trade live. ``verdict`` is the check as
    it would come out now; an approval stands whatever it says. ``newly``: this call recorded the
    approval."""

    account: str
    approval: LiveApproval | None
    size: SizeStep | None
    newly: bool
    verdict: LiveVerdict

    @property
    def approved(self) -> bool:
        return self.approval is not None

    @property
    def missing(self) -> tuple[str, ...]:
        """What keeps the account from trading live, one sentence each."""
        return () if self.approved else self.verdict.missing

    def as_payload(self) -> dict[str, Any]:
        approval, size = self.approval, self.size
        return {
            "account": self.account,
            "approved": self.approved,
            "newly": self.newly,
            "approval": None
            if approval is None
            else {
                "number": approval.number,
                "who": approval.who,
                "why": approval.why,
                "at": to_iso(approval.at),
                "sessions": approval.sessions,
                "round_trips": approval.round_trips,
                "divergence": str(approval.divergence),
                "worst_divergence": str(approval.worst_divergence),
            },
            "size": None
            if size is None
            else {"fraction": str(size.fraction), "reason": size.reason},
            "passed": self.verdict.passed,
            "demands": [
                {
                    "name": one.name,
                    "shown": one.shown,
                    "needed": one.needed,
                    "met": one.met,
                    "missing": one.missing,
                }
                for one in self.verdict.demands
            ],
        }


class SwitchReads(Protocol):
    """The part of ``TradingControl`` that the check looks at."""

    def switch(self, account: str) -> SwitchChange: ...

    def switch_changes(self, account: str) -> list[SwitchChange]: ...


def change_paper_trading(
    account: str,
    mode: str,
    to: RunState,
    *,
    strategy: str,
    symbols: Sequence[str],
    who: str,
    why: str,
    configured: Mapping[str, str],
    database: Database,
    clock: Clock,
) -> PaperTradingAnswer:
    """Start or stop the paper trading of some symbols by their strategy, all of its symbols when
    none is named. Stopped: nothing is entered, and what is held is closed in the next minute of a
    session. ``configured``: symbol -> strategy, as this deployment trades.

    Raises InvalidInputError for a live deployment, whose stop is the trading switch, and for
    symbols that the strategy does not trade.
    """
    if mode == "live":
        raise InvalidInputError(
            f"account {account} trades live: it is stopped by the trading switch"
        )
    who, why = one_line("who", who, LONGEST_WHO), one_line("why", why, LONGEST_WHY)
    chosen = _chosen(strategy, symbols, configured)
    now = clock.now()
    with database.transaction() as stores:
        stores.cycles.lock_account(account)
        runs = stores.trading_modes.runs(account)
        stand = newest_by_symbol(runs)
        numbers = {run.symbol: run.number for run in runs if run.strategy == strategy}
        changed = [symbol for symbol in chosen if _state(stand.get(symbol)) is not to]
        stores.trading_modes.add_runs(
            [
                PaperRun(account, strategy, symbol, numbers.get(symbol, 0) + 1, to, who, why, now)
                for symbol in changed
            ]
        )
    return PaperTradingAnswer(account, strategy, to, chosen, tuple(changed))


def check_live_trading(
    account: str,
    mode: str,
    *,
    control: SwitchReads,
    database: Database,
    sessions: SessionTable,
    clock: Clock,
    thresholds: LiveThresholds | None = None,
) -> LiveTradingAnswer:
    """The check between paper and live trading, and what stands, without recording anything.
    Raises ControlUnavailableError when the trading switch cannot be read."""
    now = clock.now()
    with database.transaction() as stores:
        verdict = check_going_live(_request(stores, account, mode, control, now), now, thresholds)
        approval = stores.trading_modes.approval(account) if mode == "live" else None
        size = None if approval is None else _size(stores, approval, now, sessions)
    return LiveTradingAnswer(account, approval, size, False, verdict)


def execute_live_trading(
    account: str,
    mode: str,
    *,
    who: str,
    why: str,
    control: SwitchReads,
    database: Database,
    sessions: SessionTable,
    clock: Clock,
    thresholds: LiveThresholds | None = None,
) -> LiveTradingAnswer:
    """Let an account trade live: run the check, record the approval if it passes, and say which
    part of the size it has reached. An approval that stands is not asked for again; its size rises
    by itself with clean sessions (:mod:`tradewind.risk.live_ramp`).

    Raises ControlUnavailableError when the trading switch cannot be read.
    """
    who, why = one_line("who", who, LONGEST_WHO), one_line("why", why, LONGEST_WHY)
    now = clock.now()
    with database.transaction() as stores:
        stores.cycles.lock_account(account)
        request = _request(stores, account, mode, control, now)
        verdict = check_going_live(request, now, thresholds)
        approval = stores.trading_modes.approval(account) if mode == "live" else None
        newly = approval is None and verdict.passed
        measured = verdict.divergence
        if newly and measured is not None and measured.worst.fraction is not None:
            approval = LiveApproval(
                account=account,
                number=1,
                who=who,
                why=why,
                at=now,
                sessions=request.evidence.sessions,
                round_trips=request.evidence.round_trips,
                divergence=measured.mean,
                worst_divergence=measured.worst.fraction,
            )
            stores.trading_modes.approve(approval)
        size = None if approval is None else _size(stores, approval, now, sessions)
    return LiveTradingAnswer(account, approval, size, newly, verdict)


def _size(
    stores: Stores, approval: LiveApproval, now: datetime, sessions: SessionTable
) -> SizeStep:
    record = stores.trading_modes.ramp(approval, ramp_sessions(now.date(), sessions))
    return live_size(record.traded, record.breaches)


def _request(
    stores: Stores,
    account: str,
    mode: str,
    control: SwitchReads,
    now: datetime,
) -> LiveRequest:
    return LiveRequest(
        mode=mode,
        evidence=replace(stores.trading_modes.evidence(), distances=stores.divergences.on_paper()),
        differences=[
            one for one in stores.holdings.differences(account) if one.is_unexplained(now)
        ],
        switch=control.switch(account).state,
        switch_changes=control.switch_changes(account),
    )


def _chosen(
    strategy: str, symbols: Sequence[str], configured: Mapping[str, str]
) -> tuple[str, ...]:
    traded = sorted(symbol for symbol, owner in configured.items() if owner == strategy)
    if not traded:
        known = ", ".join(sorted(set(configured.values())))
        raise InvalidInputError(f"strategy {strategy!r} trades nothing here; there are: {known}")
    foreign = sorted(set(symbols) - set(traded))
    if foreign:
        raise InvalidInputError(
            f"{strategy} does not trade {', '.join(foreign)}; it trades: {', '.join(traded)}"
        )
    return tuple(sorted(set(symbols))) if symbols else tuple(traded)


def _state(run: PaperRun | None) -> RunState:
    """What is configured trades until somebody stops it."""
    return run.state if run is not None else RunState.STARTED

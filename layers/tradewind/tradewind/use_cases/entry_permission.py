"""What a run may enter: what people have stopped, and what they have approved."""

from __future__ import annotations

from datetime import date, timedelta

from tradewind.market.bar import to_iso
from tradewind.market.cycle import Cycle
from tradewind.market.session_table import SessionTable
from tradewind.risk.live_ramp import SizeStep, live_size
from tradewind.risk.modes import LiveApproval, RunState
from tradewind.risk.permission import Permission
from tradewind.use_cases.standing import Standing
from tradewind.use_cases.unit_of_work import Stores


def entry_permission(
    stores: Stores, cycle: Cycle, standing: Standing, sessions: SessionTable
) -> Permission:
    """Live: the account's approval and the size it has reached. Other modes: the stopped symbols;
    a live account is stopped by the trading switch, which takes no database."""
    if cycle.mode != "live":
        return Permission(
            stopped={
                run.symbol: f"{run.who} stopped trading {run.symbol} by {run.strategy} at "
                f"{to_iso(run.at)}: {run.why}"
                for run in standing.paper_runs
                if run.state is RunState.STOPPED
            }
        )
    approval = standing.approval
    if approval is None:
        return Permission(
            live_refusal=f"no written check between paper and live trading is on record for "
            f"account {cycle.account}"
        )
    return Permission(size=size_step(stores, approval, cycle.session.date, sessions))


def size_step(
    stores: Stores, approval: LiveApproval, today: date, sessions: SessionTable
) -> SizeStep:
    """The part of the size that the account has reached since its approval."""
    first, before = approval.at.date(), today - timedelta(days=1)
    over = [
        session
        for session in (sessions.between(first, before) if first <= before else [])
        if session.open >= approval.at
    ]
    return live_size(
        stores.trading_modes.traded(approval.account, over),
        stores.trading_modes.breaches(approval.account, approval.at),
    )

"""What a run may enter: what people have stopped, and what they have approved."""

from __future__ import annotations

from datetime import date, timedelta

from tradewind.market.bar import to_iso
from tradewind.market.cycle import Cycle
from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable
from tradewind.risk.live_ramp import live_size
from tradewind.risk.modes import RunState, newest_by_symbol
from tradewind.risk.permission import Permission
from tradewind.use_cases.standing import Standing

# How far back sessions count towards the size of live trading: it takes a month to grow to all of
# it, and an account that has hardly traded in half a year begins small again.
RAMP_REACH = timedelta(days=182)


def entry_permission(cycle: Cycle, standing: Standing) -> Permission:
    """Live: the account's approval and the size it has reached. Other modes: the stopped symbols;
    a live account is stopped by the trading switch, which takes no database."""
    if cycle.mode != "live":
        return Permission(
            stopped={
                run.symbol: f"{run.who} stopped trading {run.symbol} by {run.strategy} at "
                f"{to_iso(run.at)}: {run.why}"
                for run in newest_by_symbol(standing.paper_runs).values()
                if run.state is RunState.STOPPED
            }
        )
    if standing.ramp is None:
        return Permission(
            live_refusal=f"no written check between paper and live trading is on record for "
            f"account {cycle.account}"
        )
    return Permission(size=live_size(standing.ramp.traded, standing.ramp.breaches))


def ramp_sessions(today: date, sessions: SessionTable) -> list[Session]:
    """The sessions before ``today`` that may count towards the size of live trading."""
    first = max(today - RAMP_REACH, sessions.first_day)
    return sessions.between(first, today - timedelta(days=1))

"""``tradewind golive``: show the written check between paper and live trading, or record it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from tradewind.adapters.clock import SystemClock
from tradewind.market.session_table import default_table
from tradewind.use_cases.ports import Clock
from tradewind.use_cases.trading_modes import (
    LiveTradingAnswer,
    check_live_trading,
    execute_live_trading,
)

from tradewind_local.bars.progress import console_for_output, say
from tradewind_local.mode_commands.place import Place

_NAMES = {
    "deployment": "deployed for live trading",
    "sessions": "sessions traded on paper",
    "round_trips": "positions opened and closed on paper",
    "divergence": "distance from the backtest of the same sessions",
    "alerts": "alerts without acknowledgement",
    "books": "quantities that differ from the broker's",
    "switch": "trading switch",
    "quiet": "time since the switch was lowered",
}


@dataclass(frozen=True, slots=True)
class Approval:
    """``confirm`` is asked before real money is risked."""

    who: str
    why: str
    confirm: Callable[[str], bool]


def golive(place: Place, approval: Approval | None, clock: Clock | None = None) -> dict[str, Any]:
    """The report: ``ok`` when the account may trade live, or, without an ``approval``, could."""
    console, clock = console_for_output(), clock or SystemClock()
    sessions = default_table()
    answer = check_live_trading(
        place.account, place.mode, control=place.switch, database=place.database,
        sessions=sessions, clock=clock,
    )  # fmt: skip
    _show(console, answer)
    if approval is not None and not answer.approved and answer.verdict.passed:
        if not approval.confirm(f"Let account {place.account} trade with real money?"):
            say(console, "nothing was written")
            return _report(place, answer, ok=False)
        answer = execute_live_trading(
            place.account, place.mode, who=approval.who, why=approval.why, control=place.switch,
            database=place.database, sessions=sessions, clock=clock,
        )  # fmt: skip
    for sentence in answer.missing:
        say(console, f"MISSING: {sentence}")
    say(console, _stands(answer, asked=approval is not None))
    return _report(
        place, answer, ok=answer.approved or (approval is None and answer.verdict.passed)
    )


def _report(place: Place, answer: LiveTradingAnswer, *, ok: bool) -> dict[str, Any]:
    return {"command": "golive", "ok": ok, "mode": place.mode, **answer.as_payload()}


def _show(console: Console, answer: LiveTradingAnswer) -> None:
    table = Table(title=f"Between paper and live trading, account {answer.account}")
    for heading in ("what", "shown", "needed", ""):
        table.add_column(heading)
    for one in answer.verdict.demands:
        table.add_row(_NAMES[one.name], one.shown, one.needed, "met" if one.met else "NOT MET")
    console.print(table)


def _stands(answer: LiveTradingAnswer, *, asked: bool) -> str:
    approval, size = answer.approval, answer.size
    if approval is not None and size is not None:
        begun = "trades live from its next run on" if answer.newly else "may trade live"
        return (
            f"{answer.account} {begun}, approved by {approval.who} at "
            f"{approval.at:%Y-%m-%d %H:%M:%S} UTC ({approval.why}): {size.reason}"
        )
    if answer.verdict.passed and not asked:
        return (
            f'the check passes: tradewind golive --approve --why "..." lets {answer.account} trade'
        )
    return f"{answer.account} may not trade live; nothing was written"

"""What an account brings into a backtest that does not begin with money alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tradewind.market.ports import DailyBar
from tradewind.portfolio.executions import Execution
from tradewind.risk.closed_trips import RecentTrade
from tradewind.risk.equity import EquityMark
from tradewind.risk.locks import Lock


@dataclass(frozen=True, slots=True)
class Beginning:
    """``executions`` are those of what is held, each symbol from flat on; the cash of the backtest
    is what they left. Stops are put by the reconciliation before the open. ``trades`` (oldest
    first), ``locks`` and ``mark`` are what protections know of the time before. ``daily``: by
    symbol, oldest first, the ranges of sessions that the bars do not reach back to.
    """

    executions: Sequence[Execution] = ()
    trades: Sequence[RecentTrade] = ()
    locks: tuple[Lock, ...] = ()
    mark: EquityMark | None = None
    daily: Mapping[str, Sequence[DailyBar]] = field(default_factory=dict)


MONEY_ALONE = Beginning()

"""A finding of the linter, and all that its checks look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.arrays import BarArrays
from tradewind.backtest.look_ahead import LookAhead
from tradewind.backtest.outcome import Outcome
from tradewind.backtest.overfitting import BacktestOverfitting, Deflation
from tradewind.market.session_table import SessionTable

if TYPE_CHECKING:  # it needs numba, which the checks do not
    from tradewind.backtest.metrics import Metrics

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``code`` is for machines and stays the same, ``sentence`` is for people."""

    code: str
    severity: Severity
    sentence: str


class AtCost(Protocol):
    """A rerun with commission, slippage and fees times ``factor``; ``profit_loss`` in USD."""

    @property
    def factor(self) -> float: ...

    @property
    def profit_loss(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """The arguments of :func:`tradewind.backtest.linter.findings`."""

    outcome: Outcome
    metrics: Metrics
    parameters: int
    trials: int
    bars: Sequence[BarArrays]
    cost_cases: Sequence[AtCost]
    look_ahead: Sequence[LookAhead]
    warm_up: int
    tuned_until: date | None
    deflation: Deflation | None
    overfitting: BacktestOverfitting | None
    calendar: SessionTable | None
    drawdown_limit: float

    @property
    def profit(self) -> float:
        """USD."""
        return self.metrics.final_equity - float(self.outcome.settings.cash)

    def where(self, trade: int) -> str:
        """A trade's symbol and the minute of its entry."""
        trades = self.outcome.trades
        entered = datetime.fromtimestamp(int(trades.entry_time[trade]), UTC)
        return f"{self.outcome.symbols[int(trades.symbol[trade])]} {entered:%Y-%m-%d %H:%M} UTC"


def session_ends(outcome: Outcome) -> NDArray[np.float64]:
    """USD at the end of each session [sessions]."""
    last = np.flatnonzero(np.diff(outcome.session, append=outcome.session[-1] + 1))
    ends: NDArray[np.float64] = outcome.equity[last]
    return ends


def usd(amount: float) -> str:
    return f"{amount:,.0f} USD" if abs(amount) >= 100 else f"{amount:.2f} USD"


def percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def ratio(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"

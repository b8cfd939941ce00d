"""What people have decided about trading: paper runs started and stopped, live trading approved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from tradewind.market.session import Session
from tradewind.risk.going_live import PaperEvidence


class RunState(StrEnum):
    STARTED = "started"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class PaperRun:
    """Who started or stopped the paper trading of a symbol, when (aware UTC) and why. ``number``
    counts the changes of (account, strategy, symbol) from 1."""

    account: str
    strategy: str
    symbol: str
    number: int
    state: RunState
    who: str
    why: str
    at: datetime


def newest_by_symbol(runs: Iterable[PaperRun]) -> dict[str, PaperRun]:
    """The change that counts for each symbol: the newest one, whichever strategy it names. A symbol
    belongs to one strategy at a time, whose name changes with its parameters: a stop must neither
    end with that, nor be out of reach of the strategy that trades the symbol now."""
    newest: dict[str, PaperRun] = {}
    for run in sorted(runs, key=lambda one: (one.at, one.state is RunState.STOPPED, one.number)):
        newest[run.symbol] = run
    return newest


@dataclass(frozen=True, slots=True)
class LiveApproval:
    """A written check that was passed: by whom and why it was asked for, when (aware UTC), and on
    what evidence: the mean of the sessions' distances from their backtests, and the worst of them
    (fractions of equity). ``number`` counts the account's approvals from 1."""

    account: str
    number: int
    who: str
    why: str
    at: datetime
    sessions: int
    round_trips: int
    divergence: Decimal
    worst_divergence: Decimal


@dataclass(frozen=True, slots=True)
class RampRecord:
    """What an account has done since its approval. ``traded``: the sessions that began after it and
    in which it bought or sold with real money, oldest first. ``breaches``: days (UTC) on which its
    trading switch was lowered or a critical alert was raised, and what it was."""

    traded: Sequence[date]
    breaches: Mapping[date, str]


@dataclass(frozen=True, slots=True)
class TradedSymbol:
    """A symbol that a strategy decided on, and the mode in which it did."""

    symbol: str
    strategy: str
    mode: str


class TradingModeStore(Protocol):
    """The ``paper_runs`` and ``live_approvals`` tables, and what a check of them looks at."""

    def traded_symbols(self, account: str) -> list[TradedSymbol]:
        """What the account decided on in the newest session in which it decided, by symbol."""
        ...

    def runs(self, account: str) -> list[PaperRun]:
        """The newest change of each (strategy, symbol) that has one, by strategy and symbol."""
        ...

    def add_runs(self, runs: Sequence[PaperRun]) -> None: ...

    def approval(self, account: str) -> LiveApproval | None:
        """The newest one."""
        ...

    def approve(self, approval: LiveApproval) -> None: ...

    def evidence(self) -> PaperEvidence:
        """What this deployment has shown on paper, under whatever account's name; how that
        compares with backtests is the ``DivergenceStore``'s to say."""
        ...

    def ramp(self, approval: LiveApproval, sessions: Sequence[Session]) -> RampRecord:
        """Of these sessions; see :class:`RampRecord`."""
        ...

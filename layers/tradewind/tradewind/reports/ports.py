"""What the reports need from the world, and the records they are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Protocol

from tradewind.alerts.model import Alert
from tradewind.market.adjustment import FactorTable
from tradewind.market.bar import Bar
from tradewind.market.corporate_actions import CorporateAction
from tradewind.market.ports import DailyBar
from tradewind.market.session import Session
from tradewind.portfolio.executions import Execution
from tradewind.portfolio.splits import PositionSplit
from tradewind.portfolio.statement import CashFlow, ClosedDay, EquityReading
from tradewind.risk.closed_trips import RecentTrade
from tradewind.risk.equity import EquityMark
from tradewind.risk.going_live import SessionDistance
from tradewind.risk.locks import Lock

# The last runs of a session record their news within that time after the close.
SETTLED_AFTER = timedelta(minutes=20)
# The broker counts a day from its first trading hour on, 04:00 in New York.
FIRST_HOUR_BEFORE_OPEN = timedelta(hours=5, minutes=30)


@dataclass(frozen=True, slots=True)
class Period:
    """What belongs to a session's report: news with ``since`` < time <= ``until``, where ``since``
    is the previous session's close, and equity read from ``first_reading`` on (before that, the
    broker's "previous close" is another day's)."""

    session: Session
    since: datetime

    @property
    def until(self) -> datetime:
        return self.session.close + SETTLED_AFTER

    @property
    def first_reading(self) -> datetime:
        return self.session.open - FIRST_HOUR_BEFORE_OPEN


@dataclass(frozen=True, slots=True)
class CycleCounts:
    """Minutes that were decided on, and those of them recorded to their end."""

    decided: int
    finished: int


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """How often something was refused for a reason. ``by`` says who refused: ``risk`` (the decision
    became another one), or what became of the intent (``rejected``, ``blocked``...). ``what`` is
    the wish (``enter``, ``exit``) or the intent's kind; ``example`` one of the sentences."""

    by: str
    what: str
    code: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class ForeignPosition:
    """Shares that are not ours, as the broker told them at ``as_of``."""

    symbol: str
    quantity: Decimal
    price: Decimal
    as_of: datetime


@dataclass(frozen=True, slots=True)
class SessionRecords:
    """Everything on record that a session's report is made of; each sequence oldest first.

    ``executions`` are those of :meth:`ReportReads.executions` for the period, ``bars`` the
    session's of their symbols, ``close_before`` and ``last_price`` these symbols' last closes up to
    the period's start and end; a symbol without any is absent. ``splits``: what our books made of
    these symbols' splits.
    """

    cycles: CycleCounts
    executions: Sequence[Execution]
    realised_ever: Decimal
    refusals: Sequence[RefusalCount]
    readings: Sequence[EquityReading]
    closed_days: Sequence[ClosedDay]
    flows: Sequence[CashFlow]
    foreign: Sequence[ForeignPosition]
    alerts: Sequence[Alert]
    bars: Mapping[str, Sequence[Bar]]
    close_before: Mapping[str, Decimal]
    last_price: Mapping[str, Decimal]
    splits: Sequence[PositionSplit] = ()


@dataclass(frozen=True, slots=True)
class DecidedSymbol:
    """A symbol that was decided on in a session: by which strategies (their names), in which modes,
    and whether one of them ever wished to enter or leave."""

    symbol: str
    strategies: Sequence[str]
    modes: Sequence[str]
    wished: bool


@dataclass(frozen=True, slots=True)
class ReferenceRecords:
    """What a backtest of a session's symbols begins with and what it is compared with.

    ``minutes``: from the session's open up to the last decided one. ``cash`` (USD) as the session's
    first snapshot told it at ``cash_at``, None when the broker was not read. ``bars``: regular ones
    of the session and before, as they were traded; ``daily``: the sessions before. ``actions``: the
    corporate actions other than splits, whenever learnt. ``trades``, ``locks`` and ``mark``: what
    protections knew before the open. ``decided``: (minute, symbol) -> action and reason code.
    """

    minutes: int
    cash: Decimal | None
    cash_at: datetime | None
    bars: Mapping[str, Sequence[Bar]]
    daily: Mapping[str, Sequence[DailyBar]]
    factors: FactorTable
    actions: Sequence[CorporateAction]
    trades: Sequence[RecentTrade]
    locks: tuple[Lock, ...]
    mark: EquityMark | None
    decided: Mapping[tuple[datetime, str], tuple[str, str]]


class ReportReads(Protocol):
    """The store of record, as reports read it: one transaction, a fixed number of statements."""

    def decided_symbols(self, account: str, period: Period) -> list[DecidedSymbol]:
        """By symbol."""
        ...

    def reference_records(
        self,
        account: str,
        period: Period,
        symbols: Sequence[str],
        *,
        bars_before: int,
        daily_before: int,
        held_since: Mapping[str, datetime],
        trades_since: datetime,
    ) -> ReferenceRecords:
        """``bars_before``, ``daily_before``: how many bars and sessions of each symbol before the
        session's open; where one was held since a moment, all bars from then on, too."""
        ...

    def session_records(self, account: str, period: Period) -> SessionRecords: ...

    def executions(self, account: str, since: datetime, until: datetime) -> list[Execution]:
        """Oldest first: in each symbol that was held at ``since`` or traded with
        ``since`` < time <= ``until``, from the last time at or before ``since`` at which the symbol
        was flat. Each is in the units of its own time."""
        ...

    def splits(self, account: str, symbols: Sequence[str]) -> list[PositionSplit]:
        """What our books made of these symbols' splits, in the order in which they were seen."""
        ...

    def accounts(self) -> list[str]:
        """The names of all accounts with a run on record."""
        ...


@dataclass(frozen=True, slots=True)
class SessionDivergence:
    """How far a session's profit lay from its backtest's: ``difference`` (live less backtest, USD;
    None where nothing was compared) of ``equity`` (USD at the previous close; None where the broker
    was not read). ``mode`` None: it was traded in none, or in several. ``share``: the part of it
    that was compared (:attr:`DailyReport.compared_share`). ``remarks``: what was not compared and
    what only one side knew, in a line."""

    account: str
    session: date
    mode: str | None
    equity: Decimal | None
    difference: Decimal | None
    share: Decimal
    matched: int
    only_live: int
    only_backtest: int
    remarks: str


class DivergenceStore(Protocol):
    """The ``session_divergences`` table."""

    def on_paper(self) -> list[SessionDistance]:
        """For the check between paper and live trading, oldest first: the sessions with an
        execution on paper, those in which the backtest alone traded, and those of which nobody
        knows whether it did."""
        ...

    def save(self, divergence: SessionDivergence) -> None:
        """Insert, or replace the session's; equal rows are left alone."""
        ...


class ReportStore(Protocol):
    """Where finished reports are kept."""

    def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write, in the place of what is there under that key."""
        ...

"""What the reports need from the world, and the records they are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from tradewind.alerts.model import Alert
from tradewind.market.bar import Bar
from tradewind.market.session import Session
from tradewind.portfolio.executions import Execution
from tradewind.portfolio.splits import PositionSplit
from tradewind.portfolio.statement import CashFlow, ClosedDay, EquityReading

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


class ReportReads(Protocol):
    """The store of record, as reports read it: one transaction, a fixed number of statements."""

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


class ReportStore(Protocol):
    """Where finished reports are kept."""

    def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write, in the place of what is there under that key."""
        ...

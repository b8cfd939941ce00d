"""What the market subject needs from the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from tradewind.market.adjustment import FactorTable, KnownClose, SplitFactor, SuspectedSplit
from tradewind.market.availability import Availability
from tradewind.market.bar import Bar
from tradewind.market.bar_series import BarSeries
from tradewind.market.bar_trace import BarTrace
from tradewind.market.corporate_actions import Announced, CorporateAction
from tradewind.market.gap_ledger import OpenGap
from tradewind.market.session import Session


@dataclass(frozen=True, slots=True)
class BarWrite:
    """How a batch of bars changed the store: new rows, rows whose values changed."""

    stored: int
    corrected: int


@dataclass(frozen=True, slots=True)
class DailyBar:
    """A session's regular-hours range, built from its stored minutes."""

    symbol: str
    session: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


class MarketDataProvider(Protocol):
    """A source of one-minute bars."""

    def bars(self, symbols: Sequence[str], first: datetime, last: datetime) -> list[Bar]:
        """Complete bars whose start lies in ``first..last`` (both included), any order.

        One bar a symbol and minute: equal ones are dropped, and of two answers the later counts.
        A symbol the provider does not know has no bars; UnknownSymbolError is raised when it says
        so of all of them.

        Raises ProviderUnavailableError, ThrottledError (retry may help; the latter says when) or
        ProviderRefusedError (it will not: somebody has to change something).
        """
        ...


class RequestBudget(Protocol):
    """How often a provider may be asked, counted over all functions together."""

    def take(self, provider: str, at: datetime) -> float:
        """Count a request at this instant (aware UTC) and return 0; or count nothing and return
        the seconds until one may be free.

        Raises ControlUnavailableError when the count cannot be read or written.
        """
        ...


class BarStore(Protocol):
    """The ``bars`` table."""

    def upsert(
        self, bars: Sequence[Bar], in_session: Sequence[bool], received_at: datetime
    ) -> BarWrite:
        """Insert new bars, update changed ones, leave equal ones untouched, in one statement, which
        also leaves the traces (``bar_trace.traces_of``) of what was late or corrected.

        ``in_session[i]`` says whether ``bars[i]`` lies in regular trading hours; ``received_at``
        (aware UTC) is when they came.
        """
        ...

    def recent(self, symbols: Sequence[str], until: datetime, count: int) -> dict[str, BarSeries]:
        """The newest ``count`` regular-session bars with start <= until, oldest first.

        A symbol without bars is absent from the answer.
        """
        ...

    def highest(self, stretches: Sequence[tuple[str, datetime, datetime]]) -> list[Decimal | None]:
        """For each (symbol, since, until), the highest high over regular bars with since <= start
        <= until; None where there is no such bar."""
        ...

    def daily(self, symbols: Sequence[str], before: date, count: int) -> dict[str, list[DailyBar]]:
        """The newest ``count`` sessions before a New York date, oldest first (regular hours)."""
        ...

    def closes_before(self, starts: Mapping[str, datetime]) -> dict[str, KnownClose]:
        """For each symbol its newest regular-session bar with start < the moment given, by which
        incoming bars are measured (``validation.ClosesBefore``); a symbol without one is absent.
        """
        ...

    def latest(self, symbols: Sequence[str]) -> list[Bar]:
        """The newest bar of each symbol, regular hours or not, ordered by symbol."""
        ...


class BarLoad(Protocol):
    """The ``bars`` table as imports and backfills fill it."""

    def load(
        self, bars: Sequence[Bar], in_session: Sequence[bool], received_at: datetime
    ) -> BarWrite:
        """As ``BarStore.upsert``, for thousands of bars of one symbol, oldest first, one a minute;
        two loads of a symbol wait for each other."""
        ...


class CorporateActionProvider(Protocol):
    """A source of corporate actions that change the number of shares, or what a share is."""

    def announced(self, symbols: Sequence[str], first: date, last: date) -> Announced:
        """What is known now of actions from ``first`` to ``last``, ``known_at`` being now.

        Days ahead may be asked for: an announced action is better known before its session. Raises
        as MarketDataProvider does.
        """
        ...


class CorporateActionStore(Protocol):
    """The ``corporate_actions`` table (action_id, known_at; symbol, kind, effective)."""

    def learn(self, actions: Sequence[CorporateAction]) -> int:
        """Insert what is news, as ``FactorStore.learn`` does, and say how many rows that was:
        an action_id that nothing is known of, or of which something else was known last."""
        ...

    def of(self, symbols: Sequence[str]) -> list[CorporateAction]:
        """All that is known of the symbols, whenever learnt, oldest knowledge first."""
        ...


class FactorStore(Protocol):
    """The split factors and the suspicions they answer: ``split_factors`` (symbol, effective,
    known_at; new_rate, old_rate) and ``suspected_splits`` (symbol, effective; the rest of it)."""

    def learn(self, factors: Sequence[SplitFactor]) -> int:
        """Insert what is news, and say how many rows that was.

        A factor is news when its rates differ from those known last (greatest known_at) for its
        (symbol, effective), or nothing is known. What is known already keeps its first known_at:
        reading the same action every day must not make it look learnt today. Rows are never
        updated or deleted, since decisions made by them stay explained by them.
        """
        ...

    def suspect(self, suspected: Sequence[SuspectedSplit]) -> None:
        """Insert; a suspicion of the same (symbol, effective) is left as it is."""
        ...

    def table(self, symbols: Sequence[str]) -> FactorTable:
        """All factors and suspicions of the symbols, whenever known; the table is asked for a
        moment's knowledge."""
        ...


class GapStore(Protocol):
    """The gap ledger in the database; ``market.gap_ledger`` and ``market.availability`` are its
    specification, minute for minute.

    Which minutes were received is told by the ``bars`` table alone, so that nothing can drift
    apart; which are expected, by the sessions given. Stored are only the looks that found nothing
    (symbol, start; first_look, last_look). A minute has no trade when it has no bar and its looks
    confirm it: ``last_look - first_look >= 1 minute or last_look >= start + 16 minutes``. All
    methods are one statement each, whatever the number of symbols (500) and sessions (21).
    """

    def seen_empty(self, empty: Mapping[str, Sequence[datetime]], asked_at: datetime) -> None:
        """Note a look (``gap_ledger.empty_minutes``): first_look = least(known, asked_at),
        last_look = greatest(known, asked_at). The same look twice changes nothing."""
        ...

    def missing(
        self, since: Mapping[str, datetime], sessions: Sequence[Session], until: datetime
    ) -> dict[str, list[datetime]]:
        """For each symbol the minutes of the sessions, from its ``since`` on, that were over at
        ``until``, have no bar and are not known to have no trade, oldest first. A symbol without
        such minutes is absent. With ``since`` the oldest bar a decision looks back to and
        ``until`` the run's minute this is ``GapLedger.hole_before``; it fills ``Book.missing``."""
        ...

    def open_gaps(
        self, symbols: Sequence[str], sessions: Sequence[Session], until: datetime
    ) -> list[OpenGap]:
        """As ``GapLedger.open_gaps``, of these symbols and sessions; goes into
        ``backfill_plan``."""
        ...

    def availability(
        self, symbols: Sequence[str], sessions: Sequence[Session], until: datetime
    ) -> dict[date, Availability]:
        """Each session's figure over all the symbols, by the session's date; their sum over the
        last 21 is what the promise is about."""
        ...


class BarTraceStore(Protocol):
    """The ``bar_traces`` table: what late and corrected bars replaced. ``BarStore.upsert`` adds the
    rows; the same (symbol, start, received_at) is one."""

    def of(self, symbol: str, first: datetime, last: datetime) -> list[BarTrace]:
        """Traces of bars that start in ``first..last``, by start and received_at."""
        ...

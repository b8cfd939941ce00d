"""What the market subject needs from the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from tradewind.market.bar import Bar


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

    def upsert(self, bars: Sequence[Bar], in_session: Sequence[bool]) -> BarWrite:
        """Insert new bars, update changed ones, leave equal ones untouched, in one statement.

        ``in_session[i]`` says whether ``bars[i]`` lies in regular trading hours.
        """
        ...

    def recent(self, symbols: Sequence[str], until: datetime, count: int) -> dict[str, list[Bar]]:
        """The newest ``count`` regular-session bars with start <= until, oldest first.

        A symbol without bars is absent from the answer.
        """
        ...

    def highs_since(self, since: Mapping[str, datetime], until: datetime) -> dict[str, Decimal]:
        """For each symbol, its highest high over regular bars with since <= start <= until."""
        ...

    def daily(self, symbols: Sequence[str], before: date, count: int) -> dict[str, list[DailyBar]]:
        """The newest ``count`` sessions before a New York date, oldest first (regular hours)."""
        ...

    def latest(self, symbols: Sequence[str]) -> list[Bar]:
        """The newest bar of each symbol, regular hours or not, ordered by symbol."""
        ...

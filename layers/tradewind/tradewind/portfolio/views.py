"""What people ask: an account at a glance, prices, positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from tradewind.market.bar import Bar
from tradewind.risk.locks import Lock


@dataclass(frozen=True, slots=True)
class Status:
    """An account at a glance; None where nothing has happened yet. Times aware UTC, USD.

    ``decided_at`` and ``finished_at`` are real times, ``cycle`` and ``newest_bar`` bar times.
    """

    cycle: datetime | None
    execution: str | None
    decided_at: datetime | None
    finished_at: datetime | None
    newest_bar: datetime | None
    open_orders: int
    holdings: int
    equity: Decimal | None
    equity_as_of: datetime | None


@dataclass(frozen=True, slots=True)
class PositionView:
    """A position of ours (``quantity``) beside the broker's. Amounts in USD.

    ``quantity`` zero and ``strategy`` empty: a foreign position. ``last_price`` is the close of the
    symbol's newest bar, None when there is none.
    """

    symbol: str
    strategy: str
    quantity: Decimal
    cost: Decimal
    realised_pnl: Decimal
    opened_at: datetime | None
    broker_quantity: Decimal
    broker_as_of: datetime | None
    last_price: Decimal | None
    last_price_at: datetime | None

    @property
    def unrealised_pnl(self) -> Decimal | None:
        if self.last_price is None:
            return None
        return self.quantity * self.last_price - self.cost


class Queries(Protocol):
    """The reads of one transaction."""

    def status(self, account: str, symbols: Sequence[str]) -> Status: ...

    def prices(self, symbols: Sequence[str]) -> list[Bar]:
        """The newest bar of each symbol that has any, by symbol."""
        ...

    def positions(self, account: str) -> list[PositionView]:
        """Everything held, ours and foreign, by symbol."""
        ...

    def locks(self, account: str) -> list[Lock]:
        """The newest locks, ended ones included, newest first."""
        ...

"""What the portfolio needs from the world."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from tradewind.orders.model import BrokerAccount, BrokerPosition
from tradewind.portfolio.model import Holding, Trade


class HoldingStore(Protocol):
    """The ``positions`` table: our own books, kept from fills, beside the broker's quantity."""

    def all(self, account: str) -> list[Holding]:
        """Every holding the account ever had, flat ones included, by symbol."""
        ...

    def save(self, account: str, holdings: Sequence[Holding], at: datetime) -> None:
        """Upsert by (account, symbol)."""
        ...

    def broker_positions(self, account: str) -> list[BrokerPosition]:
        """The broker's positions as last confirmed, ours and foreign, quantity not zero."""
        ...

    def confirm(
        self, account: str, positions: Sequence[BrokerPosition], as_of: datetime
    ) -> list[str]:
        """Write the broker's quantities beside ours (absent symbols: zero), unless newer ones are
        there; the answer names the symbols where the two differ."""
        ...


class TradeStore(Protocol):
    """The ``trades`` table: one row per fill, as the owner's schema asks."""

    def add(self, account: str, trades: Sequence[Trade]) -> int:
        """Insert; trades already there are left alone. New rows."""
        ...

    def unbooked(self, account: str, execution_ids: Sequence[str]) -> set[str]:
        """Which of these executions have no trade yet."""
        ...


class AccountStore(Protocol):
    """The ``account_snapshots`` table."""

    def add(self, account: str, snapshot: BrokerAccount, as_of: datetime) -> None: ...

    def latest(self, account: str) -> tuple[datetime, BrokerAccount] | None: ...

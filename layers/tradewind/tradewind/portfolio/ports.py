"""What the portfolio needs from the world."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from tradewind.orders.model import BrokerAccount, BrokerActivity, BrokerPosition
from tradewind.portfolio.differences import QuantityDifference
from tradewind.portfolio.model import BookedQuantity, CashReckoning, Holding, Trade
from tradewind.portfolio.paper_trades import PaperTrade
from tradewind.portfolio.splits import PositionSplit


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
    ) -> list[BookedQuantity]:
        """Write the broker's quantities beside ours (absent symbols: zero), unless newer ones are
        there; the answer is what stands on our side for every symbol that is ours."""
        ...

    def note_differences(self, account: str, differences: Sequence[QuantityDifference]) -> None:
        """Replace what :meth:`differences` answers."""
        ...

    def differences(self, account: str) -> list[QuantityDifference]:
        """The differences that the newest snapshot showed, by symbol."""
        ...


class TradeStore(Protocol):
    """The ``trades`` table: one row per fill, as the owner's schema asks."""

    def add(self, account: str, trades: Sequence[Trade]) -> int:
        """Insert; trades already there are left alone. New rows."""
        ...

    def unbooked(self, account: str, execution_ids: Sequence[str]) -> set[str]:
        """Which of these executions have no trade yet."""
        ...

    def sales_since(self, account: str, symbol: str, since: datetime) -> list[Trade]:
        """A symbol's sales with timestamp >= since, oldest first."""
        ...


class PaperTradeStore(Protocol):
    """The ``paper_trades`` table: one row per position on paper."""

    def save(self, trades: Sequence[PaperTrade]) -> None:
        """Upsert by trade_id; a row that is closed stays as it is."""
        ...


class PositionSplitStore(Protocol):
    """The ``position_splits`` table: which splits the books have carried out."""

    def of(self, account: str, symbols: Sequence[str]) -> list[PositionSplit]:
        """All of these symbols', in the order in which they were seen."""
        ...

    def add(self, account: str, splits: Sequence[PositionSplit]) -> None:
        """To be written with the holdings they changed."""
        ...


class AccountStore(Protocol):
    """The ``account_snapshots`` table."""

    def add(self, account: str, snapshot: BrokerAccount, as_of: datetime) -> None: ...

    def latest(self, account: str) -> tuple[datetime, BrokerAccount] | None: ...


class ActivityStore(Protocol):
    """The ``cash_activities`` table: what moved the cash without an execution."""

    def add(
        self, account: str, activities: Sequence[BrokerActivity], told_at: datetime
    ) -> list[BrokerActivity]:
        """Insert activities not seen before; the answer is the new ones. ``told_at``: when the
        snapshot that tells them was read."""
        ...


class CashStore(Protocol):
    """The ``cash_reckonings`` table."""

    def reckoning(self, account: str) -> CashReckoning | None:
        """None until a first snapshot was fit to start from."""
        ...

    def save(self, account: str, reckoning: CashReckoning) -> None:
        """Insert, or carry on: a baseline that is there stays."""
        ...

"""What the order path needs from the world."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from tradewind.orders.model import (
    BrokerAccount,
    BrokerActivity,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    IntentOutcome,
    OrderIntent,
    OrderRequest,
    ReplaceRequest,
)


class Broker(Protocol):
    """A brokerage account.

    Calls that change something raise BrokerRejectedError (refused), ThrottledError (refused for
    rate, provably not carried out) or OutcomeUnknownError (anything else: look it up). Reads raise
    BrokerUnavailableError or ThrottledError, both retryable.
    """

    def submit(self, request: OrderRequest) -> BrokerOrder: ...

    def replace(self, order_id: str, request: ReplaceRequest) -> BrokerOrder:
        """Put another order in the place of an open one; the answer is the new order."""
        ...

    def cancel(self, order_id: str) -> None:
        """Ask for cancellation; it is done only when the order's status says so."""
        ...

    def order(self, order_id: str) -> BrokerOrder | None: ...

    def order_by_client_id(self, client_order_id: str) -> BrokerOrder | None:
        """The order with our id, its status and fills; None when the broker does not know it."""
        ...

    def orders(self, since: datetime) -> list[BrokerOrder]:
        """All open orders, and all others submitted since; legs flattened with their parent."""
        ...

    def open_orders(self, symbol: str) -> list[BrokerOrder]:
        """The symbol's orders that are in no final state, legs included."""
        ...

    def parent_of(self, order: BrokerOrder) -> BrokerOrder | None:
        """The order that this one is a leg of, among the newest orders of its symbol."""
        ...

    def fills(self, since: datetime) -> list[BrokerFill]:
        """Executions since then, oldest first."""
        ...

    def activities(self, since: datetime) -> list[BrokerActivity]:
        """What changed the cash without an execution (FEE, DIV, INT, JNL...), oldest first."""
        ...

    def positions(self) -> list[BrokerPosition]: ...

    def account(self) -> BrokerAccount: ...

    def next_close(self) -> datetime:
        """When, by the broker's own calendar, the present or the next session closes."""
        ...

    def cancel_all(self) -> None:
        """Ask for the cancellation of every open order of the account, ours or not."""
        ...

    def close_position(self, symbol: str) -> BrokerOrder:
        """Sell (or cover) all of a position at the market, ours or not."""
        ...


class IntentStore(Protocol):
    """The ``order_intents`` table."""

    def add(self, intents: Sequence[OrderIntent]) -> int:
        """Insert as pending; intents whose id is already there are left alone. New rows."""
        ...

    def without_outcome(self, account: str) -> list[OrderIntent]:
        """Intents still pending or unknown, oldest first."""
        ...

    def find(self, intent_ids: Sequence[str]) -> list[OrderIntent]: ...

    def record(self, outcomes: Sequence[IntentOutcome]) -> None:
        """Set outcomes; one already recorded is never replaced by pending or unknown."""
        ...

    def last_revisions(self, account: str, symbols: Sequence[str]) -> dict[str, int]:
        """The highest revision used by a symbol's intents; symbols without any are absent."""
        ...


class OrderStore(Protocol):
    """The ``orders`` table: the broker's orders, ours and foreign ones."""

    def upsert(self, account: str, orders: Sequence[BrokerOrder], as_of: datetime) -> int:
        """Insert or update; a snapshot older than the row changes nothing, a final state is never
        left, a filled quantity never falls. Rows changed. Rows of ours carry their intent_id
        (own id, parent's or replaced order's), foreign ones NULL."""
        ...

    def open(self, account: str) -> list[BrokerOrder]:
        """Orders in no final state, ours and foreign, oldest first."""
        ...

    def intent_of(self, account: str) -> dict[str, str]:
        """order_id -> intent_id for open orders and orders of the last two days that are ours."""
        ...


class FillStore(Protocol):
    """The ``fills`` table."""

    def add(self, account: str, fills: Sequence[BrokerFill]) -> list[BrokerFill]:
        """Insert executions not seen before; the answer is the new ones, oldest first."""
        ...

"""What the order path needs from the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from tradewind.orders.comparison import SentIntent
from tradewind.orders.configuration import AccountConfiguration
from tradewind.orders.control import SwitchChange
from tradewind.orders.life import KnownOrder
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
    rate), BrokerUnavailableError (nobody was there to take it) or OutcomeUnknownError (anything
    else: look it up); all but the last are provably not carried out. Reads raise
    BrokerUnavailableError or ThrottledError, both retryable, or BrokerRejectedError.
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

    def configuration(self) -> AccountConfiguration:
        """How the account is set up; nothing is said of symbols."""
        ...

    def configure(self, configuration: AccountConfiguration) -> AccountConfiguration:
        """Set what may be shorted and borrowed as given; the answer is what stands then."""
        ...

    def untradable(self, symbols: Sequence[str]) -> list[str]:
        """Those of these symbols that the broker does not trade or know; a request each."""
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

    def unsent(self, account: str, intent_ids: Sequence[str]) -> list[OrderIntent]:
        """Those of these intents whose outcome says that no order was sent: blocked or expired."""
        ...

    def failed_protections(self, account: str, since: datetime) -> dict[str, int]:
        """How many protective intents of a symbol, decided at ``since`` or later, the broker
        refused in a row up to the newest; symbols without such are absent."""
        ...

    def sent(self, account: str, since: datetime) -> list[SentIntent]:
        """The intents decided at ``since`` or later whose order this account's broker took."""
        ...

    def last_revisions(self, account: str, symbols: Sequence[str]) -> dict[str, int]:
        """The highest revision used by a symbol's intents; symbols without any are absent."""
        ...


class OrderStore(Protocol):
    """The ``orders`` table: the broker's orders, ours and foreign ones."""

    def unsettled(self, account: str, orders: Sequence[BrokerOrder]) -> set[str]:
        """The ids of those of which a snapshot may hold news: all but the ones on record as final
        with the same state, executions, parent and predecessor."""
        ...

    def known(self, account: str, order_ids: Sequence[str]) -> dict[str, KnownOrder]:
        """What is on record of these orders, by order_id."""
        ...

    def save(self, account: str, orders: Sequence[KnownOrder]) -> int:
        """Write orders as ``orders.life.merge`` gave them, each once. Rows changed.

        Rows of ours carry their intent_id (own id's, parent's or replaced order's), foreign ones
        NULL; an order keeps the intent it has.
        """
        ...

    def open(self, account: str) -> list[BrokerOrder]:
        """Orders in no final state, ours and foreign, oldest first."""
        ...

    def open_known(self, account: str) -> list[KnownOrder]:
        """The same, with the time of the newest word on each."""
        ...

    def intent_of(self, account: str) -> dict[str, str]:
        """order_id -> intent_id for open orders and orders of the last two days that are ours."""
        ...

    def owners(self, account: str, order_ids: Sequence[str]) -> dict[str, str]:
        """order_id -> intent_id for those of these orders that are ours."""
        ...

    def foreign(self, account: str, order_ids: Sequence[str]) -> set[str]:
        """Those of these orders that are on record and not ours."""
        ...

    def missing_fills(self, account: str) -> dict[str, datetime]:
        """The orders that were last seen with executions missing, and since when."""
        ...

    def note_missing_fills(self, account: str, since: Mapping[str, datetime]) -> None:
        """Replace what :meth:`missing_fills` answers."""
        ...

    def note_strangers(self, account: str, order_ids: Sequence[str], as_of: datetime) -> None:
        """A snapshot read at ``as_of`` shows these orders as a second deployment's."""
        ...

    def strangers(self, account: str) -> list[BrokerOrder]:
        """A second deployment's orders in the account's newest snapshot, oldest first."""
        ...


class FillStore(Protocol):
    """The ``fills`` table: executions as the broker told them, and their stand-ins."""

    def unknown(self, account: str, execution_ids: Sequence[str]) -> set[str]:
        """Which of these executions are not there."""
        ...

    def of_orders(self, account: str, order_ids: Sequence[str]) -> dict[str, list[BrokerFill]]:
        """The executions of each of these orders, oldest first; orders without any are absent."""
        ...

    def foreign_sales(self, account: str, symbols: Sequence[str]) -> dict[str, list[BrokerFill]]:
        """Sales by orders that are not ours and that have no trade, by symbol, newest first."""
        ...

    def add(self, account: str, fills: Sequence[BrokerFill]) -> list[BrokerFill]:
        """Insert executions not seen before; the answer is the new ones, oldest first."""
        ...


class SwitchChangeStore(Protocol):
    """The ``switch_changes`` table: the record of who changed the trading switch, and why."""

    def add(self, changes: Sequence[SwitchChange]) -> list[SwitchChange]:
        """Insert changes not recorded yet (told by account and number); the answer is those."""
        ...

    def of(self, account: str) -> list[SwitchChange]:
        """All that are recorded, oldest first."""
        ...

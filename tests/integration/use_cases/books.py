"""The use cases that record and decide over one database, and what a broker may say to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.market.bar import Bar
from tradewind.market.cycle import Cycle, execution_name
from tradewind.market.session import Session
from tradewind.market.session_table import default_table
from tradewind.orders.control import TradingControl
from tradewind.orders.model import (
    BrokerFill,
    BrokerOrder,
    BrokerState,
    IntentOutcome,
    OrderIntent,
    OrderStatus,
    Side,
)
from tradewind.orders.snapshot import dump_state
from tradewind.portfolio.model import Holding
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Wish
from tradewind.tradelog.model import OutboxMessage
from tradewind.use_cases.assess_risk import Assessed, RiskRules, assess_risk
from tradewind.use_cases.ports import PayloadRef
from tradewind.use_cases.record import record_broker_state, record_orders
from tradewind.use_cases.record_snapshot import Recorded

from tests.fakes import FakeControl, an_account, an_order
from tests.unit.use_cases.test_fetch_bars import FakePayloads

OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
SESSION = Session(date(2020, 11, 12), OPEN, OPEN + timedelta(minutes=390))
NOON = OPEN + timedelta(minutes=150)


def cycle_at(bar_time: datetime) -> Cycle:
    return Cycle("here", "paper", "paper", execution_name("paper", bar_time), bar_time, SESSION)


CYCLE = cycle_at(NOON)
READ_AT = CYCLE.run_at + timedelta(seconds=4)


@dataclass(frozen=True)
class Wisher:
    """A strategy that wishes what it is told."""

    action: Action
    name: str = "wisher"
    bars_needed: int = 1
    needs_prediction: bool = False

    def decide(self, view: MarketView) -> Wish:
        return Wish(self.action, "told", "told to")


@dataclass
class Books:
    """The use cases over one database, with the payload bucket in memory."""

    database: PostgresDatabase
    payloads: FakePayloads = field(default_factory=FakePayloads)
    control: FakeControl = field(default_factory=FakeControl)

    def bar(self, start: datetime, symbol: str = "AAPL") -> None:
        price = D(100)
        with self.database.transaction() as stores:
            stores.bars.upsert(
                [Bar(symbol, start, price, price, price, price, 10, "iex")], [True], start
            )

    def sync(self, state: BrokerState, cycle: Cycle = CYCLE) -> Recorded:
        ref = self._put(state)
        return record_broker_state(cycle, ref, payloads=self.payloads, database=self.database)

    def told(self, kind: str) -> list[str]:
        """The messages of all alerts of this type so far, none of which is ever marked as sent."""
        messages = [message.message for message in self.close() if message.topic == "alerts"]
        return [message["message"] for message in messages if message["type"] == kind]

    def decide(
        self,
        action: Action = Action.ENTER,
        cycle: Cycle = CYCLE,
        symbols: Sequence[str] = ("AAPL",),
        rules: RiskRules | None = None,
    ) -> Assessed:
        return assess_risk(
            cycle,
            [],
            strategies={symbol: Wisher(action) for symbol in symbols},
            rules=rules or RiskRules(),
            sessions=default_table(),
            database=self.database,
            control=self.control,
        )

    def close(
        self,
        *outcomes: IntentOutcome,
        state: BrokerState | None = None,
        control: TradingControl | None = None,
    ) -> list[OutboxMessage]:
        ref = None if state is None else self._put(state)
        return record_orders(
            CYCLE,
            outcomes,
            ref,
            payloads=self.payloads,
            database=self.database,
            control=control,
        )

    def holdings(self) -> dict[str, Holding]:
        with self.database.transaction() as stores:
            return {holding.symbol: holding for holding in stores.holdings.all("paper")}

    def open_intents(self) -> list[OrderIntent]:
        with self.database.transaction() as stores:
            return stores.intents.without_outcome("paper")

    def _put(self, state: BrokerState) -> PayloadRef:
        return self.payloads.put("state", dump_state(state), 1)


def state(*orders: BrokerOrder, **changes: Any) -> BrokerState:
    plain = BrokerState(READ_AT, an_account(), orders, (), ())
    return replace(plain, **changes)


def order_of(intent: OrderIntent, **changes: Any) -> BrokerOrder:
    plain = an_order(
        order_id="entry",
        client_order_id=intent.intent_id,
        side=Side.BUY,
        order_type="limit",
        status=OrderStatus.FILLED,
        quantity=intent.quantity,
        filled_quantity=intent.quantity,
        stop_price=None,
    )
    return replace(plain, **changes)


def leg_of(intent: OrderIntent, **changes: Any) -> BrokerOrder:
    plain = an_order(
        order_id="stop", client_order_id="broker-made", parent_order_id="entry",
        quantity=intent.quantity,
    )  # fmt: skip
    return replace(plain, **changes)


def fill(order_id: str, side: Side, quantity: D, price: str, second: int = 5) -> BrokerFill:
    at = CYCLE.run_at + timedelta(seconds=second)
    return BrokerFill(f"{order_id}-{second}", order_id, "AAPL", side, quantity, D(price), at)


def decided(books: Books) -> OrderIntent:
    """An entry that is committed and has no outcome."""
    books.sync(state())
    (intent,) = books.decide().intents
    return intent

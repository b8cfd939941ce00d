"""Deciding and recording on a real PostgreSQL: once, in any order, however often it is told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.market.bar import Bar
from tradewind.market.cycle import Cycle, execution_name
from tradewind.market.session import Session
from tradewind.market.session_table import default_table
from tradewind.orders.model import (
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerState,
    IntentOutcome,
    IntentStatus,
    OrderIntent,
    OrderStatus,
    Side,
)
from tradewind.orders.snapshot import dump_state
from tradewind.portfolio.model import Holding
from tradewind.risk.limits import RiskLimits
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Wish
from tradewind.tradelog.model import OutboxMessage
from tradewind.use_cases.assess_risk import Assessed, assess_risk
from tradewind.use_cases.ports import PayloadRef
from tradewind.use_cases.record import (
    Recorded,
    mark_published,
    record_broker_state,
    record_orders,
)

from tests.fakes import an_account, an_order
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

    def decide(self, view: MarketView) -> Wish:
        return Wish(self.action, "told", "told to")


@dataclass
class Books:
    """The use cases over one database, with the payload bucket in memory."""

    database: PostgresDatabase
    payloads: FakePayloads = field(default_factory=FakePayloads)

    def bar(self, start: datetime, symbol: str = "AAPL") -> None:
        price = D(100)
        with self.database.transaction() as stores:
            stores.bars.upsert(
                [Bar(symbol, start, price, price, price, price, 10, "iex")], [True], start
            )

    def sync(self, state: BrokerState, cycle: Cycle = CYCLE) -> Recorded:
        ref = self._put(state)
        return record_broker_state(cycle, ref, payloads=self.payloads, database=self.database)

    def decide(self, action: Action = Action.ENTER, cycle: Cycle = CYCLE) -> Assessed:
        return assess_risk(
            cycle,
            [],
            strategies={"AAPL": Wisher(action)},
            limits=RiskLimits(),
            sessions=default_table(),
            database=self.database,
        )

    def close(
        self, *outcomes: IntentOutcome, state: BrokerState | None = None
    ) -> list[OutboxMessage]:
        ref = None if state is None else self._put(state)
        return record_orders(CYCLE, outcomes, ref, payloads=self.payloads, database=self.database)

    def holdings(self) -> dict[str, Holding]:
        with self.database.transaction() as stores:
            return {holding.symbol: holding for holding in stores.holdings.all("paper")}

    def open_intents(self) -> list[OrderIntent]:
        with self.database.transaction() as stores:
            return stores.intents.without_outcome("paper")

    def _put(self, state: BrokerState) -> PayloadRef:
        return self.payloads.put("state", dump_state(state), 1)


@pytest.fixture
def books(database: PostgresDatabase) -> Books:
    made = Books(database)
    made.bar(NOON)
    return made


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
    books.sync(state())
    (intent,) = books.decide().intents
    return intent


def test_a_minute_is_decided_once(books: Books) -> None:
    intent = decided(books)
    again = books.decide()
    # The run may have died before it sent: the committed intent is handed out again, no other.
    assert (again.status, again.decisions, again.intents) == ("decided", 0, (intent,))


def test_a_decided_minute_whose_intents_have_outcomes_is_superseded(books: Books) -> None:
    intent = decided(books)
    books.close(IntentOutcome(intent.intent_id, IntentStatus.REJECTED, None, "x", "y", READ_AT))
    assert books.decide() == Assessed("superseded", 0, ())


def test_an_older_minute_decides_nothing(books: Books) -> None:
    decided(books)
    older = cycle_at(NOON - timedelta(minutes=1))
    assert books.decide(cycle=older) == Assessed("superseded", 0, ())


def test_a_fill_becomes_a_holding_a_trade_an_event_and_an_alert_once(books: Books) -> None:
    intent = decided(books)
    bought = fill("entry", Side.BUY, intent.quantity, "100.10")
    told = state(order_of(intent), leg_of(intent), fills=(bought,))
    outcome = IntentOutcome(intent.intent_id, IntentStatus.SUBMITTED, "entry", "ok", "ok", READ_AT)
    first = books.close(outcome, state=told)
    again = books.close(outcome, state=told)
    holding = books.holdings()["AAPL"]
    assert (holding.quantity, holding.strategy) == (intent.quantity, "wisher")
    assert holding.avg_price == D("100.10")
    assert sorted(m.topic for m in first) == ["alerts", "trade-events"]
    assert again == first  # not marked as published yet: handed out again, and nothing new
    mark_published([m.message_id for m in first], database=books.database)
    assert books.close(outcome, state=told) == []


def test_a_fill_told_before_its_order_is_booked_when_the_order_comes(books: Books) -> None:
    intent = decided(books)
    bought = fill("entry", Side.BUY, intent.quantity, "100.10")
    books.sync(state(fills=(bought,)))
    assert books.holdings() == {}
    books.sync(state(order_of(intent), fills=(bought,), as_of=READ_AT + timedelta(seconds=1)))
    assert books.holdings()["AAPL"].quantity == intent.quantity


def test_a_stop_that_fills_closes_the_position_and_says_so(books: Books) -> None:
    intent = decided(books)
    bought = fill("entry", Side.BUY, intent.quantity, "100")
    sold = fill("stop", Side.SELL, intent.quantity, "98.40", second=30)
    stopped = leg_of(intent, status=OrderStatus.FILLED, filled_quantity=intent.quantity)
    books.sync(state(order_of(intent), stopped, fills=(sold, bought)))  # out of order
    holding = books.holdings()["AAPL"]
    assert (holding.quantity, holding.cost) == (D(0), D(0))
    assert holding.realised_pnl == intent.quantity * D("-1.60")
    alerts = [m.message for m in books.close() if m.topic == "alerts"]
    assert [alert["type"] for alert in alerts] == ["position_opened", "stop_filled"]


def test_a_sale_of_more_than_held_is_told_and_stops_nothing(books: Books) -> None:
    intent = decided(books)
    sold = fill("stop", Side.SELL, intent.quantity, "98.40")
    books.sync(state(order_of(intent), leg_of(intent), fills=(sold,)))
    assert books.holdings() == {}
    types = [m.message.get("type") for m in books.close()]
    assert "fill_not_booked" in types


def test_foreign_fills_and_positions_are_kept_and_not_accounted_for(books: Books) -> None:
    theirs = an_order(order_id="x", client_order_id="mine", symbol="MSFT", side=Side.BUY)
    bought = replace(fill("x", Side.BUY, D(3), "200"), symbol="MSFT")
    position = BrokerPosition("MSFT", D(3), D(200), D(201), D(3))
    books.sync(state(theirs, fills=(bought,), positions=(position,)))
    assert books.holdings() == {}
    with books.database.transaction() as stores:
        assert [p.symbol for p in stores.holdings.broker_positions("paper")] == ["MSFT"]
    assert books.close() == []


def test_an_intent_without_outcome_is_resolved_by_the_next_snapshot(books: Books) -> None:
    intent = decided(books)
    assert books.open_intents() == [intent]
    books.sync(state(order_of(intent)))
    assert books.open_intents() == []


def test_an_intent_that_never_arrived_is_closed_after_its_time(books: Books) -> None:
    decided(books)
    books.sync(state(as_of=CYCLE.run_at + timedelta(seconds=119)))
    assert len(books.open_intents()) == 1
    books.sync(state(as_of=CYCLE.run_at + timedelta(seconds=120)))
    assert books.open_intents() == []


def test_an_outcome_for_an_intent_that_was_never_committed_is_told(books: Books) -> None:
    forged = IntentOutcome("tw-forged", IntentStatus.SUBMITTED, "o", "ok", "ok", READ_AT)
    (message,) = books.close(forged)
    assert message.message["type"] == "unknown_intent"


def test_a_quantity_that_differs_is_told_when_nothing_is_at_work(books: Books) -> None:
    intent = decided(books)
    bought = fill("entry", Side.BUY, intent.quantity, "100")
    short = BrokerPosition("AAPL", intent.quantity - 1, D(100), D(100), D(0))
    moving = state(order_of(intent), leg_of(intent), fills=(bought,), positions=(short,))
    books.sync(moving)
    resting = replace(
        moving,
        as_of=READ_AT + timedelta(seconds=1),
        orders=(order_of(intent), leg_of(intent, status=OrderStatus.CANCELED)),
    )
    books.sync(resting)
    types = [m.message.get("type") for m in books.close()]
    assert types.count("position_difference") == 1


def test_a_symbol_that_lost_its_strategy_is_still_protected(books: Books) -> None:
    intent = decided(books)
    books.sync(state(order_of(intent), fills=(fill("entry", Side.BUY, intent.quantity, "100"),)))
    later = cycle_at(NOON + timedelta(minutes=1))
    books.bar(later.bar_time)
    assessed = assess_risk(
        later,
        [],
        strategies={},
        limits=RiskLimits(),
        sessions=default_table(),
        database=books.database,
    )
    (protection,) = assessed.intents
    assert (protection.kind, protection.stop_price) == ("protect", D("98.50"))

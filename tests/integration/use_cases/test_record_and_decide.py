"""Deciding and recording on a real PostgreSQL: once, in any order, however often it is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D

from tradewind.market.session_table import default_table
from tradewind.orders.model import (
    BrokerPosition,
    IntentOutcome,
    IntentStatus,
    OrderStatus,
    Side,
)
from tradewind.use_cases.assess_risk import Assessed, RiskRules, assess_risk
from tradewind.use_cases.record import mark_published

from tests.fakes import FakeControl, an_order
from tests.integration.use_cases.books import (
    CYCLE,
    NOON,
    READ_AT,
    Books,
    cycle_at,
    decided,
    fill,
    leg_of,
    order_of,
    state,
)


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
    stopped = leg_of(intent, status=OrderStatus.FILLED, filled_quantity=intent.quantity)
    books.sync(state(order_of(intent), stopped, fills=(sold,)))
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


def test_a_symbol_that_lost_its_strategy_is_still_protected(books: Books) -> None:
    intent = decided(books)
    books.sync(state(order_of(intent), fills=(fill("entry", Side.BUY, intent.quantity, "100"),)))
    later = cycle_at(NOON + timedelta(minutes=1))
    books.bar(later.bar_time)
    assessed = assess_risk(
        later,
        [],
        strategies={},
        rules=RiskRules(),
        sessions=default_table(),
        database=books.database,
        control=FakeControl(),
    )
    (protection,) = assessed.intents
    assert (protection.kind, protection.stop_price) == ("protect", D("98.50"))

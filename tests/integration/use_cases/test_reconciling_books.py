"""Reconciliation on a real PostgreSQL: what the cycle left, and the same minute assessed twice."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.market.bar import MINUTE
from tradewind.market.cycle import Cycle, reconciliation_name
from tradewind.market.session_table import default_table
from tradewind.orders.model import BrokerPosition, IntentKind, IntentOutcome, IntentStatus, Side
from tradewind.risk.limits import RiskLimits
from tradewind.strategies.decision import Action
from tradewind.use_cases.reconcile import Plan, assess_protection, plan_reconciliation

from tests.fakes import FakeClock, an_order
from tests.integration.use_cases.books import (
    CYCLE,
    NOON,
    READ_AT,
    Books,
    cycle_at,
    decided,
    fill,
    order_of,
    state,
)

HERE: dict[str, str] = {"deployment": "here", "account": "paper", "mode": "paper"}


def reconciling(cycle: Cycle) -> Cycle:
    return replace(cycle, execution=reconciliation_name("paper", cycle.bar_time))


@pytest.fixture
def books(database: PostgresDatabase) -> Books:
    made = Books(database)
    made.bar(NOON)
    return made


def check(books: Books, minutes: int) -> Plan:
    """The safety check, so many minutes after the run of NOON's bar."""
    minute = CYCLE.run_at + minutes * MINUTE
    return plan_reconciliation(
        {"why": "check", "scheduled_time": minute.isoformat()},
        **HERE,
        sessions=default_table(),
        database=books.database,
        clock=FakeClock(minute),
    )


def test_a_run_counts_as_whole_once_it_is_recorded(books: Books) -> None:
    assert check(books, 1).needed  # nothing has run in this session at all
    books.decide(Action.HOLD)
    assert check(books, 1).needed  # decided, and never recorded to its end
    books.close()
    assert not check(books, 2).needed
    assert check(books, 3).needed


def test_an_intent_without_outcome_is_looked_after(books: Books) -> None:
    intent = decided(books)
    books.close()
    assert not check(books, 0).needed  # its run is still under way
    assert "without outcome: 1" in check(books, 1).reason
    books.close(IntentOutcome(intent.intent_id, IntentStatus.REJECTED, None, "no", "no", READ_AT))
    assert not check(books, 1).needed


def test_a_naked_position_gets_one_stop_however_often_it_is_assessed(books: Books) -> None:
    entry = decided(books)
    bought = order_of(entry)
    held = BrokerPosition("AAPL", entry.quantity, D(100), D(100), D(0))
    filled = state(
        bought, positions=(held,), fills=(fill("entry", Side.BUY, entry.quantity, "100"),)
    )
    books.close(
        IntentOutcome(entry.intent_id, IntentStatus.SUBMITTED, "entry", "ok", "ok", READ_AT),
        state=filled,
    )
    later = reconciling(cycle_at(NOON + MINUTE))
    books.sync(replace(filled, as_of=READ_AT + MINUTE), later)

    def assess() -> list[str]:
        intents = assess_protection(
            later, **HERE, limits=RiskLimits(), sessions=default_table(), database=books.database
        )
        assert [intent.kind for intent in intents] == [IntentKind.PROTECT] * len(intents)
        return [intent.intent_id for intent in intents]

    first = assess()
    assert len(first) == 1
    assert assess() == first
    assert [intent.intent_id for intent in books.open_intents()] == first

    stop = an_order(
        order_id="stop", client_order_id=first[0], quantity=entry.quantity, stop_price=D("98.50")
    )
    books.sync(replace(filled, orders=(bought, stop), as_of=READ_AT + 2 * MINUTE), later)
    assert assess() == []
    assert books.open_intents() == []
    # The minute is still the trading run's to decide.
    books.bar(NOON + MINUTE)
    assert books.decide(Action.HOLD, cycle_at(NOON + MINUTE)).status == "decided"

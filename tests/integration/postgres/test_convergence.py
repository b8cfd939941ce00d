"""Whatever the order of arrival, and however often it is told: the same truth stands in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.orders.model import FINAL_STATUSES, BrokerOrder, IntentStatus, OrderStatus

from tests.integration.postgres.rows import (
    ACCOUNT,
    OPEN,
    SECOND,
    a_fill,
    an_intent,
    an_order,
    an_outcome,
    tell_orders,
)

# The database is emptied by each example itself, so one per test function is enough.
examples = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@dataclass(frozen=True)
class Told:
    second: int
    order: BrokerOrder


@st.composite
def histories(draw: st.DrawFn) -> list[Told]:
    """What a broker says about one order as time passes: fills grow, a final state is the last."""
    open_states = sorted(set(OrderStatus) - FINAL_STATUSES)
    # The one that no broker says: it is our judgement of its silence.
    final_states = sorted(FINAL_STATUSES - {OrderStatus.NOT_KNOWN})
    length = draw(st.integers(1, 6))
    filled = sorted(draw(st.lists(st.integers(0, 10), min_size=length, max_size=length)))
    states = [draw(st.sampled_from(open_states)) for _ in range(length)]
    if draw(st.booleans()):
        ended_at = draw(st.integers(0, length - 1))
        final = draw(st.sampled_from(final_states))
        states[ended_at:] = [final] * (length - ended_at)
        filled[ended_at:] = [filled[ended_at]] * (length - ended_at)
    return [
        Told(
            second,
            an_order(
                status=state,
                filled_quantity=Decimal(quantity),
                filled_avg_price=Decimal(100 + quantity) if quantity else None,
                stop_price=Decimal(100 + second) if state not in FINAL_STATUSES else None,
                updated_at=OPEN + second * SECOND,
            ),
        )
        for second, (state, quantity) in enumerate(zip(states, filled, strict=True))
    ]


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Told], list[Told]]:
    """A history, and how it arrives: every part of it at least once, in any order."""
    history = draw(histories())
    repeated = draw(st.lists(st.sampled_from(history), max_size=4))
    return history, draw(st.permutations(history + repeated))


@examples
@given(arrivals())
def test_an_order_ends_as_its_newest_snapshot(
    database: PostgresDatabase, ask: Callable[..., Any], told: tuple[list[Told], list[Told]]
) -> None:
    history, arriving = told
    ask("DELETE FROM orders")
    for part in arriving:
        with database.transaction() as stores:
            tell_orders(stores, [part.order], OPEN + part.second * SECOND)
    newest = history[-1].order
    (row,) = ask("SELECT status, filled_quantity, filled_avg_price, updated_at FROM orders")
    last_words = [part.order for part in history if part.order.status is newest.status]
    assert row[:3] == [newest.status, newest.filled_quantity, newest.filled_avg_price]
    # A final order rests: which of the equal last words was kept does not matter.
    assert row[3] in {order.updated_at for order in last_words}


OUTCOMES = st.builds(
    lambda status, second: an_outcome("tw-1", status, second),
    st.sampled_from(sorted(IntentStatus)),
    st.integers(0, 3),
)


@examples
@given(st.lists(OUTCOMES, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_an_intents_outcome_does_not_depend_on_the_order_of_arrival(
    database: PostgresDatabase, ask: Callable[..., Any], outcomes: list[Any], chance: Any
) -> None:
    stood = []
    for _ in range(2):
        ask("DELETE FROM order_intents")
        with database.transaction() as stores:
            stores.intents.add([an_intent("tw-1")])
            for outcome in outcomes:
                stores.intents.record([outcome])
            stores.intents.record(outcomes)
        stood.append(ask("SELECT status, outcome_at FROM order_intents"))
        chance.shuffle(outcomes)
    assert stood[0] == stood[1]
    settled = any(outcome.status.is_outcome for outcome in outcomes)
    assert IntentStatus(stood[0][0][0]).is_outcome is settled


@examples
@given(st.lists(st.lists(st.integers(0, 5), max_size=5), max_size=5))
def test_each_execution_is_news_exactly_once(
    database: PostgresDatabase, ask: Callable[..., Any], batches: list[list[int]]
) -> None:
    ask("DELETE FROM fills")
    news: list[str] = []
    for batch in batches:
        with database.transaction() as stores:
            fills = [a_fill(f"x-{number}", at=OPEN + number * SECOND) for number in batch]
            news += [fill.execution_id for fill in stores.fills.add(ACCOUNT, fills)]
    assert sorted(news) == sorted({f"x-{number}" for batch in batches for number in batch})

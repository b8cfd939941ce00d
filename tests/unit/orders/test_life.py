"""The resolution table as code and documents know it, and what a snapshot makes of an order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D
from itertools import product
from pathlib import Path

import pytest
from tradewind.orders.life import (
    KnownOrder,
    OrderState,
    Resolution,
    TableRow,
    merge,
    resolution_for,
    resolution_table,
    state_of,
)
from tradewind.orders.model import BrokerOrder, OrderStatus, Side

from tests.fakes import START, an_order

DOCS = Path(__file__).resolve().parents[3] / "docs" / "orders.md"
BEGIN, END = "<!-- resolution table: begin -->", "<!-- resolution table: end -->"

SECOND = timedelta(seconds=1)
OUR_JUDGEMENT = (
    OrderState.INTENDED,
    OrderState.SUBMITTING,
    OrderState.UNKNOWN,
    OrderState.UNSENT,
    OrderState.VANISHED,
)
BROKERS_STATES = [state for state in OrderState if state not in OUR_JUDGEMENT]

# One word of the broker for each of its states.
WORD = {
    OrderState.ACCEPTED: OrderStatus.NEW,
    OrderState.HELD: OrderStatus.HELD,
    OrderState.PARTIALLY_FILLED: OrderStatus.PARTIALLY_FILLED,
    OrderState.FILLED: OrderStatus.FILLED,
    OrderState.CANCEL_PENDING: OrderStatus.PENDING_CANCEL,
    OrderState.CANCELLED: OrderStatus.CANCELED,
    OrderState.REPLACED: OrderStatus.REPLACED,
    OrderState.EXPIRED: OrderStatus.EXPIRED,
    OrderState.REJECTED: OrderStatus.REJECTED,
    OrderState.VANISHED: OrderStatus.NOT_KNOWN,
}


def order_in(state: OrderState, **changes: object) -> BrokerOrder:
    filled = {OrderState.PARTIALLY_FILLED: D(3), OrderState.FILLED: D(10)}.get(state, D(0))
    order = an_order(
        side=Side.BUY,
        status=WORD[state],
        filled_quantity=filled,
        filled_avg_price=D(100) if filled else None,
    )
    return replace(order, **changes)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------- the table


def test_the_table_answers_every_question() -> None:
    questions = set(product([None, *OrderState], [None, *BROKERS_STATES]))
    assert set(resolution_table()) == questions
    assert all(row.why.endswith(".") for row in resolution_table().values())


def wanted_resolutions(cached: OrderState | None, broker: OrderState | None) -> set[Resolution]:
    """What the table may say at all, so that a slip in one of its cells shows."""
    match cached, broker:
        case None, None:
            return {Resolution.NOTHING}
        case None, _:
            return {Resolution.RECORD}
        case OrderState.UNSENT | OrderState.VANISHED, None:
            return {Resolution.KEEP}
        case OrderState.UNSENT | OrderState.VANISHED, _:
            return {Resolution.ADOPT_AND_TELL}
        case _ if cached in OUR_JUDGEMENT:
            return {Resolution.AWAIT_ARRIVAL if broker is None else Resolution.ADOPT}
        case _ if cached.is_final:
            return {Resolution.KEEP}
        case _, None:
            return {Resolution.LOOK_UP}
        case _:
            return {Resolution.UPDATE, Resolution.KEEP}


@pytest.mark.parametrize("row", resolution_table().values(), ids=lambda r: f"{r.cached}-{r.broker}")
def test_each_cell_is_of_its_kind(row: TableRow) -> None:
    assert row.resolution in wanted_resolutions(row.cached, row.broker)
    takes_the_brokers_word = row.resolution in (
        Resolution.RECORD,
        Resolution.ADOPT,
        Resolution.ADOPT_AND_TELL,
        Resolution.UPDATE,
    )
    wanted = row.broker if takes_the_brokers_word else row.cached
    if row.resolution is Resolution.AWAIT_ARRIVAL:
        wanted = OrderState.UNSENT
    if row.resolution is Resolution.LOOK_UP:
        wanted = OrderState.VANISHED
    assert row.next_state is wanted


@pytest.mark.parametrize("broker", [None, *BROKERS_STATES])
def test_what_is_not_known_of_a_claim_makes_no_difference(broker: OrderState | None) -> None:
    """The store of record cannot tell an intended order from one that is being sent."""
    verdicts = {
        (resolution_for(cached, broker).resolution, resolution_for(cached, broker).next_state)
        for cached in (OrderState.INTENDED, OrderState.SUBMITTING, OrderState.UNKNOWN)
    }
    assert len(verdicts) == 1


def test_the_document_shows_this_very_table() -> None:
    """To render it anew: put what this test prints between the two marks in docs/orders.md."""
    text = DOCS.read_text(encoding="utf-8")
    shown = text.partition(BEGIN)[2].partition(END)[0].strip()
    wanted = rendered_table().strip()
    assert shown == wanted, f"docs/orders.md should show, between its marks:\n\n{wanted}\n"


def rendered_table() -> str:
    lines: list[str] = []
    cached: object = "nothing yet"
    for row in resolution_table().values():
        if row.cached is not cached:
            cached = row.cached
            lines += ["", f"### On record: {word(cached, 'no record')}", ""]
            lines += ["| the broker says | resolution | becomes | why |", "|---|---|---|---|"]
        lines.append(
            f"| {word(row.broker, 'nothing (absent)')} | {word(row.resolution, '')} "
            f"| {word(row.next_state, 'no record')} | {row.why} |"
        )
    return "\n".join(lines)


def word(value: object, none: str) -> str:
    return none if value is None else str(value).replace("_", " ")


# --------------------------------------------------------------------------------- the states


@pytest.mark.parametrize("status", [s for s in OrderStatus if s is not OrderStatus.NOT_KNOWN])
def test_a_state_is_final_exactly_when_the_brokers_word_is(status: OrderStatus) -> None:
    order = an_order(status=status)
    assert state_of(order).is_final is status.is_final
    assert state_of(order) in BROKERS_STATES


WORDS = [
    # (the broker's word, filled of 10, state)
    (OrderStatus.NEW, 0, OrderState.ACCEPTED),
    (OrderStatus.ACCEPTED, 0, OrderState.ACCEPTED),
    (OrderStatus.PENDING_NEW, 0, OrderState.ACCEPTED),
    (OrderStatus.PENDING_REPLACE, 0, OrderState.ACCEPTED),
    # Executions speak louder than a word that says nothing of them.
    (OrderStatus.PENDING_REPLACE, 3, OrderState.PARTIALLY_FILLED),
    (OrderStatus.DONE_FOR_DAY, 3, OrderState.PARTIALLY_FILLED),
    (OrderStatus.HELD, 0, OrderState.HELD),
    # All shares are there, but the broker has not called it filled: it may still say otherwise.
    (OrderStatus.CALCULATED, 10, OrderState.PARTIALLY_FILLED),
    # While a cancellation is under way, that is what matters, whatever has been filled.
    (OrderStatus.PENDING_CANCEL, 3, OrderState.CANCEL_PENDING),
    (OrderStatus.CANCELED, 3, OrderState.CANCELLED),
    # A word that was invented after this was written: an open order, never a finished one.
    (OrderStatus.UNRECOGNISED, 0, OrderState.ACCEPTED),
    (OrderStatus.UNRECOGNISED, 3, OrderState.PARTIALLY_FILLED),
]


@pytest.mark.parametrize(("status", "filled", "state"), WORDS)
def test_words_and_executions_make_the_state(
    status: OrderStatus, filled: int, state: OrderState
) -> None:
    assert state_of(an_order(status=status, filled_quantity=D(filled))) is state


# --------------------------------------------------------------------------------- snapshots

CELLS = [
    # (on record, the broker says, changes of its word, becomes, filled)
    ("a leg wakes up when its entry has filled",
     OrderState.HELD, OrderState.ACCEPTED, {}, OrderState.ACCEPTED, 0),
    ("a cancellation that came too late: the shares are ours",
     OrderState.CANCEL_PENDING, OrderState.FILLED, {}, OrderState.FILLED, 10),
    ("a cancellation that was refused: the order works again",
     OrderState.CANCEL_PENDING, OrderState.ACCEPTED, {}, OrderState.ACCEPTED, 0),
    ("cancelled with what it filled before",
     OrderState.PARTIALLY_FILLED, OrderState.CANCELLED, {"filled_quantity": D(4)},
     OrderState.CANCELLED, 4),
    ("cancelled, told without its executions: they stay",
     OrderState.PARTIALLY_FILLED, OrderState.CANCELLED, {}, OrderState.CANCELLED, 3),
    ("a listing that lags behind the executions",
     OrderState.PARTIALLY_FILLED, OrderState.ACCEPTED, {}, OrderState.PARTIALLY_FILLED, 3),
    ("fills told after the cancellation are added, the state stays",
     OrderState.CANCELLED, OrderState.PARTIALLY_FILLED, {}, OrderState.CANCELLED, 3),
    ("and so are all of them",
     OrderState.CANCELLED, OrderState.FILLED, {}, OrderState.CANCELLED, 10),
    ("an order that was replaced never works again",
     OrderState.REPLACED, OrderState.ACCEPTED, {}, OrderState.REPLACED, 0),
    ("filled stays filled",
     OrderState.FILLED, OrderState.CANCELLED, {}, OrderState.FILLED, 10),
    ("an expired day order, filled in its last moment",
     OrderState.EXPIRED, OrderState.FILLED, {}, OrderState.EXPIRED, 10),
    ("rejected after it was taken",
     OrderState.ACCEPTED, OrderState.REJECTED, {}, OrderState.REJECTED, 0),
    ("never more than ordered, whatever the broker says",
     OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED, {"filled_quantity": D(12)},
     OrderState.PARTIALLY_FILLED, 10),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cached", "told", "changes", "becomes", "filled"),
    [row[1:] for row in CELLS],
    ids=[row[0] for row in CELLS],
)
def test_a_newer_snapshot(
    cached: OrderState,
    told: OrderState,
    changes: dict[str, object],
    becomes: OrderState,
    filled: int,
) -> None:
    known = KnownOrder(order_in(cached), START)
    after = merge(known, order_in(told, **changes), START + SECOND)
    assert (after.state, after.order.filled_quantity) == (becomes, D(filled))


def test_a_vanished_order_is_open_no_more_and_may_come_back() -> None:
    vanished = an_order(status=OrderStatus.NOT_KNOWN)
    assert vanished.status.is_final
    assert state_of(vanished) is OrderState.VANISHED
    assert not state_of(vanished).is_final


ON_RECORD = [*BROKERS_STATES, OrderState.VANISHED]


@pytest.mark.parametrize(("cached", "told"), list(product(ON_RECORD, BROKERS_STATES)))
def test_merging_does_what_the_table_says(cached: OrderState, told: OrderState) -> None:
    known, seen = order_in(cached), order_in(told)
    if told is OrderState.CANCEL_PENDING:
        # Open words with fewer executions than known are old ones, whatever they say.
        seen = replace(seen, filled_quantity=known.filled_quantity)
    after = merge(KnownOrder(known, START), seen, START + SECOND)
    row = resolution_for(cached, told)
    assert after.state is row.next_state
    if row.resolution in (Resolution.UPDATE, Resolution.ADOPT_AND_TELL):
        assert after.order.status is WORD[told]


def test_the_average_belongs_to_the_larger_filled_quantity() -> None:
    known = KnownOrder(order_in(OrderState.CANCELLED), START)
    told = order_in(OrderState.PARTIALLY_FILLED, filled_avg_price=D("99.5"))
    after = merge(known, told, START + SECOND)
    assert (after.order.filled_quantity, after.order.filled_avg_price) == (D(3), D("99.5"))


def test_an_older_snapshot_changes_nothing() -> None:
    known = KnownOrder(order_in(OrderState.ACCEPTED), START)
    assert merge(known, order_in(OrderState.FILLED), START - SECOND) == known


def test_of_two_words_read_at_once_the_one_further_on_counts() -> None:
    words = [order_in(OrderState.ACCEPTED), order_in(OrderState.PARTIALLY_FILLED)]
    for first, second in (words, words[::-1]):
        assert merge(KnownOrder(first, START), second, START).state is OrderState.PARTIALLY_FILLED


def test_new_prices_of_an_open_order_are_taken() -> None:
    known = KnownOrder(order_in(OrderState.ACCEPTED), START)
    after = merge(known, order_in(OrderState.ACCEPTED, stop_price=D("99.10")), START + SECOND)
    assert after == KnownOrder(replace(known.order, stop_price=D("99.10")), START + SECOND)


def test_a_parent_once_named_is_never_forgotten() -> None:
    """Nested lists name it, flat ones and lookups do not; also an older one may name it first."""
    nested, flat = an_order(parent_order_id="entry-1"), an_order()
    assert merge(KnownOrder(nested, START), flat, START + SECOND).order == nested
    assert merge(KnownOrder(flat, START + SECOND), nested, START).order == nested

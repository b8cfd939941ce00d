"""What holds for an order's record, whatever the broker says and whenever it is heard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st
from tradewind.orders.life import KnownOrder, merge
from tradewind.orders.model import FINAL_STATUSES, BrokerOrder, IntentOutcome, OrderStatus
from tradewind.orders.resolution import late_arrivals, resolve

from tests.fakes import START, an_order
from tests.unit.orders.test_procedures import EXIT

QUANTITY = 10
OPEN = sorted(set(OrderStatus) - FINAL_STATUSES)
# What the broker may say; that it does not know an order is what we make of its silence.
WORDS = sorted(set(OrderStatus) - {OrderStatus.NOT_KNOWN})
FINAL = sorted(FINAL_STATUSES & set(WORDS))


@dataclass(frozen=True)
class Snapshot:
    order: BrokerOrder
    as_of: datetime


def after(snapshots: list[Snapshot], known: KnownOrder | None = None) -> KnownOrder | None:
    return reduce(lambda known, seen: merge(known, seen.order, seen.as_of), snapshots, known)


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


@st.composite
def lives(draw: st.DrawFn) -> list[Snapshot]:
    """What a broker truly says of one order as time passes: executions only add up, also after the
    end; the first final word is the last one; only some answers name the parent; several words may
    be heard at the same moment."""
    length = draw(st.integers(1, 8))
    at_once = draw(st.integers(1, 3))
    ends_at = draw(st.integers(0, 10))
    final = draw(st.sampled_from(FINAL))
    filled = sorted(draw(st.lists(st.integers(0, QUANTITY), min_size=length, max_size=length)))
    snapshots = []
    for number, quantity in enumerate(filled):
        ended = number >= ends_at
        snapshots.append(
            Snapshot(
                an_order(
                    status=final if ended else draw(st.sampled_from(OPEN)),
                    filled_quantity=Decimal(quantity),
                    filled_avg_price=Decimal(100 + quantity) if quantity else None,
                    stop_price=Decimal(90) if ended else Decimal(90 + number),
                    parent_order_id=draw(st.sampled_from([None, "entry-1"])),
                    updated_at=at(number),
                ),
                at(number // at_once),
            )
        )
    return snapshots


@st.composite
def any_snapshots(draw: st.DrawFn) -> Snapshot:
    """Anything at all: contradictory, too many executions, read at any time."""
    quantity = draw(st.integers(0, QUANTITY + 5))
    order = an_order(
        status=draw(st.sampled_from(WORDS)),
        quantity=Decimal(draw(st.sampled_from([QUANTITY, QUANTITY, QUANTITY - 4]))),
        filled_quantity=Decimal(quantity),
        filled_avg_price=Decimal(100 + quantity) if quantity else None,
        updated_at=at(draw(st.integers(0, 9))),
    )
    return Snapshot(order, at(draw(st.integers(0, 9))))


any_history = st.lists(any_snapshots(), min_size=1, max_size=8)


@given(st.data())
def test_any_order_of_what_the_broker_said_gives_the_same_record(data: st.DataObject) -> None:
    told = data.draw(lives())
    again = data.draw(st.lists(st.sampled_from(told), max_size=4))
    arriving = data.draw(st.permutations([*told, *again]))
    known = after(arriving)
    assert known == after(told)
    # And it is the broker's last word, whole.
    assert known is not None
    last = told[-1].order
    assert known.order == replace(last, parent_order_id=known.order.parent_order_id)


@given(any_history)
def test_executions_never_get_fewer_nor_more_than_ordered(history: list[Snapshot]) -> None:
    known = None
    filled = Decimal(0)
    for seen in history:
        known = merge(known, seen.order, seen.as_of)
        assert filled <= known.order.filled_quantity <= known.order.quantity
        filled = known.order.filled_quantity


@given(any_history)
def test_no_final_state_is_left(history: list[Snapshot]) -> None:
    known = None
    final = None
    for seen in history:
        known = merge(known, seen.order, seen.as_of)
        assert final is None or known.state is final
        final = known.state if known.state.is_final else None


@given(any_history, any_snapshots(), st.integers(1, 9))
def test_an_older_snapshot_changes_nothing(
    history: list[Snapshot], seen: Snapshot, seconds: int
) -> None:
    known = after(history)
    assert known is not None
    assert merge(known, seen.order, known.as_of - timedelta(seconds=seconds)) == known


@given(any_history, any_snapshots(), st.integers(0, 9))
def test_an_open_word_with_fewer_executions_is_an_old_one(
    history: list[Snapshot], seen: Snapshot, seconds: int
) -> None:
    known = after(history)
    assert known is not None
    fewer = max(known.order.filled_quantity - 1, Decimal(0))
    order = replace(seen.order, filled_quantity=fewer, status=OrderStatus.NEW)
    if known.order.filled_quantity > 0:
        assert merge(known, order, known.as_of + timedelta(seconds=seconds)) == known


@given(any_history, any_snapshots())
def test_the_same_snapshot_twice_is_once(history: list[Snapshot], seen: Snapshot) -> None:
    once = after([*history, seen])
    assert after([seen], once) == once


@given(st.data())
def test_an_intent_whose_order_arrives_is_submitted_in_the_end(data: st.DataObject) -> None:
    """However late, and in whatever order the snapshots before and after it are heard."""
    minutes = data.draw(st.lists(st.integers(1, 9), min_size=2, max_size=6, unique=True))
    arrives = data.draw(st.sampled_from(minutes))
    outcome: IntentOutcome | None = None
    for minute in minutes:
        as_of = EXIT.bar_time + timedelta(minutes=minute)
        shown = [an_order(client_order_id=EXIT.intent_id)] if minute >= arrives else []
        if outcome is None:
            found = resolve([EXIT], shown, as_of)
        elif outcome.broker_order_id is None:
            found = late_arrivals([EXIT], shown, as_of)
        else:
            found = []
        outcome = found[0] if found else outcome
    assert outcome is not None
    assert (outcome.status, outcome.broker_order_id) == ("submitted", "order-1")

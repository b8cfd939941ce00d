"""However executions are told, each share of an order is booked once, at its price."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st
from tradewind.orders.fill_coverage import bookable, is_synthetic, stand_ins
from tradewind.orders.model import BrokerFill, BrokerOrder, OrderStatus, Side

from tests.fakes import START, an_order

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Execution:
    """One of an order's executions, and the order right after it."""

    fill: BrokerFill
    order: BrokerOrder


@st.composite
def order_lives(draw: st.DrawFn, *, bare: bool | None = None) -> list[Execution]:
    """An order that fills completely; fractions of shares, and a broker that rounds its average.
    ``bare``: it does not tell cumulative quantities (None: either)."""
    tells_cumulative = draw(st.booleans()) if bare is None else not bare
    quantities = draw(st.lists(st.decimals("0.001", 50, places=3), min_size=1, max_size=6))
    prices = [draw(st.decimals("1", "500", places=2)) for _ in quantities]
    whole = sum(quantities, Decimal(0))
    worths = accumulate(q * p for q, p in zip(quantities, prices, strict=True))
    life = []
    for number, (quantity, price, filled, worth) in enumerate(
        zip(quantities, prices, accumulate(quantities), worths, strict=True)
    ):
        at = START + timedelta(seconds=number)
        order = an_order(
            side=Side.BUY,
            status=OrderStatus.FILLED if filled == whole else OrderStatus.PARTIALLY_FILLED,
            quantity=whole,
            filled_quantity=filled,
            filled_avg_price=round(worth / filled, 9),
            updated_at=at,
        )
        cumulative = filled if tells_cumulative else None
        fill = BrokerFill(
            f"e{number}", order.order_id, "AAPL", Side.BUY, quantity, price, at, cumulative
        )
        life.append(Execution(fill, order))
    return life


@st.composite
def tellings(draw: st.DrawFn, life: list[Execution]) -> tuple[BrokerOrder, list[BrokerFill]]:
    """A snapshot at some point of the order's life: some executions, some of them twice, in any
    order, and some that are newer than what it shows of the order."""
    shown = draw(st.integers(0, len(life) - 1))
    read = draw(st.integers(shown, len(life) - 1))
    fills = [one.fill for one in life[: read + 1]]
    return life[shown].order, draw(st.lists(st.sampled_from(fills), max_size=8))


def worth(fills: list[BrokerFill]) -> Decimal:
    return sum((fill.quantity * fill.price for fill in fills), Decimal(0))


def quantity(fills: list[BrokerFill]) -> Decimal:
    return sum((fill.quantity for fill in fills), Decimal(0))


def by_id(fills: list[BrokerFill]) -> list[BrokerFill]:
    return sorted(fills, key=lambda fill: fill.execution_id)


@given(st.data())
def test_doubled_reordered_replayed_and_found_again_they_are_booked_once(
    data: st.DataObject,
) -> None:
    life = data.draw(order_lives())
    booked: list[BrokerFill] = []
    for _ in range(data.draw(st.integers(0, 5))):
        order, told = data.draw(tellings(life))
        booked += bookable(order, booked, told)
    # What was dropped is told in the end.
    everything = [one.fill for one in life]
    booked += bookable(life[-1].order, booked, data.draw(st.permutations(everything)))
    assert by_id(booked) == by_id(everything)


@given(st.data())
def test_a_replay_under_another_id_is_the_same_execution(data: st.DataObject) -> None:
    life = data.draw(order_lives())
    everything = [one.fill for one in life]
    booked = bookable(life[-1].order, [], everything)
    replayed = [replace(fill, execution_id=f"{fill.execution_id}-again") for fill in everything]
    assert bookable(life[-1].order, booked, data.draw(st.permutations(replayed))) == []


@given(st.data())
def test_stand_ins_and_the_real_ones_after_them_are_booked_once(data: st.DataObject) -> None:
    life = data.draw(order_lives())
    booked: list[BrokerFill] = []
    known = life[0].order
    for _ in range(data.draw(st.integers(1, 6))):
        order, told = data.draw(tellings(life))
        # The record of an order never goes back; executions of a later moment may come first.
        order = known = max(order, known, key=lambda one: one.filled_quantity)
        booked += bookable(order, booked, told)
        if data.draw(st.booleans()):
            booked += stand_ins(order, booked, data.draw(moments()))
            # Bare executions newer than the order's word: what is missing cannot be told yet.
            unclear = any(f.cumulative is None and f.at > order.updated_at for f in booked)
            assert unclear or quantity(booked) >= order.filled_quantity
        assert quantity(booked) <= order.quantity
    everything = [one.fill for one in life]
    last = life[-1].order
    booked += bookable(last, booked, data.draw(st.permutations(everything)))
    booked += stand_ins(last, booked, last.updated_at)
    assert quantity(booked) == last.quantity
    assert abs(worth(booked) - worth(everything)) <= CENT
    assert len({fill.execution_id for fill in booked}) == len(booked)


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    return START + timedelta(seconds=draw(st.integers(10, 60)))


@given(st.data())
def test_of_real_executions_told_after_a_stand_in_only_later_ones_count(
    data: st.DataObject,
) -> None:
    life = data.draw(order_lives())
    everything = [one.fill for one in life]
    number = data.draw(st.integers(0, len(life) - 1))
    earlier, later = everything[: number + 1], everything[number + 1 :]
    order, last = life[number].order, life[-1].order
    booked = bookable(order, [], data.draw(st.lists(st.sampled_from(earlier), max_size=5)))
    booked += stand_ins(order, booked, order.updated_at)
    assert abs(worth(booked) - worth(earlier)) <= CENT
    assert bookable(last, booked, data.draw(st.permutations(everything))) == later
    assert stand_ins(last, [*booked, *later], last.updated_at) == []


@given(st.data())
def test_stand_ins_found_missing_again_have_the_same_ids(data: st.DataObject) -> None:
    life = data.draw(order_lives(bare=False))
    everything = [one.fill for one in life]
    last = life[-1].order
    booked = bookable(last, [], data.draw(st.lists(st.sampled_from(everything), max_size=5)))
    first, second = (stand_ins(last, booked, data.draw(moments())) for _ in range(2))
    assert all(is_synthetic(fill) for fill in first)
    assert first == second

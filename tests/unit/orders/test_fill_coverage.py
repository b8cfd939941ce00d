"""Which executions are booked, and what stands in for those that the broker does not tell.

The order buys 10 shares. An execution is written as (id, quantity, cumulative), at 100 USD.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D

import pytest
from tradewind.orders.fill_coverage import bookable, is_synthetic, missing_fill, stand_ins
from tradewind.orders.model import BrokerFill, BrokerOrder, OrderStatus, Side

from tests.fakes import START, an_order

Told = tuple[str, int, int | None]


def order_filled(quantity: int, average: str | None = "100") -> BrokerOrder:
    return an_order(
        side=Side.BUY,
        status=OrderStatus.PARTIALLY_FILLED,
        filled_quantity=D(quantity),
        filled_avg_price=None if average is None else D(average),
        updated_at=START + timedelta(seconds=quantity // 5),
    )


def fills(*told: Told, price: str = "100") -> list[BrokerFill]:
    """Each a second after the one before; a to c, and what stands in for them, at their own."""
    seconds = {"a": 0, "b": 1, "c": 2, FOR_A[0]: 0, FOR_B[0]: 1}
    return [
        BrokerFill(
            execution_id,
            "order-1",
            "AAPL",
            Side.BUY,
            D(quantity),
            D(price),
            START + timedelta(seconds=seconds.get(execution_id, number)),
            None if cumulative is None else D(cumulative),
        )
        for number, (execution_id, quantity, cumulative) in enumerate(told)
    ]


A, B, C = ("a", 3, 3), ("b", 2, 5), ("c", 5, 10)
B_AT = timedelta(seconds=1)
A_BARE, B_BARE, C_BARE = ("a", 3, None), ("b", 2, None), ("c", 5, None)
FOR_A, FOR_B = ("synthetic-order-1-3", 3, 3), ("synthetic-order-1-5", 2, 5)
FOR_A_AND_B = ("synthetic-order-1-5", 5, 5)

NEW = [
    # (filled, booked, told, new ones)
    ("the first ones", 5, [], [A, B], "ab"),
    ("told again", 5, [A, B], [A, B], ""),
    ("told twice at once", 3, [], [A, A], "a"),
    ("the earlier one later", 5, [B], [A], "a"),
    ("executions are read after orders: newer than the order's word", 3, [A], [B], "b"),
    ("the same shares under another id", 5, [A], [("a2", 3, 3)], ""),
    ("a part of shares that are booked", 5, [FOR_A_AND_B], [A, B], ""),
    ("the real one behind a stand-in, and the next", 10, [A, FOR_B], [B, C], "c"),
    ("more than the order's ten shares", 10, [], [A, B, C, ("d", 1, 11)], "abc"),
    # Without cumulative quantities: by id, and never more than the order says is filled.
    ("bare", 5, [], [A_BARE, B_BARE], "ab"),
    ("bare and told again", 5, [A_BARE], [A_BARE, B_BARE], "b"),
    ("bare, the same shares under another id", 5, [A_BARE, B_BARE], [("a2", 3, None)], ""),
    ("bare, the real one behind a stand-in", 5, [A_BARE, FOR_B], [B_BARE], ""),
    (
        "bare, the real one behind a stand-in, and the next",
        10,
        [FOR_A_AND_B],
        [A_BARE, B_BARE, C_BARE],
        "c",
    ),
    ("bare, newer than the order's word: with the next snapshot", 3, [A_BARE], [B_BARE], ""),
    ("bare ones on record, then one with a cumulative quantity", 10, [A_BARE, B_BARE], [C], "c"),
]


@pytest.mark.parametrize(
    ("filled", "booked", "told", "new"), [row[1:] for row in NEW], ids=[row[0] for row in NEW]
)
def test_bookable(filled: int, booked: list[Told], told: list[Told], new: str) -> None:
    found = bookable(order_filled(filled), fills(*booked), fills(*told))
    assert "".join(fill.execution_id for fill in found) == new


def test_an_order_not_known_yet_bounds_nothing() -> None:
    found = bookable(None, [], fills(A_BARE, B_BARE, C_BARE))
    assert [fill.execution_id for fill in found] == ["a", "b", "c"]


def test_executions_come_in_the_order_in_which_they_happened() -> None:
    told = fills(A, B, C)
    assert bookable(order_filled(10), [], [told[2], told[0], told[1]]) == told


MISSING = [
    # (filled, booked, stands in as quantity up to cumulative)
    ("nothing", 5, [A, B], []),
    ("nothing, the order lags behind its executions", 3, [A, B], []),
    ("all", 5, [], [(5, 5)]),
    ("the last", 10, [A, B], [(5, 10)]),
    ("the first", 5, [B], [(3, 3)]),
    ("the one in the middle", 10, [A, C], [(2, 5)]),
    ("the first two, the order lagging behind the third", 5, [C], [(5, 5)]),
    ("two with one between them", 10, [B], [(3, 3), (5, 10)]),
    ("what a stand-in was booked for before", 10, [FOR_A_AND_B], [(5, 10)]),
    ("some of bare ones: which is not known", 10, [A_BARE, C_BARE], [(2, 10)]),
    ("ranges that contradict the order's sum", 10, [("x", 3, 9), ("y", 3, 8)], [(4, 10)]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("filled", "booked", "gaps"), [row[1:] for row in MISSING], ids=[row[0] for row in MISSING]
)
def test_missing_fills(filled: int, booked: list[Told], gaps: list[tuple[int, int]]) -> None:
    order, told = order_filled(filled), fills(*booked)
    found = stand_ins(order, told, START)
    assert [(fill.quantity, fill.cumulative) for fill in found] == gaps
    assert missing_fill(order, told, START) == (found[0] if found else None)
    assert stand_ins(order, [*told, *found], START) == []


def test_a_stand_in_says_what_it_is() -> None:
    fill = missing_fill(order_filled(5), fills(A), START + timedelta(minutes=1))
    assert fill is not None
    assert is_synthetic(fill)
    assert not is_synthetic(fills(A)[0])
    assert fill == BrokerFill(
        "synthetic-order-1-5", "order-1", "AAPL", Side.BUY, D(2), D(100), START + B_AT, D(5)
    )


def test_a_stand_in_is_never_later_than_its_snapshot() -> None:
    fill = missing_fill(order_filled(5), [], START - timedelta(seconds=1))
    assert fill is not None
    assert fill.at == START - timedelta(seconds=1)


@pytest.mark.parametrize("filled", ["5", "5.0", "5E+0", "5.000000000"])
def test_one_quantity_is_one_id_however_it_is_written(filled: str) -> None:
    fill = missing_fill(an_order(filled_quantity=D(filled), filled_avg_price=D(100)), [], START)
    assert fill is not None
    assert fill.execution_id == "synthetic-order-1-5"


def test_whole_hundreds_are_written_out() -> None:
    order = an_order(quantity=D(300), filled_quantity=D(300), filled_avg_price=D(100))
    fill = missing_fill(order, [], START)
    assert fill is not None
    assert fill.execution_id == "synthetic-order-1-300"


PRICES = [
    # (average of all, booked at, quantity booked, price of the stand-in for the rest of 10)
    ("what the average leaves", "101.5", "100", 3, "102.1428571429"),
    ("nothing booked: the average", "101.5", "100", 0, "101.5"),
    # An average that cannot be: no price below zero is made of it.
    ("a contradiction: the average", "10", "100", 3, "10"),
]


@pytest.mark.parametrize(
    ("average", "price", "quantity", "wanted"),
    [row[1:] for row in PRICES],
    ids=[row[0] for row in PRICES],
)
def test_the_price_makes_the_sum_fit(average: str, price: str, quantity: int, wanted: str) -> None:
    booked = fills(("a", quantity, quantity), price=price) if quantity else []
    fill = missing_fill(order_filled(10, average), booked, START)
    assert fill is not None
    assert fill.price == D(wanted)


def test_bare_executions_newer_than_the_orders_word_are_no_part_of_it() -> None:
    """Which of the missing shares they are cannot be told; the next snapshot will."""
    order = order_filled(5)
    assert missing_fill(order, fills(A_BARE, C_BARE)[1:], START) is None
    later = replace(order, updated_at=START + timedelta(seconds=2), filled_quantity=D(10))
    assert missing_fill(later, fills(A_BARE, C_BARE)[1:], START) is not None


def test_an_order_that_is_over_has_no_newer_executions() -> None:
    # A broker that does not move an order's time with its executions.
    order = replace(order_filled(10), status=OrderStatus.FILLED, updated_at=START)
    (told,) = fills(C_BARE)
    found = stand_ins(order, [told], START + timedelta(minutes=1))
    assert sum(fill.quantity for fill in [told, *found]) == 10


def test_without_a_price_nothing_is_made_up() -> None:
    assert missing_fill(order_filled(5, average=None), [], START) is None

"""When our quantity and the broker's differ, and from when on nothing explains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal as D

import pytest
from tradewind.orders.model import BrokerOrder, OrderIntent, OrderStatus, Side
from tradewind.portfolio.differences import (
    QuantityDifference,
    quantity_differences,
    symbols_at_work,
)

from tests.fakes import START, an_order
from tests.unit.orders.test_procedures import EXIT

NOW = START + timedelta(minutes=5)

COMPARED = [
    # (ours, the broker's, symbols that differ)
    ("the same", {"AAPL": 10}, {"AAPL": 10}, []),
    ("flat on both sides", {"AAPL": 0}, {}, []),
    ("more in our books", {"AAPL": 10}, {"AAPL": 7}, ["AAPL"]),
    ("fewer in our books", {"AAPL": 7}, {"AAPL": 10}, ["AAPL"]),
    ("the broker has none", {"AAPL": 10}, {}, ["AAPL"]),
    # Our own symbol with nothing in the books: an execution that never reached them.
    ("none in our books", {"AAPL": 0}, {"AAPL": 10}, ["AAPL"]),
    ("short at the broker", {"AAPL": 0}, {"AAPL": -10}, ["AAPL"]),
    ("a fraction of a share", {"AAPL": "10"}, {"AAPL": "10.000000001"}, ["AAPL"]),
    ("written otherwise", {"AAPL": "10"}, {"AAPL": "10.00"}, []),
    # We never had an intent for it: foreign, listed elsewhere, nothing to differ from.
    ("a foreign position", {"AAPL": 10}, {"AAPL": 10, "TSLA": 5}, []),
    ("two of them, by symbol", {"MSFT": 1, "AAPL": 1}, {}, ["AAPL", "MSFT"]),
]


def quantities(of: Mapping[str, int | str]) -> dict[str, D]:
    return {symbol: D(quantity) for symbol, quantity in of.items()}


@pytest.mark.parametrize(
    ("ours", "brokers", "symbols"), [row[1:] for row in COMPARED], ids=[row[0] for row in COMPARED]
)
def test_compared(
    ours: dict[str, int | str], brokers: dict[str, int | str], symbols: list[str]
) -> None:
    found = quantity_differences(quantities(ours), quantities(brokers), set(), {}, NOW)
    assert [one.symbol for one in found] == symbols


def test_both_sides_are_told() -> None:
    (found,) = quantity_differences({"AAPL": D(10)}, {"AAPL": D(7)}, set(), {}, NOW)
    assert found == QuantityDifference("AAPL", D(10), D(7), NOW)
    assert str(found) == "AAPL: our books hold 10, the broker 7"


Seen = tuple[int, int, bool]  # (second, the broker's quantity, something at work)

STORIES = [
    # (snapshots, unexplained after each); our books hold 10
    ("once is nothing", [(0, 7, False)], [False]),
    ("twice within 30 s is nothing", [(0, 7, False), (29, 7, False)], [False, False]),
    ("30 s apart", [(0, 7, False), (30, 7, False)], [False, True]),
    ("again and again", [(0, 7, False), (20, 7, False), (40, 7, False)], [False, False, True]),
    ("by another quantity, but never right",
     [(0, 7, False), (30, 8, False)], [False, True]),
    ("gone in between: it starts anew",
     [(0, 7, False), (20, 10, False), (40, 7, False)], [False, False, False]),
    ("something was at work: it starts anew",
     [(0, 7, False), (20, 7, True), (40, 7, False), (70, 7, False)],
     [False, False, False, True]),
    ("at work all the time", [(0, 7, True), (60, 7, True)], [False, False]),
    ("it stays until it is gone",
     [(0, 7, False), (30, 7, False), (90, 7, False), (120, 10, False)],
     [False, True, True, False]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("snapshots", "unexplained"), [row[1:] for row in STORIES], ids=[row[0] for row in STORIES]
)
def test_stories(snapshots: list[Seen], unexplained: list[bool]) -> None:
    since: dict[str, datetime] = {}
    found = []
    for second, held, busy in snapshots:
        as_of = NOW + timedelta(seconds=second)
        differing = quantity_differences(
            {"AAPL": D(10)}, {"AAPL": D(held)}, {"AAPL"} if busy else set(), since, as_of
        )
        since = {one.symbol: one.since for one in differing}
        found.append(any(one.is_unexplained(as_of) for one in differing))
    assert found == unexplained


ENTRY = an_order(side=Side.BUY, order_type="limit")

AT_WORK = [
    # (open intents, orders, booked of order-1, at work)
    ("nothing", [], [], 0, False),
    ("an intent without an outcome", [EXIT], [], 0, True),
    ("an open entry", [], [ENTRY], 0, True),
    ("an entry that is over", [], [replace(ENTRY, status=OrderStatus.CANCELED)], 0, False),
    ("a protective stop at rest", [], [an_order()], 0, False),
    ("accepted, not yet working: at rest as well",
     [], [an_order(status=OrderStatus.ACCEPTED)], 0, False),
    ("a leg that waits for its entry", [], [an_order(status=OrderStatus.HELD)], 0, False),
    ("a stop that is being cancelled", [], [an_order(status=OrderStatus.PENDING_CANCEL)], 0, True),
    ("a stop that is being replaced", [], [an_order(status=OrderStatus.PENDING_REPLACE)], 0, True),
    ("a stop with a status nobody knows",
     [], [an_order(status=OrderStatus.UNRECOGNISED)], 0, True),
    ("a stop that has begun to sell",
     [], [an_order(status=OrderStatus.PARTIALLY_FILLED, filled_quantity=D(3))], 3, True),
    ("a stop that sold before and rests, all of it booked",
     [], [an_order(filled_quantity=D(3))], 3, False),
    ("a stop that sold before and rests, not all of it booked",
     [], [an_order(filled_quantity=D(3))], 2, True),
    ("a trailing stop at rest", [], [an_order(order_type="trailing_stop")], 0, False),
    ("a resting sale with a limit: it takes part in the market",
     [], [an_order(order_type="limit")], 0, True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("intents", "orders", "booked", "at_work"),
    [row[1:] for row in AT_WORK],
    ids=[row[0] for row in AT_WORK],
)
def test_what_counts_as_at_work(
    intents: list[OrderIntent], orders: list[BrokerOrder], booked: int, at_work: bool
) -> None:
    found = symbols_at_work(intents, orders, {"order-1": D(booked)} if booked else {})
    assert found == ({"AAPL"} if at_work else set())

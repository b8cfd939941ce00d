"""One row per situation of a position: what rests at the broker, and what is needed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal as D

import pytest
from tradewind.orders.model import BrokerOrder, OrderStatus, Side
from tradewind.orders.protection import Need, protection_need

from tests.fakes import START, an_order

STOP = an_order(stop_price=D("98.50"))
LONG_AGO = START - timedelta(minutes=5)
SITUATIONS = [
    # (what rests, high since entry, close, need, shares, stop)
    ("nothing rests", [], None, "100", Need.PLACE, 10, "98.50"),
    ("it rests where it belongs", [STOP], None, "100", Need.NOTHING, 0, "98.50"),
    ("the high rose", [STOP], "110", "109.9", Need.RAISE, 10, "108.35"),
    ("the close fell through the trail in one minute", [STOP], "110", "108", Need.SELL, 10,
     "108.35"),
    ("it covers part", [an_order(quantity=D(4))], None, "100", Need.PLACE, 6, "98.50"),
    ("it has sold part of what it covers", [an_order(filled_quantity=D(4))], None, "100",
     Need.PLACE, 4, "98.50"),
    ("it rests higher than it would be put now", [an_order(stop_price=D(99))], None, "100",
     Need.NOTHING, 0, "98.50"),
    ("it is being cancelled", [an_order(status=OrderStatus.PENDING_CANCEL)], "110", "109.9",
     Need.NOTHING, 0, "108.35"),
    ("its cancellation was asked for in the run before", [an_order(
        status=OrderStatus.PENDING_CANCEL, updated_at=START - timedelta(seconds=1))], None, "100",
     Need.PLACE, 10, "98.50"),
    ("its replacement is stuck beside one that works", [STOP, an_order(order_id="old",
        status=OrderStatus.PENDING_REPLACE, updated_at=START - timedelta(minutes=5))], None, "100",
     Need.NOTHING, 0, "98.50"),
    ("it is in a state that nobody knows", [an_order(status=OrderStatus.UNRECOGNISED,
        updated_at=LONG_AGO)], None, "100", Need.PLACE, 10, "98.50"),
    ("an entry's stop was just held back", [an_order(status=OrderStatus.HELD, order_class="oto")],
     None, "100", Need.NOTHING, 0, "98.50"),
    ("an entry's stop was never activated", [an_order(status=OrderStatus.HELD, order_class="oto",
        updated_at=LONG_AGO)], None, "100", Need.PLACE, 10, "98.50"),
    ("it is held back beside its profit leg", [an_order(status=OrderStatus.HELD,
        order_class="bracket", updated_at=LONG_AGO)], None, "100", Need.NOTHING, 0, "98.50"),
    ("only another symbol's rests", [an_order(symbol="MSFT")], None, "100", Need.PLACE, 10,
     "98.50"),
    ("only a buy rests", [an_order(side=Side.BUY)], None, "100", Need.PLACE, 10, "98.50"),
    ("it covers more than is held", [an_order(quantity=D(100))], None, "100", Need.REDUCE, 10,
     "98.50"),
    ("and rests higher than it would be put now", [an_order(quantity=D(100), stop_price=D(99))],
     None, "100", Need.REDUCE, 10, "99"),
    ("and rests at an old price, above the market", [an_order(quantity=D(100),
        stop_price=D(985))], None, "100", Need.REDUCE, 10, "98.50"),
    ("two cover what is held twice", [STOP, an_order(order_id="two")], None, "100", Need.REDUCE,
     10, "98.50"),
    ("one is being replaced by another", [an_order(status=OrderStatus.PENDING_REPLACE,
        updated_at=START), an_order(order_id="new")], None, "100", Need.NOTHING, 0, "98.50"),
    ("an entry's stop is held back beside one that works", [STOP, an_order(order_id="leg",
        status=OrderStatus.HELD, order_class="oto", updated_at=START)], None, "100", Need.NOTHING,
     0, "98.50"),
    ("its stop is filled and gone", [an_order(status=OrderStatus.FILLED)], None, "100",
     Need.PLACE, 10, "98.50"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("orders", "high", "close", "need", "shares", "stop"),
    [row[1:] for row in SITUATIONS],
    ids=[str(row[0]) for row in SITUATIONS],
)
def test_need(
    orders: list[BrokerOrder], high: str | None, close: str, need: Need, shares: int, stop: str
) -> None:
    found = protection_need(
        symbol="AAPL",
        quantity=D(10),
        avg_entry_price=D(100),
        highest_high=D(high) if high else None,
        last_close=D(close),
        open_orders=orders,
        as_of=START + timedelta(minutes=1),
    )
    assert (found.need, found.quantity, found.stop_price) == (need, D(shares), D(stop))
    assert found.reason


@pytest.mark.parametrize(
    ("at_broker", "need", "shares"),
    [(D(1), Need.REDUCE, 1), (D(10), Need.NOTHING, 0), (None, Need.NOTHING, 0)],
)
def test_the_brokers_quantity_counts_after_a_reverse_split(
    at_broker: D | None, need: Need, shares: int
) -> None:
    """Our books go on with ten shares until somebody tells them of the split."""
    found = protection_need(
        symbol="AAPL",
        quantity=D(10),
        at_broker=at_broker,
        avg_entry_price=D(100),
        highest_high=None,
        last_close=D(1000),
        open_orders=[STOP],
        as_of=START + timedelta(minutes=1),
    )
    assert (found.need, found.quantity) == (need, D(shares))


def test_of_two_stops_the_one_that_is_not_needed_gives_way() -> None:
    small = an_order(order_id="small", quantity=D(4), submitted_at=START + timedelta(minutes=5))
    found = protection_need(
        symbol="AAPL",
        quantity=D(10),
        avg_entry_price=D(100),
        highest_high=None,
        last_close=D(100),
        open_orders=[STOP, small],
        as_of=START + timedelta(minutes=6),
    )
    assert (found.need, found.order) == (Need.REDUCE, small)

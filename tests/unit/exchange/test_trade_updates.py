"""What the order stream tells, in which order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

OTO = {"order_class": "oto", "time_in_force": "gtc", "stop_loss": {"stop_price": "98.50"}}


def told(day: Any) -> list[tuple[str, str, str]]:
    """Event, type and status of each order as it was then."""
    return [
        (update.event, update.order_snapshot.type, update.order_snapshot.status)
        for update in day.exchange.events
    ]


def test_an_entry_with_its_stop_from_first_to_last(desk: Callable[..., Any]) -> None:
    day = desk("100", "98")
    day.exchange.shares_per_tick = Decimal(6)
    day.at(0)
    day.buy(10, **OTO)
    day.at(2)
    assert told(day) == [
        ("accepted", "market", "accepted"),  # comes first since July 2026
        ("held", "stop", "held"),
        ("new", "market", "new"),
        ("partial_fill", "market", "partially_filled"),
        ("fill", "market", "filled"),
        ("new", "stop", "new"),
        ("partial_fill", "stop", "partially_filled"),
        ("fill", "stop", "filled"),
    ]
    assert [update.number for update in day.exchange.events] == list(range(1, 9))
    fills = [update for update in day.exchange.events if update.execution_id]
    assert [(fill.qty, fill.position_qty, fill.price) for fill in fills] == [
        (6, 6, 100),
        (4, 10, 100),
        (6, 4, 98),
        (4, 0, 98),
    ]
    assert [f"::{update.execution_id}" for update in fills] == [
        fill.id[fill.id.index("::") :] for fill in day.exchange.fills
    ]
    # a partial fill's order carries what has filled so far
    assert [update.order_snapshot.filled_qty for update in fills] == [6, 10, 6, 10]


def test_ends_that_are_no_fills(desk: Callable[..., Any]) -> None:
    day = desk("100")
    day.at(0)
    old = day.buy(1, type="limit", limit_price="90")
    new = day.replace(old, limit_price="91")
    day.exchange.stick_cancels(1)
    day.exchange.cancel(new.id)
    day.exchange.release_cancels()
    day.buy(1, type="limit", limit_price="90")
    day.at(390)
    assert [event for event, _, _ in told(day)] == [
        *("accepted", "new"),
        *("replaced", "accepted", "new"),
        *("pending_cancel", "canceled"),
        *("accepted", "new", "expired"),
    ]


def test_before_the_opening_an_order_is_accepted_and_new_at_the_opening(
    desk: Callable[..., Any],
) -> None:
    day = desk("100")
    order = day.buy(1, type="limit", limit_price="90")
    assert told(day) == [("accepted", "limit", "accepted")]
    day.at(0, 0)
    assert told(day)[1:] == [("new", "limit", "new")]
    update = day.exchange.events[-1]
    assert (update.at, update.order_snapshot.id) == (day.exchange.time, order.id)
    assert (update.price, update.execution_id) == (None, None)

"""What becomes of an order and of those that hang on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from tradewind.market.bar import Bar
from tradewind_local.exchange.refusals import Refusal

OTO = {"order_class": "oto", "time_in_force": "gtc", "stop_loss": {"stop_price": "98.50"}}
BRACKET = {
    "order_class": "bracket",
    "time_in_force": "gtc",
    "stop_loss": {"stop_price": "98.50"},
    "take_profit": {"limit_price": "102"},
}


def leg_states(day: Any, entry: Any) -> list[tuple[str, str]]:
    return [(leg.type, leg.status) for leg in day.exchange.legs(entry)]


def test_a_stop_is_held_until_its_entry_has_filled_completely(desk: Callable[..., Any]) -> None:
    day = desk("100", "100")
    day.exchange.shares_per_tick = Decimal(4)
    day.at(0)
    entry = day.buy(10, **OTO)
    (stop,) = day.exchange.legs(entry)
    assert (entry.status, stop.status) == ("partially_filled", "held")
    day.at(1)
    assert (entry.status, stop.status) == ("filled", "new")
    assert (stop.side, stop.qty, stop.time_in_force, stop.parent_id) == (
        "sell",
        10,
        "gtc",
        entry.id,
    )


def test_cancelling_an_entry_cancels_its_legs_and_keeps_what_it_filled(
    desk: Callable[..., Any],
) -> None:
    day = desk("100")
    day.exchange.shares_per_tick = Decimal(4)
    day.at(0)
    entry = day.buy(10, **OTO)
    day.exchange.cancel(entry.id)
    assert (entry.status, leg_states(day, entry)) == ("canceled", [("stop", "canceled")])
    assert day.positions["AAPL"].qty == 4


def test_a_held_stop_cannot_fire(desk: Callable[..., Any]) -> None:
    """The entry rests below the market and never fills; the price falls through the stop's level
    only after it did."""
    day = desk("100", "99.20", "98.90")
    day.at(0)
    entry = day.buy(
        10, type="limit", limit_price="98.80", **{**OTO, "stop_loss": {"stop_price": "98"}}
    )
    day.at(3)
    assert (entry.status, leg_states(day, entry), day.fills()) == ("new", [("stop", "held")], [])


@pytest.mark.parametrize(
    ("candles", "filled"),
    [
        # the stop sells, the profit limit goes
        (["100", "98.20"], [("stop", "filled"), ("limit", "canceled")]),
        # the profit is taken, the stop goes
        (["100", "102.50"], [("limit", "filled"), ("stop", "canceled")]),
    ],
)
def test_one_leg_of_a_bracket_ends_the_other(
    desk: Callable[..., Any], candles: list[str], filled: list[tuple[str, str]]
) -> None:
    day = desk(*candles)
    day.at(0)
    entry = day.buy(10, **BRACKET)
    # the profit limit has the ten shares; the stop is watched beside it, and held by name
    assert sorted(leg_states(day, entry)) == [("limit", "new"), ("stop", "held")]
    assert day.exchange.held_qty("AAPL") == 10
    day.at(2)
    assert sorted(leg_states(day, entry)) == sorted(filled)
    assert day.positions["AAPL"].qty == 0


def test_a_partly_taken_profit_shrinks_the_stop(desk: Callable[..., Any]) -> None:
    day = desk("100", "102.50", "98")
    day.at(0)
    entry = day.buy(10, **BRACKET)
    day.exchange.shares_per_tick = Decimal(3)
    day.at(1, 1)  # one tick of this minute: three shares at 102.50
    stop = next(leg for leg in day.exchange.legs(entry) if leg.type == "stop")
    assert (stop.qty, day.exchange.held_qty("AAPL")) == (7, 7)
    day.exchange.shares_per_tick = None
    day.at(2)
    assert day.positions["AAPL"].qty == 0
    assert sum(qty for side, qty, _ in day.fills() if side == "sell") == 10


def test_cancelling_one_of_a_group_cancels_the_group(desk: Callable[..., Any]) -> None:
    day = desk("100", "100")
    day.at(0)
    entry = day.buy(10, **BRACKET)
    stop = next(leg for leg in day.exchange.legs(entry) if leg.type == "stop")
    day.exchange.cancel(stop.id)
    assert leg_states(day, entry) == [("limit", "canceled"), ("stop", "canceled")]
    assert (entry.status, day.exchange.held_qty("AAPL")) == ("filled", 0)

    resting = day.buy(10, type="limit", limit_price="99.50", **OTO)
    day.exchange.cancel(day.exchange.legs(resting)[0].id)
    assert resting.status == "canceled"


def test_replacing_a_stop_gives_a_new_order_in_its_place(desk: Callable[..., Any]) -> None:
    day = desk("100", "100.20", "98.90")
    day.at(0)
    entry = day.buy(10, **OTO)
    (old,) = day.exchange.legs(entry)
    day.at(1)
    new = day.replace(old, stop_price="99", client_order_id="moved-1")
    assert (old.status, old.replaced_by, new.replaces) == ("replaced", new.id, old.id)
    assert (new.status, new.qty, new.client_order_id, new.parent_id) == (
        "new",
        10,
        "moved-1",
        entry.id,
    )
    assert new.id != old.id
    assert day.exchange.legs(entry) == [new]
    day.at(3)
    assert day.fills()[1:] == [("sell", 10, Decimal("98.90"))]
    assert old.filled_qty == 0


def test_replacing_an_entry_keeps_its_legs(desk: Callable[..., Any]) -> None:
    day = desk("100", "99.60")
    day.at(0)
    entry = day.buy(10, type="limit", limit_price="99", **OTO)
    moved = day.replace(entry, limit_price="99.70")
    day.at(2)
    assert moved.status == "filled"
    assert leg_states(day, moved) == [("stop", "new")]


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"stop_price": "100.50"}, 422, "stop price must be less than current price"),
        ({"stop_price": "99.005"}, 422, "invalid stop_price 99.005. sub-penny increment"),
        ({"stop_price": "99", "client_order_id": "entry"}, 422, "client_order_id must be unique"),
        ({"qty": "5"}, 422, "qty of a complex order cannot be replaced"),
        ({"limit_price": "99"}, 422, "a stop order does not have this price"),
    ],
)
def test_refused_replacements_change_nothing(
    desk: Callable[..., Any], change: dict[str, object], status: int, message: str
) -> None:
    day = desk("100")
    day.at(0)
    entry = day.buy(10, client_order_id="entry", **OTO)
    (stop,) = day.exchange.legs(entry)
    with pytest.raises(Refusal, match=message) as refused:
        day.replace(stop, **change)
    assert refused.value.status == status
    assert (stop.status, day.exchange.legs(entry)) == ("new", [stop])


def test_a_final_order_is_neither_cancelled_nor_replaced(desk: Callable[..., Any]) -> None:
    day = desk("100")
    day.at(0)
    order = day.buy(1)
    with pytest.raises(Refusal, match="order is not cancelable") as refused:
        day.exchange.cancel(order.id)
    assert (refused.value.status, refused.value.body["code"]) == (422, 42210000)
    with pytest.raises(Refusal, match="order is not open"):
        day.replace(order, qty=2)
    with pytest.raises(Refusal, match="order not found") as refused:
        day.exchange.cancel("00000000-0000-0000-0000-000000000000")
    assert (refused.value.status, refused.value.body["code"]) == (404, 40410000)


# Sent at, time in force, still there at the close / at the next day's close?  day 390 is 16:00.
EXPIRY = [
    (0, "day", "expired", "expired"),
    (-5, "day", "expired", "expired"),  # before the opening: for the session to come
    (391, "day", "accepted", "expired"),  # after the close: for tomorrow
    (0, "gtc", "new", "new"),
]


@pytest.mark.parametrize(("minute", "time_in_force", "today", "tomorrow"), EXPIRY)
def test_day_orders_die_at_the_close(
    desk: Callable[..., Any], minute: int, time_in_force: str, today: str, tomorrow: str
) -> None:
    day = desk("100")
    day.at(minute)
    order = day.buy(1, type="limit", limit_price="50", time_in_force=time_in_force)
    day.at(max(minute, 390))
    assert order.status == today
    day.at(390 + 24 * 60)
    assert order.status == tomorrow


def test_an_expired_entry_takes_its_legs_along(desk: Callable[..., Any]) -> None:
    day = desk("100")
    day.at(0)
    entry = day.buy(1, type="limit", limit_price="99", **{**OTO, "time_in_force": "day"})
    day.at(390)
    assert (entry.status, leg_states(day, entry)) == ("expired", [("stop", "expired")])


def test_a_gtc_stop_fires_on_a_later_day(desk: Callable[..., Any]) -> None:
    day = desk("100")
    day.at(0)
    day.buy(10, **OTO)
    next_day = datetime(2020, 11, 13, 14, 30, tzinfo=UTC)
    day.exchange.book.add([Bar("AAPL", next_day, *(Decimal(97),) * 4, volume=1, feed="test")])
    day.at(390 + 24 * 60)
    assert day.fills()[1:] == [("sell", 10, Decimal("97"))]
    assert day.exchange.fills[1].at > next_day


def test_legs_cover_no_more_than_the_shares_that_are_there(desk: Callable[..., Any]) -> None:
    """Part of a slow entry is sold again before the rest fills; the stop then covers the rest."""
    day = desk("100", "101", "100")
    day.exchange.shares_per_tick = Decimal(4)
    day.at(0)
    entry = day.buy(10, type="limit", limit_price="100", **OTO)
    sale = day.sell(4, type="limit", limit_price="100.50")
    day.at(3)
    (stop,) = day.exchange.legs(entry)
    assert (entry.status, sale.status) == ("filled", "filled")
    assert (stop.status, stop.qty, day.positions["AAPL"].qty) == ("new", 6, 6)

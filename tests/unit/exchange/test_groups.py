"""Orders that hang together: what one's fill, cancellation or replacement does to the others."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from tradewind_local.exchange.refusals import Refusal

BRACKET = {
    "order_class": "bracket",
    "time_in_force": "gtc",
    "take_profit": {"limit_price": "102"},
    "stop_loss": {"stop_price": "98.50"},
}
OCO = {**BRACKET, "order_class": "oco", "type": "limit"}
OTO = {"order_class": "oto", "time_in_force": "gtc", "stop_loss": {"stop_price": "98.50"}}


def states(day: Any, order: Any) -> list[tuple[str, str]]:
    """Type and status of an order and of its legs."""
    return [(one.type, one.status) for one in (order, *day.exchange.legs(order))]


def holding(desk: Callable[..., Any], *candles: Any) -> Any:
    """Ten shares, the clock at 09:30:03 of a day that opens at 100."""
    day = desk("100", *candles)
    day.at(0)
    day.buy(10)
    return day


# The market after minute 0, how the pair ends, and what was sold.
PAIRS = [
    # between the two prices: both live, the shares are held once
    (["101.99", "98.51"], [("limit", "new"), ("stop", "held")], []),
    # the take-profit cancels the stop
    (["102.40", "98"], [("limit", "filled"), ("stop", "canceled")], ["102.40"]),
    # the stop cancels the take-profit
    (["98.20", "103"], [("limit", "canceled"), ("stop", "filled")], ["98.20"]),
]


@pytest.mark.parametrize(("candles", "ends", "sold"), PAIRS)
def test_one_of_an_oco_ends_the_other(
    desk: Callable[..., Any], candles: list[str], ends: list[tuple[str, str]], sold: list[str]
) -> None:
    day = holding(desk, *candles)
    pair = day.sell(10, **OCO)
    assert states(day, pair) == [("limit", "new"), ("stop", "held")]
    assert day.exchange.held_qty("AAPL") == 10
    day.at(3)
    assert states(day, pair) == ends
    assert day.fills()[1:] == [("sell", 10, Decimal(price)) for price in sold]
    assert day.positions["AAPL"].qty == 10 - 10 * len(sold)


@pytest.mark.parametrize("which", [0, 1])
def test_cancelling_one_of_an_oco_cancels_the_other(desk: Callable[..., Any], which: int) -> None:
    day = holding(desk)
    pair = day.sell(10, **OCO)
    one = (pair, *day.exchange.legs(pair))[which]
    day.exchange.cancel(one.id)
    assert states(day, pair) == [("limit", "canceled"), ("stop", "canceled")]
    assert day.exchange.held_qty("AAPL") == 0


@pytest.mark.parametrize(("price", "fills_first"), [("102.50", 0), ("98", 1)])
def test_each_partial_fill_of_one_shrinks_the_other(
    desk: Callable[..., Any], price: str, fills_first: int
) -> None:
    day = holding(desk, price)
    pair = day.sell(10, **OCO)
    both = (pair, *day.exchange.legs(pair))
    filled, other = both[fills_first], both[1 - fills_first]
    day.exchange.shares_per_tick = Decimal(3)
    day.at(1, 1)  # one tick of this minute
    assert (filled.status, filled.filled_qty, other.qty) == ("partially_filled", 3, 7)
    assert day.exchange.held_qty("AAPL") == 7
    day.at(2)
    assert (filled.status, other.status, day.positions["AAPL"].qty) == ("filled", "canceled", 0)


def test_an_oco_before_the_opening_lives_from_the_opening_on(desk: Callable[..., Any]) -> None:
    day = holding(desk)
    day.at(391)
    pair = day.sell(10, **OCO)
    assert states(day, pair) == [("limit", "accepted"), ("stop", "held")]
    day.at(24 * 60, 0)
    assert states(day, pair) == [("limit", "new"), ("stop", "held")]


OCO_REFUSALS = [
    ({"side": "buy"}, 422, "oco orders must be exit orders"),
    ({"symbol": "MSFT"}, 422, "oco orders must be exit orders"),
    (
        {"stop_loss": {"stop_price": "100"}},
        422,
        "stop_loss.stop_price must be <= base_price - 0.01",
    ),
    (
        {"take_profit": {"limit_price": "98"}},
        422,
        "stop_loss.stop_price must be <= base_price - 0.01",
    ),
    ({"qty": "11"}, 403, "insufficient qty available"),
]


@pytest.mark.parametrize(("fields", "status", "message"), OCO_REFUSALS)
def test_refused_ocos(
    desk: Callable[..., Any], fields: dict[str, Any], status: int, message: str
) -> None:
    day = desk(AAPL=["100"], MSFT=["100"])
    day.at(0)
    day.buy(10)
    orders = len(day.exchange.orders)
    with pytest.raises(Refusal, match=message) as refused:
        day.order(**{"side": "sell", "qty": 10, **OCO, **fields})
    assert refused.value.status == status
    assert len(day.exchange.orders) == orders


def test_an_oco_is_taken_against_the_opposite_side_and_a_simple_sale_is_not(
    desk: Callable[..., Any],
) -> None:
    day = holding(desk)
    day.buy(1, type="stop", stop_price="105")
    with pytest.raises(Refusal, match="potential wash trade"):
        day.sell(10)
    assert day.sell(10, **OCO).status == "new"


def test_prices_of_a_pair_can_be_replaced_and_its_quantity_cannot(desk: Callable[..., Any]) -> None:
    day = holding(desk, "100", "98.90")
    pair = day.sell(10, **OCO)
    (stop,) = day.exchange.legs(pair)
    with pytest.raises(Refusal, match="qty of a complex order cannot be replaced"):
        day.replace(pair, qty="5")
    higher = day.replace(stop, stop_price="99")
    dearer = day.replace(pair, limit_price="103")
    assert states(day, dearer) == [("limit", "new"), ("stop", "held")]
    assert (higher.parent_id, day.exchange.held_qty("AAPL")) == (dearer.id, 10)
    day.at(3)
    assert states(day, dearer) == [("limit", "canceled"), ("stop", "filled")]
    assert day.fills()[1:] == [("sell", 10, Decimal("98.90"))]


def test_both_legs_of_a_bracket_can_be_replaced(desk: Callable[..., Any]) -> None:
    day = desk("100", "101.50")
    day.at(0)
    entry = day.buy(10, **BRACKET)
    profit, stop = day.exchange.legs(entry)
    new_stop = day.replace(stop, stop_price="99")
    new_profit = day.replace(profit, limit_price="101.20")
    assert states(day, entry)[1:] == [("stop", "held"), ("limit", "new")]
    day.at(2)
    assert (new_profit.status, new_stop.status) == ("filled", "canceled")


# A stop at 98.50 with a limit at 98: it triggers, and the limit decides.
STOP_LIMIT_LEGS = [
    (["98.30"], [("stop_limit", "filled")], ["98.30"]),
    (["97"], [("stop_limit", "new")], []),  # gapped over: the trap of a stop-limit
    (["97", "98.10"], [("stop_limit", "filled")], ["98.10"]),
]


@pytest.mark.parametrize(("candles", "leg", "sold"), STOP_LIMIT_LEGS)
def test_a_leg_with_a_limit(
    desk: Callable[..., Any], candles: list[str], leg: list[tuple[str, str]], sold: list[str]
) -> None:
    day = desk("100", *candles)
    day.at(0)
    entry = day.buy(10, **{**OTO, "stop_loss": {"stop_price": "98.50", "limit_price": "98"}})
    assert states(day, entry) == [("market", "filled"), ("stop_limit", "new")]
    day.at(3)
    assert states(day, entry)[1:] == leg
    assert day.fills()[1:] == [("sell", 10, Decimal(price)) for price in sold]


def test_a_triggered_stop_limit_beside_a_profit_holds_the_shares_once(
    desk: Callable[..., Any],
) -> None:
    day = desk("100", "97", "102")
    day.at(0)
    entry = day.buy(10, **{**BRACKET, "stop_loss": {"stop_price": "98.50", "limit_price": "98"}})
    day.at(1, 59)
    assert states(day, entry)[1:] == [("limit", "new"), ("stop_limit", "new")]
    assert day.exchange.held_qty("AAPL") == 10
    day.at(3)
    # both prices are good at 102; ten shares are sold, not twenty
    assert sum(qty for side, qty, _ in day.fills() if side == "sell") == 10
    assert day.positions["AAPL"].qty == 0


def test_an_entry_cancelled_half_way_leaves_its_shares_naked(desk: Callable[..., Any]) -> None:
    """The trap: the legs go with the entry, the four shares it bought stay, and nobody protects
    them."""
    day = desk("100", "90")
    day.exchange.shares_per_tick = Decimal(4)
    day.at(0)
    entry = day.buy(10, **{**BRACKET, "type": "limit", "limit_price": "100"})
    day.exchange.cancel(entry.id)
    assert states(day, entry) == [
        ("limit", "canceled"),
        ("limit", "canceled"),
        ("stop", "canceled"),
    ]
    day.at(2)
    assert (day.positions["AAPL"].qty, day.exchange.held_qty("AAPL")) == (4, 0)
    assert len(day.fills()) == 1


def test_day_legs_die_at_the_close_with_the_shares_still_there(desk: Callable[..., Any]) -> None:
    day = desk("100")
    day.at(0)
    entry = day.buy(10, **{**BRACKET, "time_in_force": "day"})
    day.at(390)
    assert states(day, entry)[1:] == [("limit", "expired"), ("stop", "expired")]
    assert (day.positions["AAPL"].qty, day.exchange.held_qty("AAPL")) == (10, 0)

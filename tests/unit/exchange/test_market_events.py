"""Halts, splits, thin markets, stuck cancellations, closing positions."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from tradewind_local.exchange.refusals import Refusal

from tests.unit.exchange.desk import Desk

OTO = {"order_class": "oto", "time_in_force": "gtc", "stop_loss": {"stop_price": "98.50"}}
BRACKET = {**OTO, "order_class": "bracket", "take_profit": {"limit_price": "104"}}


# -- halts ----------------------------------------------------------------------------------------


def test_while_a_symbol_is_halted_nothing_of_it_trades(desk: Callable[..., Any]) -> None:
    day = desk(AAPL=["100", "97", "96"], MSFT=["200", "190"])
    day.at(0)
    day.exchange.halt("AAPL")
    waits = day.buy(1, type="limit", limit_price="99")
    gone = day.buy(1, type="limit", limit_price="98")
    immediate = day.buy(1, time_in_force="ioc")
    other = day.buy(1, symbol="MSFT")
    day.at(2, 0)
    # orders are taken and wait, cancelling works, and now gives nothing
    day.exchange.cancel(gone.id)
    assert [order.status for order in (waits, gone, immediate, other)] == [
        "new",
        "canceled",
        "canceled",
        "filled",
    ]
    assert [fill.symbol for fill in day.exchange.fills] == ["MSFT"]
    day.exchange.resume("AAPL")
    day.at(3)
    assert day.fills()[1:] == [("buy", 1, Decimal(96))]


def test_a_stop_sleeps_through_a_halt(desk: Callable[..., Any]) -> None:
    """Nothing is sold at 98, and after the halt at what the market has come to."""
    day = desk("100", "98", "80")
    day.at(0)
    day.buy(10, **OTO)
    day.exchange.halt("AAPL")
    day.at(2, 0)
    assert len(day.fills()) == 1
    day.exchange.resume("AAPL")
    day.at(3)
    assert day.fills()[1:] == [("sell", 10, Decimal(80))]


def test_a_halt_over_the_close(desk: Callable[..., Any]) -> None:
    day = desk("100", "101")
    day.at(0)
    at_the_close = day.buy(1, time_in_force="cls")
    day.exchange.halt("AAPL")
    rests = day.buy(1)
    day.at(390, 0)
    assert [order.status for order in (at_the_close, rests)] == ["expired", "expired"]
    with pytest.raises(Refusal, match="is not tradable"):
        day.exchange.halt("RGC")


# -- splits ---------------------------------------------------------------------------------------

# Shares held (bought at 100), new and old rate, then shares, cost, realised and what is paid out.
SPLITS = [
    ("10", 4, 1, "40", "1000", "0", "0"),
    # 1 for 4: 2.5 shares; half a share is paid out at 4 x 100, its cost is a fifth
    ("10", 1, 4, "2", "800", "-200", "200"),
    # 3 for 2: 16.5 shares at 66.67
    ("11", 3, 2, "16", "1066.666666667", "-33.333333333", "33.33"),
    # nothing whole is left
    ("1", 1, 8, "0", "0", "-100", "100"),
]


@pytest.mark.parametrize(("held", "new", "old", "qty", "cost", "realized", "paid"), SPLITS)
def test_a_split_changes_the_position_and_pays_out_the_fraction(
    desk: Callable[..., Any],
    held: str,
    new: int,
    old: int,
    qty: str,
    cost: str,
    realized: str,
    paid: str,
) -> None:
    day = desk("100")
    day.at(0)
    day.buy(held)
    cash = day.exchange.ledger.account.cash
    day.exchange.split("AAPL", Decimal(new), Decimal(old))
    position = day.positions["AAPL"]
    assert (position.qty, position.cost, position.realized) == (
        Decimal(qty),
        Decimal(cost),
        Decimal(realized),
    )
    assert day.exchange.ledger.account.cash - cash == Decimal(paid)
    split, *in_lieu = day.exchange.activities
    assert (split.kind, split.amount, split.qty) == ("SPLIT", 0, Decimal(qty) - Decimal(held))
    assert [(paid_out.kind, paid_out.amount) for paid_out in in_lieu] == (
        [("JNLC", Decimal(paid))] if paid != "0" else []
    )


def test_a_split_leaves_the_stop_where_it_was(desk: Callable[..., Any]) -> None:
    """The trap: at 4 for 1 the stop at 98.50 lies far above the new price of 25. It sells at once,
    and only a quarter of the shares."""
    day = desk("100", "25")
    day.at(0)
    entry = day.buy(10, **OTO)
    day.at(0, 59)
    day.exchange.split("AAPL", Decimal(4), Decimal(1))
    (stop,) = day.exchange.legs(entry)
    assert (stop.qty, stop.stop_price, stop.status) == (10, Decimal("98.50"), "new")
    day.at(2)
    assert day.fills()[1:] == [("sell", 10, Decimal(25))]
    assert day.positions["AAPL"].qty == 30


def test_a_reverse_split_never_lets_an_order_sell_what_is_not_there(
    desk: Callable[..., Any],
) -> None:
    """Two stops of five shares each, and one share left for both."""
    day = desk("100", "101", "1000", "90")
    day.at(0)
    day.buy(10)
    first, second = (day.sell(5, type="stop", stop_price=price) for price in ("99", "98"))
    day.at(1)
    day.exchange.split("AAPL", Decimal(1), Decimal(10))
    assert day.exchange.held_qty("AAPL") == 1
    with pytest.raises(Refusal, match=r"requested: 1, available: 0"):
        day.sell(1)
    day.at(4)
    assert day.fills()[1:] == [("sell", 1, Decimal(90))]
    assert (first.status, first.filled_qty) == ("canceled", 1)
    assert (second.status, second.failed_at is not None) == ("rejected", True)
    assert day.positions["AAPL"].qty == 0


def test_a_split_of_what_nobody_holds_and_impossible_rates(desk: Callable[..., Any]) -> None:
    day = desk("100")
    day.at(0)
    day.exchange.split("AAPL", Decimal(2), Decimal(1))
    assert day.exchange.activities == []
    for symbol, new, old in (("AAPL", 0, 1), ("AAPL", 1, 0), ("RGC", 2, 1)):
        with pytest.raises(Refusal):
            day.exchange.split(symbol, Decimal(new), Decimal(old))


# -- thin markets ---------------------------------------------------------------------------------


def test_seeded_partial_fills() -> None:
    """The same seed gives the same parts; another one gives others; in the end all is filled."""

    def parts(seed: int) -> list[Decimal]:
        day = Desk({"AAPL": ["100"] * 5}, seed)
        day.exchange.partial_fills(0.3)
        day.at(0)
        order = day.buy(90)
        day.at(5)
        assert order.status == "filled"
        return [fill.qty for fill in day.exchange.fills]

    first = parts(1)
    assert parts(1) == first
    assert parts(2) != first
    assert len(first) > 3
    assert sum(first) == 90
    assert all(1 <= qty <= 27 and qty == int(qty) for qty in first)


def test_partial_fills_of_fractions_end_too(desk: Callable[..., Any]) -> None:
    day = desk("100", "100")
    day.exchange.partial_fills(0.5)
    day.at(0)
    order = day.buy("2.25")
    day.at(2)
    assert order.status == "filled"
    for share in (0, -1, 1.5):
        with pytest.raises(Refusal, match="share must be more than 0"):
            day.exchange.partial_fills(share)


# -- cancellations that stick ---------------------------------------------------------------------


def test_a_stuck_cancellation_may_still_fill(desk: Callable[..., Any]) -> None:
    day = desk("100", "98", "97")
    day.at(0)
    fills, stays = (day.buy(1, type="limit", limit_price=price) for price in ("99", "90"))
    day.exchange.stick_cancels(2)
    with pytest.raises(Refusal, match="must not be negative"):
        day.exchange.stick_cancels(-1)
    for order in (fills, stays):
        day.exchange.cancel(order.id)
        assert (order.status, order.is_open) == ("pending_cancel", True)
        with pytest.raises(Refusal, match="order is not cancelable") as refused:
            day.exchange.cancel(order.id)
        assert (refused.value.status, refused.value.body["code"]) == (422, 42210000)
        with pytest.raises(Refusal, match="order is not open"):
            day.replace(order, limit_price="91")
    # the third one goes through, as would one that was never in the market
    at_once = day.buy(1, type="limit", limit_price="89")
    day.exchange.cancel(at_once.id)
    assert at_once.status == "canceled"
    day.at(2)
    day.exchange.release_cancels()
    assert (fills.status, stays.status) == ("filled", "canceled")


def test_a_stuck_cancellation_fills_in_parts_and_dies_at_the_close(
    desk: Callable[..., Any],
) -> None:
    day = desk("100", "98")
    day.at(0)
    order = day.buy(5, type="limit", limit_price="99")
    day.exchange.stick_cancels(1)
    day.exchange.cancel(order.id)
    day.exchange.shares_per_tick = Decimal(2)
    day.at(1, 1)
    assert (order.status, order.filled_qty) == ("pending_cancel", 2)
    day.exchange.halt("AAPL")
    day.at(390)
    assert (order.status, order.filled_qty) == ("expired", 2)


def test_an_entry_that_fills_while_its_cancellation_sticks_is_protected(
    desk: Callable[..., Any],
) -> None:
    day = desk("100", "99.20")
    day.at(0)
    entry = day.buy(10, type="limit", limit_price="99.50", **OTO)
    (stop,) = day.exchange.legs(entry)
    day.exchange.stick_cancels(1)
    day.exchange.cancel(entry.id)
    assert stop.status == "held"
    day.at(2)
    day.exchange.release_cancels()
    assert (entry.status, stop.status) == ("filled", "new")


def test_releasing_a_group_takes_the_group_along(desk: Callable[..., Any]) -> None:
    day = desk("100")
    day.at(0)
    entry = day.buy(10, **BRACKET)
    profit, stop = day.exchange.legs(entry)
    day.exchange.stick_cancels(1)
    day.exchange.cancel(profit.id)
    assert (profit.status, stop.status) == ("pending_cancel", "held")
    assert day.exchange.held_qty("AAPL") == 10
    day.exchange.release_cancels()
    assert (profit.status, stop.status, day.exchange.held_qty("AAPL")) == ("canceled",) * 2 + (0,)


# -- closing positions ----------------------------------------------------------------------------


def test_closing_a_position_sells_it_at_the_market(desk: Callable[..., Any]) -> None:
    day = desk("100", "101")
    day.at(0)
    with pytest.raises(Refusal, match="position does not exist") as refused:
        day.exchange.close_position("AAPL")
    assert refused.value.status == 404
    day.buy(10)
    part = day.exchange.close_position("AAPL", Decimal(4))
    assert (part.side, part.type, part.time_in_force, part.status) == (
        *("sell", "market", "day"),
        "accepted",
    )
    day.exchange.trade_now(part)
    rest = day.exchange.close_position("AAPL")
    day.exchange.trade_now(rest)
    assert (part.qty, rest.qty, day.positions["AAPL"].qty) == (4, 6, 0)
    day.buy(1)
    with pytest.raises(Refusal, match="qty must be > 0"):
        day.exchange.close_position("AAPL", Decimal(-1))


def test_shares_that_an_order_holds_are_not_sold_by_closing(desk: Callable[..., Any]) -> None:
    day = desk(AAPL=["100"], MSFT=["200"])
    day.at(0)
    day.buy(10, **OTO)
    day.buy(1, symbol="MSFT")
    (held, refused), (other, order) = day.exchange.close_all_positions(cancel_orders=False)
    assert (held, other, order.status) == ("AAPL", "MSFT", "accepted")
    assert (refused.status, refused.body) == (
        403,
        {
            "code": 40310000,
            "message": "insufficient qty available for order (requested: 10, available: 0)",
            "available": "0",
            "existing_qty": "10",
            "held_for_orders": "10",
            "symbol": "AAPL",
        },
    )


def test_closing_everything_with_its_orders(desk: Callable[..., Any]) -> None:
    day = desk(AAPL=["100"], MSFT=["200"])
    day.at(0)
    day.buy(10, **BRACKET)
    resting = day.buy(1, symbol="MSFT", type="limit", limit_price="150")
    ((symbol, order),) = day.exchange.close_all_positions(cancel_orders=True)
    day.exchange.trade_now(order)
    assert (symbol, order.status, resting.status) == ("AAPL", "filled", "canceled")
    assert day.positions["AAPL"].qty == 0


def test_cancelling_all_names_what_it_could_not_cancel(desk: Callable[..., Any]) -> None:
    day = desk("100")
    day.at(0)
    stuck, free = (day.buy(1, type="limit", limit_price=price) for price in ("90", "91"))
    day.exchange.stick_cancels(1)
    day.exchange.cancel(stuck.id)
    (first, refused), (second, done) = day.exchange.cancel_all()
    assert (first, second, done) == (stuck, free, None)
    assert refused is not None
    assert refused.body["message"] == "order is not cancelable"

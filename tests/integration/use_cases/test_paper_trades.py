"""Rows of ``paper_trades`` from the fills that ``trades`` is made of, on a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal as D

from tradewind.market.bar import MINUTE
from tradewind.orders.model import BrokerFill, BrokerState, OrderIntent, OrderStatus, Side

from tests.integration.conftest import Ask
from tests.integration.use_cases.books import (
    CYCLE,
    READ_AT,
    Books,
    decided,
    fill,
    leg_of,
    order_of,
    state,
)

_ROWS = """
SELECT symbol, entry_price, exit_price, profit_loss, timestamp FROM paper_trades ORDER BY timestamp
"""
BOUGHT_AT = CYCLE.run_at + timedelta(seconds=5)


def told(intent: OrderIntent, *fills: BrokerFill, minutes: int = 0) -> BrokerState:
    """What the broker says so many minutes after the run: the entry filled, its stop as far as
    the fills go."""
    sold = sum((one.quantity for one in fills if one.side is Side.SELL), D(0))
    done = OrderStatus.FILLED if sold == intent.quantity else OrderStatus.NEW
    leg = leg_of(intent, filled_quantity=sold, status=done)
    return state(order_of(intent), leg, fills=fills, as_of=READ_AT + minutes * MINUTE)


def test_a_row_is_opened_with_the_position_and_closed_with_it(books: Books, ask: Ask) -> None:
    intent = decided(books)
    bought = fill("entry", Side.BUY, intent.quantity, "100.10")
    for _ in range(2):
        books.sync(told(intent, bought))
        assert ask(_ROWS) == [["AAPL", D("100.10"), None, None, BOUGHT_AT]]
    first = replace(fill("stop", Side.SELL, D(49), "98.40", 10), cumulative=D(49))
    books.sync(told(intent, bought, first, minutes=1))
    assert ask(_ROWS) == [["AAPL", D("100.10"), None, None, BOUGHT_AT]]
    rest = fill("stop", Side.SELL, D(200), "98.30", 30)
    for minutes in (2, 3):
        books.sync(told(intent, bought, first, rest, minutes=minutes))
        ((symbol, entry, exit_, profit, at),) = ask(_ROWS)
        assert (symbol, entry, at) == ("AAPL", D("100.10"), rest.at)
        assert exit_.quantize(D("0.000001")) == D("98.319679")  # (49 x 98.40 + 200 x 98.30) / 249
        assert profit == 49 * D("-1.70") + 200 * D("-1.80")
    assert ask("SELECT count(*), sum(realised_pnl) FROM trades") == [[3, profit]]


def test_everything_told_at_once_makes_the_same_row(books: Books, ask: Ask) -> None:
    intent = decided(books)
    bought = fill("entry", Side.BUY, intent.quantity, "100")
    sold = fill("stop", Side.SELL, intent.quantity, "101", 30)
    books.sync(told(intent, sold, bought))
    assert ask(_ROWS) == [["AAPL", D(100), D(101), intent.quantity * D(1), sold.at]]


def test_two_positions_one_after_the_other_are_two_rows(books: Books, ask: Ask) -> None:
    """Even when one snapshot tells of all of it."""
    intent = decided(books)

    def part(order: str, side: Side, price: str, second: int) -> BrokerFill:
        return fill(order, side, intent.quantity / 3, price, second)

    fills = (
        part("entry", Side.BUY, "100", 5), part("stop", Side.SELL, "101", 6),
        part("entry", Side.BUY, "102", 7), part("stop", Side.SELL, "105", 8),
    )  # fmt: skip
    third = intent.quantity / 3
    entry = order_of(intent, filled_quantity=2 * third, status=OrderStatus.CANCELED)
    leg = leg_of(intent, filled_quantity=2 * third, status=OrderStatus.CANCELED)
    books.sync(state(entry, leg, fills=fills))
    assert ask(_ROWS) == [
        ["AAPL", D(100), D(101), third, fills[1].at],
        ["AAPL", D(102), D(105), 3 * third, fills[3].at],
    ]


def test_other_modes_write_none(books: Books, ask: Ask) -> None:
    intent = decided(books)
    bought = fill("entry", Side.BUY, intent.quantity, "100")
    books.sync(told(intent, bought), replace(CYCLE, mode="live"))
    assert ask("SELECT count(*) FROM trades") == [[1]]
    assert ask(_ROWS) == []


def test_shares_that_somebody_else_sold_close_the_row(books: Books, ask: Ask) -> None:
    """A person sold them: our books follow, and so does the row."""
    intent = decided(books)
    bought = fill("entry", Side.BUY, intent.quantity, "100")
    entry = order_of(intent)
    books.sync(state(entry, fills=(bought,)))
    sold = fill("theirs", Side.SELL, intent.quantity, "99", 20)
    theirs = replace(entry, order_id="theirs", client_order_id="by-hand", side=Side.SELL)
    for seconds in (60, 120):
        at: datetime = READ_AT + timedelta(seconds=seconds)
        books.sync(state(entry, theirs, fills=(bought, sold), as_of=at))
    assert ask(_ROWS) == [["AAPL", D(100), D(99), -intent.quantity, sold.at]]

"""The ``fills``, ``trades``, ``positions`` and ``account_snapshots`` tables."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.errors import InvalidInputError
from tradewind.orders.model import BrokerFill, BrokerPosition, Side
from tradewind.portfolio.differences import QuantityDifference
from tradewind.portfolio.model import BookedQuantity

from tests.integration.postgres.rows import (
    ACCOUNT,
    OPEN,
    SECOND,
    a_fill,
    a_holding,
    a_position,
    a_snapshot,
    a_trade,
    an_intent,
)


def add_fills(database: PostgresDatabase, *fills: BrokerFill) -> list[BrokerFill]:
    with database.transaction() as stores:
        return stores.fills.add(ACCOUNT, fills)


def test_only_executions_not_seen_before_are_news_oldest_first(
    database: PostgresDatabase,
) -> None:
    first, second = a_fill("x-2"), a_fill("x-1", at=OPEN + 90 * SECOND, side=Side.SELL)
    third = a_fill("x-3", at=OPEN + 80 * SECOND)
    assert add_fills(database, second, first) == [first, second]
    assert add_fills(database, second, third, first) == [third]
    assert add_fills(database, first, second, third) == []
    assert add_fills(database) == []


def test_an_execution_id_is_unique_within_its_account_only(database: PostgresDatabase) -> None:
    add_fills(database, a_fill("x-1"))
    with database.transaction() as stores:
        assert stores.fills.add("shadow", [a_fill("x-1")]) == [a_fill("x-1")]


def test_a_fill_may_come_before_its_order_and_twice_in_a_batch(database: PostgresDatabase) -> None:
    assert add_fills(database, a_fill(order_id="never-told"), a_fill()) == [
        a_fill(order_id="never-told")
    ]


def test_a_fill_comes_back_as_it_was_told_by_its_order(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    told = a_fill("x-1", cumulative=Decimal(10))
    later = a_fill("x-2", at=OPEN + 90 * SECOND)
    concluded = a_fill("synthetic-o-2-5", order_id="o-2", cumulative=Decimal(5))
    add_fills(database, later, told, concluded, a_fill("x-3", order_id="o-3"))
    with database.transaction() as stores:
        assert stores.fills.of_orders(ACCOUNT, ["o-1", "o-2", "o-9"]) == {
            "o-1": [told, later],
            "o-2": [concluded],
        }
        assert stores.fills.of_orders(ACCOUNT, []) == {}
        assert stores.fills.unknown(ACCOUNT, ["x-1", "x-4"]) == {"x-4"}
        assert stores.fills.unknown("shadow", ["x-1"]) == {"x-1"}
    assert ask("SELECT execution_id FROM fills WHERE synthetic") == [["synthetic-o-2-5"]]


def test_a_trade_is_written_once(database: PostgresDatabase) -> None:
    add_fills(database, a_fill("x-1"), a_fill("x-2"))
    sold = a_trade("x-2", side="sell", realised_pnl=Decimal("-3.25"), intent_id="tw-1")
    with database.transaction() as stores:
        stores.intents.add([an_intent("tw-1")])
        assert stores.trades.add(ACCOUNT, [a_trade("x-1")]) == 1
        assert stores.trades.add(ACCOUNT, [a_trade("x-1"), sold]) == 1
        assert stores.trades.add(ACCOUNT, []) == 0


def test_a_trade_of_an_execution_that_never_was_is_refused(database: PostgresDatabase) -> None:
    with pytest.raises(InvalidInputError, match="trades"), database.transaction() as stores:
        stores.trades.add(ACCOUNT, [a_trade("invented")])


def test_holdings_are_kept_by_account_and_symbol_flat_ones_too(database: PostgresDatabase) -> None:
    held = a_holding("AAPL", cost=Decimal("1195.8000000000001"))
    flat = a_holding(
        "MSFT", quantity=Decimal(0), cost=Decimal(0), opened_at=None, realised_pnl=Decimal("-7.5")
    )
    with database.transaction() as stores:
        stores.holdings.save(ACCOUNT, [flat, a_holding("AAPL")], OPEN)
        stores.holdings.save(ACCOUNT, [held], OPEN + SECOND)
        stores.holdings.save("shadow", [a_holding("TSLA")], OPEN)
        assert stores.holdings.all(ACCOUNT) == [held, flat]


# Our own books (symbol -> quantity) and the broker's word -> what stands on our side of the symbols
# that are ours: AAPL and MSFT are in the books, NVDA had an intent whose fill was never told.
OURS = {"AAPL": 10, "MSFT": 0, "NVDA": 0}
CONFIRMED: list[tuple[dict[str, int], set[str]]] = [
    ({"AAPL": 10}, {"AAPL", "MSFT"}),
    ({}, {"AAPL", "MSFT"}),
    ({"AAPL": 10, "TSLA": 5}, {"AAPL", "MSFT"}),  # foreign: it has no books to differ from
    ({"AAPL": 9, "NVDA": 5}, {"AAPL", "MSFT", "NVDA"}),
]


@pytest.mark.parametrize(("told", "ours"), CONFIRMED)
def test_the_brokers_quantities_beside_ours(
    database: PostgresDatabase, told: dict[str, int], ours: set[str]
) -> None:
    flat = a_holding("MSFT", quantity=Decimal(0), cost=Decimal(0), opened_at=None)
    positions = [a_position(symbol, quantity) for symbol, quantity in told.items()]
    with database.transaction() as stores:
        stores.intents.add([an_intent("tw-1", symbol="NVDA")])
        stores.holdings.save(ACCOUNT, [a_holding("AAPL"), flat], OPEN)
        stores.holdings.confirm("shadow", [a_position("F")], OPEN)
        for _ in range(2):  # told twice, it is the same answer
            assert stores.holdings.confirm(ACCOUNT, positions, OPEN) == [
                BookedQuantity(symbol, Decimal(OURS[symbol]), None) for symbol in sorted(ours)
            ]
        assert stores.holdings.broker_positions(ACCOUNT) == sorted(
            positions, key=lambda position: position.symbol
        )
        # Our own books are not touched by the broker's word.
        assert stores.holdings.all(ACCOUNT) == [a_holding("AAPL"), flat]


def test_an_older_word_of_the_broker_moves_nothing_back(database: PostgresDatabase) -> None:
    ours = [BookedQuantity("AAPL", Decimal(10), None)]
    with database.transaction() as stores:
        stores.holdings.save(ACCOUNT, [a_holding("AAPL")], OPEN)
        stores.holdings.confirm(ACCOUNT, [a_position("AAPL", 10)], OPEN + 9 * SECOND)
        assert stores.holdings.confirm(ACCOUNT, [], OPEN) == ours
        assert stores.holdings.broker_positions(ACCOUNT) == [a_position("AAPL", 10)]
        # Absent from a newer one, it is gone.
        assert stores.holdings.confirm(ACCOUNT, [], OPEN + 10 * SECOND) == ours
        assert stores.holdings.broker_positions(ACCOUNT) == []


A_DIFFERENCE = QuantityDifference("AAPL", Decimal(10), Decimal(9), OPEN)


def test_differences_are_noted_until_they_are_gone(database: PostgresDatabase) -> None:
    msft = QuantityDifference("MSFT", Decimal(10), Decimal(0), OPEN + SECOND)
    with database.transaction() as stores:
        stores.holdings.save(ACCOUNT, [a_holding("AAPL"), a_holding("MSFT")], OPEN)
        stores.holdings.save("shadow", [a_holding("AAPL")], OPEN)
        stores.holdings.confirm(ACCOUNT, [a_position("AAPL", 9)], OPEN)
        stores.holdings.note_differences(ACCOUNT, [A_DIFFERENCE, msft])
        assert stores.holdings.differences(ACCOUNT) == [A_DIFFERENCE, msft]
        assert stores.holdings.differences("shadow") == []
        told = stores.holdings.confirm(ACCOUNT, [a_position("AAPL", 9)], OPEN + SECOND)
        assert [one.differs_since for one in told] == [OPEN, OPEN + SECOND]
        stores.holdings.note_differences(ACCOUNT, [msft])
        assert stores.holdings.differences(ACCOUNT) == [msft]
        stores.holdings.note_differences(ACCOUNT, [])
        assert stores.holdings.differences(ACCOUNT) == []


def test_a_foreign_short_position_can_be_told(database: PostgresDatabase) -> None:
    short = BrokerPosition("GME", Decimal(-5), Decimal("20.5"), Decimal(19), Decimal("7.5"))
    with database.transaction() as stores:
        assert stores.holdings.confirm(ACCOUNT, [short], OPEN) == []
        assert stores.holdings.broker_positions(ACCOUNT) == [short]
        assert stores.holdings.all(ACCOUNT) == []


def test_the_newest_account_snapshot_whatever_the_order_of_arrival(
    database: PostgresDatabase,
) -> None:
    with database.transaction() as stores:
        assert stores.accounts.latest(ACCOUNT) is None
        stores.accounts.add(ACCOUNT, a_snapshot("100010.25"), OPEN + SECOND)
        stores.accounts.add(ACCOUNT, a_snapshot("100000"), OPEN)
        stores.accounts.add(ACCOUNT, a_snapshot("1"), OPEN + SECOND)  # told already
        assert stores.accounts.latest(ACCOUNT) == (OPEN + SECOND, a_snapshot("100010.25"))

"""The reads behind query_api."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.adapters.postgres.queries import PostgresQueries
from tradewind.orders.model import OrderStatus
from tradewind.portfolio.views import Status

from tests.integration.postgres.rows import (
    ACCOUNT,
    MINUTE,
    OPEN,
    RECEIVED,
    SECOND,
    SESSION,
    a_bar,
    a_holding,
    a_position,
    a_snapshot,
    an_order,
    tell_orders,
)

Read = Callable[[Callable[[PostgresQueries], object]], object]


@pytest.fixture
def read(database: PostgresDatabase) -> Read:
    def run(query: Callable[[PostgresQueries], object]) -> object:
        with database.reading() as queries:
            return query(queries)

    return run


def test_before_anything_happened_there_is_nothing_to_tell(read: Read) -> None:
    nothing = Status(None, None, None, None, None, 0, 0, None, None)
    assert read(lambda queries: queries.status(ACCOUNT, ["AAPL"])) == nothing
    assert read(lambda queries: queries.status(ACCOUNT, [])) == nothing


def test_the_status_tells_the_newest_of_everything(database: PostgresDatabase, read: Read) -> None:
    with database.transaction() as stores:
        stores.bars.upsert(
            [a_bar(minute=0), a_bar("MSFT", minute=1), a_bar("TSLA", 9)], [True] * 3, RECEIVED
        )
        stores.cycles.decided(ACCOUNT, OPEN, SESSION, "paper-1")
        stores.cycles.decided(ACCOUNT, OPEN + MINUTE, SESSION, "paper-2")
        stores.cycles.decided("shadow", OPEN + 2 * MINUTE, SESSION, "shadow-3")
        stores.cycles.finished(ACCOUNT, OPEN)
        orders = [an_order("o-1"), an_order("o-2", status=OrderStatus.FILLED), an_order("o-3")]
        tell_orders(stores, orders, OPEN)
        flat = a_holding("MSFT", quantity=Decimal(0), cost=Decimal(0), opened_at=None)
        stores.holdings.save(ACCOUNT, [a_holding("AAPL"), flat], OPEN)
        stores.accounts.add(ACCOUNT, a_snapshot("1"), OPEN)
        stores.accounts.add(ACCOUNT, a_snapshot("100001.50"), OPEN + SECOND)
    status = read(lambda queries: queries.status(ACCOUNT, ["AAPL", "MSFT"]))
    assert isinstance(status, Status)
    assert (status.cycle, status.execution) == (OPEN + MINUTE, "paper-2")
    assert status.decided_at is not None
    assert status.finished_at is None
    assert status.newest_bar == OPEN + MINUTE  # TSLA was not asked for
    assert (status.open_orders, status.holdings) == (2, 1)
    assert (status.equity, status.equity_as_of) == (Decimal("100001.50"), OPEN + SECOND)


def test_prices_are_the_newest_bars(database: PostgresDatabase, read: Read) -> None:
    with database.transaction() as stores:
        stores.bars.upsert([a_bar(), a_bar(minute=1), a_bar("MSFT")], [True, True, False], RECEIVED)
    assert read(lambda queries: queries.prices(["MSFT", "AAPL", "NONE"])) == [
        a_bar(minute=1),
        a_bar("MSFT"),
    ]


def test_positions_are_valued_at_the_newest_bar(database: PostgresDatabase, read: Read) -> None:
    flat = a_holding("MSFT", quantity=Decimal(0), cost=Decimal(0), opened_at=None)
    with database.transaction() as stores:
        stores.bars.upsert(
            [a_bar(), a_bar(minute=1, close=Decimal("119.55"))], [True, True], RECEIVED
        )
        stores.holdings.save(ACCOUNT, [a_holding("AAPL"), flat], OPEN)
        stores.holdings.confirm(ACCOUNT, [a_position("AAPL", 9), a_position("GME", 3)], OPEN)
    with database.reading() as queries:
        ours, foreign = queries.positions(ACCOUNT)
    # 10 shares bought for 1195.80, now worth 10 x 119.55.
    assert (ours.symbol, ours.quantity, ours.unrealised_pnl) == (
        "AAPL",
        Decimal(10),
        Decimal("-0.30"),
    )
    assert (ours.broker_quantity, ours.last_price_at) == (Decimal(9), OPEN + MINUTE)
    assert (foreign.symbol, foreign.strategy, foreign.quantity) == ("GME", "", Decimal(0))
    assert (foreign.broker_quantity, foreign.unrealised_pnl) == (Decimal(3), None)

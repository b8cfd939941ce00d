"""Average cost: what fills do to a holding, to the fraction of a cent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.errors import InvalidInputError
from tradewind.orders.model import BrokerFill, Side
from tradewind.portfolio.accounting import apply_fill, flat, trade_id_of
from tradewind.portfolio.model import Holding

START = datetime(2020, 11, 12, 14, 31, tzinfo=UTC)


def fill(number: int, side: Side, quantity: int | D, price: str | D) -> BrokerFill:
    return BrokerFill(
        f"e{number}", "o1", "AAPL", side, D(quantity), D(price), START + timedelta(minutes=number)
    )


def run(*fills: BrokerFill) -> tuple[Holding, list[D]]:
    holding, realised = flat("AAPL", "sma"), []
    for one in fills:
        holding, profit = apply_fill(holding, one)
        if profit is not None:
            realised.append(profit)
    return holding, realised


HISTORIES = [
    # (fills as side, quantity, price; quantity left, average, profit of each sale)
    ("bought once", [("buy", 10, "100")], 10, "100", []),
    ("bought twice", [("buy", 10, "100"), ("buy", 30, "104")], 40, "103", []),
    ("sold at a profit", [("buy", 10, "100"), ("sell", 10, "101.50")], 0, "0", ["15"]),
    ("sold in parts", [("buy", 10, "100"), ("sell", 4, "99"), ("sell", 6, "102")], 0, "0",
     ["-4", "12"]),
    ("sold a part: the average stays", [("buy", 10, "100"), ("sell", 4, "90")], 6, "100", ["-40"]),
    ("bought again after flat", [("buy", 1, "10"), ("sell", 1, "11"), ("buy", 2, "20")], 2, "20",
     ["1"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fills", "left", "average", "profits"),
    [row[1:] for row in HISTORIES],
    ids=[str(row[0]) for row in HISTORIES],
)
def test_histories(
    fills: list[tuple[str, int, str]], left: int, average: str, profits: list[str]
) -> None:
    holding, realised = run(
        *(fill(n, Side(side), quantity, price) for n, (side, quantity, price) in enumerate(fills))
    )
    assert (holding.quantity, holding.avg_price) == (D(left), D(average))
    assert realised == [D(profit) for profit in profits]
    assert holding.realised_pnl == sum(realised, D(0))


def test_a_position_is_opened_by_its_first_purchase() -> None:
    bought, _ = run(fill(0, Side.BUY, 1, "10"), fill(1, Side.BUY, 1, "10"))
    assert bought.opened_at == START
    sold, _ = run(fill(0, Side.BUY, 1, "10"), fill(1, Side.SELL, 1, "10"))
    assert sold.opened_at is None
    again, _ = run(
        fill(0, Side.BUY, 1, "10"), fill(1, Side.SELL, 1, "10"), fill(2, Side.BUY, 1, "10")
    )
    assert again.opened_at == START + timedelta(minutes=2)


def test_more_than_held_is_never_sold() -> None:
    with pytest.raises(InvalidInputError, match="only 1 are held"):
        run(fill(0, Side.BUY, 1, "10"), fill(1, Side.SELL, 2, "10"))


def test_a_trade_is_named_after_its_execution() -> None:
    assert trade_id_of("e1") == trade_id_of("e1")
    assert trade_id_of("e1") != trade_id_of("e2")


trades = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(1, 500),
        st.decimals(min_value="0.01", max_value="2000", places=4),
    ),
    max_size=40,
)


@given(trades)
def test_cash_and_cost_are_conserved(moves: list[tuple[bool, int, D]]) -> None:
    """Whatever is bought and sold: cash spent = cost of what is held - realised profit."""
    holding, cash = flat("AAPL", "sma"), D(0)
    for number, (buy, quantity, price) in enumerate(moves):
        side = Side.BUY if buy else Side.SELL
        amount = D(quantity) if buy else min(D(quantity), holding.quantity)
        if not amount:
            continue
        holding, _ = apply_fill(holding, fill(number, side, amount, price))
        cash += -amount * price if buy else amount * price
        if not holding.quantity:
            assert holding.cost == 0
    assert abs(cash - (holding.realised_pnl - holding.cost)) < D("1e-15")

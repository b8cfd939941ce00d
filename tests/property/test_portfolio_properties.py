"""Lots, round trips, average cost and statements tell of the same money, whatever was traded."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tradewind.orders.model import Side
from tradewind.portfolio.executions import Execution, holdings_at
from tradewind.portfolio.round_trips import round_trips
from tradewind.portfolio.statement import daily_statement, unrealised
from tradewind.portfolio.tax_lots import tax_lots

from tests.unit.reports.trading_day import DAY, a_flow, a_reading, at, bought, sold

CENT = Decimal("0.01")
PRICES = st.decimals("1", "500", places=2)


@st.composite
def histories(draw: st.DrawFn) -> list[Execution]:
    """Purchases and sales in two symbols, fractions of shares, never more sold than is held."""
    held = dict.fromkeys(("AAPL", "MSFT"), Decimal(0))
    executions = []
    for minute in range(draw(st.integers(0, 14))):
        symbol = draw(st.sampled_from(sorted(held)))
        price = draw(PRICES)
        if held[symbol] and draw(st.booleans()):
            whole = draw(st.booleans())
            quantity = held[symbol] if whole else draw(st.decimals("0.001", held[symbol], places=3))
            executions.append(sold(str(quantity), str(price), minute, symbol))
            held[symbol] -= quantity
        else:
            quantity = draw(st.decimals("0.001", 100, places=3))
            executions.append(bought(str(quantity), str(price), minute, symbol))
            held[symbol] += quantity
    return executions


@given(histories())
def test_lots_and_average_cost_agree_in_all(executions: list[Execution]) -> None:
    """First-in-first-out realises other amounts at other times; with what is left, at cost, both
    come to the cash that was paid and received."""
    closed, left = tax_lots(executions)
    held = holdings_at(executions, at(99)).values()
    by_lots = sum((lot.gain for lot in closed), Decimal(0)) - sum(lot.cost for lot in left)
    by_average = sum((one.realised_pnl - one.cost for one in held), Decimal(0))
    cash = sum(
        (one.notional if one.side is Side.SELL else -one.notional for one in executions), Decimal(0)
    )
    assert round(by_lots, 9) == round(by_average, 9) == round(cash, 9)
    assert sum(lot.quantity for lot in left) == sum(one.quantity for one in held)


@given(histories())
def test_round_trips_and_average_cost_agree_where_flat(executions: list[Execution]) -> None:
    held = holdings_at(executions, at(99))
    trips = round_trips(executions, {})
    for symbol, holding in held.items():
        if not holding.quantity:
            earned = sum(one.profit_loss for one in trips if one.symbol == symbol)
            assert round(earned, 9) == round(holding.realised_pnl, 9)


@given(histories(), st.integers(0, 14), PRICES, PRICES, PRICES, PRICES)
def test_statements_add_up_to_the_cent(
    executions: list[Execution],
    opened: int,
    before_a: Decimal,
    before_m: Decimal,
    now_a: Decimal,
    now_m: Decimal,
) -> None:
    """The broker's equity is cash and shares at their price; nothing of it stays unexplained but
    what rounding each part to the cent leaves."""
    since = at(opened)
    prices_before = {"AAPL": before_a, "MSFT": before_m}
    prices_now = {"AAPL": now_a, "MSFT": now_m}
    before, after = holdings_at(executions, since), holdings_at(executions, at(99))

    def equity(upto: float, prices: dict[str, Decimal]) -> Decimal:
        worth = Decimal(1_000_000)
        for one in executions:
            if one.at <= at(upto):
                sign = 1 if one.side is Side.SELL else -1
                worth += sign * one.quantity * (one.price - prices[one.symbol])
        return worth

    transfer, fee = Decimal(500), Decimal("-1.23")
    statement = daily_statement(
        DAY,
        [
            a_reading(
                99,
                str(equity(99, prices_now) + transfer + fee),
                str(equity(opened, prices_before)),
            )
        ],
        [a_flow("CSD", str(transfer)), a_flow("FEE", str(fee))],
        realised=sum((one.realised_pnl for one in after.values()), Decimal(0))
        - sum((one.realised_pnl for one in before.values()), Decimal(0)),
        realised_ever=Decimal(0),
        unrealised_before=unrealised(before.values(), prices_before),
        unrealised_now=unrealised(after.values(), prices_now),
        curve=(),
    )
    assert statement is not None
    assert abs(statement.unexplained) <= 2 * CENT
    assert (
        statement.equity_before
        + statement.realised
        + statement.unrealised_change
        + statement.fees_and_other
        + statement.transfers
        + statement.unexplained
        == statement.equity_now
    )

"""Implementation shortfall by hand: USD to the cent, basis points, and modesty when n is small."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import pytest
from tradewind.portfolio.executions import Execution, Purpose
from tradewind.reports.shortfall import ENOUGH_ORDERS, order_shortfalls, suggestion, summaries

from tests.unit.reports.trading_day import bought, sold, stopped

ORDERS = [
    # (executions of one order, its reference, average price, USD, basis points)
    ("bought dearer", [bought(100, "100.10", decision_price=D(100))],
     "100", "100.10", "10.00", "10"),
    ("bought cheaper", [bought(100, "99.95", decision_price=D(100))],
     "100", "99.95", "-5.00", "-5"),
    ("sold lower", [sold(50, "99.80", decision_price=D(100))], "100", "99.80", "10.00", "20"),
    ("sold higher", [sold(50, "100.02", decision_price=D(100))], "100", "100.02", "-1.00", "-2"),
    ("a stop is measured against its stop", [stopped(100, "98.45", "98.50")],
     "98.50", "98.45", "5.00", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("executions", "reference", "price", "usd", "points"),
    [row[1:] for row in ORDERS],
    ids=[str(row[0]) for row in ORDERS],
)
def test_orders(
    executions: list[Execution], reference: str, price: str, usd: str, points: str | None
) -> None:
    (one,) = order_shortfalls(executions)
    assert (one.reference, one.price, one.usd) == (D(reference), D(price), D(usd))
    if points is not None:
        assert one.basis_points == D(points)
    else:
        assert round(one.basis_points, 2) == D("5.08")


def test_an_orders_executions_are_one_figure() -> None:
    """60 at 100.10 and 40 at 100.00, decided at 100: 6.00 USD on 10,000."""
    first = bought(60, "100.10", 1, order_id="o", decision_price=D(100))
    second = bought(40, "100.00", 2, order_id="o", decision_price=D(100))
    (one,) = order_shortfalls([second, first])
    assert (one.quantity, one.price, one.usd) == (D(100), D("100.06"), D("6.00"))
    assert one.basis_points == D(6)
    assert one.first_fill_at == first.at


def test_summaries_by_purpose_and_of_entries_and_exits_together() -> None:
    told = summaries(
        order_shortfalls(
            [
                bought(100, "100.10", 1, decision_price=D(100)),  # 10 basis points
                bought(100, "100.30", 2, decision_price=D(100)),  # 30
                sold(100, "99.98", 3, decision_price=D(100)),  # 2
                stopped(100, "98.00", "98.50", 4),  # 50 USD, apart
            ]
        )
    )
    assert [(one.purpose, one.orders, one.usd) for one in told] == [
        (None, 3, D("42.00")),
        (Purpose.ENTRY, 2, D("40.00")),
        (Purpose.EXIT, 1, D("2.00")),
        (Purpose.STOP, 1, D("50.00")),
    ]
    assert (told[0].mean, told[0].median) == (D(14), D(10))


def test_a_small_n_is_not_made_into_a_figure_to_use() -> None:
    few = [
        bought(1, "100.05", n, order_id=str(n), decision_price=D(100))
        for n in range(ENOUGH_ORDERS - 1)
    ]
    text = suggestion(summaries(order_shortfalls(few)))
    assert text == (
        "Slippage by this session: mean 5.0 and median 5.0 basis points an order, n = 29. Fewer "
        "than 30 orders: too few to change a backtest's slippage by."
    )
    enough = [*few, replace(few[0], execution_id="more", order_id="more")]
    assert suggestion(summaries(order_shortfalls(enough))) == (
        "Slippage for backtests by this session: mean 5.0 and median 5.0 basis points an order, "
        "n = 30."
    )


def test_stops_alone_suggest_nothing() -> None:
    assert suggestion(summaries(order_shortfalls([stopped(1, "98", "99")]))) == (
        "No entry or exit was filled: this session suggests no slippage for backtests."
    )

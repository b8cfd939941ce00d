"""Implementation shortfall by hand: USD to the cent, basis points, and modesty when n is small."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from tradewind.portfolio.executions import Execution, Purpose
from tradewind.reports.shortfall import (
    ENOUGH_ORDERS,
    declared_slippage,
    order_shortfalls,
    summaries,
)

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


def orders(costs: list[str]) -> list[Execution]:
    """One purchase each, decided at 100, that cost so many basis points."""
    return [
        bought(1, str(100 + D(cost) / 100), n, order_id=str(n), decision_price=D(100))
        for n, cost in enumerate(costs)
    ]


# Declared are 2 basis points an order.
ASSUMPTIONS = [
    # (costs of the orders, whether the assumption holds, what is said of it)
    ("too few", ["5"] * (ENOUGH_ORDERS - 1), None,
     "cost 5.0 on average, 5.0 in the middle (n = 29). Fewer than 30 orders: too few"),
    ("enough, all above", ["5"] * ENOUGH_ORDERS, False, "does not hold: assume more"),
    ("exactly as declared", ["2"] * ENOUGH_ORDERS, True, "give or take 0.0. The assumption holds"),
    ("cheaper", ["-1"] * ENOUGH_ORDERS, True, "cost -1.0 on average"),
    # mean 3, standard deviation 4.1, of the mean 0.74: 3 - 1.46 is below 2, and 4 - 1.46 is not
    ("above, by chance", ["-1", "7"] * 15, True, "cost 3.0 on average, 3.0 in the middle (n = 30)"),
    ("above, beyond chance", ["0", "8"] * 15, False, "give or take 1.5. The assumption does not"),
    ("nothing", [], None, "No entry or exit was filled"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("costs", "holds", "said"),
    [row[1:] for row in ASSUMPTIONS],
    ids=[str(row[0]) for row in ASSUMPTIONS],
)
def test_the_declared_slippage_beside_what_orders_cost(
    costs: list[str], holds: bool | None, said: str
) -> None:
    told = declared_slippage(order_shortfalls(orders(costs)))
    assert (told.declared, told.orders, told.holds) == (D(2), len(costs), holds)
    assert told.sentence.startswith("Backtests assume 2.0 basis points an order")
    assert said in told.sentence


def test_stops_are_no_part_of_it() -> None:
    told = declared_slippage(order_shortfalls([stopped(1, "98", "99"), *orders(["1"])]))
    assert (told.orders, told.mean) == (1, D(1))

"""Daily statements and equity curves by hand, to the cent."""

from __future__ import annotations

from datetime import date
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.errors import InvalidInputError
from tradewind.portfolio.model import Holding
from tradewind.portfolio.statement import (
    ClosedDay,
    DailyStatement,
    daily_statement,
    equity_curve,
    readings_of_day,
    unrealised,
)

from tests.unit.reports.trading_day import CLOSE, DAY, a_flow, a_reading

NOTHING: dict[str, Any] = {
    "realised": D(0),
    "realised_ever": D(0),
    "unrealised_before": D(0),
    "unrealised_now": D(0),
    "curve": (),
}


def statement(readings: Any, flows: Any = (), **parts: Any) -> DailyStatement:
    made = daily_statement(DAY, readings, flows, **{**NOTHING, **parts})
    assert made is not None
    return made


def test_every_part_has_its_line() -> None:
    made = statement(
        [a_reading(1, "100000"), a_reading(380, "105321.70", "100000.00")],
        [
            a_flow("CSD", "5000", 10),  # a deposit
            a_flow("CSW", "-200", 20),  # a withdrawal
            a_flow("FEE", "-0.07", 30),
            a_flow("DIV", "12.50", 40),
            a_flow("FEE", "-9", 390),  # told after the last reading: not in its equity
        ],
        realised=D("412.345"),
        unrealised_before=D("-30"),
        unrealised_now=D("67.005"),
        realised_ever=D("1000"),
    )
    assert made.equity_before == D("100000.00")
    assert made.realised == D("412.34")  # half to even
    assert made.unrealised_change == D("97.00")
    assert made.fees_and_other == D("12.43")
    assert made.transfers == D("4800.00")
    # 5321.70 - 412.34 - 97.00 - 12.43 - 4800.00: half a cent of it is rounding
    assert made.unexplained == D("-0.07")
    assert made.equity_now == D("105321.70")


def test_a_broker_that_was_never_read_has_no_statement() -> None:
    assert daily_statement(DAY, [], [], **NOTHING) is None


def test_a_holding_needs_a_price() -> None:
    holding = Holding("AAPL", "sma", D(3), D(300), D(0), None)
    assert unrealised([holding], {"AAPL": D("101.10")}) == D("3.30")
    assert unrealised([Holding("MSFT", "sma", D(0), D(0), D(7), None)], {}) == 0
    with pytest.raises(InvalidInputError, match="no price of AAPL"):
        unrealised([holding], {})


CURVES = [
    # (readings as equity, previous close; flows; daily drawdown and drawdown from the peak in %)
    ("a loss", [("99000", "100000")], [], [("-1", "-1")]),
    ("a gain is no drawdown from the peak", [("101000", "100000")], [], [("1", "0")]),
    ("from the session's own peak", [("110000", "100000"), ("99000", "100000")], [],
     [("10", "0"), ("-1", "-10")]),
    ("a deposit earns nothing", [("105000", "100000")], [("CSD", "5000")], [("0", "0")]),
    ("a withdrawal loses nothing", [("90000", "100000")], [("CSW", "-9000")], [("-1", "-1")]),
    ("a fee does", [("99900", "100000")], [("FEE", "-100")], [("-0.1", "-0.1")]),
    ("an empty account has no return", [("0", "0"), ("5", "0")], [], []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("readings", "flows", "expected"),
    [row[1:] for row in CURVES],
    ids=[str(row[0]) for row in CURVES],
)
def test_curves(readings: Any, flows: Any, expected: Any) -> None:
    points = equity_curve(
        [],
        [a_reading(5 + n, equity, before) for n, (equity, before) in enumerate(readings)],
        [a_flow(kind, amount) for kind, amount in flows],
    )
    assert [(p.daily * 100, p.peak * 100) for p in points] == [(D(d), D(p)) for d, p in expected]


def test_what_the_broker_calls_the_previous_close_after_the_close_is_the_days_own() -> None:
    rolled = [a_reading(390, "101000", "101000"), a_reading(5, "99000", "100000")]
    assert readings_of_day(rolled, CLOSE) == [
        a_reading(5, "99000", "100000"),
        a_reading(390, "101000", "100000"),
    ]
    assert readings_of_day(rolled[:1], CLOSE) == []
    assert readings_of_day([], CLOSE) == []


def test_a_transfer_counts_from_when_it_was_told() -> None:
    points = equity_curve(
        [], [a_reading(1, "100000"), a_reading(9, "105000")], [a_flow("CSD", "5000", 5)]
    )
    assert [point.daily for point in points] == [0, 0]


def test_the_peak_is_of_all_sessions_and_without_transfers() -> None:
    days = [
        # +20 %, and a deposit of the same size again; then -10 %
        ClosedDay(date(2020, 11, 10), D(220_000), D(100_000), D(100_000)),
        ClosedDay(date(2020, 11, 11), D(198_000), D(220_000), D(0)),
    ]
    (point,) = equity_curve(days, [a_reading(1, "188100", "198000")], [])
    assert point.daily == D("-0.05")
    # 0.90 of the peak, and 0.95 of that
    assert point.peak == D("-0.145")


def test_a_day_without_equity_before_it_is_passed_over() -> None:
    days = [ClosedDay(date(2020, 11, 11), D(100_000), D(0), D(100_000))]
    (point,) = equity_curve(days, [a_reading(1, "99000")], [])
    assert point.peak == D("-0.01")

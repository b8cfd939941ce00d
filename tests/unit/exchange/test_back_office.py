"""Money that moves without a trade, and the fees of a session's sales."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from tradewind_local.exchange.back_office import sale_fees
from tradewind_local.exchange.model import Fill
from tradewind_local.exchange.refusals import Refusal

NOON = datetime(2020, 11, 12, 17, 0, tzinfo=UTC)

# Sales as (order, shares, price), and the fees: SEC and TAF, each rounded up to the cent.
FEES: list[tuple[list[tuple[str, str, str]], str]] = [
    ([], "0"),
    # 1,000 USD x 0.0000278 = 0.0278 -> 0.03; 10 x 0.000166 = 0.00166 -> 0.01
    ([("a", "10", "100")], "0.04"),
    # exactly a cent is not rounded up: 0.0000278 x 1,000,000 = 27.80; 10,000 x 0.000166 = 1.66
    ([("a", "10000", "100")], "29.46"),
    # the TAF of an order ends at 8.30: 100,000 shares would be 16.60; SEC 2.78
    ([("a", "100000", "1")], "11.08"),
    # ... in however many parts it filled, and each order has its own cap
    ([("a", "50000", "1"), ("a", "50000", "1"), ("b", "100000", "1")], "22.16"),
    # two small sales are rounded up once, together
    ([("a", "1", "1"), ("b", "1", "1")], "0.02"),
]


@pytest.mark.parametrize(("sales", "fees"), FEES)
def test_sale_fees(sales: list[tuple[str, str, str]], fees: str) -> None:
    zero = Decimal(0)
    fills = [
        Fill(1, "", order, "AAPL", "sell", Decimal(price), Decimal(qty), zero, zero, NOON)
        for order, qty, price in sales
    ]
    assert sale_fees(fills) == Decimal(fees)


def test_fees_are_charged_once_a_session_and_only_when_asked_for(desk: Callable[..., Any]) -> None:
    for is_on in (False, True):
        day = desk("100", "101")
        day.exchange.fees_on_sales = is_on
        day.at(0)
        day.buy(10)
        day.sell(4)
        day.sell(6)
        cash = day.exchange.ledger.account.cash
        day.at(390, 0)
        assert day.exchange.ledger.account.cash - cash == (Decimal("-0.04") if is_on else 0)
        day.at(390 + 24 * 60)  # a session without sales
        assert [(fee.kind, fee.amount, fee.at.hour) for fee in day.exchange.activities] == (
            [("FEE", Decimal("-0.04"), 21)] if is_on else []
        )


def test_activities_change_the_cash_and_have_ids_of_their_own(desk: Callable[..., Any]) -> None:
    def post() -> Any:
        day = desk("100")
        day.at(0)
        day.exchange.post_activity("DIV", Decimal("8.20"), "AAPL", "Cash DIV @ 0.82")
        day.exchange.post_activity("JNLC", Decimal(-100))
        return day.exchange

    exchange = post()
    assert exchange.ledger.account.cash == Decimal("9908.20")
    dividend, journal = exchange.activities
    assert (dividend.number, dividend.kind, dividend.symbol, dividend.at) == (
        1,
        "DIV",
        "AAPL",
        exchange.time,
    )
    assert dividend.id.startswith("20201112093003000::")
    assert dividend.id != journal.id
    assert post().activities == exchange.activities
    assert exchange.touched.activities == exchange.activities
    with pytest.raises(Refusal, match="invalid activity type: FILL"):
        exchange.post_activity("FILL", Decimal(1))
    assert len(exchange.activities) == 2

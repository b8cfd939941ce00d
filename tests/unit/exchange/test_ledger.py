"""Average cost, as a table of fills anyone can add up."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from tradewind_local.exchange.ledger import Ledger
from tradewind_local.exchange.model import Account, Fill

NOON = datetime(2020, 11, 12, 17, 0, tzinfo=UTC)

# side, qty, price -> qty held, their cost, realised so far, cash
TABLE = [
    ("buy", "10", "100.00", "10", "1000.00", "0", "9000.00"),
    ("buy", "10", "110.00", "20", "2100.00", "0", "7900.00"),
    # five of twenty at 105 on average: 15 a share
    ("sell", "5", "120.00", "15", "1575.00", "75.00", "8500.00"),
    # a fall below the average costs what it costs
    ("sell", "5", "90.00", "10", "1050.00", "0.00", "8950.00"),
    # four decimals, a fraction of a share
    ("buy", "0.5", "119.1234", "10.5", "1109.5617", "0.00", "8890.4383"),
    # flat: what is left of the cost goes along
    ("sell", "10.5", "100.00", "0", "0", "-59.5617", "9940.4383"),
]


def test_the_table() -> None:
    cash = Decimal(10_000)
    ledger = Ledger(Account(cash, cash, cash), {})
    for number, (side, qty, price, held, cost, realized, left) in enumerate(TABLE, 1):
        position = ledger.book(_fill(number, side, qty, price))
        assert (position.qty, position.cost, position.realized, ledger.account.cash) == tuple(
            map(Decimal, (held, cost, realized, left))
        )


def test_an_endless_average_loses_nothing() -> None:
    """Three shares for 100.00 in sum have no exact average; their parts still add up."""
    ledger = Ledger(Account(Decimal(100), Decimal(100), Decimal(100)), {})
    for number, price in enumerate(("33.33", "33.33", "33.34"), 1):
        ledger.book(_fill(number, "buy", "1", price))
    for number in range(4, 7):
        position = ledger.book(_fill(number, "sell", "1", "40"))
        assert ledger.account.cash + position.cost == 100 + position.realized
    assert position.cost == 0
    assert position.realized == 20


def _fill(number: int, side: str, qty: str, price: str) -> Fill:
    amount = Decimal(qty)
    return Fill(
        number, str(number), "order", "AAPL", side, Decimal(price), amount, amount, Decimal(0), NOON
    )

"""What each strategy may use of the account."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.errors import InvalidInputError
from tradewind.market.cycle import Cycle, execution_name
from tradewind.market.session import Session
from tradewind.orders.model import BrokerPosition, Side
from tradewind.risk.allocation import Allotment, Funds, exposure_by_symbol
from tradewind.risk.intents import entry_intent
from tradewind.risk.limits import RiskLimits
from tradewind.risk.sizing import Size

from tests.fakes import an_order

LIMITS = RiskLimits()
OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)


def allotted(fraction: str, *symbols: str) -> dict[str, Allotment]:
    allotment = Allotment(frozenset(symbols), D(fraction))
    return dict.fromkeys(symbols, allotment)


# AAPL and MSFT have half of the account, NVDA three tenths, AMD all that the account's caps leave.
ALLOTMENTS = {**allotted("0.5", "AAPL", "MSFT"), **allotted("0.3", "NVDA")}


def size(symbol: str, **changes: Any) -> Size:
    funds = Funds(
        changes.pop("equity", D(100_000)),
        changes.pop("buying_power", D(100_000)),
        changes.pop("exposure", {}),
        ALLOTMENTS,
    )
    asked = {"limit_price": D(100), "stop_price": D("98.50"), "atr": None, "limits": LIMITS}
    return funds.size(symbol, **{**asked, **changes})


CASES = [
    # (100,000 USD, a 100 USD share, a stop at 98.50; shares, decided by)
    ("no allotment: 25 % of all", "AMD", {}, 250, "exposure per symbol"),
    ("25 % of a half", "AAPL", {}, 125, "exposure per symbol of the strategy's 0.5 of equity"),
    ("25 % of three tenths", "NVDA", {}, 75, "exposure per symbol of the strategy's 0.3 of equity"),
    ("2 % of a half over twice an ATR of 10", "AAPL", {"atr": D(10)}, 50,
     "risk per trade of the strategy's 0.5 of equity"),
    ("its other symbol takes up room", "AAPL", {"exposure": {"MSFT": D(45_050)}}, 49,
     "exposure in all of the strategy's 0.5 of equity"),
    ("its part is used up", "AAPL", {"exposure": {"MSFT": D(50_000)}}, 0,
     "exposure in all of the strategy's 0.5 of equity"),
    ("others' symbols do not", "AAPL", {"exposure": {"NVDA": D(30_000), "AMD": D(20_000)}}, 125,
     "exposure per symbol of the strategy's 0.5 of equity"),
    ("until the account is full", "AAPL", {"exposure": {"NVDA": D(30_000), "AMD": D(65_050)}}, 49,
     "exposure in all"),
    ("foreign positions fill the account", "NVDA", {"exposure": {"KO": D(100_000)}}, 0,
     "exposure in all"),
    ("nobody has more than there is", "NVDA", {"buying_power": D(1099)}, 10, "buying power"),
    ("a part too small for an order", "NVDA", {"equity": D(1_000)}, 0,
     "exposure per symbol of the strategy's 0.3 of equity"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("symbol", "changes", "shares", "by"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_size(symbol: str, changes: dict[str, Any], shares: int, by: str) -> None:
    assert size(symbol, **changes) == Size(D(shares), by)


def test_what_one_entry_takes_the_next_has_not() -> None:
    """A strategy with a tenth on two symbols: the first takes a quarter of it each time."""
    funds = Funds(D(100_000), D(100_000), {}, allotted("0.1", "AAPL", "MSFT"))
    asked: Any = {"limit_price": D(10), "stop_price": D("9.85"), "atr": None, "limits": LIMITS}
    left = []
    for symbol in ("AAPL", "MSFT", "AAPL", "MSFT", "AAPL"):
        shares = funds.size(symbol, **asked).quantity
        left.append(shares)
        funds.spend(symbol, shares * 10)
    assert left == [250, 250, 250, 250, 0]
    # the account has 90 % left, of which a symbol may have 25 %
    assert funds.size("AMD", **asked).quantity == 2500


@pytest.mark.parametrize("fraction", ["0", "-0.1", "1.01"])
def test_a_fraction_that_is_none_is_refused(fraction: str) -> None:
    with pytest.raises(InvalidInputError, match=r"above 0, at most 1"):
        Allotment(frozenset(("AAPL",)), D(fraction))


def test_exposure_is_what_is_held_being_bought_and_committed() -> None:
    session = Session(date(2020, 11, 12), OPEN, OPEN + timedelta(minutes=390))
    cycle = Cycle("here", "paper", "paper", execution_name("paper", OPEN), OPEN, session)
    committed = entry_intent(
        cycle,
        "sma",
        "NVDA",
        quantity=D(5),
        limit_price=D(200),
        stop_price=D(197),
        decision_price=D(199),
        expires_at=OPEN,
        reason="",
    )
    at_broker = replace(committed, intent_id="tw-sent", symbol="MSFT")
    buying = an_order(
        symbol="MSFT",
        side=Side.BUY,
        limit_price=D(50),
        quantity=D(8),
        filled_quantity=D(3),
        client_order_id="tw-sent",
    )
    assert exposure_by_symbol(
        [BrokerPosition("AAPL", D(10), D(90), D(100), D(100))],
        # a resting stop adds nothing, and an intent that is an order already counts once
        [an_order(), buying],
        [committed, at_broker, replace(committed, side=Side.SELL)],
    ) == {"AAPL": D(1000), "MSFT": D(250), "NVDA": D(1000)}

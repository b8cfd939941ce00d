"""Pre-trade checks that look at the whole account: they stop entries in every symbol."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
from tradewind.market.session import Session
from tradewind.orders.ids import deployment_tag
from tradewind.portfolio.differences import QuantityDifference
from tradewind.risk.checks import first_refusal
from tradewind.risk.entry_request import EntryRequest
from tradewind.risk.limits import RiskLimits

from tests.fakes import an_account, an_order

OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
NOON = OPEN + timedelta(minutes=150)
ALLOWED = EntryRequest(
    symbol="MSFT",
    bar_time=NOON,
    newest_bar=NOON,
    missing=(),
    session=Session(date(2020, 11, 12), OPEN, OPEN + timedelta(minutes=390)),
    account=an_account(),
    broker_as_of=NOON + timedelta(minutes=1),
    open_orders=(),
    unresolved=(),
    foreign=None,
    limits=RiskLimits(),
)
DIFFERENCE = QuantityDifference("AAPL", D(100), D(90), NOON)
THEIRS = an_order(client_order_id=f"tw-{deployment_tag('another')}-{24 * '0'}", symbol="AAPL")

# (what is known, the refusal's code, what its sentence must say)
ACCOUNT_WIDE = [
    ({"differences": (DIFFERENCE,)}, "unexplained_difference",
     "AAPL: our books hold 100, the broker 90, since 2020-11-12T17:00:00Z"),
    ({"strangers": (THEIRS, THEIRS)}, "second_deployment",
     f"2 of them, e.g. {THEIRS.client_order_id} in AAPL"),
]  # fmt: skip


def test_without_either_an_entry_is_allowed() -> None:
    assert first_refusal(ALLOWED) is None


@pytest.mark.parametrize(("known", "code", "says"), ACCOUNT_WIDE)
def test_what_is_wrong_with_the_account_stops_every_symbol(
    known: dict[str, object], code: str, says: str
) -> None:
    refusal = first_refusal(replace(ALLOWED, **known))  # type: ignore[arg-type]
    assert refusal is not None
    assert refusal.code == code
    assert says in refusal.reason

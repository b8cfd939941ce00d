"""A snapshot on its way between two steps arrives as it left."""

from __future__ import annotations

from datetime import date
from decimal import Decimal as D

import pytest
from tradewind.errors import InvalidInputError
from tradewind.orders.model import (
    BrokerActivity,
    BrokerFill,
    BrokerPosition,
    BrokerState,
    Side,
)
from tradewind.orders.snapshot import dump_state, load_state

from tests.fakes import SESSION_CLOSE, START, an_account, an_order

STATE = BrokerState(
    as_of=START,
    account=an_account(cash=D("98804.2000")),
    orders=(an_order(filled_quantity=D("0.5"), filled_avg_price=D("98.4000")),),
    positions=(BrokerPosition("GME", D(-5), D("20.5"), D(19), D("7.5")),),
    fills=(
        BrokerFill("x-1", "o-1", "AAPL", Side.SELL, D("0.5"), D("98.4000"), START, D("0.50")),
        BrokerFill("x-2", "o-2", "AAPL", Side.BUY, D(1), D(98), START),
    ),
    next_close=SESSION_CLOSE,
    activities=(
        BrokerActivity("a-1", "DIV", D("3.1250"), date(2020, 11, 12), "AAPL", "cash dividend"),
        BrokerActivity("a-2", "FEE", D("-0.02"), date(2020, 11, 12), None, ""),
    ),
    not_known=("o-8", "o-9"),
)


@pytest.mark.parametrize("state", [STATE, BrokerState(START, an_account(), (), (), ())])
def test_a_snapshot_survives_its_way_digit_by_digit(state: BrokerState) -> None:
    assert repr(load_state(dump_state(state))) == repr(state)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", dump_state(STATE).replace(b"98.4000", b"x")])
def test_what_is_no_snapshot_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInputError, match="not a broker state"):
        load_state(body)

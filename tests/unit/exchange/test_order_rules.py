"""Which orders the broker takes at all: one row for each rule, and what must be refused."""

from __future__ import annotations

from typing import Any

import pytest
from tradewind_local.exchange.order_entry import read_changes, read_ticket
from tradewind_local.exchange.refusals import Refusal

BASE = {"symbol": "AAPL", "side": "buy", "qty": "10", "type": "market", "time_in_force": "day"}
LIMIT = {"type": "limit", "limit_price": "100"}
STOP = {"type": "stop", "stop_price": "100"}
STOP_LIMIT = {"type": "stop_limit", "stop_price": "100", "limit_price": "99"}
TRAIL = {"type": "trailing_stop", "trail_percent": "1"}
BRACKET = {
    "order_class": "bracket",
    "take_profit": {"limit_price": "110"},
    "stop_loss": {"stop_price": "90"},
}
OTO = {"order_class": "oto", "stop_loss": {"stop_price": "90"}}
OCO = {**BRACKET, "order_class": "oco", "side": "sell", "type": "limit"}

TAKEN: list[dict[str, Any]] = [
    {},
    LIMIT,
    STOP,
    STOP_LIMIT,
    TRAIL,
    {"type": "trailing_stop", "trail_price": "2.50"},
    # market and limit orders have every time in force
    *({**kind, "time_in_force": tif} for kind in ({}, LIMIT) for tif in ("opg", "cls", "ioc")),
    {**LIMIT, "time_in_force": "fok"},
    # stops of all kinds rest
    *({**kind, "time_in_force": "gtc"} for kind in (STOP, STOP_LIMIT, TRAIL)),
    # classes
    *({**kind, "time_in_force": tif} for kind in (BRACKET, OTO, OCO) for tif in ("day", "gtc")),
    {**BRACKET, "stop_loss": {"stop_price": "90", "limit_price": "89.50"}},
    {**OTO, "stop_loss": {"stop_price": "90", "limit_price": "89.50"}},
    {"order_class": "oto", "take_profit": {"limit_price": "110"}},
    # the OCO order is its own take-profit; some clients send the price twice
    {**OCO, "limit_price": "110"},
    # fractions, for the day
    *({**kind, "qty": "0.000000001"} for kind in ({}, LIMIT, STOP, STOP_LIMIT)),
    {"qty": None, "notional": "100.25"},
]


@pytest.mark.parametrize("fields", TAKEN)
def test_taken(fields: dict[str, Any]) -> None:
    ticket = read_ticket({**BASE, **fields})
    assert (ticket.limit_price is not None) == (ticket.type in ("limit", "stop_limit"))


SUB_PENNY = "sub-penny increment does not fulfill minimum pricing criteria"

REFUSED: list[tuple[dict[str, Any], int, str]] = [
    # each type its own prices
    ({**STOP_LIMIT, "limit_price": None}, 40010001, "stop_limit orders require limit_price"),
    ({**STOP_LIMIT, "stop_price": None}, 40010001, "stop_limit orders require stop_price"),
    ({**STOP, "limit_price": "99"}, 40010001, "stop orders must not have a limit price"),
    ({**TRAIL, "stop_price": "99"}, 40010001, "trailing_stop orders must not have a stop price"),
    ({"trail_price": "1"}, 40010001, "market orders must not have a trail"),
    # exactly one trail
    (
        {"type": "trailing_stop"},
        40010001,
        "trailing_stop orders require either trail_price or trail_percent",
    ),
    ({**TRAIL, "trail_price": "1"}, 40010001, "require either trail_price or trail_percent"),
    ({**TRAIL, "trail_percent": "100"}, 40010001, "trail_percent must be less than 100"),
    ({**TRAIL, "trail_percent": "0"}, 40010001, "trail_percent must be > 0"),
    # stops rest
    *(
        ({**kind, "time_in_force": tif}, 42210000, f"invalid time_in_force '{tif}' for {name}")
        for kind, name in ((STOP, "stop"), (STOP_LIMIT, "stop_limit"), (TRAIL, "trailing_stop"))
        for tif in ("ioc", "fok", "opg", "cls")
    ),
    # groups rest
    *(
        ({**kind, "time_in_force": tif}, 42210000, "orders must be DAY or GTC orders")
        for kind in (BRACKET, OTO, OCO)
        for tif in ("ioc", "opg")
    ),
    # a trailing stop stands alone: as an entry, as a leg
    ({**OTO, **TRAIL}, 42210000, "entry of a complex order must be a market or limit order"),
    ({**OTO, "stop_loss": {"trail_percent": "1"}}, 40010001, "stop_loss.stop_price is required"),
    ({**OTO, **STOP_LIMIT}, 42210000, "entry of a complex order must be a market or limit order"),
    # an OCO has two sides and is a limit order
    ({**OCO, "stop_loss": None}, 40010001, "oco orders require take_profit.limit_price and"),
    ({**OCO, "type": "market"}, 42210000, "oco orders must be limit orders"),
    ({"order_class": "mleg"}, 42210000, "invalid order_class 'mleg'"),
    # steps of prices
    ({**STOP_LIMIT, "limit_price": "99.005"}, 42210000, f"invalid limit_price 99.005. {SUB_PENNY}"),
    (
        {**OTO, "stop_loss": {"stop_price": "90", "limit_price": "89.999"}},
        42210000,
        f"invalid stop_loss.limit_price 89.999. {SUB_PENNY}",
    ),
    ({"type": "trailing_stop", "trail_price": "1.005"}, 42210000, "invalid trail_price 1.005."),
    # fractions and amounts
    *(
        ({"qty": "1.5", "time_in_force": tif}, 42210000, "fractional orders must be DAY orders")
        for tif in ("gtc", "ioc", "fok", "opg", "cls")
    ),
    *(
        ({**kind, "qty": "1.5"}, 42210000, "fractional orders must be simple orders")
        for kind in (BRACKET, OTO, OCO)
    ),
    ({**TRAIL, "qty": "1.5"}, 42210000, "fractional orders must not be trailing_stop orders"),
    ({"notional": "100"}, 40010001, "only one of qty or notional is accepted"),
    (
        {"qty": None, "notional": "100.125"},
        40010001,
        "notional value must be limited to 2 decimal places",
    ),
    (
        {"qty": None, "notional": "100", "time_in_force": "gtc"},
        42210000,
        "fractional orders must be DAY orders",
    ),
    ({**LIMIT, "extended_hours": True}, 42210000, "extended hours are not part of"),
]


@pytest.mark.parametrize(("fields", "code", "message"), REFUSED)
def test_refused(fields: dict[str, Any], code: int, message: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_ticket({**BASE, **fields})
    assert (refused.value.status, refused.value.body["code"]) == (422, code)
    assert message in str(refused.value.body["message"])


def test_a_change_is_read_as_strictly() -> None:
    assert read_changes({"trail": "1.25"}).trail is not None
    for body in ({"trail": "0"}, {"trail": "wide"}, {"limit_price": "1.005"}, {"qty": "0"}):
        with pytest.raises(Refusal):
            read_changes(body)

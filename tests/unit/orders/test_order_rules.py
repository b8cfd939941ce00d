"""What each class, type and time in force allows; a request with a fault is never sent."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.orders.model import (
    OrderClass,
    OrderRequest,
    OrderType,
    ReplaceRequest,
    Side,
    TimeInForce,
)
from tradewind.orders.order_rules import fault_of, fault_of_replacement

from tests.fakes import own_id

DAY, GTC = TimeInForce.DAY, TimeInForce.GTC
MARKET = OrderRequest(own_id("1"), "AAPL", Side.BUY, D(10), OrderType.MARKET, DAY)
LIMIT = replace(MARKET, order_type=OrderType.LIMIT, limit_price=D("100.30"))
STOP = replace(MARKET, side=Side.SELL, order_type=OrderType.STOP, stop_price=D("98.50"))
STOP_LIMIT = replace(STOP, order_type=OrderType.STOP_LIMIT, limit_price=D("98.40"))
TRAILING = replace(
    MARKET, side=Side.SELL, order_type=OrderType.TRAILING_STOP, trail_percent=D("1.5")
)
OTO = replace(LIMIT, order_class=OrderClass.OTO, time_in_force=GTC, stop_loss=D("98.50"))
BRACKET = replace(OTO, order_class=OrderClass.BRACKET, take_profit=D("105"))
OCO = replace(
    BRACKET, order_class=OrderClass.OCO, side=Side.SELL, limit_price=None, take_profit=D("105")
)

GOOD = [
    ("market", MARKET),
    ("limit", LIMIT),
    ("stop", STOP),
    ("stop limit", STOP_LIMIT),
    ("stop, gtc", replace(STOP, time_in_force=GTC)),
    ("trailing by percent", TRAILING),
    ("trailing by USD, gtc",
     replace(TRAILING, trail_percent=None, trail_price=D("1.50"), time_in_force=GTC)),
    *[(f"market {tif}", replace(MARKET, time_in_force=tif)) for tif in TimeInForce],
    *[(f"limit {tif}", replace(LIMIT, time_in_force=tif)) for tif in TimeInForce],
    ("a fraction, day", replace(LIMIT, quantity=D("0.123456789"))),
    ("a fraction stopped", replace(STOP, quantity=D("2.5"))),
    ("whole shares written as a fraction", replace(OTO, quantity=D("10.000"))),
    ("oto with a stop", OTO),
    ("oto with a profit", replace(OTO, stop_loss=None, take_profit=D(105))),
    ("oto at the market", replace(OTO, order_type=OrderType.MARKET, limit_price=None)),
    ("oto whose stop has a limit", replace(OTO, stop_loss_limit=D("98.40"))),
    ("oto for a short sale", replace(OTO, side=Side.SELL, stop_loss=D("101"))),
    ("bracket", BRACKET),
    ("bracket, day", replace(BRACKET, time_in_force=DAY)),
    ("oco", OCO),
    ("oco that repeats its limit", replace(OCO, limit_price=D(105))),
    ("below a dollar", replace(LIMIT, limit_price=D("0.1234"))),
    ("a stop leg just a cent away", replace(OTO, stop_loss=D("100.29"))),
    ("an id as long as may be", replace(MARKET, client_order_id="x" * 48)),
]  # fmt: skip


@pytest.mark.parametrize("request_", [row[1] for row in GOOD], ids=[row[0] for row in GOOD])
def test_the_broker_may_be_asked(request_: OrderRequest) -> None:
    assert fault_of(request_) is None


FAULTS: list[tuple[str, OrderRequest, str]] = [
    ("no id", replace(MARKET, client_order_id=""), "client order id"),
    ("a long id", replace(MARKET, client_order_id="x" * 49), "longer than 48"),
    ("an id that is no text", replace(MARKET, client_order_id="tw\n1"), "plain characters"),
    ("nothing", replace(MARKET, quantity=D(0)), "above zero"),
    ("less than nothing", replace(MARKET, quantity=D(-1)), "above zero"),
    ("no number", replace(MARKET, quantity=D("NaN")), "above zero"),
    ("without end", replace(MARKET, quantity=D("Infinity")), "above zero"),
    ("ten decimals", replace(MARKET, quantity=D("0.1234567891")), "more than 9 decimals"),
    ("a fraction, gtc", replace(LIMIT, quantity=D("2.5"), time_in_force=GTC), "fraction"),
    ("a fraction at the open",
     replace(MARKET, quantity=D("2.5"), time_in_force=TimeInForce.OPG), "fraction"),
    ("a fraction with a leg", replace(OTO, quantity=D("2.5"), time_in_force=DAY), "fraction"),
    ("a fraction trailing", replace(TRAILING, quantity=D("2.5")), "fraction"),
    ("market with a limit", replace(MARKET, limit_price=D(1)), "needs no price"),
    ("limit without one", replace(LIMIT, limit_price=None), "needs limit_price"),
    ("limit with a stop", replace(LIMIT, stop_price=D(1)), "needs limit_price"),
    ("stop without one", replace(STOP, stop_price=None), "needs stop_price"),
    ("stop with a limit", replace(STOP, limit_price=D(1)), "needs stop_price"),
    ("stop limit without its limit", replace(STOP_LIMIT, limit_price=None), "needs limit_price"),
    ("stop limit without its stop", replace(STOP_LIMIT, stop_price=None), "and stop_price"),
    ("a trail beside a stop price, which Alpaca drops silently",
     replace(STOP, trail_percent=D("1.5")), "no other order does"),
    ("trailing without a trail", replace(TRAILING, trail_percent=None), "trails by"),
    ("trailing twice", replace(TRAILING, trail_price=D(1)), "trails by"),
    ("trailing with a stop price", replace(TRAILING, stop_price=D(1)), "needs no price"),
    ("a trail of nothing", replace(TRAILING, trail_percent=D(0)), "above zero"),
    ("a trail of everything", replace(TRAILING, trail_percent=D(100)), "never triggers"),
    *[(f"{name} {tif}", replace(order, time_in_force=tif), "is day or gtc")
      for name, order in (("stop", STOP), ("stop limit", STOP_LIMIT), ("trailing", TRAILING),
                          ("oto", OTO), ("bracket", BRACKET), ("oco", OCO))
      for tif in TimeInForce if tif not in (DAY, GTC)],
    ("simple with a stop leg", replace(LIMIT, stop_loss=D(98)), "no legs"),
    ("simple with a profit leg", replace(LIMIT, take_profit=D(105)), "no legs"),
    ("a leg's limit without the leg", replace(LIMIT, stop_loss_limit=D(98)), "needs the stop leg"),
    ("oto without legs", replace(OTO, stop_loss=None), "exactly one leg"),
    ("oto with two legs", replace(OTO, take_profit=D(105)), "exactly one leg"),
    ("trailing oto", replace(TRAILING, order_class=OrderClass.OTO, stop_loss=D(98)),
     "a simple order"),
    ("bracket without its stop", replace(BRACKET, stop_loss=None), "a stop leg"),
    ("bracket without its profit", replace(BRACKET, take_profit=None), "a profit leg"),
    ("oco without its stop", replace(OCO, stop_loss=None), "a stop leg"),
    ("oco without its profit", replace(OCO, take_profit=None), "a profit leg"),
    ("oco that buys", replace(OCO, side=Side.BUY), "sells what is held"),
    ("oco at the market", replace(OCO, order_type=OrderType.MARKET), "a limit order"),
    ("oco with another limit", replace(OCO, limit_price=D(104)), "its profit leg's"),
    ("sub-penny", replace(LIMIT, limit_price=D("290.123")), "no multiple of 0.01"),
    ("five decimals below a dollar", replace(LIMIT, limit_price=D("0.12345")),
     "no multiple of 0.0001"),
    ("a stop leg between two ticks", replace(OTO, stop_loss=D("98.505")), "no multiple"),
    ("a price below zero", replace(LIMIT, limit_price=D(-1)), "above zero"),
    ("a price that is none", replace(LIMIT, limit_price=D("NaN")), "above zero"),
    ("a stop leg at its base price", replace(OTO, stop_loss=D("100.30")), "is not 0.01 from"),
    ("a stop leg above its base price", replace(OTO, stop_loss=D("101")), "is not 0.01 from"),
    ("a short sale's stop below", replace(OTO, side=Side.SELL), "is not 0.01 from"),
    ("a profit below the base price", replace(BRACKET, take_profit=D(100)), "is not 0.01 from"),
    ("an oco's stop above its profit", replace(OCO, stop_loss=D(106)), "is not 0.01 from"),
    ("legs of a market order the wrong way round",
     replace(BRACKET, order_type=OrderType.MARKET, limit_price=None, stop_loss=D(106)),
     "is not 0.01 from"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "said"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
def test_a_fault_is_named(request_: OrderRequest, said: str) -> None:
    assert said in (fault_of(request_) or "no fault")


REPLACEMENTS: list[tuple[str, dict[str, Any], str | None]] = [
    ("another stop", {"stop_price": D("99.10")}, None),
    ("another quantity", {"quantity": D(5)}, None),
    ("nothing", {}, "changes something"),
    ("sub-penny", {"stop_price": D("99.105")}, "no multiple"),
    ("no shares", {"quantity": D(0)}, "above zero"),
    ("no trail", {"trail": D(0)}, "above zero"),
]


@pytest.mark.parametrize(
    ("changes", "said"), [row[1:] for row in REPLACEMENTS], ids=[row[0] for row in REPLACEMENTS]
)
def test_replacements(changes: dict[str, Any], said: str | None) -> None:
    fault = fault_of_replacement(ReplaceRequest(own_id("2"), **changes))
    assert (fault is None) if said is None else said in (fault or "")

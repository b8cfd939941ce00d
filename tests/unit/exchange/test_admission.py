"""What the exchange refuses, in Alpaca's words: status, code and body as recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tradewind_local.exchange.order_entry import read_ticket
from tradewind_local.exchange.refusals import Refusal, unauthorized

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
OTO = {"order_class": "oto", "time_in_force": "gtc", "stop_loss": {"stop_price": "98.50"}}


def refusal(act: Callable[[], object]) -> tuple[int, dict[str, object]]:
    with pytest.raises(Refusal) as refused:
        act()
    return refused.value.status, refused.value.body


@pytest.fixture
def day(desk: Callable[..., Any]) -> Any:
    """10,000 USD, ten AAPL at 100, the clock at 09:30:03."""
    day = desk(AAPL=["100"], MSFT=["200"])
    day.at(0)
    day.buy(10, client_order_id="first")
    return day


def test_money(day: Any) -> None:
    # 9,000 are left after the first order; 4,500 of them rest in a limit order
    day.buy(50, type="limit", limit_price="90", symbol="AAPL")
    assert refusal(lambda: day.buy(23, symbol="MSFT")) == (
        403,
        {
            "code": 40310000,
            "message": "insufficient buying power",
            "buying_power": "4500",
            "cost_basis": "4600",
        },
    )
    assert day.buy(22, symbol="MSFT").status == "filled"


def test_shares_held_by_a_resting_sale(day: Any) -> None:
    day.sell(7, type="stop", stop_price="95")
    assert refusal(lambda: day.sell(4)) == (
        403,
        {
            "code": 40310000,
            "message": "insufficient qty available for order (requested: 4, available: 3)",
            "available": "3",
            "existing_qty": "10",
            "held_for_orders": "7",
            "symbol": "AAPL",
        },
    )
    assert day.sell(3).status == "filled"


def test_no_shorting(day: Any) -> None:
    assert refusal(lambda: day.sell(1, symbol="MSFT")) == (
        403,
        {"code": 40310000, "message": "account is not allowed to short"},
    )
    assert refusal(lambda: day.sell(1, symbol="MSFT", **OTO))[0] == 403


# What rests, what is sent, and which kind of opposite order is named; None when it is taken.
WASH = [
    ({"type": "stop", "stop_price": "95"}, {"type": "market"}, "market/stop"),
    ({"type": "stop", "stop_price": "95"}, {"type": "limit", "limit_price": "90"}, "market/stop"),
    ({"type": "limit", "limit_price": "105"}, {"type": "market"}, "limit"),
    ({"type": "limit", "limit_price": "105"}, {"type": "limit", "limit_price": "105"}, "limit"),
    # limits that cannot meet
    ({"type": "limit", "limit_price": "105"}, {"type": "limit", "limit_price": "90"}, None),
    # complex orders are what the broker's message recommends
    ({"type": "stop", "stop_price": "95"}, {"type": "market", **OTO}, None),
]


@pytest.mark.parametrize(("resting", "sent", "opposite"), WASH)
def test_wash_trades(
    day: Any, resting: dict[str, object], sent: dict[str, object], opposite: str | None
) -> None:
    day.sell(5, **resting)
    if opposite is None:
        assert day.buy(1, **sent).status in ("new", "filled")
        return
    assert refusal(lambda: day.buy(1, **sent)) == (
        403,
        {
            "code": 40310000,
            "message": "potential wash trade detected. use complex orders",
            "reject_reason": f"opposite side {opposite} order exists",
        },
    )


def test_a_sale_against_an_open_entry_is_a_wash_trade(day: Any) -> None:
    day.buy(1, type="stop", stop_price="105")
    assert refusal(lambda: day.sell(1))[1]["reject_reason"] == (
        "opposite side market/stop order exists"
    )


def test_client_order_ids_are_unique_for_ever(day: Any) -> None:
    expected = (422, {"code": 40010001, "message": "client_order_id must be unique"})
    assert refusal(lambda: day.buy(1, client_order_id="first")) == expected
    resting = day.buy(1, type="limit", limit_price="90", client_order_id="second")
    day.exchange.cancel(resting.id)
    assert refusal(lambda: day.buy(1, client_order_id="second")) == expected


def test_stops_on_the_wrong_side(day: Any) -> None:
    assert refusal(lambda: day.sell(1, type="stop", stop_price="100")) == (
        422,
        {
            "code": 42210000,
            "message": "stop price must be less than current price",
            "market_price": "100",
            "stop_price": "100",
        },
    )
    assert refusal(lambda: day.buy(1, type="stop", stop_price="100"))[1]["message"] == (
        "stop price must be greater than current price"
    )


# A leg's price, and the base price it is too near to: the market is at 100.
LEGS = [
    ({"stop_loss": {"stop_price": "99.99"}}, {"type": "market"}, None),
    ({"stop_loss": {"stop_price": "100"}}, {"type": "market"}, "100"),
    # a limit above the market: the market counts
    ({"stop_loss": {"stop_price": "100"}}, {"type": "limit", "limit_price": "100.30"}, "100"),
    # a limit below the market: the limit counts
    ({"stop_loss": {"stop_price": "97"}}, {"type": "limit", "limit_price": "97"}, "97"),
    ({"take_profit": {"limit_price": "100"}}, {"type": "market"}, "100"),
    ({"take_profit": {"limit_price": "100.01"}}, {"type": "market"}, None),
]


@pytest.mark.parametrize(("leg", "entry", "base"), LEGS)
def test_legs_lie_a_cent_off_the_base_price(
    day: Any, leg: dict[str, object], entry: dict[str, object], base: str | None
) -> None:
    fields = {**entry, "order_class": "oto", **leg}
    if base is None:
        assert day.buy(1, **fields).status == "filled"
    else:
        status, body = refusal(lambda: day.buy(1, **fields))
        assert (status, body["code"], body["base_price"]) == (422, 42210000, base)


# Order fields beside symbol AAPL, side buy, qty 1, type market, day; code and message.
MALFORMED = [
    ({"symbol": None}, 40010001, "symbol is required"),
    ({"symbol": "RGC"}, 42210000, 'asset "RGC" is not tradable'),
    ({"side": "short"}, 42210000, "invalid side 'short'"),
    ({"qty": None}, 40010001, "qty or notional is required"),
    ({"qty": "0"}, 40010001, "qty must be > 0"),
    ({"qty": -1}, 40010001, "qty must be > 0"),
    ({"qty": "many"}, 40010001, "qty must be a number"),
    ({"qty": True}, 40010001, "qty must be a number"),
    ({"qty": "NaN"}, 40010001, "qty must be a number"),
    ({"qty": "1.0000000001"}, 40010001, "qty must have at most 9 decimals"),
    ({"qty": "1.5", "time_in_force": "gtc"}, 42210000, "fractional orders must be DAY orders"),
    (
        {"qty": "1.5", "order_class": "oto", "stop_loss": {"stop_price": "98"}},
        42210000,
        "fractional orders must be simple orders",
    ),
    ({"type": "limit"}, 40010001, "limit orders require limit_price"),
    ({"type": "stop"}, 40010001, "stop orders require stop_price"),
    ({"limit_price": "99"}, 40010001, "market orders must not have a limit price"),
    (
        {"type": "limit", "limit_price": "290.123"},
        42210000,
        "invalid limit_price 290.123. "
        "sub-penny increment does not fulfill minimum pricing criteria",
    ),
    ({"type": "limit", "limit_price": "0.12345"}, 42210000, "invalid limit_price 0.12345."),
    ({"type": "limit", "limit_price": "-1"}, 40010001, "limit_price must be > 0"),
    (
        {"order_class": "oto", "stop_loss": {"stop_price": "98.501"}},
        42210000,
        "invalid stop_loss.stop_price 98.501.",
    ),
    ({"order_class": "oto"}, 40010001, "oto orders require either take_profit or stop_loss"),
    ({"order_class": "bracket", "stop_loss": {"stop_price": "98"}}, 40010001, "bracket orders"),
    # a trail alone is refused; beside a stop price it is dropped (see below)
    ({"order_class": "oto", "stop_loss": {"trail_percent": "1"}}, 40010001, "stop_loss.stop_price"),
    ({"stop_loss": {"stop_price": "98"}}, 40010001, "need order_class bracket or oto"),
    ({"time_in_force": "gtd"}, 42210000, "invalid time_in_force 'gtd'"),
    ({"client_order_id": "x" * 129}, 40010001, "client_order_id must be at most 128"),
]


@pytest.mark.parametrize(("fields", "code", "message"), MALFORMED)
def test_malformed_orders(day: Any, fields: dict[str, object], code: int, message: str) -> None:
    before = len(day.exchange.orders)
    status, body = refusal(lambda: day.order(**{"side": "buy", "qty": 1, **fields}))
    assert (status, body["code"]) == (422, code)
    assert message in str(body["message"])
    assert len(day.exchange.orders) == before


def test_what_is_taken_though_it_looks_odd() -> None:
    base = {"symbol": "A", "side": "buy", "type": "limit", "time_in_force": "day"}
    # clients turn decimals into floats on the way
    assert read_ticket({**base, "qty": Decimal("10.0"), "limit_price": Decimal("290.10")}).qty == 10
    # below a dollar the step is a hundredth of a cent
    assert read_ticket({**base, "qty": 1, "limit_price": "0.1234"}).limit_price is not None
    # a trail beside a stop price is dropped without a word
    both = {"stop_price": "98", "trail_percent": "1"}
    ticket = read_ticket(
        {**base, "qty": 1, "limit_price": 100, "order_class": "oto", "stop_loss": both}
    )
    assert ticket.stop_loss == 98


def test_the_recorded_refusals_word_for_word(day: Any) -> None:
    """Each body recorded for POST and DELETE of orders is one this exchange can give."""
    file = SHARED / "fixtures_alpaca" / "errors.json"
    if not file.is_file():
        pytest.skip("the recorded bodies (../shared/data) are not on this machine")
    recorded = [
        (row["status"], row["body"])
        for row in json.loads(file.read_text())
        if row["status"] not in (404, 429) and "market data" not in row["where"]
    ]
    stop = day.sell(5, type="stop", stop_price="95")
    given = [
        refusal(lambda: day.buy(1_000, symbol="MSFT")),
        refusal(lambda: day.buy(1)),
        refusal(lambda: day.sell(1, symbol="MSFT")),
        refusal(lambda: day.buy(1, client_order_id="first")),
        refusal(lambda: day.buy(1, type="limit", limit_price="290.123")),
        refusal(lambda: day.sell(1, type="stop", stop_price="167.01")),
        refusal(lambda: day.buy("1.5", time_in_force="gtc")),
        refusal(lambda: day.buy(1, symbol="RGC")),
        refusal(lambda: (day.exchange.cancel(stop.id), day.exchange.cancel(stop.id))),
        (unauthorized().status, unauthorized().body),
    ]
    # Amounts are the account's own; everything else is the recording's.
    amounts = ("buying_power", "cost_basis", "market_price")
    assert [_without(amounts, row) for row in given] == [_without(amounts, row) for row in recorded]


def _without(
    names: tuple[str, ...], answer: tuple[int, dict[str, object]]
) -> tuple[int, dict[str, object]]:
    status, body = answer
    return status, {name: type(value) if name in names else value for name, value in body.items()}

"""Closing positions, activities that are no fills, and a market that halts, splits and charges."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alpaca.trading.requests import ClosePositionRequest
from tradewind_local.exchange.control import ExchangeRefusedError
from tradewind_local.exchange.process import ExchangeProcess

from tests.integration.exchange.conftest import Market, clients, recorded, session_bars
from tests.integration.exchange.test_recorded_bodies import assert_like

BUY = {"side": "buy", "type": "market", "time_in_force": "day"}


def buy(market: Market, symbol: str = "AAPL", qty: str = "10") -> None:
    body = {**BUY, "symbol": symbol, "qty": qty}
    assert market.call("POST", "/v2/orders", json=body).status_code == 200


def hold(market: Market, symbol: str, qty: str) -> None:
    body = {
        "symbol": symbol,
        "qty": qty,
        "side": "sell",
        "type": "limit",
        "limit_price": "900",
        "time_in_force": "gtc",
    }
    assert market.call("POST", "/v2/orders", json=body).status_code == 200


def held(market: Market) -> dict[str, str]:
    return {p["symbol"]: p["qty"] for p in market.control.summary()["positions"]}


@pytest.mark.parametrize(
    ("request_", "left"),
    [
        (None, {}),
        (ClosePositionRequest(qty="4"), {"AAPL": "6"}),
        (ClosePositionRequest(percentage="25"), {"AAPL": "7.5"}),
    ],
)
def test_a_position_is_closed_in_whole_or_in_part(
    market: Market, request_: ClosePositionRequest | None, left: dict[str, str]
) -> None:
    buy(market)
    order = market.trading.close_position("AAPL", close_options=request_)
    assert (order.side.value, order.type.value) == ("sell", "market")
    assert held(market) == left


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("MSFT", 404, 40410000),
        ("AAPL?qty=11", 403, 40310000),
        ("AAPL?qty=1&percentage=5", 422, 42210000),
        ("AAPL?percentage=101", 422, 42210000),
        ("AAPL?qty=all", 422, 42210000),
        ("AAPL?qty=0", 422, 40010001),
    ],
)
def test_refused_closings(market: Market, path: str, status: int, code: int) -> None:
    buy(market)
    answer = market.call("DELETE", f"/v2/positions/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert held(market) == {"AAPL": "10"}


def test_all_positions_are_closed_each_with_its_answer(market: Market) -> None:
    buy(market)
    buy(market, "MSFT", "3")
    hold(market, "MSFT", "3")
    answer = market.call("DELETE", "/v2/positions")
    assert answer.status_code == 207
    closed, refused = answer.json()
    assert (closed["symbol"], closed["status"]) == ("AAPL", 200)
    assert (refused["symbol"], refused["status"]) == ("MSFT", 403)
    theirs = recorded("alpaca_py/positions/close_all_positions.json")
    assert_like(closed, theirs[0])
    assert_like(refused, theirs[1])
    assert held(market) == {"MSFT": "3"}
    market.trading.close_all_positions(cancel_orders=True)
    assert held(market) == {}
    assert market.call("GET", "/v2/orders?status=open").json() == []


def activities(market: Market, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = market.call(
        "GET", "/v2/account/activities", params={"direction": "asc", **query}
    ).json()
    return found


def test_activities_of_every_kind(market: Market) -> None:
    cash = Decimal(market.call("GET", "/v2/account").json()["cash"])
    buy(market)
    market.at(1)
    market.control.post_activity("DIV", Decimal("2.40"), "AAPL", "a dividend")
    market.at(2)
    market.control.post_activity("INT", Decimal("0.07"))
    market.control.post_activity("JNLC", Decimal("-12"), description="moved out")
    market.at(3)
    buy(market, "MSFT", "1")
    every = activities(market)
    assert [one["activity_type"] for one in every] == ["FILL", "DIV", "INT", "JNLC", "FILL"]
    dividend = every[1]
    assert dividend.pop("id").startswith("20201112")
    assert dividend == {
        "activity_type": "DIV",
        "date": "2020-11-12",
        "net_amount": "2.4",
        "description": "a dividend",
        "status": "executed",
        "symbol": "AAPL",
    }
    assert "symbol" not in every[2]
    kinds = recorded("enums_2026_08.json")["ActivityType"]
    assert {one["activity_type"] for one in every} <= set(kinds)
    after = Decimal(market.call("GET", "/v2/account").json()["cash"])
    assert after == cash - Decimal("1001.234") - Decimal("200.50") + Decimal("2.47") - 12

    def kinds_of(**query: Any) -> list[str]:
        return [one["activity_type"] for one in activities(market, **query)]

    assert kinds_of(activity_types="DIV,INT") == ["DIV", "INT"]
    assert kinds_of(after="2020-11-12T14:32:00Z") == ["INT", "JNLC", "FILL"]
    assert kinds_of(until="2020-11-12T14:32:00Z") == ["FILL", "DIV"]
    assert kinds_of(date="2020-11-11") == []
    assert [one["activity_type"] for one in _path(market, "JNLC")] == ["JNLC"]
    pages = activities(market, page_size=2)
    while more := activities(market, page_size=2, page_token=pages[-1]["id"]):
        pages += more
    assert [one["id"] for one in pages] == [one["id"] for one in activities(market)]


def _path(market: Market, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = market.call("GET", f"/v2/account/activities/{kind}").json()
    return found


def test_sales_cost_fees(market: Market) -> None:
    market.control.charge_fees(True)
    buy(market, qty="100")
    market.call("DELETE", "/v2/positions/AAPL")
    market.at(390, second=0)  # charged at the close
    fees = _path(market, "FEE")
    assert fees
    assert all(Decimal(fee["net_amount"]) < 0 for fee in fees)


def test_a_halted_symbol_fills_nothing(tmp_path: Path) -> None:
    """Also after the exchange was started again."""
    with ExchangeProcess(tmp_path) as process:
        market = clients(process)
        market.control.load_bars(session_bars())
        market.at(0)
        market.control.halt("AAPL")
        buy(market)
        buy(market, "MSFT", "1")
        assert held(market) == {"MSFT": "1"}
    with ExchangeProcess(tmp_path) as process:
        again = clients(process)
        again.at(2)
        assert held(again) == {"MSFT": "1"}
        again.control.resume("AAPL")
        again.at(3)
        assert held(again) == {"AAPL": "10", "MSFT": "1"}
        with pytest.raises(ExchangeRefusedError, match="not tradable"):
            again.control.halt("NOPE")


def test_a_split_leaves_orders_as_they_are(market: Market) -> None:
    buy(market)
    hold(market, "AAPL", "10")
    market.control.split("AAPL", Decimal(4), Decimal(1))
    assert held(market) == {"AAPL": "40"}
    (order,) = market.call("GET", "/v2/orders").json()
    assert (order["qty"], order["limit_price"]) == ("10", "900")


def test_parts_of_an_order(market: Market) -> None:
    market.control.partial_fills(Decimal("0.5"))
    buy(market)
    (order,) = market.call("GET", "/v2/orders?status=open").json()
    assert order["status"] == "partially_filled"
    assert 0 < Decimal(order["filled_qty"]) <= 5
    market.control.partial_fills(None)
    market.at(1)
    assert held(market) == {"AAPL": "10"}


def test_a_cancellation_that_sticks(market: Market) -> None:
    hold_body = {**BUY, "symbol": "AAPL", "qty": "1", "type": "limit", "limit_price": "90"}
    order = market.call("POST", "/v2/orders", json=hold_body).json()
    market.control.stick_cancels(1)
    assert market.call("DELETE", f"/v2/orders/{order['id']}").status_code == 204

    def status() -> str:
        return str(market.call("GET", f"/v2/orders/{order['id']}").json()["status"])

    assert status() == "pending_cancel"
    again = market.call("DELETE", f"/v2/orders/{order['id']}")
    assert (again.status_code, again.json()["code"]) == (422, 42210000)
    market.control.clear_faults()
    assert status() == "canceled"

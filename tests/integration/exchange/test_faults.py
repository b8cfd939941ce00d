"""A broker on a bad day, on demand."""

from __future__ import annotations

import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest
from tradewind_local.exchange.control import ExchangeControlError

from tests.integration.exchange.conftest import KEYS, Market

ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


def send(market: Market, **fields: object) -> requests.Response:
    return market.call("POST", "/v2/orders", json={**ORDER, **fields})


def count(market: Market) -> int:
    return len(market.control.summary()["orders"])


@pytest.mark.parametrize("status", [429, 500, 503, 504])
def test_an_error_before_the_order_was_taken(market: Market, status: int) -> None:
    market.control.add_faults([{"method": "POST", "path": "/v2/orders", "status": status}])
    answer = send(market)
    assert answer.status_code == status
    assert answer.json()["message"]
    assert count(market) == 0
    assert send(market).status_code == 200  # once only


def test_an_error_after_the_order_was_taken(market: Market) -> None:
    """The trap of the field: 504, and the order is there. Its id then says so."""
    market.control.add_faults(
        [{"method": "POST", "path": "/v2/orders", "status": 504, "after_accept": True}]
    )
    assert send(market, client_order_id="once").status_code == 504
    assert count(market) == 1
    repeated = send(market, client_order_id="once")
    assert (repeated.status_code, repeated.json()["code"]) == (422, 40010001)
    found = market.call("GET", "/v2/orders:by_client_order_id?client_order_id=once")
    assert found.json()["status"] == "filled"


def test_the_stock_client_doubles_an_order_without_an_id(market: Market) -> None:
    """alpaca-py 0.44 repeats POST /orders on a 504: why ours must not use it as it comes."""
    market.control.add_faults(
        [{"method": "POST", "path": "/v2/orders", "status": 504, "after_accept": True}]
    )
    market.trading._retry_wait = 0
    market.trading.submit_order(
        MarketOrderRequest(symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
    )
    assert count(market) == 2


@pytest.mark.parametrize(("after_accept", "orders"), [(False, 0), (True, 1)])
def test_a_connection_that_is_cut(market: Market, after_accept: bool, orders: int) -> None:
    market.control.add_faults(
        [{"method": "POST", "path": "/v2/orders", "reset": True, "after_accept": after_accept}]
    )
    with pytest.raises(requests.exceptions.ConnectionError):
        send(market)
    assert count(market) == orders


def test_a_slow_answer_outlives_the_clients_patience(market: Market) -> None:
    market.control.add_faults([{"method": "POST", "path": "/v2/orders", "stall": 5.0}])
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(f"{market.url}/v2/orders", json=ORDER, headers=KEYS, timeout=0.2)
    assert count(market) == 1  # the others are served meanwhile, and the order is in
    market.control.add_faults([{"method": "GET", "path": "/v2/account", "stall": 0.1}])
    assert market.call("GET", "/v2/account").json()["status"] == "ACTIVE"


def test_times_paths_bodies_and_headers(market: Market) -> None:
    market.control.add_faults(
        [
            {
                "method": "GET",
                "path": "/v2/orders*",
                "times": 2,
                "status": 429,
                "body": {"message": "too many requests."},
                "headers": {"X-RateLimit-Reset": "1679411617"},
            }
        ]
    )
    for path in ("/v2/orders", "/v2/orders:by_client_order_id"):
        answer = market.call("GET", path)
        assert (answer.status_code, answer.json()) == (429, {"message": "too many requests."})
        assert answer.headers["X-RateLimit-Reset"] == "1679411617"
    assert market.call("GET", "/v2/orders").status_code == 200


@pytest.mark.parametrize(
    "fault",
    [
        {"method": "GET"},
        {"method": "GET", "path": "/x"},
        {"method": "GET", "path": "/x", "status": 500, "when": "now"},
    ],
)
def test_what_is_no_fault_is_refused(market: Market, fault: dict[str, object]) -> None:
    with pytest.raises(ExchangeControlError, match="fault"):
        market.control.add_faults([fault])


def test_a_rate_limit_reaches_the_client_as_one(market: Market) -> None:
    market.control.add_faults([{"method": "GET", "path": "/v2/account", "times": 9, "status": 429}])
    market.trading._retry = 0
    with pytest.raises(APIError) as refused:
        market.trading.get_account()
    assert (refused.value.status_code, refused.value.code) == (429, 42910000)

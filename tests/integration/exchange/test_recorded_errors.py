"""Each refusal of Alpaca's that was recorded, provoked: status, fields and words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.integration.exchange.conftest import Market, recorded

MARKET_BUY = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


def post(market: Market, **changes: Any) -> requests.Response:
    body = {**MARKET_BUY, **changes}
    sent = {name: value for name, value in body.items() if value is not None}
    return market.call("POST", "/v2/orders", json=sent)


def sell_beside_a_stop(market: Market) -> requests.Response:
    post(market)
    post(market, side="sell", type="stop", stop_price="90")
    return post(market)


def same_id_again(market: Market) -> requests.Response:
    post(market, client_order_id="once")
    return post(market, client_order_id="once")


def stop_above_the_market(market: Market) -> requests.Response:
    post(market)
    return post(market, side="sell", type="stop", stop_price="167.01")


def cancel_what_is_filled(market: Market) -> requests.Response:
    return market.call("DELETE", f"/v2/orders/{post(market).json()['id']}")


def beyond_the_limit(market: Market) -> requests.Response:
    market.control.set_rate_limit(1)
    market.call("GET", "/v2/account")
    return market.call("GET", "/v2/account")


PROVOKED: dict[str, Callable[[Market], requests.Response]] = {
    "insufficient buying power": lambda m: post(m, qty="5000"),
    "potential wash trade detected. use complex orders": sell_beside_a_stop,
    "account is not allowed to short": lambda m: post(m, side="sell"),
    "client_order_id must be unique": same_id_again,
    "invalid limit_price 290.123. sub-penny increment does not fulfill minimum pricing criteria": (
        lambda m: post(m, type="limit", limit_price="290.123")
    ),
    "stop price must be less than current price": stop_above_the_market,
    "fractional orders must be DAY orders": lambda m: post(m, qty="0.5", time_in_force="gtc"),
    'asset "RGC" is not tradable': lambda m: post(m, symbol="RGC"),
    "order is not cancelable": cancel_what_is_filled,
    "request is not authorized": lambda m: requests.get(f"{m.url}/v2/account", timeout=10),
    "position does not exist": lambda m: m.call("GET", "/v2/positions/AAPL"),
    "rate limit exceeded": beyond_the_limit,
    "subscription does not permit querying recent SIP data": (
        lambda m: m.call("GET", "/v2/stocks/bars?symbols=AAPL&timeframe=1Min&feed=sip")
    ),
}
# Only scripted: the simulated market data has no limit of its own.
NOT_PROVOKED = {"too many requests."}


def test_every_recorded_refusal_is_provoked() -> None:
    messages = {row["body"]["message"] for row in recorded("errors.json")}
    assert messages == set(PROVOKED) | NOT_PROVOKED


@pytest.mark.parametrize("message", PROVOKED)
def test_a_refusal_is_the_recorded_one(market: Market, message: str) -> None:
    rows = recorded("errors.json")
    (theirs,) = [row for row in rows if row["body"]["message"] == message]
    ours = PROVOKED[message](market)
    assert ours.status_code == theirs["status"]
    figures = {
        "buying_power",
        "cost_basis",
        "market_price",
    }  # are the market's, not the recording's
    body = ours.json()
    assert set(body) == set(theirs["body"])
    for name, value in theirs["body"].items():
        assert type(body[name]) is type(value), name
        assert name in figures or body[name] == value
    assert set(theirs.get("headers", ())) <= set(ours.headers)

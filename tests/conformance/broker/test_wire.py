"""Rules that no client's nouns can ask for: requests as they are on the wire."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.broker.markets import Market


def entry(market: Market, **changes: Any) -> dict[str, Any]:
    body = {
        "symbol": market.symbol,
        "qty": "1",
        "side": "buy",
        "type": "limit",
        "limit_price": str(market.far_below()),
        "time_in_force": "day",
        "client_order_id": market.new_id(),
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def oto(market: Market, **stop_loss: str) -> dict[str, Any]:
    return entry(market, order_class="oto", stop_loss=stop_loss)


def test_a_trail_beside_a_stop_price_is_dropped_without_a_word(market: Market) -> None:
    """The leg is a plain stop: whoever asked for a trail has none."""
    stop = str(market.far_below() - 1)
    answer = market.call("POST", "/v2/orders", json=oto(market, stop_price=stop, trail_percent="1"))
    assert answer.status_code == 200
    (leg,) = answer.json()["legs"]
    assert (leg["type"], leg["trail_percent"]) == ("stop", None)


REFUSED: dict[str, dict[str, Any]] = {
    "an entry with nothing but a trail behind it": {
        "order_class": "oto",
        "stop_loss": {"trail_percent": "1"},
    },
    "a bracket outside of regular hours": {
        "order_class": "bracket",
        "take_profit": {"limit_price": "9999"},
        "stop_loss": {"stop_price": "1"},
        "extended_hours": True,
    },
    "no time in force": {"time_in_force": None},
    "no side": {"side": None},
    "a side that there is not": {"side": "hold"},
    "a class that there is not": {"order_class": "triangle"},
    "a limit order without a limit": {"limit_price": None},
    "a quantity that is no number": {"qty": "many"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(market: Market, name: str) -> None:
    body = entry(market, **REFUSED[name])
    answer = market.call("POST", "/v2/orders", json=body)
    assert answer.status_code in (400, 422)
    assert answer.json()["message"]
    found = market.call(
        "GET", "/v2/orders:by_client_order_id", params={"client_order_id": body["client_order_id"]}
    )
    assert found.status_code == 404


def test_ids_sent_for_legs_are_ignored(market: Market) -> None:
    body = entry(
        market,
        order_class="bracket",
        take_profit={"limit_price": str(market.far_above()), "client_order_id": market.new_id()},
        stop_loss={
            "stop_price": str(market.far_below() - 1),
            "client_order_id": market.new_id(),
        },
    )
    answer = market.call("POST", "/v2/orders", json=body)
    assert answer.status_code == 200
    assert not any(market.is_ours(leg["client_order_id"]) for leg in answer.json()["legs"])


def test_without_the_right_keys_nothing_is_told(market: Market) -> None:
    wrong = Market(market.url, market.data_url, market.key, "wrong", control=market.control)
    if market.control is not None:
        market.control.accept_only((market.key, market.secret))
    answer = wrong.call("GET", "/v2/account")
    assert answer.status_code in (401, 403)
    assert answer.json()["message"]


def test_every_answer_tells_the_rate_limit(market: Market) -> None:
    headers = market.call("GET", "/v2/account").headers
    assert int(headers["X-RateLimit-Remaining"]) < int(headers["X-RateLimit-Limit"])
    assert int(headers["X-RateLimit-Reset"]) > 1_600_000_000

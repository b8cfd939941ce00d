"""What goes wrong for longer than one request: weather, maintenance, clocks, lists of fills."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import requests
from tradewind.market.bar import MINUTE
from tradewind_local.exchange.control import ExchangeRefusedError

from tests.integration.exchange.conftest import KEYS, OPEN, Market

ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
KINDS = ["429", "500", "503", "504", "504_after_accept", "reset", "reset_after_accept"]
KINDS += ["accept_without_answer", "truncated"]


def send(market: Market, client_order_id: str) -> str:
    """What a client sees of one order: a status, a broken answer, or a cut connection."""
    body = {**ORDER, "client_order_id": client_order_id}
    try:
        answer = requests.post(f"{market.url}/v2/orders", json=body, headers=KEYS, timeout=10)
        return str(answer.status_code) if answer.json() else "empty"
    except requests.exceptions.JSONDecodeError:
        return "truncated"
    except requests.exceptions.ConnectionError:
        return "cut"


def weather(market: Market, seed: int, calls: int = 60) -> list[str]:
    market.control.reset(now=OPEN + timedelta(seconds=3))
    market.control.set_random_faults(rate=0.4, seed=seed, kinds=KINDS, hold=0.01)
    return [send(market, f"order-{number}") for number in range(calls)]


def test_the_weather_is_that_of_its_seed(market: Market) -> None:
    first = weather(market, seed=7)
    orders = {order["client_order_id"] for order in market.control.summary()["orders"]}
    assert weather(market, seed=7) == first
    assert weather(market, seed=8) != first
    seen = Counter(first)
    assert set(seen) == {"200", "429", "500", "503", "504", "cut", "truncated"}
    assert 12 <= 60 - seen["200"] <= 36  # 40 % of 60, give or take
    # What was carried out without an answer is there, and what was refused is not.
    given = {f"order-{number}" for number, result in enumerate(first) if result == "200"}
    assert given < orders
    assert not orders & {f"order-{n}" for n, result in enumerate(first) if result == "429"}


def test_the_weather_keeps_to_its_calls(market: Market) -> None:
    market.control.set_random_faults(rate=1, seed=1, kinds=["503"], method="POST")
    assert market.call("GET", "/v2/orders").status_code == 200
    assert market.call("GET", "/v2/stocks/bars/latest?symbols=AAPL").status_code == 200
    assert market.call("POST", "/v2/orders", json=ORDER).status_code == 503
    market.control.clear_faults()
    assert market.call("POST", "/v2/orders", json=ORDER).status_code == 200


@pytest.mark.parametrize(
    ("stall", "seen"),
    [(0.01, requests.exceptions.ConnectionError), (5.0, requests.exceptions.ReadTimeout)],
)
def test_an_order_that_is_taken_and_never_answered(
    market: Market, stall: float, seen: type[Exception]
) -> None:
    """Whoever waits is cut off; whoever does not, gives up before."""
    market.control.add_faults(
        [
            {
                "method": "POST",
                "path": "/v2/orders",
                "kind": "accept_without_answer",
                "stall": stall,
            }
        ]
    )
    with pytest.raises(seen):
        requests.post(f"{market.url}/v2/orders", json=ORDER, headers=KEYS, timeout=0.5)
    assert len(market.control.summary()["orders"]) == 1


def test_maintenance_is_a_page_of_html_for_a_while(market: Market) -> None:
    market.control.set_maintenance(OPEN + MINUTE, OPEN + 2 * MINUTE)
    assert market.call("GET", "/v2/account").status_code == 200
    market.at(1, second=0)
    for path in ("/v2/account", "/v2/orders", "/v2/clock"):
        answer = market.call("GET", path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, "text/html")
        assert answer.text.startswith("<html>")
    assert market.call("GET", "/v2/stocks/bars/latest?symbols=AAPL").status_code == 200
    market.at(2, second=0)
    assert market.call("GET", "/v2/account").status_code == 200


def test_a_skewed_clock_stamps_everything_and_moves_nothing(market: Market) -> None:
    market.call("POST", "/v2/orders", json={**ORDER, "client_order_id": "before"})
    straight = _stamps(market)
    market.control.set_clock_skew(90)
    skewed = _stamps(market)
    assert straight["timestamp"] == "2020-11-12T09:30:03-05:00"
    assert skewed["timestamp"] == "2020-11-12T09:31:33-05:00"
    assert (straight["filled_at"], skewed["filled_at"]) == (
        "2020-11-12T14:30:03Z",
        "2020-11-12T14:31:33Z",
    )
    assert skewed["transaction_time"] == skewed["filled_at"]
    assert skewed["next_close"] == straight["next_close"]
    # A client that asks from the last stamp it saw on gets what came since, by the same clock.
    after = {"status": "all", "after": skewed["submitted_at"]}
    assert market.call("GET", "/v2/orders", params=after).json() == []
    after["after"] = "2020-11-12T14:31:32Z"
    assert len(market.call("GET", "/v2/orders", params=after).json()) == 1
    market.control.set_clock_skew(0)
    assert _stamps(market) == straight


def _stamps(market: Market) -> dict[str, str]:
    clock = market.call("GET", "/v2/clock").json()
    order = market.call("GET", "/v2/orders:by_client_order_id?client_order_id=before").json()
    (fill,) = market.call("GET", "/v2/account/activities/FILL").json()
    return {**clock, **order, **fill}


def listed(market: Market) -> list[str]:
    """The orders of the fills that the list of activities shows, oldest first."""
    fills: list[dict[str, Any]] = market.call(
        "GET", "/v2/account/activities/FILL?direction=asc"
    ).json()
    orders = {order["id"]: order for order in market.control.summary()["orders"]}
    return [orders[fill["order_id"]]["client_order_id"] for fill in fills]


@pytest.mark.parametrize(
    ("faults", "reads"),
    [
        ({"drop": 2}, ["0 3 4", "0 3 4", "0 3 4"]),
        ({"drop": 2, "reads": 2}, ["0 3 4", "0 3 4", "0 1 2 3 4"]),
        ({"double": 2}, ["0 1 1 2 2 3 4"]),
        ({"reorder": 3}, ["0 3 2 1 4"]),
        ({"reorder": 2, "double": 1, "drop": 0}, ["0 2 1 1 3 4"]),
    ],
)
def test_the_list_of_fills_goes_wrong(
    market: Market, faults: dict[str, int], reads: list[str]
) -> None:
    send(market, "0")
    market.control.fault_fills(**faults)
    for number in range(1, 5):
        send(market, str(number))
    assert [" ".join(listed(market)) for _ in reads] == reads
    assert market.call("GET", "/v2/positions/AAPL").json()["qty"] == "5"  # nothing else lies
    market.control.clear_faults()
    assert listed(market) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("faults", {"random": {"rate": 2, "seed": 1, "kinds": ["500"]}}, "rate from 0 to 1"),
        ("faults", {"random": {"rate": 1, "seed": 1, "kinds": ["hail"]}}, "no such kind"),
        ("faults", {"random": {"rate": 1}}, "not random faults"),
        ("faults", {"maintenance": {"from": "2020-11-12T14:30:00Z"}}, "'from' and 'until'"),
        ("faults", {"fills": {"drop": -1}}, "are counts"),
        ("faults", {"fills": {"lose": 1}}, "not faults of fills"),
        ("faults", {"clock_skew": "a lot"}, "clock_skew must be a whole number"),
        ("faults", {"rain": 1}, "unknown"),
        ("market", {"halt_all": True}, "unknown"),
        ("access", {"keys": ["one"]}, "keys must be"),
        ("access", {"oauth": {"client_id": "x"}}, "not an OAuth client"),
        ("reset", {"cash": "-5"}, "cash must be more than zero"),
    ],
)
def test_what_the_control_refuses(
    market: Market, path: str, body: dict[str, Any], message: str
) -> None:
    answer = market.call("POST", f"/_sim/{path}", json=body)
    assert answer.status_code == 409
    assert message in answer.json()["message"]
    with pytest.raises(ExchangeRefusedError):
        market.control.set_random_faults(rate=-1, seed=1, kinds=["500"])

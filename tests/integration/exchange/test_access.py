"""Who is let in, what the account's own configuration forbids, and how often one may call."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from alpaca.common.exceptions import APIError
from tradewind_local.exchange.control import ExchangeRefusedError
from tradewind_local.exchange.process import ExchangeProcess

from tests.integration.exchange.conftest import KEYS, Market, clients

ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
CLIENT = {"client_id": "id", "client_secret": "secret", "refresh_token": "refresh"}
UNAUTHORIZED = {"code": 40110000, "message": "request is not authorized"}


def status(market: Market, headers: dict[str, str]) -> int:
    return requests.get(f"{market.url}/v2/account", headers=headers, timeout=10).status_code


def refresh(market: Market, **changes: str) -> requests.Response:
    form = {"grant_type": "refresh_token", **CLIENT, **changes}
    return requests.post(f"{market.url}/oauth/token", data=form, timeout=10)


def token(market: Market) -> dict[str, str]:
    return {"Authorization": f"Bearer {refresh(market).json()['access_token']}"}


def test_only_the_pair_of_keys_that_was_set_opens(market: Market) -> None:
    market.control.accept_only(("key", "other"))
    refused = market.call("GET", "/v2/account")
    assert (refused.status_code, refused.json()) == (401, UNAUTHORIZED)
    market.control.accept_only(("key", "secret"))
    assert market.call("GET", "/v2/account").status_code == 200
    assert status(market, {**KEYS, "APCA-API-KEY-ID": "another"}) == 401
    market.control.accept_only(None)
    assert status(market, {**KEYS, "APCA-API-KEY-ID": "another"}) == 200


def test_a_token_lives_until_the_next_one_was_used(market: Market) -> None:
    assert status(market, {"Authorization": "Bearer anything"}) == 200  # none was issued yet
    first = token(market)
    assert status(market, {"Authorization": "Bearer anything"}) == 401
    second = token(market)
    assert first != second
    assert status(market, first) == 200  # the second one was not used yet
    assert status(market, second) == 200
    assert status(market, first) == 401
    assert status(market, second) == 200


def test_a_token_ends_with_its_time(market: Market) -> None:
    market.control.set_oauth_client(**CLIENT, token_seconds=1_800)
    bearer = token(market)
    market.at(30, second=2)
    assert status(market, bearer) == 200
    market.at(30, second=3)
    assert status(market, bearer) == 401


def test_tokens_outlive_the_process(tmp_path: Path) -> None:
    with ExchangeProcess(tmp_path) as process:
        market = clients(process)
        market.at(0)
        bearer = token(market)
    with ExchangeProcess(tmp_path) as process:
        again = clients(process)
        assert status(again, bearer) == 200
        assert status(again, {"Authorization": "Bearer anything"}) == 401
        assert token(again) != bearer


@pytest.mark.parametrize(
    ("changes", "refused", "error"),
    [
        ({"grant_type": "authorization_code"}, 400, "unsupported_grant_type"),
        ({"refresh_token": ""}, 400, "invalid_request"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"refresh_token": "wrong"}, 400, "invalid_grant"),
    ],
)
def test_refused_refreshes(
    market: Market, changes: dict[str, str], refused: int, error: str
) -> None:
    market.control.set_oauth_client(**CLIENT)
    answer = refresh(market, **changes)
    assert (answer.status_code, answer.json()) == (refused, {"error": error})
    given = refresh(market).json()
    assert (given["token_type"], given["scope"]) == ("bearer", "account:write trading data")


def test_a_suspended_account_takes_no_new_order(market: Market) -> None:
    resting = market.call(
        "POST", "/v2/orders", json={**ORDER, "type": "limit", "limit_price": "90"}
    ).json()
    changed = market.call("PATCH", "/v2/account/configurations", json={"suspend_trade": True})
    assert changed.json()["suspend_trade"] is True
    assert market.trading.get_account().trade_suspended_by_user
    answer = market.call("POST", "/v2/orders", json=ORDER)
    assert answer.status_code == 403
    assert answer.json() == {
        "code": 40310000,
        "message": "new orders are rejected by user request",
    }
    assert market.call("DELETE", f"/v2/orders/{resting['id']}").status_code == 204
    market.call("PATCH", "/v2/account/configurations", json={"suspend_trade": False})
    assert market.call("POST", "/v2/orders", json=ORDER).status_code == 200


def test_the_configuration_is_kept(tmp_path: Path) -> None:
    with ExchangeProcess(tmp_path) as process:
        market = clients(process)
        market.at(0)
        changes = {"no_shorting": False, "max_margin_multiplier": "2"}
        market.call("PATCH", "/v2/account/configurations", json=changes)
    with ExchangeProcess(tmp_path) as process:
        kept = clients(process).call("GET", "/v2/account/configurations").json()
        assert {name: kept[name] for name in changes} == changes


@pytest.mark.parametrize(
    "changes", [{"suspend_trade": 1}, {"max_margin_multiplier": "3"}, {"dtbp_check": "both"}]
)
def test_refused_configurations(market: Market, changes: dict[str, object]) -> None:
    before = market.call("GET", "/v2/account/configurations").json()
    answer = market.call("PATCH", "/v2/account/configurations", json=changes)
    assert (answer.status_code, answer.json()["code"]) == (422, 42210000)
    assert market.call("GET", "/v2/account/configurations").json() == before


def test_every_trading_answer_tells_the_rate_limit(market: Market) -> None:
    """Counted in the market's minute, refused ones included in none."""
    first = market.call("GET", "/v2/account").headers
    assert (first["X-RateLimit-Limit"], first["X-RateLimit-Remaining"]) == ("200", "199")
    assert first["X-RateLimit-Reset"] == "1605191460"  # 14:31:00 UTC
    later = market.call("GET", "/v2/orders/none").headers
    assert later["X-RateLimit-Remaining"] == "198"
    data = market.call("GET", "/v2/stocks/bars/latest?symbols=AAPL").headers
    assert "X-RateLimit-Limit" not in data
    market.at(1)
    fresh = market.call("GET", "/v2/account").headers
    assert (fresh["X-RateLimit-Remaining"], fresh["X-RateLimit-Reset"]) == ("199", "1605191520")


def test_calls_beyond_the_limit_are_refused_until_the_next_minute(market: Market) -> None:
    market.control.set_rate_limit(3)
    left = [market.call("GET", "/v2/account").headers["X-RateLimit-Remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    answer = market.call("POST", "/v2/orders", json=ORDER)
    assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (429, "0")
    assert answer.json() == {"code": 42910000, "message": "rate limit exceeded"}
    # A call that was refused meets no fault: the next one that is let through does.
    market.control.add_faults([{"method": "GET", "path": "/v2/account", "status": 500}])
    market.trading._retry = 0
    with pytest.raises(APIError, match="rate limit exceeded"):
        market.trading.get_account()
    market.at(1)
    assert market.call("GET", "/v2/account").status_code == 500
    assert market.call("POST", "/v2/orders", json=ORDER).status_code == 200
    market.control.set_rate_limit(None)
    assert {market.call("GET", "/v2/account").status_code for _ in range(5)} == {200}
    with pytest.raises(ExchangeRefusedError, match="rate_limit"):
        market.control.set_rate_limit(0)

"""A new account in the same market, for suites of many small cases."""

from __future__ import annotations

import os
import signal
from decimal import Decimal
from pathlib import Path

from tradewind_local.exchange.process import ExchangeProcess

from tests.integration.exchange.conftest import OPEN, Market, clients, session_bars

START = OPEN.replace(second=3)
ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


def trade(market: Market, count: int = 3) -> None:
    for number in range(count):
        market.call("POST", "/v2/orders", json={**ORDER, "client_order_id": f"order-{number}"})


def test_bars_stay_and_everything_else_goes(market: Market) -> None:
    market.control.reset(now=START)
    untouched = market.control.summary()
    trade(market)
    first = market.call("GET", "/v2/orders?status=all").json()
    market.call("POST", "/slack/T/B/x", json={"text": "hello"})
    market.control.add_faults([{"method": "GET", "path": "/v2/account", "status": 500}])
    market.control.set_rate_limit(1)
    market.control.accept_only(("a", "b"))
    market.at(5)
    market.control.reset(now=START)
    assert market.control.summary() == untouched
    assert market.call("GET", "/v2/account").status_code == 200
    assert market.call("GET", "/v2/account").json()["cash"] == "100000"
    assert market.call("GET", "/v2/account/activities").json() == []
    trade(market)
    # The same case gives the same ids, whatever ran before it.
    assert market.call("GET", "/v2/orders?status=all").json() == first


def test_it_opens_with_the_cash_that_is_asked_for_and_the_clock_goes_on(market: Market) -> None:
    market.at(5)
    market.control.reset(cash=Decimal("50.25"))
    assert market.call("GET", "/v2/account").json()["cash"] == "50.25"
    assert market.control.clock() == OPEN.replace(minute=35, second=3)
    assert market.call("POST", "/v2/orders", json=ORDER).json()["message"] == (
        "insufficient buying power"
    )


def test_a_reset_outlives_the_process(tmp_path: Path) -> None:
    with ExchangeProcess(tmp_path) as process:
        market = clients(process)
        market.control.load_bars(session_bars())
        market.at(0)
        trade(market)
        market.control.reset(Decimal(500), START)
        trade(market, 1)
        os.kill(process.pid, signal.SIGKILL)
    with ExchangeProcess(tmp_path) as process:
        summary = process.control.summary()
        assert (len(summary["orders"]), summary["fills"]) == (1, 1)
        assert summary["cash"] == "399.8766"

"""The environment: every wrong value is refused by name, and the twin's names stay on this
machine."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal as D

import pytest
from tradewind.errors import InvalidInputError
from tradewind.market.request_limits import RequestLimits
from tradewind.settings import (
    AccountSettings,
    BrokerSettings,
    DatabaseSettings,
    Environment,
    HardLimits,
    MarketDataSettings,
    clock_url,
    hold_overnight,
)

GOOD = {
    "DEPLOYMENT": "123456789012/eu-central-1/tradewind",
    "ACCOUNT": "paper",
    "TRADING_MODE": "paper",
    "SYMBOLS": "AAPL, MSFT",
    "REQUEST_BUDGET": "250",
    "REQUEST_RESERVE": "200",
    "MAX_ORDERS_PER_DAY": "200",
    "MAX_NOTIONAL_PER_ORDER": "30000",
    "MAX_NOTIONAL_PER_DAY": "2000000",
    "DATABASE_HOST": "db.example",
    "DATABASE_PORT": "5432",
    "DATABASE_NAME": "tradewind",
    "DATABASE_USER": "tw_read",
    "DATA_PROVIDER": "alpaca",
    "DATA_FEED": "iex",
    "MARKET_DATA_URL": "https://data.example",
    "TRADING_URL": "https://paper-api.alpaca.markets",
    "BROKER_SECRET": "broker",
    "PAPER_TRADING_URL": "https://paper-api.alpaca.markets",
    "PAPER_BROKER_SECRET": "paper-broker",
    "ALPHA_VANTAGE_URL": "https://vantage.example",
    "ALPHA_VANTAGE_SECRET": "vantage",
}


def test_good_values_are_typed() -> None:
    env = Environment(GOOD)
    assert AccountSettings.read(env).symbols == ("AAPL", "MSFT")
    assert HardLimits.read(env).max_notional_per_order == D(30_000)
    database = DatabaseSettings.read(env)
    assert (database.tls, database.password) == ("verify-full", None)
    assert clock_url(env) is None


LIVE = "https://api.alpaca.markets"
ADDRESSES = [
    # (mode, trading address, whether it may be traded at)
    ("live", LIVE, True),
    ("live", "https://paper-api.alpaca.markets", True),
    ("paper", "https://paper-api.alpaca.markets", True),
    ("paper", LIVE, False),
    ("paper", f"{LIVE}/", False),
    ("paper", "https://API.alpaca.markets:443", False),
    ("shadow", LIVE, False),
]


@pytest.mark.parametrize(("mode", "url", "allowed"), ADDRESSES)
def test_only_live_mode_reaches_the_live_market(mode: str, url: str, allowed: bool) -> None:
    env = Environment({**GOOD, "TRADING_MODE": mode, "TRADING_URL": url})
    if allowed:
        assert BrokerSettings.read(env) == BrokerSettings(url, "broker")
        return
    with pytest.raises(InvalidInputError, match=f"TRADING_MODE is {mode}, not live"):
        BrokerSettings.read(env)


def test_a_paper_account_for_diverted_entries_is_a_wish() -> None:
    paper = BrokerSettings("https://paper-api.alpaca.markets", "paper-broker")
    assert BrokerSettings.paper(Environment(GOOD)) == paper
    for missing in ("PAPER_TRADING_URL", "PAPER_BROKER_SECRET"):
        assert BrokerSettings.paper(Environment({**GOOD, missing: ""})) is None


def test_the_reserve_lies_on_top_of_the_budget() -> None:
    env = Environment({**GOOD, "REQUEST_BUDGET": "10", "REQUEST_RESERVE": "200"})
    limits = HardLimits.read(env)
    assert (limits.request_budget, limits.request_reserve) == (10, 200)


def test_each_data_provider_has_its_address_its_secret_and_its_limits() -> None:
    alpaca = MarketDataSettings.read(Environment(GOOD))
    assert alpaca == MarketDataSettings(
        "alpaca", "https://data.example", "iex", "broker", RequestLimits(150, 60)
    )
    vantage = MarketDataSettings.read(Environment({**GOOD, "DATA_PROVIDER": "alpha_vantage"}))
    assert vantage == MarketDataSettings(
        "alpha_vantage", "https://vantage.example", "", "vantage", RequestLimits(1, 1, 25)
    )
    own = MarketDataSettings.read(Environment({**GOOD, "DATA_REQUESTS": "75/minute"}))
    assert own.limits == RequestLimits(75, 60)


WRONG: list[tuple[str, str, Callable[[Environment], object]]] = [
    ("DEPLOYMENT", "", AccountSettings.read),
    ("ACCOUNT", " ", AccountSettings.read),
    ("TRADING_MODE", "yolo", AccountSettings.read),
    ("SYMBOLS", "AAPL,AAPL", AccountSettings.read),
    ("REQUEST_BUDGET", "many", HardLimits.read),
    ("REQUEST_BUDGET", "0", HardLimits.read),
    ("REQUEST_RESERVE", "-1", HardLimits.read),
    ("TRADING_URL", "https://api.alpaca.markets", BrokerSettings.read),  # the mode is paper
    ("PAPER_TRADING_URL", "https://api.alpaca.markets", BrokerSettings.paper),
    ("MAX_NOTIONAL_PER_ORDER", "NaN", HardLimits.read),
    ("MAX_NOTIONAL_PER_ORDER", "-1", HardLimits.read),
    ("MAX_NOTIONAL_PER_DAY", "a lot", HardLimits.read),
    ("DATABASE_PORT", "", DatabaseSettings.read),
    ("DATABASE_TLS", "maybe", DatabaseSettings.read),
    ("DATABASE_TLS", "off", DatabaseSettings.read),  # the host is not this machine
    ("DATABASE_PASSWORD", "secret", DatabaseSettings.read),
    ("DATA_PROVIDER", "bloomberg", MarketDataSettings.read),
    ("DATA_FEED", "otc", MarketDataSettings.read),
    ("MARKET_DATA_URL", "", MarketDataSettings.read),
    ("CLOCK_URL", "http://clock.example/now", clock_url),
    ("HOLD_OVERNIGHT", "", hold_overnight),
    ("HOLD_OVERNIGHT", "yes", hold_overnight),
]


@pytest.mark.parametrize(("name", "value", "read"), WRONG)
def test_wrong_values_are_named(
    name: str, value: str, read: Callable[[Environment], object]
) -> None:
    with pytest.raises(InvalidInputError, match=name):
        read(Environment({**GOOD, name: value}))


def test_positions_are_held_overnight_only_when_that_is_said() -> None:
    assert hold_overnight(Environment({"HOLD_OVERNIGHT": "true"}))
    assert not hold_overnight(Environment({"HOLD_OVERNIGHT": "false"}))


def test_a_refused_password_is_not_in_the_message() -> None:
    with pytest.raises(InvalidInputError) as caught:
        DatabaseSettings.read(Environment({**GOOD, "DATABASE_PASSWORD": "hunter2"}))
    assert "hunter2" not in str(caught.value)


def test_the_twins_settings_are_taken_on_this_machine() -> None:
    here = {**GOOD, "DATABASE_HOST": "127.0.0.1", "DATABASE_PASSWORD": "x", "DATABASE_TLS": "off",
            "CLOCK_URL": "http://127.0.0.1:5000/_sim/clock"}  # fmt: skip
    assert DatabaseSettings.read(Environment(here)).password == "x"
    assert clock_url(Environment(here)) == "http://127.0.0.1:5000/_sim/clock"

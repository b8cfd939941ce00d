"""Our broker adapter reads and sets the account's configuration over the exchange's HTTP."""

from __future__ import annotations

from dataclasses import replace

from tradewind.adapters.alpaca.broker import AlpacaBroker
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.orders.configuration import WANTED_CONFIGURATION

from tests.integration.exchange.conftest import Market


def test_the_configuration_is_read_as_it_stands_and_set_as_wanted(market: Market) -> None:
    broker = AlpacaBroker(market.url, ApiKey("key", "secret"))
    path = "/v2/account/configurations"
    market.call("PATCH", path, json={"no_shorting": False, "max_margin_multiplier": "2"})
    wrong = broker.configuration()
    assert wrong == replace(WANTED_CONFIGURATION, no_shorting=False, max_margin_multiplier="2")
    assert broker.configure(WANTED_CONFIGURATION) == WANTED_CONFIGURATION
    assert broker.configuration() == WANTED_CONFIGURATION


def test_a_symbol_that_the_broker_does_not_know_is_not_tradable(market: Market) -> None:
    broker = AlpacaBroker(market.url, ApiKey("key", "secret"))
    assert broker.untradable(["AAPL", "ZZZZ"]) == ["ZZZZ"]

"""Every case runs in each market with each client."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tradewind_local.exchange.process import ExchangeProcess

from tests.conformance.broker.clients import BrokerClient, Factory, clients
from tests.conformance.broker.markets import (
    Market,
    paper_market,
    simulated_market,
    start_simulated,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.broker_conformance)


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExchangeProcess]:
    process = start_simulated(tmp_path_factory.mktemp("exchange"))
    yield process
    process.stop()


@pytest.fixture(params=["simulated", "paper"])
def market(request: pytest.FixtureRequest) -> Iterator[Market]:
    """A fresh simulated account, or the paper account, left as it was found."""
    if request.param == "simulated":
        yield simulated_market(request.getfixturevalue("exchange"))
        return
    made = paper_market(os.environ.get)
    yield made
    made.clean_up()


@pytest.fixture(params=clients().items(), ids=lambda named: named[0])
def broker_client(request: pytest.FixtureRequest, market: Market) -> BrokerClient:
    """The client under test, on the market's account; clients.py says how to plug in another."""
    named: tuple[str, Factory] = request.param
    return named[1](market.url, market.key, market.secret)

"""One id, one order: what makes a lost answer harmless."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conformance.broker.asking import cancel, limit_buy, market_buy, refused
from tests.conformance.broker.clients import BrokerClient
from tests.conformance.broker.markets import Market


def test_an_order_is_found_by_its_own_id_and_by_ours(
    broker_client: BrokerClient, market: Market
) -> None:
    request = limit_buy(market)
    sent = broker_client.submit(request)
    assert sent.client_order_id == request.client_order_id
    for found in (
        broker_client.order(sent.order_id),
        broker_client.order_by_client_id(request.client_order_id),
    ):
        assert found is not None
        assert (found.order_id, found.symbol, found.side, found.quantity, found.limit_price) == (
            sent.order_id,
            request.symbol,
            request.side,
            request.quantity,
            request.limit_price,
        )


def test_an_id_is_taken_once_and_for_ever(broker_client: BrokerClient, market: Market) -> None:
    """The repeat is refused, does not answer the first order, and changes nothing."""
    request = limit_buy(market)
    first = broker_client.submit(request)
    other = replace(request, limit_price=market.far_below("0.4"))
    assert refused(lambda: broker_client.submit(other)) == (422, 40010001)
    cancel(broker_client, market, first.order_id)
    assert refused(lambda: broker_client.submit(other)) == (422, 40010001)
    found = broker_client.order_by_client_id(request.client_order_id)
    assert found is not None
    assert (found.order_id, found.limit_price) == (first.order_id, request.limit_price)


def test_what_nobody_sent_is_not_found(broker_client: BrokerClient, market: Market) -> None:
    assert broker_client.order_by_client_id(market.new_id()) is None
    assert broker_client.order("00000000-0000-0000-0000-000000000000") is None


@pytest.mark.parametrize(("length", "is_taken"), [(48, True), (128, True), (129, False)])
def test_ids_have_up_to_128_characters(
    broker_client: BrokerClient, market: Market, length: int, is_taken: bool
) -> None:
    request = limit_buy(market)
    request = replace(request, client_order_id=request.client_order_id.ljust(length, "x"))
    if is_taken:
        assert broker_client.submit(request).client_order_id == request.client_order_id
    else:
        status, _ = refused(lambda: broker_client.submit(request))
        assert status == 422


def test_a_refused_order_leaves_no_trace(broker_client: BrokerClient, market: Market) -> None:
    """So that its id may be used again with what was wrong put right."""
    request = limit_buy(market)
    wrong = replace(request, limit_price=market.far_below() + market.price / 10**6)
    status, _ = refused(lambda: broker_client.submit(wrong))
    assert status == 422
    assert broker_client.order_by_client_id(request.client_order_id) is None
    assert broker_client.submit(request).client_order_id == request.client_order_id


def test_a_market_order_waits_outside_of_the_session(
    broker_client: BrokerClient, market: Market
) -> None:
    """Simulated only: no market order of ours may wait for a real opening."""
    market.simulated.reset(now=market.begun)
    sent = broker_client.submit(market_buy(market))
    assert sent.status == "accepted"
    market.at(0)
    found = broker_client.order(sent.order_id)
    assert found is not None
    assert found.status == "filled"

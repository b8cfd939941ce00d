"""What goes over the wire to Alpaca, and what its answers mean. Real alpaca-py, scripted server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from tradewind.adapters.alpaca import client as client_module
from tradewind.adapters.alpaca.broker import AlpacaBroker
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.adapters.alpaca.parsing import (
    account_of,
    flattened,
    order_of,
    orders_of,
    position_of,
)
from tradewind.errors import (
    BrokerRejectedError,
    BrokerUnavailableError,
    OutcomeUnknownError,
    ThrottledError,
)
from tradewind.orders.model import (
    OrderClass,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)

from tests.fakes import own_id
from tests.unit.adapters.http_server import Answer, serving

FIXTURES = Path(__file__).parents[4] / "shared" / "data" / "fixtures_alpaca"
needs_fixtures = pytest.mark.skipif(
    not FIXTURES.exists(), reason="../shared/data/fixtures_alpaca is not on this machine"
)

OURS = own_id("1")
ENTRY = OrderRequest(
    client_order_id=OURS,
    symbol="AAPL",
    side=Side.BUY,
    quantity=D(249),
    order_type=OrderType.LIMIT,
    time_in_force=TimeInForce.GTC,
    order_class=OrderClass.OTO,
    limit_price=D("119.57"),
    stop_loss=D("117.42"),
)


def an_order_body(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": "o-1", "client_order_id": OURS, "created_at": "2020-11-12T14:31:04.123456789Z",
        "updated_at": "2020-11-12T14:31:04.5Z", "submitted_at": "2020-11-12T14:31:04.123456789Z",
        "symbol": "AAPL", "qty": "249", "filled_qty": "0", "filled_avg_price": None,
        "order_class": "oto", "order_type": "limit", "type": "limit", "side": "buy",
        "time_in_force": "gtc", "limit_price": "119.57", "stop_price": None, "status": "new",
        "replaces": None, "legs": None,
    }  # fmt: skip
    return {**body, **changes}


def broker(url: str) -> AlpacaBroker:
    return AlpacaBroker(url, ApiKey("key", "secret"))


def test_an_entry_leaves_as_exact_decimals() -> None:
    with serving(Answer(body=an_order_body())) as server:
        order = broker(server.url).submit(ENTRY)
    assert server.requests == [
        (
            "POST",
            "/v2/orders",
            {
                "client_order_id": OURS,
                "symbol": "AAPL",
                "side": "buy",
                "qty": "249",
                "type": "limit",
                "time_in_force": "gtc",
                "order_class": "oto",
                "limit_price": "119.57",
                "stop_loss": {"stop_price": "117.42"},
            },
        )
    ]
    assert order.submitted_at == datetime(2020, 11, 12, 14, 31, 4, 123456, UTC)


UNCLEAR = [
    ("504 after perhaps accepting", Answer(504, {"message": "gateway timeout"})),
    ("503", Answer(503, {"message": "unavailable"})),
    ("a 200 that is not JSON", Answer(200, b"<html>")),
    ("a 200 that is no order", Answer(200, {"hello": 1})),
    ("an empty answer", Answer(200, b"")),
    ("a redirect", Answer(302, b"", {"Location": "https://elsewhere.example"})),
    ("a page during maintenance", Answer(503, b"<html><h1>Scheduled maintenance</h1></html>")),
    ("the connection is closed", Answer(hang_up=True)),
    ("a stall", Answer(200, an_order_body(), stall=0.5)),
]


@pytest.mark.parametrize("answer", [row[1] for row in UNCLEAR], ids=[row[0] for row in UNCLEAR])
def test_an_unclear_answer_is_unknown_and_sent_once(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # alpaca-py as it comes sends POST /orders up to four times on 429 and 504.
    monkeypatch.setattr(client_module, "READ_TIMEOUT", 0.2)
    with serving(answer) as server:
        with pytest.raises(OutcomeUnknownError):
            broker(server.url).submit(ENTRY)
        assert len(server.requests) == 1


def test_throttling_is_told_apart_and_sent_once() -> None:
    refusal = Answer(429, {"code": 42910000, "message": "rate limit exceeded"},
                     {"Retry-After": "2"})  # fmt: skip
    with serving(refusal) as server:
        with pytest.raises(ThrottledError) as caught:
            broker(server.url).submit(ENTRY)
        assert len(server.requests) == 1
    assert caught.value.retry_after == 2


@needs_fixtures
def test_every_recorded_refusal_keeps_its_code() -> None:
    rows = json.loads((FIXTURES / "errors.json").read_text())
    refusals = [row for row in rows if row["where"] == "POST /v2/orders"]
    assert len(refusals) > 5
    for row in refusals:
        answer = Answer(row["status"], row["body"])
        with serving(answer) as server, pytest.raises(BrokerRejectedError) as caught:
            broker(server.url).submit(ENTRY)
        assert (caught.value.status, caught.value.code) == (row["status"], row["body"]["code"])


def test_a_read_that_fails_may_be_made_again() -> None:
    with serving(Answer(503, {})) as server, pytest.raises(BrokerUnavailableError):
        broker(server.url).positions()


def test_an_unknown_order_is_none() -> None:
    with serving(Answer(404, {"code": 40410000, "message": "order not found"})) as server:
        assert broker(server.url).order_by_client_id(OURS) is None
        assert broker(server.url).order("o-1") is None


def test_legs_name_their_parent() -> None:
    leg = an_order_body(id="o-2", side="sell", type="stop", order_type="stop",
                        stop_price="117.42", status="held")  # fmt: skip
    with serving(Answer(body=[an_order_body(legs=[leg])])) as server:
        orders = broker(server.url).open_orders("AAPL")
    assert [(o.order_id, o.parent_order_id) for o in orders] == [("o-1", None), ("o-2", "o-1")]
    assert orders[1].status is OrderStatus.HELD


def test_fills_are_read_page_by_page() -> None:
    def activity(number: int) -> dict[str, str]:
        return {
            "id": f"2020::{number}", "order_id": "o-1", "symbol": "AAPL", "side": "buy",
            "qty": "1", "price": "119.5", "transaction_time": "2020-11-12T14:31:05Z",
        }  # fmt: skip

    pages = [Answer(body=[activity(n) for n in range(100)]), Answer(body=[activity(100)])]
    with serving(*pages) as server:
        fills = broker(server.url).fills(datetime(2020, 11, 9, tzinfo=UTC))
        assert len(fills) == 101
        assert "page_token=2020%3A%3A99" in server.requests[1][1]


@needs_fixtures
def test_recorded_bodies_are_read() -> None:
    trading = FIXTURES / "openapi_2026_08_trading"
    order = order_of(json.loads((trading / "component_EquityOrderResponse.json").read_text()))
    assert (order.quantity, order.limit_price, order.order_class) == (D(2), D(150), "simple")
    account = account_of(json.loads((trading / "get_v2_account_200_ex.json").read_text()))
    assert account.equity == D("123346.11")
    recorded = FIXTURES / "alpaca_py"
    (position,) = json.loads((recorded / "positions" / "get_all_positions.json").read_text())
    assert position_of(position).quantity == 5
    for raw in json.loads((recorded / "orders" / "get_orders.json").read_text()):
        assert flattened(raw)[0].symbol == "SPY"


def test_a_replaced_leg_is_told_as_replaced() -> None:
    # The nested list shows the entry with its new leg only; the flat one has the old leg too.
    old = an_order_body(id="o-2", type="stop", order_type="stop", status="replaced")
    new = {**old, "id": "o-3", "status": "new", "replaces": "o-2", "client_order_id": own_id("2")}
    entry = an_order_body(status="filled")
    flat, nested, still_open = [entry, old, new], [{**entry, "legs": [new]}], [new]
    with serving(Answer(body=flat), Answer(body=nested), Answer(body=still_open)) as server:
        orders = broker(server.url).orders(datetime(2020, 11, 9, tzinfo=UTC))
    told = {order.order_id: (order.status, order.parent_order_id) for order in orders}
    assert told == {
        "o-1": (OrderStatus.FILLED, None),
        "o-2": (OrderStatus.REPLACED, None),
        "o-3": (OrderStatus.NEW, "o-1"),
    }


def test_a_foreign_order_that_cannot_be_read_keeps_nobody_from_ours() -> None:
    option = {**an_order_body(id="o-9", client_order_id="mine"), "side": ""}
    with serving(Answer(body=[option, an_order_body()])) as server:
        assert [o.order_id for o in broker(server.url).open_orders("AAPL")] == ["o-1"]
    ours = an_order_body(side="")
    with serving(Answer(body=[ours])) as server, pytest.raises(BrokerUnavailableError):
        broker(server.url).open_orders("AAPL")


def test_an_order_by_dollar_amount_has_the_quantity_it_filled() -> None:
    by_amount = an_order_body(client_order_id="mine", qty=None, notional="500", filled_qty="4.2")
    with serving(Answer(body=[by_amount])) as server:
        (order,) = broker(server.url).open_orders("AAPL")
    assert order.quantity == D("4.2")


def test_a_short_sale_is_not_ours() -> None:
    fill = {"id": "1", "order_id": "o", "symbol": "TSLA", "side": "sell_short", "qty": "1",
            "price": "1", "transaction_time": "2024-01-01T15:00:00Z"}  # fmt: skip
    with serving(Answer(body=[fill])) as server:
        assert broker(server.url).fills(datetime(2020, 11, 9, tzinfo=UTC)) == []


@needs_fixtures
def test_every_recorded_order_can_be_listed() -> None:
    """Whatever a person does by hand in the same account."""
    files = [*FIXTURES.glob("**/*rder*.json"), *FIXTURES.glob("**/close_position*.json")]
    assert len(files) > 8
    for file in files:
        raw = json.loads(file.read_text())
        for item in raw if isinstance(raw, list) else [raw]:
            body = item.get("body", item)
            if "filled_qty" in body:
                orders_of([{**body, "client_order_id": "mine"}])


def test_the_parent_of_a_leg_is_found_in_the_nested_list() -> None:
    leg = an_order_body(id="o-2", side="sell", type="stop", order_type="stop",
                        client_order_id="broker-made")  # fmt: skip
    entry = an_order_body(status="filled", legs=[leg])
    with serving(Answer(body=[leg]), Answer(body=[entry])) as server:
        (alone,) = broker(server.url).open_orders("AAPL")
        parent = broker(server.url).parent_of(alone)
    assert parent is not None
    assert parent.client_order_id == OURS

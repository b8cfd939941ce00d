"""What goes over the wire to Alpaca, and what its answers mean. Real alpaca-py, scripted server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.adapters.alpaca import client as client_module
from tradewind.adapters.alpaca.broker import AlpacaBroker
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.errors import (
    BrokerRejectedError,
    BrokerUnavailableError,
    OutcomeUnknownError,
    ThrottledError,
)
from tradewind.orders.model import (
    BrokerActivity,
    OrderClass,
    OrderRequest,
    OrderStatus,
    OrderType,
    ReplaceRequest,
    Side,
    TimeInForce,
)

from tests.fakes import own_id
from tests.unit.adapters.http_server import Answer, serving

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


REQUESTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # (what, changes to a market purchase of 10 AAPL, what leaves besides id, symbol and side)
    ("market", {}, {"qty": "10", "type": "market", "time_in_force": "day"}),
    ("limit, gtc",
     {"order_type": OrderType.LIMIT, "limit_price": D("119.570"), "time_in_force": TimeInForce.GTC},
     {"qty": "10", "type": "limit", "time_in_force": "gtc", "limit_price": "119.570"}),
    ("stop", {"order_type": OrderType.STOP, "stop_price": D("0.0001")},
     {"qty": "10", "type": "stop", "time_in_force": "day", "stop_price": "0.0001"}),
    ("stop limit",
     {"order_type": OrderType.STOP_LIMIT, "stop_price": D(98), "limit_price": D(97)},
     {"qty": "10", "type": "stop_limit", "time_in_force": "day", "limit_price": "97",
      "stop_price": "98"}),
    ("trailing by percent",
     {"order_type": OrderType.TRAILING_STOP, "trail_percent": D("1.5")},
     {"qty": "10", "type": "trailing_stop", "time_in_force": "day", "trail_percent": "1.5"}),
    ("trailing by USD", {"order_type": OrderType.TRAILING_STOP, "trail_price": D("1.50")},
     {"qty": "10", "type": "trailing_stop", "time_in_force": "day", "trail_price": "1.50"}),
    ("a fraction in nine decimals", {"quantity": D("0.000000001")},
     {"qty": "0.000000001", "type": "market", "time_in_force": "day"}),
    ("a number that Decimal would write as 1E+3", {"quantity": D(10) ** 3 * D("1E+0")},
     {"qty": "1000", "type": "market", "time_in_force": "day"}),
    ("bracket whose stop has a limit",
     {"order_class": OrderClass.BRACKET, "take_profit": D("125"), "stop_loss": D("117.42"),
      "stop_loss_limit": D("117.00")},
     {"qty": "10", "type": "market", "time_in_force": "day", "order_class": "bracket",
      "take_profit": {"limit_price": "125"},
      "stop_loss": {"stop_price": "117.42", "limit_price": "117.00"}}),
    ("oco",
     {"side": Side.SELL, "order_class": OrderClass.OCO, "order_type": OrderType.LIMIT,
      "take_profit": D("125"), "stop_loss": D("117.42"), "time_in_force": TimeInForce.GTC},
     {"side": "sell", "qty": "10", "type": "limit", "time_in_force": "gtc", "order_class": "oco",
      "take_profit": {"limit_price": "125"}, "stop_loss": {"stop_price": "117.42"}}),
    *[(f"at {tif}", {"time_in_force": tif},
       {"qty": "10", "type": "market", "time_in_force": tif.value}) for tif in TimeInForce],
]  # fmt: skip
PURCHASE = OrderRequest(OURS, "AAPL", Side.BUY, D(10), OrderType.MARKET, TimeInForce.DAY)


@pytest.mark.parametrize(
    ("changes", "body"), [row[1:] for row in REQUESTS], ids=[row[0] for row in REQUESTS]
)
def test_every_type_and_class_leaves_as_exact_strings(
    changes: dict[str, Any], body: dict[str, Any]
) -> None:
    with serving(Answer(body=an_order_body())) as server:
        broker(server.url).submit(replace(PURCHASE, **changes))
    sent = {"client_order_id": OURS, "symbol": "AAPL", "side": "buy", **body}
    assert server.requests == [("POST", "/v2/orders", sent)]


def test_a_replacement_names_only_what_changes() -> None:
    new = an_order_body(id="o-2", replaces="o-1", stop_price="118.10")
    with serving(Answer(body=new)) as server:
        order = broker(server.url).replace("o-1", ReplaceRequest(OURS, stop_price=D("118.10")))
        broker(server.url).replace(
            "o-1",
            ReplaceRequest(OURS, quantity=D("5"), limit_price=D(119), trail=D("0.5"),
                           time_in_force=TimeInForce.DAY),
        )  # fmt: skip
    assert order.replaces == "o-1"
    assert [request[2] for request in server.requests] == [
        {"client_order_id": OURS, "stop_price": "118.10"},
        {"client_order_id": OURS, "qty": "5", "limit_price": "119", "trail": "0.5",
         "time_in_force": "day"},
    ]  # fmt: skip


def test_all_orders_are_cancelled_and_a_position_closed() -> None:
    told = [{"id": "o-1", "status": 200}, {"id": "o-2", "status": 404, "body": {}}]
    with serving(Answer(207, told), Answer(body=an_order_body(side="sell"))) as server:
        broker(server.url).cancel_all()
        assert broker(server.url).close_position("AAPL").side is Side.SELL
    assert [request[:2] for request in server.requests] == [
        ("DELETE", "/v2/orders"),
        ("DELETE", "/v2/positions/AAPL"),
    ]


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


def test_a_refusal_keeps_its_status_and_code() -> None:
    refusal = Answer(403, {"code": 40310000, "message": "insufficient buying power"})
    with serving(refusal) as server, pytest.raises(BrokerRejectedError) as caught:
        broker(server.url).submit(ENTRY)
    assert (caught.value.status, caught.value.code) == (403, 40310000)


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


def test_activities_are_read_page_by_page_without_executions() -> None:
    fee = {"id": "20201112::1", "activity_type": "FEE", "date": "2020-11-12",
           "net_amount": "-0.02", "description": "TAF fee"}  # fmt: skip
    fill = {"id": "20201112::2", "activity_type": "FILL", "order_id": "o-1", "price": "1"}
    first = [{**fee, "id": f"20201111::{n}"} for n in range(99)] + [fill]
    with serving(Answer(body=first), Answer(body=[fee])) as server:
        found = broker(server.url).activities(datetime(2020, 11, 2, tzinfo=UTC))
    assert len(found) == 100
    assert found[-1] == BrokerActivity(
        "20201112::1", "FEE", D("-0.02"), date(2020, 11, 12), None, "TAF fee"
    )
    assert "category=non_trade_activity" in server.requests[0][1]
    assert "page_token=20201112%3A%3A2" in server.requests[1][1]


def test_a_page_that_comes_again_ends_the_reading() -> None:
    page = [{"id": f"{n}", "activity_type": "FEE", "date": "2020-11-12"} for n in range(100)]
    with serving(Answer(body=page)) as server, pytest.raises(BrokerUnavailableError, match="again"):
        broker(server.url).activities(datetime(2020, 11, 2, tzinfo=UTC))


def test_no_order_is_lost_between_two_pages() -> None:
    """A leg is submitted with its parent, and "after" leaves out what was submitted just then."""
    first = [an_order_body(id=f"o-{n}") for n in range(499)] + [an_order_body(
        id="o-499", submitted_at="2020-11-12T14:40:00.5Z")]  # fmt: skip
    more = [first[-1], an_order_body(id="leg", submitted_at="2020-11-12T14:40:00.5Z")]
    with serving(Answer(body=first), Answer(body=more), Answer(body=[])) as server:
        orders = broker(server.url).orders(datetime(2020, 11, 9, tzinfo=UTC))
    assert len(orders) == 501
    assert "after=2020-11-12T14%3A40%3A00.499000Z" in server.requests[1][1]


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


POSITION = {"symbol": "AAPL", "qty": "3", "side": "long", "avg_entry_price": "100"}
FILL = {"id": "1", "order_id": "o", "symbol": "AAPL", "side": "buy", "qty": "1", "price": "1",
        "transaction_time": "2024-01-01T15:00:00Z"}  # fmt: skip
READS: list[tuple[str, Callable[[AlpacaBroker], Sequence[Any]], dict[str, Any]]] = [
    ("a position", lambda broker: broker.positions(), POSITION),
    ("a fill", lambda broker: broker.fills(datetime(2020, 11, 9, tzinfo=UTC)), FILL),
]
UNREADABLE = {"symbol": "AAPL210115C00100000", "qty": "many"}


@pytest.mark.parametrize(("read", "body"), [row[1:] for row in READS], ids=[r[0] for r in READS])
def test_one_that_cannot_be_read_keeps_nobody_from_ours(
    read: Callable[[AlpacaBroker], Sequence[Any]], body: dict[str, Any]
) -> None:
    """The broker is asked for the symbol's orders: with none of ours it is foreign."""
    foreign = an_order_body(symbol=UNREADABLE["symbol"], client_order_id="mine")
    with serving(
        Answer(body=[{**body, **UNREADABLE}, body, {**body, **UNREADABLE}]), Answer(body=[foreign])
    ) as server:
        assert [one.symbol for one in read(broker(server.url))] == ["AAPL"]
        assert len(server.requests) == 2  # asked once for each symbol


@pytest.mark.parametrize(("read", "body"), [row[1:] for row in READS], ids=[r[0] for r in READS])
def test_one_of_ours_that_cannot_be_read_is_an_error(
    read: Callable[[AlpacaBroker], Sequence[Any]], body: dict[str, Any]
) -> None:
    ours = an_order_body(status="filled", filled_qty="249")
    with (
        serving(Answer(body=[{**body, "qty": "many"}]), Answer(body=[ours])) as server,
        pytest.raises(BrokerUnavailableError),
    ):
        read(broker(server.url))


@pytest.mark.parametrize("item", [{"qty": "many"}, {"symbol": None}, [], "text"])
def test_one_that_does_not_say_what_it_is_of_may_be_ours(item: Any) -> None:
    with serving(Answer(body=[item])) as server, pytest.raises(BrokerUnavailableError):
        broker(server.url).positions()


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


def test_the_parent_of_a_leg_is_found_in_the_nested_list() -> None:
    leg = an_order_body(id="o-2", side="sell", type="stop", order_type="stop",
                        client_order_id="broker-made")  # fmt: skip
    entry = an_order_body(status="filled", legs=[leg])
    with serving(Answer(body=[leg]), Answer(body=[entry])) as server:
        (alone,) = broker(server.url).open_orders("AAPL")
        parent = broker(server.url).parent_of(alone)
    assert parent is not None
    assert parent.client_order_id == OURS

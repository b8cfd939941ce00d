"""The order stream, as alpaca-py's own client hears it and as it is on the wire."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue
from typing import Any

import pytest
import requests
from alpaca.trading.enums import TradeEvent
from alpaca.trading.models import TradeUpdate
from alpaca.trading.stream import TradingStream
from tradewind_local.exchange.control import ExchangeRefusedError
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.integration.exchange.conftest import Market, recorded
from tests.integration.exchange.test_process import eventually
from tests.integration.exchange.test_recorded_bodies import assert_like

LIMIT = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "day"}
KEYS = {"key_id": "key", "secret_key": "secret"}
AUTHENTICATE = {"action": "authenticate", "data": KEYS}
LISTEN = {"action": "listen", "data": {"streams": ["trade_updates"]}}


def rest(market: Market, name: str) -> str:
    """Rests far below the market; its broker id."""
    body = {**LIMIT, "limit_price": "50", "client_order_id": name}
    return str(market.call("POST", "/v2/orders", json=body).json()["id"])


def buy(market: Market, name: str, qty: str = "1") -> None:
    body = {**LIMIT, "limit_price": "110", "client_order_id": name, "qty": qty}
    assert market.call("POST", "/v2/orders", json=body).status_code == 200


def say(stream: ClientConnection, message: dict[str, Any]) -> Any:
    stream.send(json.dumps(message))
    return hear(stream)


def hear(stream: ClientConnection) -> Any:
    frame = stream.recv(timeout=10)
    assert isinstance(frame, bytes)  # binary, as on the broker's paper endpoint
    return json.loads(frame)


@contextmanager
def listening(market: Market) -> Iterator[ClientConnection]:
    with connect(market.url.replace("http", "ws") + "/stream") as stream:
        authorized, heard = say(stream, AUTHENTICATE), say(stream, LISTEN)
        assert authorized == recorded("stream_trade_updates.json")[0]["frame"]
        assert heard == recorded("stream_trade_updates.json")[2]["frame"]
        yield stream


def events(stream: ClientConnection, count: int) -> list[str]:
    """The next updates as ``event client_order_id``."""
    found = []
    for _ in range(count):
        data = hear(stream)["data"]
        found.append(f"{data['event']} {data['order']['client_order_id']}")
    return found


def test_alpacas_own_client_hears_every_change(market: Market) -> None:
    heard: Queue[TradeUpdate] = Queue()
    stream = TradingStream(
        "key", "secret", url_override=market.url.replace("http", "ws") + "/stream"
    )

    async def note(update: TradeUpdate) -> None:
        heard.put(update)

    stream.subscribe_trade_updates(note)
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    eventually(lambda: market.control.stream_listeners() == 1)
    buy(market, "bought")
    order_id = rest(market, "resting")
    market.call("DELETE", f"/v2/orders/{order_id}")
    updates = [heard.get(timeout=10) for _ in range(6)]
    assert [(update.event, update.order.client_order_id) for update in updates] == [
        (TradeEvent.ACCEPTED, "bought"),
        (TradeEvent.NEW, "bought"),
        (TradeEvent.FILL, "bought"),
        (TradeEvent.ACCEPTED, "resting"),
        (TradeEvent.NEW, "resting"),
        (TradeEvent.CANCELED, "resting"),
    ]
    fill = updates[2]
    assert (fill.price, fill.qty, fill.position_qty) == (100.1234, 1, 1)
    (listed,) = market.call("GET", "/v2/account/activities/FILL").json()
    assert listed["id"].endswith(str(fill.execution_id))
    stream.stop()
    rest(market, "last")  # its client looks whether it shall stop when it hears something
    thread.join(timeout=20)
    assert not thread.is_alive()
    eventually(lambda: market.control.stream_listeners() == 0)


def test_a_frame_is_like_the_recorded_one(market: Market) -> None:
    theirs = recorded("stream_trade_updates.json")[4]["frame"]
    with listening(market) as stream:
        buy(market, "bought")
        accepted, new, fill = (hear(stream) for _ in range(3))
    assert_like(fill, theirs)
    assert set(fill["data"]) == set(theirs["data"])
    assert set(fill["data"]["order"]) >= set(theirs["data"]["order"])
    for frame in (accepted, new):
        assert set(frame["data"]) == {"event", "timestamp", "order"}
    known = recorded("stream_event_types.json")
    assert {accepted["data"]["event"], new["data"]["event"], fill["data"]["event"]} <= {
        *known["common"],
        *known["rare"],
    }


def test_partial_fills_tell_what_was_filled_so_far(market: Market) -> None:
    market.control.limit_fills(2)
    with listening(market) as stream:
        buy(market, "slow", qty="5")
        market.at(1)
        frames = [hear(stream)["data"] for _ in range(5)]
    fills = frames[2:]
    assert [frame["event"] for frame in fills] == ["partial_fill", "partial_fill", "fill"]
    assert [frame["qty"] for frame in fills] == ["2", "2", "1"]
    assert [frame["order"]["filled_qty"] for frame in fills] == ["2", "4", "5"]
    assert [frame["position_qty"] for frame in fills] == ["2", "4", "5"]


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({"drop": 2}, "c d e"),
        ({"double": 2}, "a a b b c d e"),
        ({"reorder": 3}, "c b a d e"),
        ({"drop": 1, "double": 1}, "b b c d e"),
        ({"double": 1, "reorder": 2}, "b a a c d e"),
    ],
)
def test_frames_go_wrong_while_heartbeats_go_on(
    market: Market, faults: dict[str, int], expected: str
) -> None:
    orders = {name: rest(market, name) for name in "abcde"}
    with listening(market) as stream:
        market.control.fault_stream(**faults)
        for name, order_id in orders.items():
            market.call("DELETE", f"/v2/orders/{order_id}")
            if name == "a":
                assert stream.ping().wait(timeout=10)  # the line is fine
        heard = events(stream, len(expected.split()))
    assert heard == [f"canceled {name}" for name in expected.split()]


def test_a_fill_is_replayed(market: Market) -> None:
    with listening(market) as stream:
        market.control.fault_stream(replay=1)
        buy(market, "one")
        buy(market, "two")
        heard = events(stream, 8)
    assert [event for event in heard if event.startswith("fill")] == ["fill one"] * 3 + ["fill two"]


def test_faults_of_the_stream_end(market: Market) -> None:
    with listening(market) as stream:
        market.control.fault_stream(drop=100)
        rest(market, "lost")
        market.control.clear_faults()
        rest(market, "heard")
        assert events(stream, 1) == ["accepted heard"]
    with pytest.raises(ExchangeRefusedError, match="stream faults"):
        market.control.fault_stream(drop=-1)


def test_a_reset_begins_the_stream_anew(market: Market) -> None:
    with listening(market) as stream:
        rest(market, "before")
        market.control.reset()
        rest(market, "after")
        assert events(stream, 3) == ["accepted before", "new before", "accepted after"]


def test_nobody_listens_without_keys(market: Market) -> None:
    market.control.accept_only(("key", "secret"))
    unauthorized = recorded("stream_trade_updates.json")[1]["frame"]
    with connect(market.url.replace("http", "ws") + "/stream") as stream:
        assert say(stream, LISTEN)["data"] == {"status": "unauthorized", "action": "listen"}
        wrong = {"action": "authenticate", "data": {**KEYS, "secret_key": "wrong"}}
        assert say(stream, wrong) == unauthorized
        assert say(stream, {"action": "listen"})["data"]["status"] == "unauthorized"
        # The newer form has the keys beside the action.
        assert say(stream, {"action": "auth", "key": "key", "secret": "secret"})["data"] == {
            "status": "authorized",
            "action": "authenticate",
        }
        rest(market, "unheard")
        assert say(stream, LISTEN)["stream"] == "listening"
        rest(market, "heard")
        assert events(stream, 1) == ["accepted heard"]


def test_a_token_opens_the_stream_as_it_opens_the_account(market: Market) -> None:
    form = {
        "grant_type": "refresh_token",
        "client_id": "id",
        "client_secret": "secret",
        "refresh_token": "refresh",
    }
    token = requests.post(f"{market.url}/oauth/token", data=form, timeout=10).json()
    for given, status in ((token["access_token"], "authorized"), ("other", "unauthorized")):
        with connect(market.url.replace("http", "ws") + "/stream") as stream:
            message = {"action": "authenticate", "data": {"oauth_token": given}}
            assert say(stream, message)["data"]["status"] == status


def test_what_is_no_message_is_told_so(market: Market) -> None:
    with connect(market.url.replace("http", "ws") + "/stream") as stream:
        for text in ("hello", "[]", '{"data": {}}', '{"action": "dance"}'):
            stream.send(text)
            frame = hear(stream)
            assert frame["action"] == "error"
            assert frame["data"]["error_message"]


def test_the_stream_can_be_refused_and_cut(market: Market) -> None:
    url = market.url.replace("http", "ws") + "/stream"
    market.control.add_faults([{"method": "GET", "path": "/stream", "status": 503}])
    with pytest.raises(InvalidStatus):
        connect(url)
    with listening(market) as stream:
        market.process.stop()
        with pytest.raises(ConnectionClosed):
            stream.recv(timeout=10)

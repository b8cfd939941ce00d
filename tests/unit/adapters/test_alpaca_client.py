"""The HTTP client: the broker's limits, refreshed tokens, and what provably never left."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest
from tradewind.adapters.alpaca.broker import AlpacaBroker
from tradewind.adapters.alpaca.credentials import (
    ApiKey,
    Bearer,
    Credentials,
    credentials_of,
)
from tradewind.errors import BrokerKeyRefusedError, BrokerUnavailableError, InvalidInputError
from tradewind.orders.model import OrderRequest, OrderType, Side, TimeInForce
from tradewind.orders.rate_limits import RateLimits, limits_told, seconds_until_reset

from tests.fakes import own_id
from tests.unit.adapters.http_server import Answer, serving

KEY = ApiKey("key", "secret")
SALE = OrderRequest(own_id("1"), "AAPL", Side.SELL, D(1), OrderType.MARKET, TimeInForce.DAY)
UNAUTHORIZED = Answer(401, {"code": 40110000, "message": "request is not authorized"})


def test_what_was_never_sent_is_told_apart() -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(BrokerUnavailableError, match="no connection"):
            AlpacaBroker(url, KEY).submit(SALE)


def test_the_limits_of_the_last_answer_are_remembered() -> None:
    told = {"X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "7",
            "X-RateLimit-Reset": "1679411617"}  # fmt: skip
    with serving(Answer(body=[], headers=told), Answer(body=[])) as server:
        broker = AlpacaBroker(server.url, KEY)
        assert broker.limits is None
        broker.positions()
        broker.positions()  # says nothing: what was told before stands
        assert broker.limits == RateLimits(7, datetime(2023, 3, 21, 15, 13, 37, tzinfo=UTC))


@pytest.mark.parametrize("reset", ["soon", "nan", "1e300", ""])
def test_limits_that_cannot_be_read_are_none(reset: str) -> None:
    assert limits_told({"X-RateLimit-Remaining": "7", "X-RateLimit-Reset": reset}) is None


NOW = datetime(2020, 11, 12, 14, 31, 4, tzinfo=UTC)
WAITS = [
    ("nothing is known", None, 0),
    ("there is room", RateLimits(1, NOW + timedelta(seconds=20)), 0),
    ("used up", RateLimits(0, NOW + timedelta(seconds=20)), 20),
    ("the minute is over", RateLimits(0, NOW), 0),
    ("another clock's reset", RateLimits(0, NOW + timedelta(days=900)), 0),
]


@pytest.mark.parametrize(
    ("limits", "seconds"), [row[1:] for row in WAITS], ids=[str(row[0]) for row in WAITS]
)
def test_how_long_the_broker_goes_on_refusing(limits: RateLimits | None, seconds: float) -> None:
    assert seconds_until_reset(limits, NOW) == seconds


def test_each_kind_of_credential_has_its_headers() -> None:
    assert KEY.headers() == {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
    assert Bearer("t").headers() == {"Authorization": "Bearer t"}


def test_no_credential_shows_itself() -> None:
    assert "secret" not in repr(KEY)
    assert "token-1" not in repr(Bearer("token-1"))


SECRETS: list[tuple[str, dict[str, str], Credentials | None]] = [
    ("a key", {"api_key": "k", "secret_key": "s"}, ApiKey("k", "s")),
    ("a token", {"client_id": "c", "client_secret": "s", "refresh_token": "r",
                 "access_token": "t"}, Bearer("t")),
    ("as it is deployed: nothing set", {"api_key": "not-set"}, None),
    ("a token to be fetched", {"client_id": "c", "refresh_token": "r"}, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("secret", "credentials"), [row[1:] for row in SECRETS], ids=[row[0] for row in SECRETS]
)
def test_the_secret_says_which(secret: dict[str, str], credentials: Credentials | None) -> None:
    if credentials is None:
        with pytest.raises(InvalidInputError, match="secret broker has neither"):
            credentials_of("broker", secret)
    else:
        assert credentials_of("broker", secret) == credentials


def test_a_refused_token_is_read_once_more() -> None:
    read: list[Credentials] = []

    def reread() -> Credentials:
        read.append(Bearer("new"))
        return read[-1]

    with serving(UNAUTHORIZED, Answer(body=[])) as server:
        broker = AlpacaBroker(server.url, Bearer("old"), reread)
        assert broker.positions() == []
        assert [headers["Authorization"] for headers in server.headers] == [
            "Bearer old",
            "Bearer new",
        ]
        broker.positions()
    assert len(read) == 1


def test_a_token_that_was_not_refreshed_is_not_tried_again() -> None:
    with serving(UNAUTHORIZED) as server:
        broker = AlpacaBroker(server.url, Bearer("old"), lambda: Bearer("old"))
        with pytest.raises(BrokerKeyRefusedError, match="secret"):
            broker.positions()
        assert len(server.requests) == 1


def test_a_refused_key_is_told_without_asking_again() -> None:
    with serving(UNAUTHORIZED) as server:
        broker = AlpacaBroker(server.url, KEY, lambda: ApiKey("other", "secret"))
        with pytest.raises(BrokerKeyRefusedError) as caught:
            broker.submit(SALE)
        assert len(server.requests) == 1
    assert caught.value.status == 401


def test_the_client_does_without_pandas() -> None:
    # Its import is half of a cold start.
    code = (
        "import sys; import tradewind.adapters.alpaca.broker; "
        "print(sorted({'pandas', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"

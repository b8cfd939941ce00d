"""The OAuth 2.0 token endpoint on the wire, and Secrets Manager around it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from tradewind.adapters.alpaca import tokens as tokens_module
from tradewind.adapters.alpaca.tokens import AlpacaTokens
from tradewind.adapters.secrets import Secrets, StoredSecret
from tradewind.errors import BrokerKeyRefusedError, BrokerUnavailableError, TradewindError
from tradewind.use_cases.refresh_broker_token import Tokens

from tests.unit.adapters.http_server import Answer, serving

ASKED = ("client", "client-secret", "refresh-1")


def test_a_refresh_is_a_form_post() -> None:
    body = {"access_token": "access-2", "token_type": "bearer", "refresh_token": "refresh-2"}
    with serving(Answer(body=body)) as server:
        assert AlpacaTokens(server.url + "/oauth/token").refresh(*ASKED) == Tokens(
            "access-2", "refresh-2"
        )
        ((method, path, form),) = server.requests
    assert (method, path) == ("POST", "/oauth/token")
    assert parse_qs(form) == {
        "grant_type": ["refresh_token"],
        "refresh_token": ["refresh-1"],
        "client_id": ["client"],
        "client_secret": ["client-secret"],
    }


def test_an_issuer_that_does_not_rotate_names_no_refresh_token() -> None:
    with serving(Answer(body={"access_token": "access-2"})) as server:
        assert AlpacaTokens(server.url).refresh(*ASKED).refresh is None


FAILURES: list[tuple[str, Answer, type[TradewindError]]] = [
    ("a refresh token that is used up", Answer(400, {"error": "invalid_grant"}),
     BrokerKeyRefusedError),
    ("another client", Answer(401, {"error": "invalid_client"}), BrokerKeyRefusedError),
    ("a refusal that quotes the token", Answer(400, {"error": "bad token refresh-1"}),
     BrokerKeyRefusedError),
    ("too often", Answer(429, {}), BrokerUnavailableError),
    ("down", Answer(503, b"<html>refresh-1</html>"), BrokerUnavailableError),
    ("no token in it", Answer(200, {"token_type": "bearer"}), BrokerUnavailableError),
    ("no JSON", Answer(200, b"<html>"), BrokerUnavailableError),
    ("hangs up", Answer(hang_up=True), BrokerUnavailableError),
    ("stalls", Answer(200, {"access_token": "x"}, stall=0.5), BrokerUnavailableError),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "error"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
def test_failures_are_sorted_and_quote_no_secret(
    answer: Answer, error: type[TradewindError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens_module, "TIMEOUT", (1, 0.2))
    with serving(answer) as server, pytest.raises(error) as caught:
        AlpacaTokens(server.url).refresh(*ASKED)
    assert not any(secret in str(caught.value) for secret in ASKED[1:])
    assert len(server.requests) == 1


class Manager:
    """Secrets Manager with one secret."""

    def __init__(self, value: dict[str, str]) -> None:
        self.text = json.dumps(value)
        self.reads = 0

    def get_secret_value(self, **asked: Any) -> dict[str, str]:
        self.reads += 1
        return {"SecretString": self.text}

    def put_secret_value(self, **told: Any) -> None:
        self.text = told["SecretString"]


def test_a_stored_secret_is_read_as_it_stands_now() -> None:
    manager = Manager({"access_token": "a1"})
    secrets = Secrets(manager)
    assert secrets.values("broker") == {"access_token": "a1"}
    manager.text = json.dumps({"access_token": "a2"})
    assert secrets.values("broker") == {"access_token": "a1"}  # kept for some minutes
    assert StoredSecret(secrets, "broker").read() == {"access_token": "a2"}
    assert manager.reads == 2


def test_a_stored_secret_is_written_whole() -> None:
    manager = Manager({"access_token": "a1"})
    secret = StoredSecret(Secrets(manager), "broker")
    secret.write({"access_token": "a2", "refresh_token": "r2"})
    assert secret.read() == {"access_token": "a2", "refresh_token": "r2"}

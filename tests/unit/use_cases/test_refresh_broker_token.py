"""A new access token every half an hour, and never a refresh token lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from tradewind.errors import (
    BrokerKeyRefusedError,
    BrokerUnavailableError,
    InvalidInputError,
)
from tradewind.use_cases.refresh_broker_token import Tokens, refresh_broker_token

KEPT = {"client_id": "c", "client_secret": "s", "refresh_token": "r1", "access_token": "a1"}


@dataclass
class FakeSecret:
    value: dict[str, str]
    written: list[dict[str, str]] = field(default_factory=list)

    def read(self) -> Mapping[str, str]:
        return self.value

    def write(self, value: Mapping[str, str]) -> None:
        self.written.append(dict(value))
        self.value = dict(value)


@dataclass
class FakeIssuer:
    """Rotates: each refresh token is good once, unless ``rotates`` is off."""

    good: str = "r1"
    rotates: bool = True
    reachable: bool = True

    def refresh(self, client_id: str, client_secret: str, refresh_token: str) -> Tokens:
        if not self.reachable:
            raise BrokerUnavailableError("POST /oauth/token: ReadTimeout")
        if refresh_token != self.good:
            raise BrokerKeyRefusedError("invalid_grant")
        if self.rotates:
            self.good = "r" + str(int(self.good[1:]) + 1)
        return Tokens(f"for {refresh_token}", self.good if self.rotates else None)


def test_both_tokens_are_written_in_one_piece() -> None:
    secret = FakeSecret({**KEPT, "note": "kept"})
    assert refresh_broker_token(FakeIssuer(), secret)
    assert secret.written == [
        {**KEPT, "note": "kept", "access_token": "for r1", "refresh_token": "r2"}
    ]


def test_a_refresh_token_that_stays_good_is_kept() -> None:
    secret = FakeSecret(dict(KEPT))
    refresh_broker_token(FakeIssuer(rotates=False), secret)
    assert secret.value["refresh_token"] == "r1"


def test_the_next_run_goes_on_from_the_rotated_token() -> None:
    secret, issuer = FakeSecret(dict(KEPT)), FakeIssuer()
    for _ in range(3):
        assert refresh_broker_token(issuer, secret)
    assert secret.value["refresh_token"] == issuer.good == "r4"


def test_a_first_access_token_is_fetched_with_the_refresh_token_alone() -> None:
    secret = FakeSecret({key: value for key, value in KEPT.items() if key != "access_token"})
    assert refresh_broker_token(FakeIssuer(), secret)
    assert secret.value["access_token"] == "for r1"


def test_another_run_that_was_faster_leaves_nothing_to_do() -> None:
    newer = {**KEPT, "refresh_token": "r2", "access_token": "a2"}
    secret = FakeSecret(dict(KEPT))
    issuer = FakeIssuer(good="r2")  # the other run has used r1 up
    refused = issuer.refresh

    def overtaken(client_id: str, client_secret: str, refresh_token: str) -> Tokens:
        secret.value = newer
        return refused(client_id, client_secret, refresh_token)

    issuer.refresh = overtaken  # type: ignore[method-assign]
    assert not refresh_broker_token(issuer, secret)
    assert (secret.value, secret.written) == (newer, [])


@pytest.mark.parametrize(
    ("issuer", "error"),
    [(FakeIssuer(good="r9"), BrokerKeyRefusedError),
     (FakeIssuer(reachable=False), BrokerUnavailableError)],
    ids=["refused", "no answer"],
)  # fmt: skip
def test_a_failure_leaves_the_secret_as_it_was(issuer: FakeIssuer, error: type[Exception]) -> None:
    secret = FakeSecret(dict(KEPT))
    with pytest.raises(error):
        refresh_broker_token(issuer, secret)
    assert (secret.value, secret.written) == (KEPT, [])


@pytest.mark.parametrize("missing", ["client_id", "client_secret", "refresh_token"])
def test_what_the_secret_lacks_is_named(missing: str) -> None:
    secret = FakeSecret({key: value for key, value in KEPT.items() if key != missing})
    with pytest.raises(InvalidInputError, match=missing):
        refresh_broker_token(FakeIssuer(), secret)

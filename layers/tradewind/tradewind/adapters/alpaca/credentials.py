"""What Alpaca is shown to prove who asks: an API key, or an OAuth 2.0 bearer token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tradewind.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Lives until it is revoked. The secret half shows in no representation."""

    key: str = field(repr=False)
    secret: str = field(repr=False)

    def headers(self) -> dict[str, str]:
        return {"APCA-API-KEY-ID": self.key, "APCA-API-SECRET-KEY": self.secret}


@dataclass(frozen=True, slots=True)
class Bearer:
    """An access token; ``refresh_broker_token`` puts a new one into the secret in time."""

    token: str = field(repr=False)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


Credentials = ApiKey | Bearer


def credentials_of(name: str, secret: Mapping[str, str]) -> Credentials:
    """From the broker's secret, called ``name``: ``{"api_key", "secret_key"}``, or
    ``{"client_id", "client_secret", "refresh_token", "access_token"}``. An access token wins.

    Raises InvalidInputError when it holds neither.
    """
    if secret.get("access_token"):
        return Bearer(secret["access_token"])
    if secret.get("api_key") and secret.get("secret_key"):
        return ApiKey(secret["api_key"], secret["secret_key"])
    raise InvalidInputError(
        f"secret {name} has neither api_key and secret_key nor an access_token: put one of them in"
    )

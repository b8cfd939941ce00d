"""A new OAuth 2.0 access token for the broker, before the old one runs out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tradewind.errors import BrokerKeyRefusedError, InvalidInputError

NEEDED = ("client_id", "client_secret", "refresh_token")


@dataclass(frozen=True, slots=True)
class Tokens:
    """``refresh`` is None when the old refresh token stays good."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)


class TokenIssuer(Protocol):
    def refresh(self, client_id: str, client_secret: str, refresh_token: str) -> Tokens:
        """Raises BrokerKeyRefusedError when it is refused, BrokerUnavailableError when there was no
        answer."""
        ...


class BrokerSecret(Protocol):
    """The broker's secret, whole: read as it stands now, and written in one piece."""

    def read(self) -> Mapping[str, str]: ...

    def write(self, value: Mapping[str, str]) -> None: ...


def refresh_broker_token(issuer: TokenIssuer, secret: BrokerSecret) -> bool:
    """Whether this call put new tokens into the secret.

    Both tokens are written in one piece, so no crash leaves an access token without the refresh
    token that came with it. A refresh token that was rotated by another run meanwhile is refused
    here; then the secret holds a newer one, and there is nothing to do.

    Raises InvalidInputError when the secret holds no refresh token, BrokerKeyRefusedError when the
    refresh token is no longer good, BrokerUnavailableError when the issuer did not answer.
    """
    value = secret.read()
    missing = [key for key in NEEDED if not value.get(key)]
    if missing:
        raise InvalidInputError(f"the broker's secret has no value for {', '.join(missing)}")
    used = value["refresh_token"]
    try:
        tokens = issuer.refresh(value["client_id"], value["client_secret"], used)
    except BrokerKeyRefusedError:
        if secret.read().get("refresh_token") != used:
            return False
        raise
    secret.write({**value, "access_token": tokens.access, "refresh_token": tokens.refresh or used})
    return True

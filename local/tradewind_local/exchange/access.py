"""Who may call the trading API: a pair of keys, or an OAuth 2.0 token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs
from uuid import NAMESPACE_OID, uuid5

from tradewind.errors import InvalidInputError
from tradewind.market.bar import from_iso, to_iso

from tradewind_local.exchange.engine import Exchange
from tradewind_local.exchange.http_messages import Request, Response

SCOPE = "account:write trading data"


@dataclass(frozen=True, slots=True)
class OauthClient:
    """The one application that may refresh; ``token_seconds`` of the market's clock is how long a
    token lives, None: until the next one was used."""

    client_id: str
    client_secret: str
    refresh_token: str
    token_seconds: float | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> OauthClient:
        """InvalidInputError when it is none."""
        try:
            return cls(**given)
        except TypeError as error:
            raise InvalidInputError(f"not an OAuth client: {error}") from error


class AccessDesk:
    """Any key or token opens, since there is nothing here to protect, until somebody says which
    pair of keys is the right one, or a token was issued."""

    def __init__(self, seed: int, saved: Mapping[str, Any] | None = None) -> None:
        """``saved``: what :meth:`saved` of an earlier process gave."""
        saved = saved or {}
        self._seed = seed
        self._keys: tuple[str, str] | None = tuple(saved["keys"]) if saved.get("keys") else None
        self._client = OauthClient(**saved["client"]) if saved.get("client") else None
        # Live tokens and when they were issued, oldest first.
        self._tokens = {
            token: from_iso(issued) for token, issued in (saved.get("tokens") or {}).items()
        }
        self._issued: int = saved.get("issued", 0)

    def saved(self) -> dict[str, Any]:
        return {
            "keys": self._keys,
            "client": None if self._client is None else asdict(self._client),
            "tokens": {token: to_iso(issued) for token, issued in self._tokens.items()},
            "issued": self._issued,
        }

    def accept_only(self, keys: tuple[str, str] | None) -> None:
        """The only pair of keys (id, secret) that opens; None: any."""
        self._keys = keys

    def set_client(self, client: OauthClient | None) -> None:
        """The only OAuth client; None: any that sends all its parameters."""
        self._client = client

    def forget(self) -> None:
        self._keys, self._client, self._issued = None, None, 0
        self._tokens.clear()

    def opens(self, request: Request, now: datetime | None) -> bool:
        """Whether a request carries what opens the account."""
        bearer = request.headers.get("authorization", "")
        if bearer:
            return self.token_opens(bearer.removeprefix("Bearer ").strip(), now)
        key, secret = (
            request.headers.get(name, "") for name in ("apca-api-key-id", "apca-api-secret-key")
        )
        return self.keys_open(key, secret)

    def keys_open(self, key: str, secret: str) -> bool:
        return bool(key and secret) and self._keys in (None, (key, secret))

    def token_opens(self, token: str, now: datetime | None) -> bool:
        """Whoever uses a token gives up those that were issued before it."""
        if not self._issued:
            return bool(token)
        if token not in self._tokens or (now is not None and self._is_over(token, now)):
            return False
        issued = list(self._tokens)
        for older in issued[: issued.index(token)]:
            del self._tokens[older]
        return True

    def post_token(self, exchange: Exchange, request: Request) -> Response:
        """``POST /oauth/token`` with a form, grant_type=refresh_token (RFC 6749, section 6)."""
        form = {
            name: values[-1]
            for name, values in parse_qs(request.body.decode(errors="replace")).items()
        }
        if form.get("grant_type") != "refresh_token":
            return Response.json({"error": "unsupported_grant_type"}, 400)
        given = tuple(form.get(name) for name in ("client_id", "client_secret", "refresh_token"))
        if not all(given):
            return Response.json({"error": "invalid_request"}, 400)
        client = self._client
        if client is not None and given[:2] != (client.client_id, client.client_secret):
            return Response.json({"error": "invalid_client"}, 401)
        if client is not None and given[2] != client.refresh_token:
            return Response.json({"error": "invalid_grant"}, 400)
        self._issued += 1
        name = f"tradewind exchange/{self._seed}/token/{self._issued}"
        token = str(uuid5(NAMESPACE_OID, name))
        self._tokens[token] = exchange.time
        return Response.json({"access_token": token, "token_type": "bearer", "scope": SCOPE})

    def _is_over(self, token: str, now: datetime) -> bool:
        seconds = None if self._client is None else self._client.token_seconds
        return seconds is not None and now >= self._tokens[token] + timedelta(seconds=seconds)

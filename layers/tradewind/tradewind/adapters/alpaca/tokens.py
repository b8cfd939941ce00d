"""The TokenIssuer Protocol over an OAuth 2.0 token endpoint (RFC 6749, section 6).

Neither a token nor a client secret is ever in an error, a log line or an address: they travel in
the form's body, and of a refusal only its error code is told.
"""

from __future__ import annotations

import requests

from tradewind.errors import BrokerKeyRefusedError, BrokerUnavailableError
from tradewind.use_cases.refresh_broker_token import Tokens

TIMEOUT = (2.0, 10.0)  # seconds: connect, read
# RFC 6749, 5.2; anything else in the field is not quoted.
_CODES = ("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
          "unsupported_grant_type", "invalid_scope")  # fmt: skip


class AlpacaTokens:
    """``url``: e.g. https://api.alpaca.markets/oauth/token."""

    def __init__(self, url: str) -> None:
        self._url = url

    def refresh(self, client_id: str, client_secret: str, refresh_token: str) -> Tokens:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": client_id,
            "client_secret": client_secret,
        }
        try:
            answer = requests.post(self._url, data=form, timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            # The name alone: the exception's text may quote the request.
            raise BrokerUnavailableError(f"POST {self._url}: {type(error).__name__}") from None
        body = _object(answer)
        if 400 <= answer.status_code < 500 and answer.status_code not in (408, 429):
            code = body.get("error")
            raise BrokerKeyRefusedError(
                f"POST {self._url}: status {answer.status_code}, "
                f"{code if code in _CODES else 'no known error code'} (authorise Tradewind again "
                "and put the new refresh token into the broker's secret)",
                status=answer.status_code,
            )
        access, refresh = body.get("access_token"), body.get("refresh_token")
        if answer.status_code != 200 or not isinstance(access, str) or not access:
            raise BrokerUnavailableError(
                f"POST {self._url}: status {answer.status_code} without a token"
            )
        return Tokens(access, refresh if isinstance(refresh, str) and refresh else None)


def _object(answer: requests.Response) -> dict[str, object]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}

"""alpaca-py's REST client with what it lacks: timeouts, exact numbers, and no silent retry.

alpaca-py 0.44.0 sends every request again on 429 and 504, POST /orders included, and sets no
timeout; there is no public switch, so the one method that talks HTTP is replaced. A test holds it:
one request on the wire for a 504, and an answer in time for a stall.

The base of its clients is used rather than its TradingClient, whose module imports pandas (half a
second and 30 MB at a cold start) for request models that we do without.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from alpaca.common.rest import RESTClient
from requests import Response
from requests.exceptions import ConnectTimeout, RequestException
from urllib3.exceptions import MaxRetryError, NewConnectionError

from tradewind.adapters.alpaca.credentials import Bearer, Credentials
from tradewind.adapters.alpaca.refusals import UNAUTHORIZED, refusal
from tradewind.errors import BrokerUnavailableError, OutcomeUnknownError
from tradewind.orders.rate_limits import RateLimits, limits_told

CONNECT_TIMEOUT = 2.0  # seconds
READ_TIMEOUT = 5.0


class OneShotClient(RESTClient):  # type: ignore[misc]
    """One request on the wire per call. Raises BrokerRejectedError for 4xx, ThrottledError for
    429, BrokerUnavailableError when nobody was there to take the request, OutcomeUnknownError for
    anything that leaves open whether it was carried out.

    ``limits`` is what the last answer said of the rate limit. ``reread`` gives the credentials as
    they stand now: a bearer token that is refused may have been refreshed meanwhile, so it is read
    once more and the refused request sent with the new one.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        reread: Callable[[], Credentials] | None = None,
    ) -> None:
        # alpaca-py wants a token of its own; the headers below are the ones that are sent.
        super().__init__(url, oauth_token="see _get_auth_headers", raw_data=True)  # noqa: S106
        self._credentials = credentials
        self._reread = reread
        self.limits: RateLimits | None = None

    def _get_auth_headers(self) -> dict[str, str]:
        return self._credentials.headers()

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
        del retry
        response = self._answer(method, url, opts)
        if response.status_code == UNAUTHORIZED and self._token_was_refreshed():
            opts = {**opts, "headers": {**opts["headers"], **self._credentials.headers()}}
            response = self._answer(method, url, opts)
        if not 200 <= response.status_code < 300:
            raise refusal(f"{method} {url}", response.status_code, response.text, response.headers)
        if not response.content:
            return None
        try:
            return json.loads(response.content, parse_float=Decimal)
        except ValueError as error:
            raise OutcomeUnknownError(
                f"{method} {url}: status {response.status_code} with a body that is not JSON"
            ) from error

    def _answer(self, method: str, url: str, opts: dict[str, Any]) -> Response:
        try:
            response: Response = self._session.request(
                method, url, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT), **opts
            )
        except RequestException as error:
            text = f"{method} {url}: {type(error).__name__}"
            if _never_left(error):
                raise BrokerUnavailableError(f"{text}: no connection") from error
            raise OutcomeUnknownError(text) from error
        self.limits = limits_told(response.headers) or self.limits
        return response

    def _token_was_refreshed(self) -> bool:
        if self._reread is None or not isinstance(self._credentials, Bearer):
            return False
        used, self._credentials = self._credentials, self._reread()
        return self._credentials != used


def _never_left(error: RequestException) -> bool:
    """Whether the request provably was not sent: no connection was made."""
    if isinstance(error, ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)

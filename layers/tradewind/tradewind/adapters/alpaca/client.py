"""alpaca-py's trading client with what it lacks: timeouts, and no silent retry.

alpaca-py 0.44.0 sends every request again on 429 and 504, POST /orders included, and sets no
timeout; there is no public switch, so the one method that talks HTTP is replaced. A test holds it:
one request on the wire for a 504, and an answer in time for a stall.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from alpaca.trading.client import TradingClient
from requests import Response
from requests.exceptions import RequestException

from tradewind.errors import BrokerRejectedError, OutcomeUnknownError, ThrottledError

CONNECT_TIMEOUT = 2.0  # seconds
READ_TIMEOUT = 5.0

# Alpaca's own words for "not now, and nothing was done".
RATE_LIMITED = 429


class OneShotTradingClient(TradingClient):  # type: ignore[misc]
    """One request on the wire per call. Raises BrokerRejectedError for 4xx, ThrottledError for
    429, OutcomeUnknownError for anything that leaves open whether the request was carried out."""

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
        del retry
        try:
            response = self._session.request(
                method, url, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT), **opts
            )
        except RequestException as error:
            raise OutcomeUnknownError(f"{method} {url}: {type(error).__name__}") from error
        if response.status_code >= 400:
            raise _refusal(method, url, response)
        if not response.content:
            return None
        try:
            return json.loads(response.content, parse_float=Decimal)
        except ValueError as error:
            raise OutcomeUnknownError(
                f"{method} {url}: status {response.status_code} with a body that is not JSON"
            ) from error


def _refusal(
    method: str, url: str, response: Response
) -> BrokerRejectedError | ThrottledError | OutcomeUnknownError:
    text = f"{method} {url}: status {response.status_code}: {response.text[:300]}"
    if response.status_code == RATE_LIMITED:
        return ThrottledError(text, retry_after=_seconds(response.headers.get("Retry-After")))
    if response.status_code >= 500:
        return OutcomeUnknownError(text)
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    code = body.get("code") if isinstance(body, dict) else None
    return BrokerRejectedError(
        text, code=code if isinstance(code, int) else None, status=response.status_code
    )


def _seconds(header: str | None) -> float | None:
    try:
        return float(header) if header else None
    except ValueError:
        return None

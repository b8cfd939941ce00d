"""Alpaca's refusals, sorted by what they say about the request."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tradewind.errors import (
    BrokerKeyRefusedError,
    BrokerRejectedError,
    OutcomeUnknownError,
    ThrottledError,
)
from tradewind.orders.rate_limits import seconds_told
from tradewind.orders.submission import DUPLICATE_CLIENT_ORDER_ID

UNAUTHORIZED = 401
FORBIDDEN = 403
# The server, or something before it, gave up waiting: nobody says what was done.
REQUEST_TIMEOUT = 408
RATE_LIMITED = 429

# 403 is also the answer to orders (buying power, wash trade, short sale). These are all there is
# to read when it is the key that may not ask.
_ABOUT_THE_KEY = ("", "forbidden", "unauthorized", "request is not authorized", "access denied")

Refusal = BrokerRejectedError | ThrottledError | OutcomeUnknownError


def refusal(asked: str, status: int, text: str, headers: Mapping[str, str]) -> Refusal:
    """The error of an answer that is no 2xx. ``asked`` is method and address.

    4xx was understood and refused; 429 was refused for rate, provably not carried out; 408, 5xx and
    redirects (never followed) leave it open. A body may be anything: an HTML page during
    maintenance, a proxy's text, JSON with a code in words.
    """
    code, message = _told(text)
    said = f"{asked}: status {status}: {text.strip()[:300]}"
    if status == RATE_LIMITED:
        return ThrottledError(said, retry_after=seconds_told(headers))
    if status >= 500 or status < 400 or status == REQUEST_TIMEOUT:
        return OutcomeUnknownError(said)
    words = message.lower().strip(" .")
    if status == UNAUTHORIZED or (status == FORBIDDEN and words in _ABOUT_THE_KEY):
        return BrokerKeyRefusedError(
            f"{said} (the broker refuses the key: put a good one, for this address, into the "
            "broker's secret)",
            code,
            status,
        )
    if "client_order_id must be unique" in words:
        code = DUPLICATE_CLIENT_ORDER_ID
    elif code == DUPLICATE_CLIENT_ORDER_ID and words and "client_order_id" not in words:
        # The same code stands for other invalid requests ("us_equity orders not allowed for
        # account"): those are refused, and there is no order to look for.
        code = None
    return BrokerRejectedError(said, code, status)


def _told(text: str) -> tuple[int | None, str]:
    """The body's code, where it is a number, and its message."""
    try:
        body = json.loads(text)
    except ValueError:
        return None, ""
    if not isinstance(body, dict):
        return None, ""
    code = str(body.get("code", ""))
    return (int(code) if code.isdecimal() else None), str(body.get("message") or "")

"""The MarketDataProvider Protocol over Alpaca's data API: GET /v2/stocks/bars.

Plain HTTP rather than alpaca-py's data client, which hands out floats and imports pandas (0.46 s of
a cold start). Bars are labelled by their START in UTC; a minute without trades has no bar.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Any

from tradewind.adapters.http import CONNECT_TIMEOUT, READ_TIMEOUT, session, with_retries
from tradewind.errors import (
    InvalidInputError,
    ProviderRefusedError,
    ProviderUnavailableError,
    ThrottledError,
)
from tradewind.market.bar import Bar, from_iso, to_iso

if TYPE_CHECKING:
    import requests

PAGE = 10_000


class AlpacaMarketData:
    """``url``: https://data.alpaca.markets; ``feed``: ``iex`` (free) or ``sip``."""

    def __init__(self, url: str, feed: str, api_key: str, secret_key: str) -> None:
        self._url = url.rstrip("/") + "/v2/stocks/bars"
        self._feed = feed
        self._headers = {"APCA-API-KEY-ID": api_key, "APCA-API-SECRET-KEY": secret_key}
        self._session: requests.Session | None = None

    def bars(self, symbols: Sequence[str], first: datetime, last: datetime) -> list[Bar]:
        """One call for all symbols, page by page."""
        query: dict[str, str | int] = {
            "symbols": ",".join(symbols),
            "timeframe": "1Min",
            "start": to_iso(first),
            "end": to_iso(last),
            "feed": self._feed,
            "adjustment": "raw",
            "limit": PAGE,
            "sort": "asc",
        }
        found: list[Bar] = []
        while True:
            page = with_retries(partial(self._page, query))
            found.extend(self._bars_of(page))
            token = page.get("next_page_token")
            if not token:
                return found
            query["page_token"] = token

    def _page(self, query: Mapping[str, str | int]) -> dict[str, Any]:
        from requests.exceptions import RequestException

        if self._session is None:
            self._session = session(self._headers)
        try:
            response = self._session.get(
                self._url, params=query, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)
            )
        except RequestException as error:
            raise ProviderUnavailableError(f"{self._url}: {type(error).__name__}") from error
        _raise_for_refusal(response)
        try:
            page = json.loads(response.content, parse_float=Decimal)
        except ValueError as error:
            raise ProviderUnavailableError(f"{self._url}: the body is not JSON") from error
        if not isinstance(page, dict) or not isinstance(page.get("bars"), dict | None):
            raise ProviderUnavailableError(f"{self._url}: the body holds no bars")
        return page

    def _bars_of(self, page: Mapping[str, Any]) -> list[Bar]:
        try:
            return [
                Bar(
                    symbol=symbol,
                    start=from_iso(raw["t"]),
                    open=_price(raw["o"]),
                    high=_price(raw["h"]),
                    low=_price(raw["l"]),
                    close=_price(raw["c"]),
                    volume=int(raw["v"]),
                    feed=self._feed,
                )
                for symbol, rows in (page["bars"] or {}).items()
                for raw in rows
            ]
        except (KeyError, TypeError, ValueError, InvalidOperation, InvalidInputError) as error:
            raise ProviderUnavailableError(f"{self._url}: not a bar: {error!r}") from error


def _price(value: Decimal | int) -> Decimal:
    return Decimal(value)


def _raise_for_refusal(response: requests.Response) -> None:
    if response.status_code < 400:
        return
    text = f"{response.url.split('?')[0]}: status {response.status_code}: {response.text[:200]}"
    if response.status_code == 429:
        after = response.headers.get("Retry-After", "")
        raise ThrottledError(text, float(after) if after.isdecimal() else None)
    if response.status_code >= 500:
        raise ProviderUnavailableError(text)
    raise ProviderRefusedError(text)

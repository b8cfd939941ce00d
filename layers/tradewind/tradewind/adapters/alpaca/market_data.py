"""The MarketDataProvider Protocol over Alpaca's data API: GET /v2/stocks/bars.

Plain HTTP rather than alpaca-py's data client, which hands out floats and imports pandas (0.46 s of
a cold start). Bars are labelled by their START in UTC; a minute without trades has no bar.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from tradewind.adapters.alpaca.credentials import Credentials
from tradewind.adapters.http import HttpAnswer, Transport, read_json, retry_after
from tradewind.errors import (
    FeedForbiddenError,
    InvalidInputError,
    KeyRefusedError,
    ProviderRefusedError,
    ProviderUnavailableError,
    ThrottledError,
    UnknownSymbolError,
    UnreadableAnswerError,
)
from tradewind.market.bar import MINUTE, Bar, from_iso, to_iso
from tradewind.market.ports import RequestBudget
from tradewind.use_cases.ports import Clock

logger = logging.getLogger(__name__)

PROVIDER = "alpaca"
PAGE = 10_000
# A filtered page may be empty and still have a successor; so many in a row lead nowhere.
MOST_IDLE_PAGES = 5


@dataclass(frozen=True, slots=True)
class _Question:
    symbols: frozenset[str]
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class _Page:
    bars: Mapping[tuple[str, datetime], Bar]
    token: str | None


class AlpacaMarketData:
    """``url``: https://data.alpaca.markets; ``feed``: ``iex`` (free) or ``sip``, which each bar
    carries; ``budget`` None: nobody else uses the key."""

    def __init__(
        self,
        url: str,
        feed: str,
        credentials: Credentials,
        clock: Clock,
        budget: RequestBudget | None = None,
    ) -> None:
        self._url = url.rstrip("/") + "/v2/stocks/bars"
        self._feed = feed
        self._clock = clock
        self._transport = Transport(
            PROVIDER,
            clock,
            budget,
            credentials.headers(),
        )

    def bars(self, symbols: Sequence[str], first: datetime, last: datetime) -> list[Bar]:
        """One call for all symbols, page by page.

        A bar that comes again with other values, on a later page, replaces the earlier one: late
        trades change a bar for half a minute, and the later answer is the newer truth.
        """
        last = min(last, self._clock.now() - MINUTE)
        if not symbols or first > last:
            return []
        asked = _Question(frozenset(symbols), first, last)
        query: dict[str, str | int] = {
            "symbols": ",".join(dict.fromkeys(symbols)),
            "timeframe": "1Min",
            "start": to_iso(first),
            "end": to_iso(last),
            "feed": self._feed,
            "adjustment": "raw",
            "limit": PAGE,
            "sort": "asc",
        }
        found: dict[tuple[str, datetime], Bar] = {}
        tokens: set[str] = set()
        idle = 0
        while True:
            page = self._transport.get(
                self._url, query, partial(self._page, asked=asked, known=tokens)
            )
            idle = 0 if page.bars.keys() - found.keys() else idle + 1
            found.update(page.bars)
            if page.token is None:
                break
            if idle == MOST_IDLE_PAGES:
                raise UnreadableAnswerError(f"{self._url}: {idle} pages in a row without a new bar")
            tokens.add(page.token)
            query["page_token"] = page.token
        return list(found.values())

    def _page(self, answer: HttpAnswer, asked: _Question, known: Collection[str]) -> _Page:
        if answer.status != 200:
            raise _failure(answer, self._clock.now())
        page = read_json(answer)
        if not isinstance(page, dict) or not isinstance(page.get("bars"), dict | None):
            raise UnreadableAnswerError(f"{self._url}: the body holds no bars")
        token = page.get("next_page_token") or None
        if token is not None and not isinstance(token, str):
            raise UnreadableAnswerError(f"{self._url}: next_page_token is {token!r}")
        if token in known:
            # Asking with it again would go round in circles; asking for this page again may not.
            raise UnreadableAnswerError(f"{self._url}: a page came again instead of the next")
        bars = self._bars_of(page["bars"] or {})
        for symbol, start in bars:
            if symbol not in asked.symbols or not asked.first <= start <= asked.last:
                raise UnreadableAnswerError(
                    f"{self._url}: {symbol} {to_iso(start)} was not asked for: another's answer"
                )
        return _Page(bars, token)

    def _bars_of(self, bars: Mapping[str, Any]) -> dict[tuple[str, datetime], Bar]:
        found: dict[tuple[str, datetime], Bar] = {}
        # The same few minutes come with every symbol.
        starts: dict[str, datetime] = {}
        try:
            for symbol, rows in bars.items():
                for raw in rows:
                    label = raw["t"]
                    start = starts.get(label) or starts.setdefault(label, from_iso(label))
                    bar = Bar(
                        symbol=symbol,
                        start=start,
                        open=_number(raw["o"]),
                        high=_number(raw["h"]),
                        low=_number(raw["l"]),
                        close=_number(raw["c"]),
                        volume=int(_number(raw["v"])),
                        feed=self._feed,
                    )
                    if found.setdefault((symbol, start), bar) != bar:
                        raise UnreadableAnswerError(
                            f"{self._url}: {symbol} {label} twice on a page with other values"
                        )
        except (KeyError, TypeError, ValueError, InvalidOperation, InvalidInputError) as error:
            raise UnreadableAnswerError(f"{self._url}: not a bar: {error!r}") from error
        return found


def _number(value: Any) -> Decimal:
    """JSON numbers arrive as int or Decimal; anything else is none."""
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a number")
    return Decimal(value)


def _failure(
    answer: HttpAnswer, now: datetime
) -> ProviderUnavailableError | ProviderRefusedError | ThrottledError:
    text = f"{answer.url}: status {answer.status}: {answer.text()}"
    said = answer.text().lower()
    if answer.status == 429:
        return ThrottledError(text, retry_after(answer, now))
    if answer.status >= 500 or answer.status == 408:
        return ProviderUnavailableError(text)
    if answer.status == 403 and ("subscription" in said or "sip" in said or "feed" in said):
        return FeedForbiddenError(
            f"{text} (DATA_FEED=iex, a larger plan, or minutes older than a quarter of an hour)"
        )
    if answer.status in (401, 403):
        return KeyRefusedError(f"{text} (put a good key into the broker's secret)")
    if answer.status in (400, 404, 422) and "symbol" in said:
        return UnknownSymbolError(f"{text} (check SYMBOLS)")
    return ProviderRefusedError(text)

"""The MarketDataProvider Protocol over Alpha Vantage: GET /query, function TIME_SERIES_INTRADAY.

One symbol a call, regular hours only, as traded. The newest minutes come as the ``compact`` body
(the last 100 bars), anything older month by month. Without real time in the plan (``entitlement``)
a day's bars come after the day.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from tradewind.adapters.alpha_vantage.answers import read_bars
from tradewind.adapters.alpha_vantage.labels import NEW_YORK
from tradewind.adapters.http import Transport
from tradewind.errors import UnknownSymbolError
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.ports import RequestBudget
from tradewind.use_cases.ports import Clock

logger = logging.getLogger(__name__)

PROVIDER = "alpha_vantage"
# The compact body's 100 bars reach at least so far back.
COMPACT = timedelta(minutes=99)


class AlphaVantageMarketData:
    """``url``: https://www.alphavantage.co; ``budget`` None: nobody else uses the key."""

    def __init__(
        self, url: str, api_key: str, clock: Clock, budget: RequestBudget | None = None
    ) -> None:
        self._url = url.rstrip("/") + "/query"
        self._api_key = api_key
        self._clock = clock
        self._transport = Transport(PROVIDER, clock, budget)

    def bars(self, symbols: Sequence[str], first: datetime, last: datetime) -> list[Bar]:
        """As the Protocol says; an error of one symbol is the error of all, but for an unknown
        symbol among known ones."""
        now = self._clock.now()
        last = min(last, now - MINUTE)
        if first > last:
            return []
        found: list[Bar] = []
        unknown: list[UnknownSymbolError] = []
        for symbol in dict.fromkeys(symbols):
            try:
                found.extend(self._bars_of(symbol, first, last, now))
            except UnknownSymbolError as error:
                unknown.append(error)
        if unknown and len(unknown) == len(set(symbols)):
            raise unknown[0]
        for refused in unknown:
            logger.warning("left out: %s", refused)
        return found

    def _bars_of(self, symbol: str, first: datetime, last: datetime, now: datetime) -> list[Bar]:
        """One bar a minute: months do not overlap, and a body holds a label once."""
        return [
            bar
            for extent in _extents(first, last, now)
            for bar in self._transport.get(
                self._url,
                {
                    "function": "TIME_SERIES_INTRADAY",
                    "symbol": symbol,
                    "interval": "1min",
                    "adjusted": "false",
                    "extended_hours": "false",
                    "datatype": "json",
                    **extent,
                    "apikey": self._api_key,
                },
                partial(read_bars, symbol=symbol, api_key=self._api_key, now=now),
            )
            if first <= bar.start <= last
        ]


def _extents(first: datetime, last: datetime, now: datetime) -> Iterator[dict[str, str]]:
    """The parameters of the calls that cover a range. Today's bars exist in real time only."""
    today = now.astimezone(NEW_YORK).date()
    if now - first <= COMPACT:
        yield {"outputsize": "compact", "entitlement": "realtime"}
        return
    day, end = (moment.astimezone(NEW_YORK).date() for moment in (first, last))
    fresh = {"entitlement": "realtime"} if end == today else {}
    day = day.replace(day=1)
    while day <= end:
        following = (day + timedelta(days=31)).replace(day=1)
        yield {"outputsize": "full", "month": f"{day:%Y-%m}", **(fresh if following > end else {})}
        day = following

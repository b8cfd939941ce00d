"""Whatever order, gaps and repeats an answer has, each minute comes once and is the right one."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.adapters.alpaca.market_data import AlpacaMarketData
from tradewind.adapters.alpha_vantage.answers import read_bars
from tradewind.adapters.alpha_vantage.labels import NEW_YORK
from tradewind.adapters.http import HttpAnswer
from tradewind.market.bar import MINUTE, to_iso
from tradewind.market.session import Session
from tradewind.market.session_table import default_table

from tests.fakes import FakeClock

NOW = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
ROW = {"1. open": "1", "2. high": "1", "3. low": "1", "4. close": "1", "5. volume": "100"}

SESSIONS = default_table().between(date(2005, 1, 1), date(2026, 11, 20))
HALF_DAYS = [session for session in SESSIONS if session.minutes < 300]
# Sessions beside the nights when the clocks change: the hour of the open in UTC is another one.
CHANGES = [
    session
    for before, after in pairwise(SESSIONS)
    if before.open.hour != after.open.hour
    for session in (before, after)
]

sessions = st.one_of(
    st.sampled_from(SESSIONS), st.sampled_from(HALF_DAYS), st.sampled_from(CHANGES)
)


@given(session=sessions, by_end=st.booleans(), data=st.data())
def test_a_sessions_labels_become_its_minutes(
    session: Session, by_end: bool, data: st.DataObject
) -> None:
    """Both label styles, any session since 2005, no-trade minutes anywhere but at the edges."""
    absent = data.draw(st.sets(st.integers(1, session.minutes - 2), max_size=60))
    minutes = sorted(set(range(session.minutes)) - absent)
    starts = [session.open + minute * MINUTE for minute in minutes]
    labels = [
        f"{(start + (MINUTE if by_end else 0 * MINUTE)).astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S}"
        for start in starts
    ]
    shuffled = data.draw(st.permutations(labels[:20])) + labels[:19:-1]
    body = json.dumps({"Time Series (1min)": dict.fromkeys(shuffled, ROW)}).encode()
    bars = read_bars(HttpAnswer("u", 200, {}, body), "AAPL", "key", NOW)
    assert sorted(bar.start for bar in bars) == starts


class PagesInARow:
    """In the transport's place: hands out its pages one by one, the last one as the last."""

    def __init__(self, pages: list[dict[str, Any]]) -> None:
        self._pages = pages
        self._given = 0

    def get(self, url: str, query: dict[str, Any], read: Any) -> Any:
        page = self._pages[self._given]
        self._given += 1
        token = f"t{self._given}" if self._given < len(self._pages) else None
        body = json.dumps({"bars": page, "next_page_token": token}).encode()
        return read(HttpAnswer(url, 200, {}, body))


symbols = st.sampled_from(("AAPL", "MSFT"))
# Symbol, minute, price: a page repeats minutes and even rows.
rows = st.lists(st.tuples(symbols, st.integers(0, 5), st.integers(1, 3)), max_size=8)


@given(pages=st.lists(rows, min_size=1, max_size=5))
def test_each_minute_comes_once_with_its_latest_values(
    pages: list[list[tuple[str, int, int]]],
) -> None:
    first = SESSIONS[-1].open
    latest: dict[tuple[str, datetime], Decimal] = {}
    bodies: list[dict[str, Any]] = []
    for page in pages:
        # A page does not contradict itself: its first price of a minute is its only one.
        prices: dict[tuple[str, int], int] = {}
        body: dict[str, list[dict[str, object]]] = {}
        for symbol, minute, drawn in page:
            price = prices.setdefault((symbol, minute), drawn)
            start = first + minute * MINUTE
            body.setdefault(symbol, []).append(
                {"t": to_iso(start), **dict.fromkeys(("o", "h", "l", "c"), price), "v": 1}
            )
            latest[symbol, start] = Decimal(price)
        bodies.append(body)
    provider = AlpacaMarketData("http://alpaca", "iex", ApiKey("key", "secret"), FakeClock(NOW))
    provider._transport = PagesInARow(bodies)  # type: ignore[assignment]
    bars = provider.bars(("AAPL", "MSFT"), first, first + 5 * MINUTE)
    assert len(bars) == len(latest)
    assert {(bar.symbol, bar.start): bar.close for bar in bars} == latest

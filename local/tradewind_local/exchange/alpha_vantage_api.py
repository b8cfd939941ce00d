"""Alpha Vantage's ``GET /query`` over the same bars: TIME_SERIES_INTRADAY in one-minute JSON.

As it answered in 2026: newest first, New York wall clock, a plan without real time
(``entitlement``) sees yesterday's bars, and every refusal is HTTP 200 with a sentence. A label is
the START of its minute; in a replay of the years before July 2023 its END, as it was then. Rate
limits are left to scripted faults.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from tradewind.market.bar import MINUTE, Bar

from tradewind_local.exchange.engine import Exchange
from tradewind_local.exchange.http_messages import Request, Response
from tradewind_local.exchange.wire import NEW_YORK

COMPACT = 100
FULL_DAYS = 30
LABELLED_BY_START_SINCE = date(2023, 7, 10)
EXTENDED = (timedelta(hours=4), timedelta(hours=20))
_CENTS = Decimal("0.0001")

BAD_KEY = (
    "the parameter apikey is invalid or missing. Please claim your free API key on "
    "(https://www.alphavantage.co/support/#api-key). It should take less than 20 seconds."
)
BAD_CALL = (
    "Invalid API call. Please retry or visit the documentation "
    "(https://www.alphavantage.co/documentation/) for TIME_SERIES_INTRADAY."
)


def get_query(exchange: Exchange, request: Request) -> Response:
    query = request.query
    symbol = query.get("symbol", "")
    if not query.get("apikey"):
        return _refusal(BAD_KEY)
    if (
        query.get("function") != "TIME_SERIES_INTRADAY"
        or query.get("interval") != "1min"
        or query.get("datatype", "json") != "json"
        or symbol not in exchange.book.symbols
    ):
        return _refusal(BAD_CALL)
    extent = _extent(exchange.time, query.get("month"))
    if extent is None:
        return _refusal(BAD_CALL)
    first, last = extent
    today = _midnight(exchange.time)
    realtime = query.get("entitlement") == "realtime"
    last = min(last, exchange.time - MINUTE if realtime else today - MINUTE)
    regular = query.get("extended_hours", "true") == "false"
    bars = [
        bar
        for bar in exchange.book.bars(symbol, first, last, -1, newest_first=True)
        if (exchange.sessions.in_session(bar.start) if regular else _in_extended_hours(bar))
    ]
    full = query.get("outputsize", "compact") == "full"
    by_end = today.date() < LABELLED_BY_START_SINCE
    shift = MINUTE if by_end else timedelta()
    return _series(symbol, bars if full else bars[:COMPACT], shift, full)


def _refusal(sentence: str) -> Response:
    return Response.json({"Error Message": sentence})


def _extent(now: datetime, month: str | None) -> tuple[datetime, datetime] | None:
    """First and last instant of a month in New York, or of the latest 30 days; None when that is
    no month."""
    if month is None:
        return now - timedelta(days=FULL_DAYS), now
    try:
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=NEW_YORK)
    except ValueError:
        return None
    return first, (first + timedelta(days=31)).replace(day=1) - MINUTE


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)


def _in_extended_hours(bar: Bar) -> bool:
    local = bar.start.astimezone(NEW_YORK)
    return EXTENDED[0] <= timedelta(hours=local.hour, minutes=local.minute) < EXTENDED[1]


def _series(symbol: str, bars: list[Bar], shift: timedelta, full: bool) -> Response:
    labels = [f"{(bar.start + shift).astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S}" for bar in bars]
    meta = {
        "1. Information": "Intraday (1min) open, high, low, close prices and volume",
        "2. Symbol": symbol,
        "3. Last Refreshed": labels[0] if labels else "",
        "4. Interval": "1min",
        "5. Output Size": "Full size" if full else "Compact",
        "6. Time Zone": "US/Eastern",
    }
    series = {
        label: {
            "1. open": _price(bar.open),
            "2. high": _price(bar.high),
            "3. low": _price(bar.low),
            "4. close": _price(bar.close),
            "5. volume": str(bar.volume),
        }
        for label, bar in zip(labels, bars, strict=True)
    }
    return Response.json({"Meta Data": meta, "Time Series (1min)": series})


def _price(price: Decimal) -> str:
    """Four decimals, more only where the bar has them."""
    four = price.quantize(_CENTS)
    return format(four if four == price else price, "f")

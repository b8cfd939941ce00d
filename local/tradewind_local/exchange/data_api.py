"""Alpaca's market data API: bars whose minute is over, trades and quotes under ``/v2/stocks``, and
the corporate actions that were announced."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from datetime import date, datetime, timedelta

from tradewind.market.bar import MINUTE, Bar, to_iso

from tradewind_local.exchange.bodies import Body, bar_body, quote_body, trade_body
from tradewind_local.exchange.engine import Exchange
from tradewind_local.exchange.http_messages import Request, Response
from tradewind_local.exchange.refusals import data_error
from tradewind_local.exchange.ticks import Tick
from tradewind_local.exchange.wire import read_time

MOST_BARS = 10_000
FREE_FEED = "iex"
FEEDS = (FREE_FEED, "sip", "delayed_sip", "otc", "boats", "overnight")
# On the free plan the consolidated tape is closed for the newest quarter of an hour.
SIP_DELAY = timedelta(minutes=15)


def get_corporate_actions(exchange: Exchange, request: Request) -> Response:
    """What was announced, on one page; its bars are what they were recorded as. Both days are today
    where none is given."""
    today = exchange.time.date()
    found = exchange.announcements.of(
        request.names("symbols"),
        request.names("types"),
        _day(request, "start") or today,
        _day(request, "end") or today,
    )
    return Response.json({"corporate_actions": found, "next_page_token": None})


def get_bars(exchange: Exchange, request: Request, symbol: str | None = None) -> Response:
    """One page of bars, symbol by symbol; ``limit`` counts over all of them."""
    timeframe = request.query.get("timeframe")
    if timeframe not in ("1Min", "1T"):
        raise data_error(400, f"invalid timeframe: {timeframe}; the simulated exchange has 1Min")
    now = exchange.time
    first = request.time("start") or now.replace(hour=0, minute=0, second=0, microsecond=0)
    asked_until = request.time("end")
    _check_feed(request, asked_until, now)
    last = min(asked_until or now, now - MINUTE)
    newest_first = request.query.get("sort", "asc") == "desc"
    left = request.count("limit", 1_000, MOST_BARS)
    resume_symbol, resume_after = _read_token(request.query.get("page_token"))

    pages: dict[str, list[Body]] = {}
    token = None
    for name in [symbol] if symbol else sorted(set(_symbols(request))):
        low, high = first, last
        if resume_symbol is not None and resume_after is not None:
            if name < resume_symbol:
                continue
            if name == resume_symbol and newest_first:
                high = min(high, resume_after - MINUTE)
            elif name == resume_symbol:
                low = max(low, resume_after + MINUTE)
        bars = exchange.book.bars(name, low, high, left + 1, newest_first)
        page, more = bars[:left], bars[left:]
        if page:
            pages[name] = [bar_body(bar, exchange.book.tick_count(bar)) for bar in page]
            left -= len(page)
            last_given = page[-1]
        if more:
            token = _token(last_given)
            break
    if symbol:
        return Response.json(
            {"bars": pages.get(symbol, []), "symbol": symbol, "next_page_token": token}
        )
    return Response.json({"bars": pages, "next_page_token": token})


def get_latest_bars(exchange: Exchange, request: Request, symbol: str | None = None) -> Response:
    def latest(name: str) -> Body | None:
        bar = exchange.book.latest_complete(name, exchange.time)
        return None if bar is None else bar_body(bar, exchange.book.tick_count(bar))

    return _latest(exchange, request, symbol, "bar", latest)


def get_latest_trades(exchange: Exchange, request: Request, symbol: str | None = None) -> Response:
    return _latest(exchange, request, symbol, "trade", _from_tick(exchange, trade_body))


def get_latest_quotes(exchange: Exchange, request: Request, symbol: str | None = None) -> Response:
    return _latest(exchange, request, symbol, "quote", _from_tick(exchange, quote_body))


def _from_tick(exchange: Exchange, body: Callable[[Tick], Body]) -> Callable[[str], Body | None]:
    def latest(name: str) -> Body | None:
        tick = exchange.book.last_tick(name, exchange.time)
        return None if tick is None else body(tick)

    return latest


def _latest(
    exchange: Exchange,
    request: Request,
    symbol: str | None,
    kind: str,
    latest: Callable[[str], Body | None],
) -> Response:
    """Symbols the market does not know are left out, as the broker does."""
    _check_feed(request, None, exchange.time)
    if symbol:
        body = latest(symbol)
        if body is None:
            raise data_error(404, f"no {kind} found for {symbol}")
        return Response.json({"symbol": symbol, kind: body})
    found = {name: latest(name) for name in sorted(set(_symbols(request)))}
    return Response.json(
        {f"{kind}s": {name: body for name, body in found.items() if body is not None}}
    )


def _symbols(request: Request) -> list[str]:
    symbols = request.names("symbols")
    if not symbols:
        raise data_error(400, "symbols is required")
    return symbols


def _check_feed(request: Request, until: datetime | None, now: datetime) -> None:
    feed = request.query.get("feed", FREE_FEED)
    if feed not in FEEDS:
        raise data_error(400, f"invalid feed: {feed}")
    if feed == "sip" and (until is None or until > now - SIP_DELAY):
        raise data_error(403, "subscription does not permit querying recent SIP data")


def _token(bar: Bar) -> str:
    """``AAPL|M|2022-01-03T09:00:00.000000000Z`` in base64, as the recorded one reads."""
    text = f"{bar.symbol}|M|{to_iso(bar.start).removesuffix('Z')}.000000000Z"
    return b64encode(text.encode()).decode()


def _day(request: Request, name: str) -> date | None:
    text = request.query.get(name)
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise data_error(400, f"invalid {name}: {text}") from None


def _read_token(token: str | None) -> tuple[str | None, datetime | None]:
    if token is None:
        return None, None
    try:
        symbol, _, moment = b64decode(token, validate=True).decode().split("|")
        return symbol, read_time(moment)
    except (Base64Error, ValueError):
        raise data_error(400, f"invalid page_token: {token}") from None

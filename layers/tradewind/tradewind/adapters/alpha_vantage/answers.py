"""What an answer of Alpha Vantage says: a series of bars, or one of its refusals.

A refusal is HTTP 200 with a sentence instead of the series. The sentences change from year to year,
so they are told apart by what they have in common, the most particular first: a burst notice
mentions the daily limit and the premium endpoints too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from tradewind.adapters.alpha_vantage.labels import NEW_YORK, label_side, start_of
from tradewind.adapters.http import HttpAnswer, read_json, retry_after
from tradewind.errors import (
    DailyQuotaError,
    EmptyAnswerError,
    InvalidInputError,
    KeyRefusedError,
    PlanTooSmallError,
    ProviderRefusedError,
    ProviderUnavailableError,
    ThrottledError,
    UnknownNoticeError,
    UnknownSymbolError,
    UnreadableAnswerError,
)
from tradewind.market.bar import Bar

FEED = "alpha_vantage"
SERIES = "Time Series (1min)"
# Where a refusal's sentence stands.
NOTICES = ("Error Message", "Information", "Note", "message", "detail")
ZONES = ("US/Eastern", "America/New_York")
# "Thank you for using Alpha Vantage!" without a figure: the plan of 5 calls a minute.
USUAL_SPACING = 12.0

_PREMIUM = re.compile(r"\bis (?:a |only available (?:to|for) )?premium\b")
_BAD_KEY = re.compile(r"apikey is invalid|invalid api ?key|api key is for demo purposes")
_RATE = re.compile(r"(\d+)[\w ]{0,24}?\bper (second|minute)")
_BURST = re.compile(r"call frequency|call volume|spreading out|per-second|per (?:second|minute)")
_QUOTA = re.compile(r"per day|daily (?:rate )?limit|daily quota")
_BAD_CALL = re.compile(r"invalid api call|invalid symbol|symbol (?:is )?not found")


def read_bars(answer: HttpAnswer, symbol: str, api_key: str, now: datetime) -> list[Bar]:
    """The bars of a body, any order, START in UTC, feed ``alpha_vantage``.

    ``api_key`` is taken out of what is quoted in errors: some notices repeat it.
    """
    if answer.status != 200:
        raise _failure(answer, api_key, now)
    body = read_json(answer, _object)
    if not isinstance(body, dict):
        raise UnreadableAnswerError(f"{answer.url}: {symbol}: the body is not an object")
    if not body:
        raise EmptyAnswerError(f"{answer.url}: {symbol}: the body is {{}}")
    series = body.get(SERIES)
    if isinstance(series, dict):
        _check_subject(answer, body.get("Meta Data"), symbol)
        return _bars(answer, series, symbol)
    notice = next((body[name] for name in NOTICES if isinstance(body.get(name), str)), None)
    if notice is None:
        raise UnreadableAnswerError(
            f"{answer.url}: {symbol}: neither {SERIES!r} nor a notice, but {sorted(body)[:5]}"
        )
    raise refusal(notice.replace(api_key, "***"), symbol, now)


def refusal(notice: str, symbol: str, now: datetime) -> ProviderRefusedError | ThrottledError:
    """The error that a notice stands for."""
    said = f"Alpha Vantage, {symbol}: {notice}"
    text = notice.lower()
    if _BAD_KEY.search(text):
        return KeyRefusedError(f"{said} (put a good key into the secret)")
    if _PREMIUM.search(text):
        return PlanTooSmallError(f"{said} (a larger plan, or DATA_PROVIDER=alpaca)")
    if _BURST.search(text):
        rate = _RATE.search(text)
        seconds = {"second": 1.0, "minute": 60.0}[rate[2]] / max(int(rate[1]), 1) if rate else None
        return ThrottledError(said, seconds or USUAL_SPACING)
    if _QUOTA.search(text):
        return DailyQuotaError(said, _until_tomorrow(now))
    if _BAD_CALL.search(text):
        return UnknownSymbolError(f"{said} (check the symbol)")
    return UnknownNoticeError(said)


def _failure(
    answer: HttpAnswer, api_key: str, now: datetime
) -> ProviderUnavailableError | ProviderRefusedError | ThrottledError:
    text = f"{answer.url}: status {answer.status}: {answer.text().replace(api_key, '***')}"
    if answer.status == 429:
        return ThrottledError(text, retry_after(answer, now))
    if answer.status >= 500 or answer.status == 408:
        return ProviderUnavailableError(text)
    if answer.status in (401, 403):
        return KeyRefusedError(text)
    return ProviderRefusedError(text)


def _until_tomorrow(now: datetime) -> float:
    """Seconds to the next midnight in New York. When the provider's day ends is documented
    nowhere; should it end later, the first request of our day is refused again."""
    local = now.astimezone(NEW_YORK)
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - now).total_seconds()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a label that comes twice with other values is no answer."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if found.setdefault(name, value) != value:
            raise UnreadableAnswerError(f"the body gives {name!r} twice with other values")
    return found


def _check_subject(answer: HttpAnswer, meta: Any, symbol: str) -> None:
    """Bars of another symbol or in another time zone must not pass for those asked for."""
    if not isinstance(meta, Mapping):
        return
    for name, value in meta.items():
        if name.endswith("Symbol") and _plain(str(value)) != _plain(symbol):
            raise UnreadableAnswerError(f"{answer.url}: asked for {symbol}, got {value}")
        if name.endswith("Time Zone") and value not in ZONES:
            raise UnreadableAnswerError(f"{answer.url}: {symbol}: times are in {value!r}")


def _plain(symbol: str) -> str:
    return symbol.upper().replace("-", ".")


def _bars(answer: HttpAnswer, series: Mapping[str, Any], symbol: str) -> list[Bar]:
    try:
        rows = {datetime.fromisoformat(label): _row(row) for label, row in series.items()}
        if not rows:
            return []
        side = label_side({label: volume for label, (_, volume) in rows.items()})
        return [
            Bar(symbol, start_of(label, side), *prices, volume=volume, feed=FEED)
            for label, (prices, volume) in rows.items()
        ]
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        InvalidOperation,
        InvalidInputError,
    ) as error:
        raise UnreadableAnswerError(f"{answer.url}: {symbol}: not a bar: {error!r}") from error


def _row(row: Mapping[str, Any]) -> tuple[tuple[Decimal, Decimal, Decimal, Decimal], int]:
    """Open, high, low, close; volume. The numbers come as text."""
    prices = tuple(_number(row[name]) for name in ("1. open", "2. high", "3. low", "4. close"))
    volume = _number(row["5. volume"])
    if volume != int(volume):
        raise ValueError(f"volume {volume} is not a whole number of shares")
    opened, high, low, close = prices
    return (opened, high, low, close), int(volume)


def _number(value: Any) -> Decimal:
    if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a number")
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a number")
    return number

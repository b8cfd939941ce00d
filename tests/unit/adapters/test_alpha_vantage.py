"""Bars from Alpha Vantage: what is asked for, what comes of it, and its refusals in HTTP 200."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from tradewind.adapters.alpha_vantage.answers import read_bars, refusal
from tradewind.adapters.alpha_vantage.market_data import AlphaVantageMarketData
from tradewind.adapters.http import ATTEMPTS, HttpAnswer
from tradewind.errors import (
    DailyQuotaError,
    EmptyAnswerError,
    KeyRefusedError,
    PlanTooSmallError,
    ProviderRefusedError,
    ProviderUnavailableError,
    RetryableError,
    ThrottledError,
    UnknownNoticeError,
    UnknownSymbolError,
    UnreadableAnswerError,
)
from tradewind.market.bar import MINUTE, Bar

from tests.fakes import FakeClock
from tests.unit.adapters.http_server import Answer, serving

FIXTURES = Path(__file__).parents[4] / "shared" / "data" / "fixtures_alphavantage"
OPEN = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)  # a Monday
KEY = "K3Y0123456789"


def row(close: str = "10.5", volume: str = "100") -> dict[str, str]:
    prices = {"1. open": "10.1", "2. high": "11.0", "3. low": "9.0", "4. close": close}
    return {**prices, "5. volume": volume}


def body(rows: dict[str, Any], symbol: str = "IBM", zone: str = "US/Eastern") -> dict[str, Any]:
    """As it came in 2026: labels are New York time of the minute's START."""
    meta = {"2. Symbol": symbol, "4. Interval": "1min", "6. Time Zone": zone}
    return {"Meta Data": meta, "Time Series (1min)": rows}


def morning(*minutes: int, symbol: str = "IBM") -> dict[str, Any]:
    """Newest first, as they come."""
    return body({f"2026-11-23 09:{30 + minute}:00": row() for minute in reversed(minutes)}, symbol)


def provider(url: str, now: datetime = OPEN + 10 * MINUTE) -> AlphaVantageMarketData:
    return AlphaVantageMarketData(url, KEY, FakeClock(now))


def fetch(url: str, *symbols: str, now: datetime = OPEN + 10 * MINUTE) -> list[Bar]:
    return provider(url, now).bars(symbols or ("IBM",), OPEN, OPEN + 9 * MINUTE)


def asked(requests: list[tuple[str, str, Any]]) -> list[dict[str, str]]:
    return [
        {name: values[0] for name, values in parse_qs(urlparse(path).query).items()}
        for _, path, _ in requests
    ]


def test_the_newest_minutes_come_as_the_compact_body() -> None:
    with serving(Answer(body=morning(0, 1, 2))) as server:
        bars = fetch(server.url)
        (query,) = asked(server.requests)
    assert bars[-1] == Bar(
        "IBM", OPEN, D("10.1"), D("11.0"), D("9.0"), D("10.5"), 100, bars[0].feed
    )
    assert bars[0].feed == "alpha_vantage"
    assert sorted(bar.start for bar in bars) == [OPEN, OPEN + MINUTE, OPEN + 2 * MINUTE]
    assert query == {
        "function": "TIME_SERIES_INTRADAY",
        "symbol": "IBM",
        "interval": "1min",
        "adjusted": "false",
        "extended_hours": "false",
        "datatype": "json",
        "outputsize": "compact",
        "entitlement": "realtime",
        "apikey": KEY,
    }


# First and last asked for (New York dates), months asked for.
MONTHS: list[tuple[datetime, datetime, list[str]]] = [
    (datetime(2026, 11, 20, 15, tzinfo=UTC), datetime(2026, 11, 20, 16, tzinfo=UTC), ["2026-11"]),
    (
        datetime(2025, 12, 31, 15, tzinfo=UTC),
        datetime(2026, 2, 2, 15, tzinfo=UTC),
        ["2025-12", "2026-01", "2026-02"],
    ),
    (OPEN, OPEN + 9 * MINUTE, ["2026-11"]),  # this morning
    (
        datetime(2026, 10, 30, 15, tzinfo=UTC),
        datetime(2026, 11, 23, 19, tzinfo=UTC),
        ["2026-10", "2026-11"],
    ),
    # 2026-04-01 03:00 in UTC is still March in New York.
    (datetime(2026, 4, 1, 3, tzinfo=UTC), datetime(2026, 4, 1, 3, 59, tzinfo=UTC), ["2026-03"]),
]


@pytest.mark.parametrize(("first", "last", "months"), MONTHS)
def test_older_minutes_come_month_by_month(
    first: datetime, last: datetime, months: list[str]
) -> None:
    now = datetime(2026, 11, 23, 20, tzinfo=UTC)
    with serving(Answer(body=body({}))) as server:
        assert provider(server.url, now).bars(("IBM",), first, last) == []
        queries = asked(server.requests)
    assert [(query["month"], query["outputsize"]) for query in queries] == [
        (month, "full") for month in months
    ]
    # Only the call that reaches today has to be in real time.
    today = last >= datetime(2026, 11, 23, 5, tzinfo=UTC)
    assert [query.get("entitlement") for query in queries] == [
        "realtime" if today and month == months[-1] else None for month in months
    ]


def test_each_symbol_is_a_call_and_each_only_once() -> None:
    with serving(Answer(body=morning(0)), Answer(body=morning(0, symbol="BRK-B"))) as server:
        bars = fetch(server.url, "IBM", "BRK.B", "IBM")
        assert len(server.requests) == 2
    assert [bar.symbol for bar in bars] == ["IBM", "BRK.B"]


def test_only_what_was_asked_for_and_is_complete() -> None:
    """At 09:33:30 the bar of 09:32 is the newest complete one; 09:33 is still being made."""
    with serving(Answer(body=morning(0, 1, 2, 3))) as server:
        now = OPEN + timedelta(minutes=3, seconds=30)
        bars = provider(server.url, now).bars(("IBM",), OPEN + MINUTE, OPEN + 9 * MINUTE)
    assert sorted(bar.start for bar in bars) == [OPEN + MINUTE, OPEN + 2 * MINUTE]


def test_nothing_is_asked_for_a_range_that_is_empty_or_ahead() -> None:
    with serving(Answer(404)) as server:
        assert provider(server.url).bars(("IBM",), OPEN + MINUTE, OPEN) == []
        assert provider(server.url).bars((), OPEN, OPEN) == []
        assert provider(server.url, OPEN).bars(("IBM",), OPEN, OPEN) == []
        assert server.requests == []


UNKNOWN = {"Error Message": "Invalid API call. Please retry or visit the documentation"}


def test_an_unknown_symbol_does_not_cost_the_known_ones() -> None:
    with serving(Answer(body=UNKNOWN), Answer(body=morning(0))) as server:
        assert [bar.symbol for bar in fetch(server.url, "NOPE", "IBM")] == ["IBM"]


def test_symbols_that_are_all_unknown_are_an_error() -> None:
    with serving(Answer(body=UNKNOWN)) as server:
        with pytest.raises(UnknownSymbolError, match=r"NOPE: Invalid API call.*check the symbol"):
            fetch(server.url, "NOPE", "NADA")
        assert len(server.requests) == 2


# -- refusals --------------------------------------------------------------------------------

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)  # 15:00 in New York: nine hours to midnight
NINE_HOURS = 9 * 3600.0

# Wordings of other years, beside those that were recorded (below). Seconds until a retry may help,
# None where it will not.
NOTICES: list[tuple[str, type[Exception], float | None]] = [
    (
        "Thank you for using Alpha Vantage! Our standard API rate limit is 25 requests per day. "
        "Please subscribe to any of the premium plans at https://www.alphavantage.co/premium/ to "
        "instantly remove all daily rate limits.",
        DailyQuotaError,
        NINE_HOURS,
    ),
    (
        "Thank you for using Alpha Vantage! Our standard API rate limit is 5 requests per minute "
        "and 100 requests per day. Please visit https://www.alphavantage.co/premium/",
        ThrottledError,
        12.0,
    ),
    (
        "Thank you for using Alpha Vantage! Our standard API call frequency is 5 requests per "
        "minute and 500 requests per day.",
        ThrottledError,
        12.0,
    ),
    ("You have exceeded 75 API requests per minute.", ThrottledError, 0.8),
    ("Please consider optimizing your API call frequency.", ThrottledError, 12.0),
    (
        "Thank you for using Alpha Vantage! This is a premium endpoint and there are multiple ways "
        "to unlock premium endpoints: subscribe to remove the limit of 25 requests per day.",
        PlanTooSmallError,
        None,
    ),
    ("Invalid API key. Please claim your free API key.", KeyRefusedError, None),
    ("the parameter apikey is invalid or missing.", KeyRefusedError, None),
    ("We are closed for maintenance.", UnknownNoticeError, None),
    ("", UnknownNoticeError, None),
]


@pytest.mark.parametrize(("notice", "error", "seconds"), NOTICES)
def test_notices_by_their_wording(
    notice: str, error: type[Exception], seconds: float | None
) -> None:
    told = refusal(notice, "IBM", NOW)
    assert type(told) is error
    assert isinstance(told, RetryableError) is (seconds is not None)
    assert getattr(told, "retry_after", None) == seconds
    assert notice in str(told)


# notice_bodies.json by kind: the error, and when a retry may help.
KINDS: dict[str, tuple[type[Exception], float | None]] = {
    "daily_quota": (DailyQuotaError, NINE_HOURS),
    "burst_1_per_second": (ThrottledError, 1.0),
    "premium_endpoint": (PlanTooSmallError, None),
    "premium_parameter": (PlanTooSmallError, None),
    "demo_key": (KeyRefusedError, None),
    "bad_key": (KeyRefusedError, None),
    "bad_symbol_or_call": (UnknownSymbolError, None),
    "legacy_note_5_per_min": (ThrottledError, 12.0),
    "accept_header": (ProviderRefusedError, None),
}


def recorded(name: str) -> bytes:
    file = FIXTURES / name
    if not file.is_file():
        pytest.skip("../shared/data/fixtures_alphavantage is absent")
    return file.read_bytes()


def read(raw: bytes, symbol: str = "IBM", status: int = 200) -> list[Bar]:
    return read_bars(HttpAnswer("u", status, {}, raw), symbol, KEY, NOW)


def test_every_recorded_notice_has_its_error() -> None:
    rows = json.loads(recorded("notice_bodies.json"))
    assert {row["kind"] for row in rows} == KINDS.keys()
    for given in rows:
        error, seconds = KINDS[given["kind"]]
        with pytest.raises(error) as thrown:
            read(json.dumps(given["body"]).encode(), status=given["http_status"])
        assert type(thrown.value) is error, given["kind"]
        assert getattr(thrown.value, "retry_after", None) == seconds, given["kind"]


LEGACY: list[tuple[str, type[Exception]]] = [
    ("legacy_ApiLimit.json", ThrottledError),
    ("legacy_Error.json", UnknownSymbolError),
    # "... if you would like to have a higher API call volume": what was said of too many calls.
    ("legacy_PremiumMessage.json", ThrottledError),
    ("recorded_2026_05_demo_REALTIME_BULK_QUOTES_505ed5cc.json", PlanTooSmallError),
]


@pytest.mark.parametrize(("name", "error"), LEGACY)
def test_recorded_refusals_of_other_years(name: str, error: type[Exception]) -> None:
    with pytest.raises(error) as thrown:
        read(recorded(name))
    assert type(thrown.value) is error


def test_bodies_of_other_functions_are_no_bars() -> None:
    for name in (
        "GLOBAL_QUOTE_MSFT_2018.json",
        "SYMBOL_SEARCH_BA.json",
        "TIME_SERIES_INTRADAY_5min_IBM_2020.json",
        "recorded_2026_05_demo_MARKET_STATUS_b3880d61.json",
        "recorded_2026_05_demo_TIME_SERIES_INTRADAY_3dbdcdc7.csv",
    ):
        with pytest.raises(UnreadableAnswerError):
            read(recorded(name))


def test_the_recorded_minutes_of_2017_are_read() -> None:
    """Labelled by END: 14:56 is the minute that began at 14:55, 19:55 in UTC."""
    bars = read(recorded("TIME_SERIES_INTRADAY_1min_MSFT_2017.json"), "MSFT")
    assert len(bars) == 100
    assert bars[0] == Bar(
        "MSFT",
        datetime(2017, 12, 18, 19, 55, tzinfo=UTC),
        D("86.4900"),
        D("86.5000"),
        D("86.4750"),
        D("86.5000"),
        10494,
        "alpha_vantage",
    )
    assert bars[-1].start == datetime(2017, 12, 18, 18, 16, tzinfo=UTC)


# What, the body, the error. None of them is a KeyError.
UNREADABLE: list[tuple[str, bytes, type[Exception]]] = [
    ("nothing", b"", EmptyAnswerError),
    ("an empty object", b"{}", EmptyAnswerError),
    ("truncated", json.dumps(morning(0, 1)).encode()[:-40], UnreadableAnswerError),
    ("HTML", b"<html>Service unavailable</html>", UnreadableAnswerError),
    ("an array", b"[]", UnreadableAnswerError),
    ("neither series nor notice", b'{"Meta Data": {}}', UnreadableAnswerError),
    ("a notice that is no text", b'{"Information": 7}', UnreadableAnswerError),
    ("a series that is none", b'{"Time Series (1min)": []}', UnreadableAnswerError),
    ("another symbol", json.dumps(morning(0, symbol="MSFT")).encode(), UnreadableAnswerError),
    (
        "another time zone",
        json.dumps(body({"2026-11-23 09:30:00": row()}, zone="UTC")).encode(),
        UnreadableAnswerError,
    ),
    (
        "a label twice",
        b'{"Time Series (1min)": {"2026-11-23 09:30:00": %s, "2026-11-23 09:30:00": %s}}'
        % (json.dumps(row()).encode(), json.dumps(row("10.6")).encode()),
        UnreadableAnswerError,
    ),
]
ROWS: list[tuple[str, str, Any]] = [
    ("a row without prices", "2026-11-23 09:30:00", {"1. open": "1"}),
    ("a row of another kind", "2026-11-23 09:30:00", 7),
    ("a price of words", "2026-11-23 09:30:00", row("ten")),
    ("not a number", "2026-11-23 09:30:00", row("NaN")),
    ("no price", "2026-11-23 09:30:00", {**row(), "4. close": None}),
    ("half a share", "2026-11-23 09:30:00", row(volume="0.5")),
    ("a label of words", "yesterday", row()),
    ("a label with an offset", "2026-11-23 09:30:00+00:00", row()),
    ("a label that exists twice", "2026-11-01 01:30:00", row()),
]


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        *(case[1:] for case in UNREADABLE),
        *(
            (json.dumps(body({label: given})).encode(), UnreadableAnswerError)
            for _, label, given in ROWS
        ),
    ],
    ids=[case[0] for case in (*UNREADABLE, *ROWS)],
)
def test_what_is_no_answer(raw: bytes, error: type[Exception]) -> None:
    with pytest.raises(error) as thrown:
        read(raw)
    assert type(thrown.value) is error
    with serving(Answer(200, raw), Answer(body=morning(0))) as server:
        assert len(fetch(server.url)) == 1  # and it is asked for again


def test_the_same_label_twice_with_the_same_values_counts_once() -> None:
    one = json.dumps(row()).encode()
    label = b'"2026-11-23 09:30:00": '
    assert len(read(b'{"Time Series (1min)": {%s%s, %s%s}}' % (label, one, label, one))) == 1


def test_a_series_beside_a_notice_is_a_series() -> None:
    assert len(read(json.dumps({**morning(0), "Information": "premium!"}).encode())) == 1


STATUSES: list[tuple[int, type[Exception], int]] = [
    (429, ThrottledError, ATTEMPTS),
    (503, ProviderUnavailableError, ATTEMPTS),
    (403, KeyRefusedError, 1),
    (406, ProviderRefusedError, 1),
]


@pytest.mark.parametrize(("status", "error", "requests"), STATUSES)
def test_refusals_by_status(status: int, error: type[Exception], requests: int) -> None:
    with serving(Answer(status, {})) as server:
        with pytest.raises(error) as thrown:
            fetch(server.url)
        assert type(thrown.value) is error
        assert len(server.requests) == requests


def test_a_burst_is_waited_out_and_a_quota_is_not() -> None:
    rows = {row["kind"]: row["body"] for row in json.loads(recorded("notice_bodies.json"))}
    with serving(Answer(body=rows["burst_1_per_second"]), Answer(body=morning(0))) as server:
        assert len(fetch(server.url)) == 1
    with serving(Answer(body=rows["daily_quota"])) as server:
        with pytest.raises(DailyQuotaError):
            fetch(server.url)
        assert len(server.requests) == 1


def test_a_notice_that_repeats_the_key_is_quoted_without_it() -> None:
    said = {
        "Information": f"We have detected your API key as {KEY} and our rate limit is 25 per day"
    }
    for status in (200, 500):
        with serving(Answer(status, said)) as server, pytest.raises(RetryableError) as thrown:
            fetch(server.url)
        assert KEY not in str(thrown.value)
        assert "***" in str(thrown.value)

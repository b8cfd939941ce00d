"""Bars from Alpaca's data API: exact prices, pages, and refusals by kind."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal as D
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.adapters.alpaca.market_data import MOST_IDLE_PAGES, AlpacaMarketData
from tradewind.adapters.http import ATTEMPTS
from tradewind.errors import (
    EmptyAnswerError,
    FeedForbiddenError,
    KeyRefusedError,
    ProviderRefusedError,
    ProviderUnavailableError,
    ThrottledError,
    UnknownSymbolError,
    UnreadableAnswerError,
)
from tradewind.market.bar import Bar, from_iso

from tests.fakes import FakeClock
from tests.unit.adapters.http_server import Answer, serving

FIRST = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
LAST = datetime(2020, 11, 12, 14, 39, tzinfo=UTC)
LATER = datetime(2026, 11, 23, tzinfo=UTC)
FIXTURES = Path(__file__).parents[4] / "shared" / "data" / "fixtures_alpaca"


def raw(minute: int, close: str = "119.5") -> bytes:
    """Its other prices are far enough apart for any close."""
    return (
        b'{"t":"2020-11-12T14:%d:00Z","o":119.62,"h":119.75,"l":119.1234,"c":%s,"v":777,"n":9}'
        % (minute, close.encode())
    )


def page(token: str | None, **rows: list[bytes]) -> Answer:
    end = b"null" if token is None else f'"{token}"'.encode()
    bars = b",".join(b'"%s":[%s]' % (name.encode(), b",".join(r)) for name, r in rows.items())
    return Answer(body=b'{"bars":{%s},"next_page_token":%s}' % (bars, end))


def fetch(url: str, first: datetime = FIRST, last: datetime = LAST) -> list[Bar]:
    provider = AlpacaMarketData(url, "iex", ApiKey("key", "secret"), FakeClock(LATER))
    return provider.bars(("AAPL", "MSFT"), first, last)


def test_prices_stay_exact_and_pages_are_followed() -> None:
    with serving(page("next", AAPL=[raw(30)]), page(None, MSFT=[raw(30)])) as server:
        bars = fetch(server.url)
        queries = [parse_qs(urlparse(path).query) for _, path, _ in server.requests]
    assert [bar.symbol for bar in bars] == ["AAPL", "MSFT"]
    assert bars[0] == Bar(
        "AAPL", FIRST, D("119.62"), D("119.75"), D("119.1234"), D("119.5"), 777, "iex"
    )
    assert queries[0]["symbols"] == ["AAPL,MSFT"]
    assert queries[0]["feed"] == ["iex"]
    assert queries[1]["page_token"] == ["next"]


def test_no_bars_is_an_answer() -> None:
    for body in (b'{"bars":null,"next_page_token":null}', b'{"bars":{},"next_page_token":null}'):
        with serving(Answer(body=body)) as server:
            assert fetch(server.url) == []


def test_nothing_is_asked_for_a_range_that_is_empty_or_ahead() -> None:
    with serving(Answer(404)) as server:
        assert fetch(server.url, LAST, FIRST) == []
        assert fetch(server.url, LATER, LATER) == []
        assert server.requests == []


def test_a_minute_that_is_not_over_is_not_asked_for() -> None:
    """At 14:32:30 the bar of 14:31 is the newest complete one."""
    clock = FakeClock(datetime(2020, 11, 12, 14, 32, 30, tzinfo=UTC))
    with serving(page(None, AAPL=[raw(30), raw(31)])) as server:
        provider = AlpacaMarketData(server.url, "iex", ApiKey("key", "secret"), clock)
        assert len(provider.bars(("AAPL",), FIRST, LAST)) == 2
        (query,) = [parse_qs(urlparse(path).query) for _, path, _ in server.requests]
    assert query["end"] == ["2020-11-12T14:31:30Z"]


# Bars that nobody asked for: some cache answers another request.
FOREIGN = [
    page(None, TSLA=[raw(30)]),
    page(None, AAPL=[raw(29), raw(30)]),
    page(None, AAPL=[raw(40)]),
]


@pytest.mark.parametrize("answer", FOREIGN)
def test_the_answer_to_another_question_is_asked_for_again(answer: Answer) -> None:
    with serving(answer, page(None, AAPL=[raw(30)])) as server:
        assert [bar.start for bar in fetch(server.url)] == [FIRST]
        assert len(server.requests) == 2


# -- repeated pages and bars -----------------------------------------------------------------


def test_a_page_that_comes_again_is_asked_for_again() -> None:
    """The cache of some gateway: the second request gets the first page, the third the second."""
    first, second = page("t1", AAPL=[raw(30)]), page(None, AAPL=[raw(31)])
    with serving(first, first, second) as server:
        assert [bar.start.minute for bar in fetch(server.url)] == [30, 31]
        assert len(server.requests) == 3


def test_the_same_page_for_ever_is_an_error_and_no_loop() -> None:
    with serving(page("t1", AAPL=[raw(30)])) as server:
        with pytest.raises(UnreadableAnswerError, match="came again"):
            fetch(server.url)
        assert len(server.requests) == 1 + ATTEMPTS


def test_new_tokens_for_ever_without_a_new_bar_are_an_error_and_no_loop() -> None:
    answers = [page(f"t{number}", AAPL=[raw(30)]) for number in range(20)]
    with serving(*answers) as server:
        with pytest.raises(UnreadableAnswerError, match="without a new bar"):
            fetch(server.url)
        assert len(server.requests) == 1 + MOST_IDLE_PAGES


def test_an_empty_page_with_a_successor_is_followed() -> None:
    with serving(page("t1"), page(None, AAPL=[raw(30)])) as server:
        assert len(fetch(server.url)) == 1


def test_equal_bars_count_once_and_of_two_pages_the_later_is_right() -> None:
    first = page("t1", AAPL=[raw(30), raw(30), raw(31, "119.4")])
    with serving(first, page(None, AAPL=[raw(30), raw(31, "119.6")])) as server:
        bars = fetch(server.url)
    assert [(bar.start.minute, bar.close) for bar in bars] == [(30, D("119.5")), (31, D("119.6"))]


def test_a_page_that_contradicts_itself_is_no_answer() -> None:
    wrong = page(None, AAPL=[raw(30, "119.4"), raw(30, "119.6")])
    with serving(wrong, page(None, AAPL=[raw(30)])) as server:
        assert [bar.close for bar in fetch(server.url)] == [D("119.5")]
    with serving(wrong) as server, pytest.raises(UnreadableAnswerError, match="other values"):
        fetch(server.url)


# -- refusals --------------------------------------------------------------------------------

# What, the answer, the error, requests on the wire.
KINDS: list[tuple[str, Answer, type[Exception], int]] = [
    ("throttled", Answer(429, {"message": "too many requests."}), ThrottledError, ATTEMPTS),
    ("down", Answer(503, {}), ProviderUnavailableError, ATTEMPTS),
    ("gateway timeout", Answer(504, b"<html>"), ProviderUnavailableError, ATTEMPTS),
    ("no body", Answer(200, b""), EmptyAnswerError, ATTEMPTS),
    ("truncated", Answer(200, b'{"bars": {"AAPL": ['), UnreadableAnswerError, ATTEMPTS),
    ("not an object", Answer(200, b"[]"), UnreadableAnswerError, ATTEMPTS),
    ("bars of another kind", Answer(body={"bars": []}), UnreadableAnswerError, ATTEMPTS),
    ("rows of another kind", Answer(body={"bars": {"AAPL": 1}}), UnreadableAnswerError, ATTEMPTS),
    ("a token of another kind", Answer(body={"next_page_token": 7}), UnreadableAnswerError, 4),
    ("not a bar", Answer(body={"bars": {"AAPL": [{"t": "x"}]}}), UnreadableAnswerError, ATTEMPTS),
    ("bad key", Answer(401, {"message": "unauthorized."}), KeyRefusedError, 1),
    ("forbidden", Answer(403, {"message": "forbidden."}), KeyRefusedError, 1),
    (
        "recent SIP",
        Answer(403, {"message": "subscription does not permit querying recent SIP data"}),
        FeedForbiddenError,
        1,
    ),
    ("bad symbol", Answer(400, {"message": "invalid symbol: A$L"}), UnknownSymbolError, 1),
    (
        "bad symbol, as orders say it",
        Answer(422, {"code": 42210000, "message": "invalid symbol"}),
        UnknownSymbolError,
        1,
    ),
    ("bad request", Answer(400, {"message": "invalid timeframe"}), ProviderRefusedError, 1),
    ("no such place", Answer(404, b"not found"), ProviderRefusedError, 1),
]


@pytest.mark.parametrize(
    ("answer", "error", "requests"), [row[1:] for row in KINDS], ids=[row[0] for row in KINDS]
)
def test_refusals_by_kind(answer: Answer, error: type[Exception], requests: int) -> None:
    with serving(answer) as server:
        with pytest.raises(error) as thrown:
            fetch(server.url)
        assert type(thrown.value) is error
        assert len(server.requests) == requests


# Prices and volumes that JSON allows and a bar does not.
NOT_NUMBERS: list[object] = [None, True, "119.5", [], {}]


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_a_price_that_is_no_number_is_no_bar(value: object) -> None:
    row = {"t": "2020-11-12T14:30:00Z", "o": 1, "h": 1, "l": 1, "c": value, "v": 1}
    with (
        serving(Answer(body={"bars": {"AAPL": [row]}})) as server,
        pytest.raises(UnreadableAnswerError),
    ):
        fetch(server.url)


# -- recorded bodies -------------------------------------------------------------------------


def recorded(name: str) -> Any:
    file = FIXTURES / name
    if not file.is_file():
        pytest.skip("../shared/data/fixtures_alpaca is absent")
    return json.loads(file.read_bytes(), parse_float=D)


# Body; symbols and the minutes it holds for them.
RECORDED: list[tuple[str, dict[str, int]]] = [
    ("alpaca_py/stock_data/multisymbol_get_bars.json", {"AAPL": 1, "TSLA": 1}),
    ("alpaca_py/stock_data/get_bars_multi_empty_response.json", {}),
    ("openapi_2026_08_data/get_v2_stocks_bars_200_bars.json", {"AAPL": 1}),
]


@pytest.mark.parametrize(("name", "counts"), RECORDED)
def test_recorded_bodies_are_read(name: str, counts: dict[str, int]) -> None:
    body = recorded(name)
    if body.get("next_page_token"):
        body = {**body, "next_page_token": None}  # the page after it was not recorded
    rows = {symbol: rows for symbol, rows in (body["bars"] or {}).items() if rows}
    with serving(Answer(body=json.loads(json.dumps(body, default=float)))) as server:
        provider = AlpacaMarketData(server.url, "sip", ApiKey("key", "secret"), FakeClock(LATER))
        bars = provider.bars(
            ("AAPL", "TSLA"), datetime(2016, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
        )
    assert {symbol: len(given) for symbol, given in rows.items()} == counts
    assert [(bar.symbol, bar.start, bar.close, bar.volume, bar.feed) for bar in bars] == [
        (symbol, from_iso(row["t"]), D(row["c"]), row["v"], "sip")
        for symbol, given in rows.items()
        for row in given
    ]


# The data API's rows of errors.json, and what they become. 401 is told as the trading API's.
ERROR_ROWS: dict[tuple[int, str], type[Exception]] = {
    (401, "any trading endpoint"): KeyRefusedError,
    (429, "trading API"): ThrottledError,
    (429, "market data API"): ThrottledError,
    (403, "market data API, free plan, feed=sip, recent"): FeedForbiddenError,
}


def test_recorded_errors_are_told_apart() -> None:
    rows = {(row["status"], row["where"]): row for row in recorded("errors.json")}
    for key, error in ERROR_ROWS.items():
        answer = Answer(key[0], rows[key]["body"], rows[key].get("headers", {}))
        with serving(answer) as server, pytest.raises(error) as thrown:
            fetch(server.url)
        assert type(thrown.value) is error

"""Bars from Alpaca's data API: exact prices, pages, and refusals by kind."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal as D
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from tradewind.adapters import http
from tradewind.adapters.alpaca.market_data import AlpacaMarketData
from tradewind.errors import ProviderRefusedError, ProviderUnavailableError, ThrottledError
from tradewind.market.bar import Bar

from tests.unit.adapters.http_server import Answer, serving

FIRST = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
LAST = datetime(2020, 11, 12, 14, 39, tzinfo=UTC)
RAW = b'{"t":"2020-11-12T14:30:00Z","o":119.62,"h":119.75,"l":119.1234,"c":119.5,"v":777,"n":9}'
FIXTURES = Path(__file__).parents[4] / "shared" / "data" / "fixtures_alpaca"


def page(symbol: str, token: str | None) -> Answer:
    end = b"null" if token is None else f'"{token}"'.encode()
    body = b'{"bars":{"%s":[%s]},"next_page_token":%s}' % (symbol.encode(), RAW, end)
    return Answer(body=body)


def fetch(url: str) -> list[Bar]:
    return AlpacaMarketData(url, "iex", "key", "secret").bars(("AAPL", "MSFT"), FIRST, LAST)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(http, "LONGEST_PAUSE", 0.0)


def test_prices_stay_exact_and_pages_are_followed() -> None:
    with serving(page("AAPL", "next"), page("MSFT", None)) as server:
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
    with serving(Answer(body={"bars": None, "next_page_token": None})) as server:
        assert fetch(server.url) == []


HELPED_BY_RETRY = [
    ("throttled once", Answer(429, {"message": "too many requests."}, {"Retry-After": "1"})),
    ("a server error once", Answer(500, {})),
    ("broken JSON once", Answer(200, b'{"bars": {"AAPL": [')),
    ("a body of another kind once", Answer(200, b'{"bars": []}')),
    ("hung up once", Answer(hang_up=True)),
]


@pytest.mark.parametrize(
    "answer", [row[1] for row in HELPED_BY_RETRY], ids=[row[0] for row in HELPED_BY_RETRY]
)
def test_a_passing_fault_is_tried_again(answer: Answer) -> None:
    with serving(answer, page("AAPL", None)) as server:
        assert len(fetch(server.url)) == 1


FOR_GOOD = [
    ("throttled", Answer(429, {}), ThrottledError, 3),
    ("down", Answer(503, {}), ProviderUnavailableError, 3),
    ("not a bar", Answer(body={"bars": {"AAPL": [{"t": "x"}]}}), ProviderUnavailableError, 1),
    ("unauthorised", Answer(401, {}), ProviderRefusedError, 1),
    ("SIP on the free plan", Answer(403, {}), ProviderRefusedError, 1),
]


@pytest.mark.parametrize(
    ("answer", "error", "requests"),
    [row[1:] for row in FOR_GOOD],
    ids=[str(row[0]) for row in FOR_GOOD],
)
def test_refusals_by_kind(answer: Answer, error: type[Exception], requests: int) -> None:
    with serving(answer) as server:
        with pytest.raises(error):
            fetch(server.url)
        assert len(server.requests) == requests


@pytest.mark.skipif(not FIXTURES.exists(), reason="../shared/data/fixtures_alpaca is absent")
def test_the_recorded_body_is_read() -> None:
    recorded = (FIXTURES / "alpaca_py" / "stock_data" / "multisymbol_get_bars.json").read_bytes()
    assert json.loads(recorded)["bars"]
    with serving(Answer(body=recorded)) as server:
        assert {bar.symbol: bar.close for bar in fetch(server.url)} == {
            "AAPL": D("162.95"),
            "TSLA": D("858.97"),
        }

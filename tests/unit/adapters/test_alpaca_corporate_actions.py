"""Splits from Alpaca's corporate actions: recorded bodies, pages, and refusals by kind."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from decimal import Decimal as D
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from tradewind.adapters.alpaca.corporate_actions import AlpacaCorporateActions, factors_of
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.errors import (
    KeyRefusedError,
    ProviderRefusedError,
    ProviderUnavailableError,
    ThrottledError,
    UnreadableAnswerError,
)
from tradewind.market.adjustment import SplitFactor

from tests.fakes import FakeClock
from tests.unit.adapters.http_server import Answer, serving

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
FIRST, LAST = date(2026, 1, 1), date(2026, 6, 30)
FIXTURES = Path(__file__).parents[4] / "shared" / "data" / "fixtures_alpaca"


def split(symbol: str = "NVDA", **changes: Any) -> dict[str, Any]:
    return {"id": f"id-{symbol}", "symbol": symbol, "ex_date": "2026-06-10", "new_rate": 10,
            "old_rate": 1, "process_date": "2026-06-10", **changes}  # fmt: skip


def page(token: str | None = None, **kinds: list[dict[str, Any]]) -> Answer:
    return Answer(body={"corporate_actions": kinds, "next_page_token": token})


def fetch(url: str) -> list[SplitFactor]:
    return AlpacaCorporateActions(url, ApiKey("key", "secret"), FakeClock(NOW), None).splits(
        ["NVDA", "MSBC", "NVDA"], FIRST, LAST
    )


def recorded(name: str) -> Any:
    if not FIXTURES.is_dir():
        pytest.skip("the recorded bodies (../shared/data) are not on this machine")
    return json.loads((FIXTURES / name).read_text(), parse_float=Decimal)


def test_the_recorded_body() -> None:
    """A reverse split, a forward one and a stock dividend count; ten other kinds do not."""
    body = recorded("alpaca_py/corporate_actions/get_corporate_actions.json")
    found = factors_of([body["corporate_actions"]], NOW)
    assert [(f.symbol, f.effective.isoformat(), f.factor) for f in found] == [
        ("MNTS", "2023-08-24", Fraction(1, 50)),
        ("MSBC", "2023-05-19", Fraction("1.05")),
        ("SRE", "2023-08-22", Fraction(2)),
    ]
    assert {f.known_at for f in found} == {NOW}


def test_a_body_without_splits() -> None:
    body = recorded("alpaca_py/corporate_actions/get_corporate_actions_2.json")
    assert factors_of([body["corporate_actions"]], NOW) == []


EXAMPLES = [
    # rates are strings in these
    ("ForwardSplit", "forward_splits", ("NVDA", date(2026, 6, 10), D(10), D(1))),
    ("ReverseSplit", "reverse_splits", ("EXMP.L", date(2026, 9, 1), D(1), D(20))),
    ("StockDividend", "stock_dividends", ("EXMP", date(2026, 5, 28), D("1.05"), D(1))),
]


@pytest.mark.parametrize(("name", "kind", "factor"), EXAMPLES)
def test_the_examples_of_the_api_description(
    name: str, kind: str, factor: tuple[str, date, D, D]
) -> None:
    (event,) = recorded(
        f"openapi_2026_08_data/get_v1beta1_events_corporate_actions_200_{name}.json"
    )
    assert factors_of([{kind: [event["ca"]]}], NOW) == [SplitFactor(*factor, NOW)]


def test_pages_are_followed_and_the_question_is_asked_as_documented() -> None:
    dividend = {"id": "d", "symbol": "MSBC", "ex_date": "2026-05-19", "rate": "0.05"}
    with serving(
        page("next", forward_splits=[split()]),
        page(forward_splits=[split()], stock_dividends=[dividend]),
    ) as server:
        found = fetch(server.url)
        asked = [urlparse(path) for _, path, _ in server.requests]
    assert [(f.symbol, f.factor) for f in found] == [("MSBC", Fraction("1.05")), ("NVDA", 10)]
    assert asked[0].path == "/v1/corporate-actions"
    assert parse_qs(asked[0].query) == {
        "symbols": ["NVDA,MSBC"],
        "types": ["forward_split,reverse_split,stock_dividend"],
        "start": ["2026-01-01"],
        "end": ["2026-06-30"],
        "limit": ["1000"],
    }
    assert parse_qs(asked[1].query)["page_token"] == ["next"]


def test_two_actions_on_one_day_are_one_factor_and_a_repeated_one_counts_once() -> None:
    dividend = {"id": "d", "symbol": "NVDA", "ex_date": "2026-06-10", "rate": D("0.05")}
    pages = [{"forward_splits": [split()]}, {"forward_splits": [split()],
                                             "stock_dividends": [dividend]}]  # fmt: skip
    (factor,) = factors_of(pages, NOW)
    assert factor.factor == Fraction("10.5")


def test_no_symbols_no_question() -> None:
    unreachable = AlpacaCorporateActions(
        "http://127.0.0.1:9", ApiKey("k", "s"), FakeClock(NOW), None
    )
    assert unreachable.splits([], FIRST, LAST) == []


@pytest.mark.parametrize(
    "changes",
    [{"new_rate": "ten"}, {"old_rate": 0}, {"new_rate": None}, {"new_rate": True},
     {"new_rate": "NaN"}, {"ex_date": "soon"}, {"ex_date": None}],
    ids=str,
)  # fmt: skip
def test_an_action_that_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(UnreadableAnswerError, match="not a corporate action"):
        factors_of([{"forward_splits": [split(**changes)]}], NOW)


@pytest.mark.parametrize("missing", ["id", "symbol", "ex_date", "new_rate", "old_rate"])
def test_an_action_that_lacks_something(missing: str) -> None:
    action = split()
    del action[missing]
    with pytest.raises(UnreadableAnswerError, match=missing):
        factors_of([{"reverse_splits": [action]}], NOW)


FAILURES = [
    (Answer(401, {"message": "unauthorized."}), KeyRefusedError),
    (Answer(403, {"message": "forbidden."}), KeyRefusedError),
    (Answer(422, {"message": "invalid start"}), ProviderRefusedError),
    (Answer(429, {"message": "too many requests."}, {"Retry-After": "60"}), ThrottledError),
    (Answer(503, b"Service Unavailable"), ProviderUnavailableError),
    (Answer(200, b'{"corporate_actions": {"forward_spl'), ProviderUnavailableError),
    (Answer(200, b"[]"), ProviderUnavailableError),
    (Answer(200, {"corporate_actions": [1]}), ProviderUnavailableError),
    (Answer(200, {"corporate_actions": {}, "next_page_token": 7}), ProviderUnavailableError),
    (page("again", forward_splits=[split()]), ProviderUnavailableError),
]


@pytest.mark.parametrize(
    ("answer", "error"), FAILURES, ids=[f"{a.status} {e.__name__}" for a, e in FAILURES]
)
def test_refusals_and_broken_answers(answer: Answer, error: type[Exception]) -> None:
    with serving(answer) as server, pytest.raises(error):
        fetch(server.url)


def test_an_empty_answer_is_no_split() -> None:
    with serving(Answer(body={"corporate_actions": None, "next_page_token": None})) as server:
        assert fetch(server.url) == []

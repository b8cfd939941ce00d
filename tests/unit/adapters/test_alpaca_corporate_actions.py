"""Splits and other changes of a share from Alpaca's corporate actions: recorded bodies, pages, and
refusals by kind."""

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
from tradewind.adapters.alpaca.corporate_actions import (
    AlpacaCorporateActions,
    actions_of,
    factors_of,
)
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.errors import (
    KeyRefusedError,
    ProviderRefusedError,
    ProviderUnavailableError,
    ThrottledError,
    UnreadableAnswerError,
)
from tradewind.market.adjustment import SplitFactor
from tradewind.market.corporate_actions import Announced, CorporateAction

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


def fetch(url: str) -> Announced:
    return AlpacaCorporateActions(url, ApiKey("key", "secret"), FakeClock(NOW), None).announced(
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


def test_the_other_kinds_of_the_recorded_body() -> None:
    """All that change what a share is; the splits, the dividends and the acquirers do not."""
    body = recorded("alpaca_py/corporate_actions/get_corporate_actions.json")
    found = actions_of([body["corporate_actions"]], NOW)
    assert [(a.symbol, a.kind, a.effective.isoformat()) for a in found] == [
        ("ATNXQ", "worthless_removal", "2023-10-11"),
        ("BSAQ", "name_change", "2023-08-15"),
        ("GLOP", "cash_merger", "2023-07-17"),
        ("IFN", "rights_distribution", "2024-04-17"),
        ("JUPW", "spin_off", "2023-08-15"),
        ("LSI", "stock_merger", "2023-07-20"),
        ("MLVF", "stock_and_cash_merger", "2023-07-18"),
        ("ORPHY", "redemption", "2023-06-13"),
        ("TPBAU", "unit_split", "2023-03-01"),
    ]
    assert found[2] == CorporateAction(
        "a7932b15-f816-4f83-921e-998b524487b6", "GLOP", "cash_merger", date(2023, 7, 17), NOW
    )


def test_a_body_without_splits() -> None:
    body = recorded("alpaca_py/corporate_actions/get_corporate_actions_2.json")
    assert factors_of([body["corporate_actions"]], NOW) == []
    assert actions_of([body["corporate_actions"]], NOW) == []


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


CHANGES = [
    ("CashMerger", "cash_mergers", ("TWTR", "cash_merger", date(2026, 4, 1))),
    ("NameChange", "name_changes", ("FB", "name_change", date(2026, 6, 9))),
    ("Redemption", "redemptions", ("XYZ", "redemption", date(2026, 7, 1))),
    ("Reorganization", "reorganizations", ("OLDCO", "reorganization", date(2026, 8, 15))),
    ("RightsDistribution", "rights_distributions",
     ("EXMP", "rights_distribution", date(2026, 5, 15))),
    ("SpinOff", "spin_offs", ("T", "spin_off", date(2026, 4, 8))),
    ("StockAndCashMerger", "stock_and_cash_mergers",
     ("FOXA", "stock_and_cash_merger", date(2026, 5, 1))),
    ("StockMerger", "stock_mergers", ("SMLCO", "stock_merger", date(2026, 7, 15))),
    ("UnitSplit", "unit_splits", ("SPACU", "unit_split", date(2026, 8, 1))),
    ("WorthlessRemoval", "worthless_removals", ("DEADCO", "worthless_removal", date(2026, 9, 15))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "action"), CHANGES)
def test_the_examples_of_what_changes_a_share(
    name: str, kind: str, action: tuple[str, str, date]
) -> None:
    (event,) = recorded(
        f"openapi_2026_08_data/get_v1beta1_events_corporate_actions_200_{name}.json"
    )
    (found,) = actions_of([{kind: [event["ca"]]}, {kind: [event["ca"]]}], NOW)
    assert found == CorporateAction(event["ca"]["id"], *action, NOW)


MERGER = {"id": "m", "acquiree_symbol": "TWTR", "effective_date": "2026-04-01",
          "process_date": "2026-04-03"}  # fmt: skip
RENAMED = {"id": "n", "old_symbol": "FB", "new_symbol": "META", "process_date": "2026-06-09"}
ODD = [
    # (the case, the kind, the action, the dates that are found)
    ("without a date yet: when it is processed", "cash_mergers",
     {**MERGER, "effective_date": None}, [date(2026, 4, 3)]),
    ("of a company without a symbol", "cash_mergers", {**MERGER, "acquiree_symbol": ""}, []),
    ("a new name", "name_changes", RENAMED, [date(2026, 6, 9)]),
    ("a new CUSIP alone", "name_changes", {**RENAMED, "new_symbol": "FB"}, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "action", "dates"), [row[1:] for row in ODD], ids=[str(row[0]) for row in ODD]
)
def test_what_is_odd_about_them(kind: str, action: dict[str, Any], dates: list[date]) -> None:
    assert [one.effective for one in actions_of([{kind: [action]}], NOW)] == dates


@pytest.mark.parametrize(
    "action", [7, {**MERGER, "effective_date": "soon"}, {**MERGER, "effective_date": 7},
               {k: v for k, v in MERGER.items() if k != "id"}], ids=str,
)  # fmt: skip
def test_one_that_cannot_be_read(action: Any) -> None:
    with pytest.raises(UnreadableAnswerError, match="not a corporate action"):
        actions_of([{"cash_mergers": [action]}], NOW)


def test_pages_are_followed_and_the_question_is_asked_as_documented() -> None:
    dividend = {"id": "d", "symbol": "MSBC", "ex_date": "2026-05-19", "rate": "0.05"}
    with serving(
        page("next", forward_splits=[split()], cash_mergers=[MERGER]),
        page(forward_splits=[split()], stock_dividends=[dividend]),
    ) as server:
        found = fetch(server.url)
        asked = [urlparse(path) for _, path, _ in server.requests]
    assert found.actions == (CorporateAction("m", "TWTR", "cash_merger", date(2026, 4, 1), NOW),)
    assert [(f.symbol, f.factor) for f in found.factors] == [
        ("MSBC", Fraction("1.05")),
        ("NVDA", 10),
    ]
    assert asked[0].path == "/v1/corporate-actions"
    assert parse_qs(asked[0].query) == {
        "symbols": ["NVDA,MSBC"],
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
    assert unreachable.announced([], FIRST, LAST) == Announced()


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
        assert fetch(server.url) == Announced()

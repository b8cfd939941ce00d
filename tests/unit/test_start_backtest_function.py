"""POST /v1/backtest as API Gateway hands it over: who may, and each refusal in one line."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from tradewind import bootstrap
from tradewind.errors import DatabaseUnavailableError, InvalidInputError, ThrottledError

from tests.fakes import FakeClock
from tests.unit.test_handlers import ROOT, Context, load
from tests.unit.use_cases.test_receive_broker_hint import Starter

SAMPLE = json.loads((ROOT / "events" / "start_backtest.json").read_text(encoding="utf-8"))


class Registry:
    def __init__(self, answers: str | Exception = "requested") -> None:
        self.answers = answers
        self.asked: list[Mapping[str, Any]] = []

    def register(self, request: Mapping[str, Any], at: datetime) -> Mapping[str, Any]:
        self.asked.append(request)
        if isinstance(self.answers, Exception):
            raise self.answers
        told = {"backtest_id": "a", "requested_at": "2020-11-12T15:00:00Z", "run": "a-1"}
        return {**told, "state": self.answers}


def post(
    monkeypatch: pytest.MonkeyPatch, registry: Registry, **changes: Any
) -> tuple[int, dict[str, Any]]:
    monkeypatch.setattr(bootstrap, "backtest_registry", lambda: registry)
    monkeypatch.setattr(bootstrap, "backtest_runs", Starter)
    monkeypatch.setattr(bootstrap, "clock", FakeClock)
    answer = load("start_backtest").handler({**SAMPLE, **changes}, Context())
    return answer["statusCode"], json.loads(answer["body"])


def of_groups(groups: str | None) -> dict[str, Any]:
    claims = {} if groups is None else {"cognito:groups": groups}
    return {"requestContext": {"authorizer": {"claims": claims}}}


# (state on record, status): what is over is answered, what is not is accepted.
STATES = [("requested", 202), ("running", 202), ("done", 200), ("failed", 200)]


@pytest.mark.parametrize(("state", "status"), STATES)
def test_what_is_over_is_answered_and_what_is_not_accepted(
    state: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, content = post(monkeypatch, Registry(state))
    assert (answered, content["state"]) == (status, state)
    assert "run" not in content


@pytest.mark.parametrize(
    ("groups", "may"),
    [
        ("admin", True),
        ("user,admin", True),
        ("[user admin]", True),
        ("user", False),
        ("administrator", False),
        ("", False),
        (None, False),
    ],
)
def test_only_administrators_start_backtests(
    groups: str | None, may: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry()
    status, _ = post(monkeypatch, registry, **of_groups(groups))
    assert (status, bool(registry.asked)) == ((202, True) if may else (403, False))


@pytest.mark.parametrize(
    "event", [{"requestContext": {}}, {"requestContext": {"authorizer": None}}]
)
def test_nobody_is_no_administrator(event: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert post(monkeypatch, Registry(), **event)[0] == 403


# (what the registry raises, status, whether its sentence is passed on)
RAISED: list[tuple[Exception, int, bool]] = [
    (InvalidInputError("AAPL has no bars"), 400, True),
    (ThrottledError("2 backtests are under way"), 429, True),
    (DatabaseUnavailableError("PostgreSQL at 10.20.1.7"), 503, False),
]


@pytest.mark.parametrize(("error", "status", "told"), RAISED)
def test_each_error_has_its_status(
    error: Exception, status: int, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, content = post(monkeypatch, Registry(error))
    assert answered == status
    assert (content["message"] == str(error)) is told


def test_a_body_may_come_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()
    encoded = base64.b64encode(SAMPLE["body"].encode()).decode()
    assert post(monkeypatch, registry, body=encoded, isBase64Encoded=True)[0] == 202
    assert registry.asked[0]["symbols"] == ["AAPL"]
    assert post(monkeypatch, registry, body="%", isBase64Encoded=True)[0] == 400
    assert post(monkeypatch, registry, body=None)[0] == 400

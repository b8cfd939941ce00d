"""functions/daily_report on its sample events, with its own login and a bucket."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from tradewind import bootstrap
from tradewind.adapters.postgres.connection import DatabaseAddress
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.errors import InvalidInputError

from tests.integration.reports.test_daily_report import traded

__all__ = ["traded"]

ROOT = Path(__file__).resolve().parents[3]
Handler = Callable[[dict[str, Any]], dict[str, Any]]


class Context:
    function_name = "daily_report"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:daily_report"
    aws_request_id = "1"


@pytest.fixture
def handler(
    traded: PostgresDatabase,
    address: Callable[[str], DatabaseAddress],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Handler]:
    where = address("tw_report")
    variables = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "ACCOUNT": "paper",
        "DEPLOYMENT": "tests",
        "TRADING_MODE": "paper",
        "SYMBOLS": "AAPL,MSFT",
        "SMA_FAST": "20",
        "SMA_SLOW": "50",
        "HOLD_OVERNIGHT": "false",
        "MAX_ORDERS_PER_DAY": "200",
        "MAX_NOTIONAL_PER_ORDER": "30000",
        "MAX_NOTIONAL_PER_DAY": "2000000",
        "DATABASE_HOST": where.host,
        "DATABASE_PORT": str(where.port),
        "DATABASE_NAME": where.name,
        "DATABASE_USER": where.user,
        "DATABASE_PASSWORD": where.password_source(),
        "DATABASE_TLS": "off",
        "ARCHIVE_BUCKET": "archive",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    built = (
        *(bootstrap.environment, bootstrap.client),
        *(bootstrap.report_store, bootstrap.database, bootstrap.account),
        *(bootstrap.strategies, bootstrap.allotments, bootstrap.risk_rules),
    )
    for builder in built:
        builder.cache_clear()
    path = ROOT / "functions" / "daily_report" / "app.py"
    spec = importlib.util.spec_from_file_location("daily_report_app", path)
    assert spec is not None
    assert spec.loader is not None
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="archive")
        try:
            yield lambda event: app.handler(event, Context())
        finally:
            bootstrap.database().close()
            for builder in built:
                builder.cache_clear()


def kept() -> list[str]:
    listed = boto3.client("s3").list_objects_v2(Bucket="archive")
    return [found["Key"] for found in listed.get("Contents", [])]


def test_the_schedules_call_makes_the_report(handler: Handler) -> None:
    event = json.loads((ROOT / "events" / "daily_report.json").read_text())
    answer = handler(event)
    assert kept() == [answer["html_key"], answer["json_key"]]
    assert answer["session"] == "2020-11-12"


def test_the_schedules_other_call_of_the_day_makes_none(handler: Handler) -> None:
    assert handler({"scheduled_time": "2020-11-12T18:20:00Z"}) == {"session": None}
    assert kept() == []


def test_a_session_can_be_asked_for(handler: Handler) -> None:
    assert handler({"session": "2020-11-12"})["html_key"] == "reports/paper/2020-11-12.html"


@pytest.mark.parametrize("event", [{}, {"session": "yesterday"}, {"session": None}])
def test_an_event_that_says_nothing_is_refused(handler: Handler, event: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=r"neither a session|not a date"):
        handler(event)

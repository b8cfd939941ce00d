"""The request budget that all functions share, against moto's DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Barrier, Lock, Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws
from tradewind.adapters.request_budget import ControlTableBudget
from tradewind.errors import ControlUnavailableError
from tradewind.market.request_limits import RequestLimits

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
LIMITS = {"alpaca": RequestLimits(150, 60), "alpha_vantage": RequestLimits(5, 60, 25)}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        dynamodb.create_table(
            TableName="control",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield dynamodb


def budget(client: Any) -> ControlTableBudget:
    return ControlTableBudget(client, "control", LIMITS)


def test_functions_share_a_providers_minute(client: Any) -> None:
    one, other = budget(client), budget(client)
    waits = [taker.take("alpha_vantage", NOW) for taker in (one, other, one, other, one, other)]
    assert waits == [0, 0, 0, 0, 0, 66]
    assert one.take("alpaca", NOW) == 0  # each provider has its own
    assert other.take("alpha_vantage", NOW + timedelta(seconds=66)) == 0


def test_a_days_requests_are_counted_over_its_minutes(client: Any) -> None:
    taker = budget(client)
    at = NOW
    for _ in range(25):
        assert taker.take("alpha_vantage", at) == 0
        at += timedelta(seconds=70)
    wait = taker.take("alpha_vantage", at)
    assert at + timedelta(seconds=wait) == datetime(2026, 11, 24, 5, tzinfo=UTC)
    assert taker.take("alpha_vantage", at + timedelta(seconds=wait)) == 0


def test_the_item_dies_by_itself(client: Any) -> None:
    budget(client).take("alpaca", NOW)
    item = client.get_item(TableName="control", Key={"pk": {"S": "requests#alpaca"}})["Item"]
    assert int(item["expires_at"]["N"]) == int((NOW + timedelta(days=2)).timestamp())


class OneAtATime:
    """DynamoDB carries out each call on an item alone; moto does not keep threads apart."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = Lock()
        self.exceptions = client.exceptions

    def get_item(self, **arguments: Any) -> Any:
        with self._lock:
            return self._client.get_item(**arguments)

    def put_item(self, **arguments: Any) -> Any:
        with self._lock:
            return self._client.put_item(**arguments)


def test_a_request_is_never_given_twice(client: Any) -> None:
    """Twelve functions at once, five requests: five get one."""
    together = Barrier(12)
    waits: list[float] = []
    table = OneAtATime(client)

    def take() -> None:
        together.wait()
        waits.append(budget(table).take("alpha_vantage", NOW))

    threads = [Thread(target=take) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [0] * 5 + [66] * 7


class Contended:
    """Somebody else writes between each read and the write that follows it."""

    def __init__(self, client: Any, times: int) -> None:
        self._client = client
        self._times = times
        self.exceptions = client.exceptions

    def get_item(self, **arguments: Any) -> Any:
        answer = self._client.get_item(**arguments)
        if self._times:
            self._times -= 1
            budget(self._client).take("alpaca", NOW)
        return answer

    def put_item(self, **arguments: Any) -> Any:
        return self._client.put_item(**arguments)


def test_a_lost_race_is_run_again(client: Any) -> None:
    assert budget(Contended(client, times=3)).take("alpaca", NOW) == 0
    item = client.get_item(TableName="control", Key={"pk": {"S": "requests#alpaca"}})["Item"]
    assert item["on_day"]["N"] == "4"


def test_a_race_that_is_always_lost_is_told(client: Any) -> None:
    with pytest.raises(ControlUnavailableError, match="10 times in a row"):
        budget(Contended(client, times=99)).take("alpaca", NOW)


def test_an_unreachable_table_is_retryable() -> None:
    nowhere = boto3.client(
        "dynamodb",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(connect_timeout=1, retries={"total_max_attempts": 1}),
    )
    with pytest.raises(ControlUnavailableError, match="table control"):
        budget(nowhere).take("alpaca", NOW)

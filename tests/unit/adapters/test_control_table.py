"""The control table's conditional writes, against moto's DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws
from tradewind.adapters.dynamodb import ControlTable
from tradewind.errors import ControlUnavailableError, InvalidInputError

NOW = datetime(2020, 11, 12, 14, 31, 5, tzinfo=UTC)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
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


@pytest.fixture
def control(client: object) -> ControlTable:
    return ControlTable(client, "control")


def test_a_claim_is_given_once(control: ControlTable) -> None:
    assert control.claim("tw-1", NOW) is True
    assert control.claim("tw-1", NOW) is False
    assert control.claim("tw-2", NOW) is True


def test_the_switch_is_active_until_it_is_set(control: ControlTable, client: object) -> None:
    assert control.switch("paper") == "ACTIVE"
    put(client, "HALTED")
    assert control.switch("paper") == "HALTED"
    assert control.switch("live") == "ACTIVE"


def test_a_switch_in_no_known_state_is_an_error(control: ControlTable, client: object) -> None:
    put(client, "halted")
    with pytest.raises(InvalidInputError, match="'halted', not one of ACTIVE"):
        control.switch("paper")


def put(client: object, state: str) -> None:
    client.put_item(  # type: ignore[attr-defined]
        TableName="control", Item={"pk": {"S": "switch#paper"}, "state": {"S": state}}
    )


def test_the_reserve_is_left_for_exits(control: ControlTable) -> None:
    entries = [control.take_request("paper", NOW, 5, 2) for _ in range(4)]
    assert entries == [True, True, True, False]
    exits = [control.take_request("paper", NOW, 5, 0) for _ in range(3)]
    assert exits == [True, True, False]


def test_a_new_quarter_of_an_hour_has_a_new_budget(control: ControlTable) -> None:
    assert control.take_request("paper", NOW, 1, 0) is True
    assert control.take_request("paper", NOW + timedelta(minutes=13, seconds=54), 1, 0) is False
    assert control.take_request("paper", NOW + timedelta(minutes=13, seconds=55), 1, 0) is True


DAY = "2020-11-12"


def test_a_day_counts_orders_and_money_and_each_intent_once(control: ControlTable) -> None:
    assert control.count_entry("paper", DAY, "tw-1", D("40.50"), 3, D(100)) is True
    assert control.count_entry("paper", DAY, "tw-1", D("40.50"), 3, D(100)) is True  # a retry
    assert control.count_entry("paper", DAY, "tw-2", D("59.51"), 3, D(100)) is False  # a cent over
    assert control.count_entry("paper", DAY, "tw-2", D("59.50"), 3, D(100)) is True
    assert control.count_entry("paper", "2020-11-13", "tw-3", D(100), 3, D(100)) is True


def test_a_day_has_a_last_order(control: ControlTable) -> None:
    counted = [control.count_entry("paper", DAY, f"tw-{n}", D(1), 2, D(100)) for n in range(3)]
    assert counted == [True, True, False]


def test_a_first_entry_above_the_days_money_is_refused(control: ControlTable) -> None:
    assert control.count_entry("paper", DAY, "tw-1", D("100.01"), 2, D(100)) is False


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
        ControlTable(nowhere, "control").switch("paper")


def test_a_lease_has_one_holder_until_it_runs_out(control: ControlTable) -> None:
    assert control.lease("paper", "run-1", NOW) is True
    assert control.lease("paper", "run-1", NOW + timedelta(seconds=20)) is True  # renewed
    assert control.lease("paper", "run-2", NOW + timedelta(seconds=64)) is False
    assert control.lease("live", "run-2", NOW) is True
    assert control.lease("paper", "run-2", NOW + timedelta(seconds=65)) is True
    assert control.lease("paper", "run-1", NOW + timedelta(seconds=66)) is False

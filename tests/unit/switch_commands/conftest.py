"""A control table on moto's AWS, a fake broker, and the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result
from moto import mock_aws
from tradewind.adapters.dynamodb import ControlTable
from tradewind_local.cli import main
from tradewind_local.switch_commands import deployed, run_flatten, run_switch
from tradewind_local.switch_commands.brokerage import Brokerage
from tradewind_local.switch_commands.deployed import Deployed, Where

from tests.fakes import FakeBroker, FakeClock


@dataclass
class Stacks:
    """CloudFormation with one stack, and AWS's words for any other (moto's needs more packages)."""

    parameters: dict[str, str]

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        if StackName != "tradewind":
            words = f"Stack with id {StackName} does not exist"
            told = {"Error": {"Code": "ValidationError", "Message": words}}
            raise ClientError(told, "DescribeStacks")  # type: ignore[arg-type]
        outputs = {"ControlTableName": "control", "ChangeSwitchName": "change-switch"}
        listed = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
        given = [
            {"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()
        ]
        return {"Stacks": [{"StackName": StackName, "Outputs": listed, "Parameters": given}]}


@dataclass
class Hand:
    """Somebody at the keyboard. ``function`` is what the deployed function answers, or fails
    with; ``parameters`` are those that the stack was deployed with."""

    control: ControlTable
    broker: FakeBroker
    clock: FakeClock
    folder: Path
    function: dict[str, Any] | Exception | None = None

    def __post_init__(self) -> None:
        self.called: list[dict[str, str]] = []
        self.parameters = {"TradingMode": "paper", "AccountName": "paper"}

    def types(self, *arguments: str, keyboard: str | None = None) -> Result:
        return CliRunner().invoke(main, list(arguments), input=keyboard, prog_name="tradewind")

    def report(self, *arguments: str, keyboard: str | None = None) -> tuple[int, dict[str, Any]]:
        file = self.folder / "report.json"
        file.unlink(missing_ok=True)
        code = self.types(*arguments, "--json", str(file), keyboard=keyboard).exit_code
        return code, json.loads(file.read_text())

    def call(self, _deployed: Deployed, event: dict[str, str]) -> dict[str, Any]:
        self.called.append(event)
        if isinstance(self.function, Exception):
            raise self.function
        assert self.function is not None
        return self.function


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hand]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("LOGNAME", "ada")
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "APCA_API_BASE_URL", "CLOCK_URL"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        dynamodb.create_table(
            TableName="control",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        made = Hand(ControlTable(dynamodb, "control"), FakeBroker(), FakeClock(), tmp_path)
        real_client = deployed._client

        def client(where: Where, service: str, *rest: Any, **options: Any) -> Any:
            real = real_client(where, service, *rest, **options)
            return Stacks(made.parameters) if service == "cloudformation" else real

        monkeypatch.setattr(deployed, "_client", client)
        monkeypatch.setattr(Deployed, "call", lambda found, event: made.call(found, event))
        for module in (run_switch, run_flatten):
            monkeypatch.setattr(
                module, "brokerage", lambda *_, **__: Brokerage("http://broker", made.broker)
            )
        monkeypatch.setattr(run_switch, "SystemClock", lambda: made.clock)
        monkeypatch.setattr(run_flatten, "SystemClock", lambda: made.clock)
        yield made


@pytest.fixture
def keys(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APCA_API_KEY_ID", "key")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "secret")


@pytest.fixture
def aws_down(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call finds nobody listening."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

"""What the commands need of a deployed stack: its control table and its function, through boto3."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tradewind.adapters.dynamodb import ControlTable
from tradewind.errors import ControlUnavailableError, InvalidInputError
from tradewind.settings import LOOPBACK_HOSTS

Answer = TypeVar("Answer")

CONNECT_TIMEOUT = 3  # seconds
READ_TIMEOUT = 10
# The function looks for entries for a while, and waits for their cancellation.
FUNCTION_TIMEOUT = 70
ATTEMPTS = 2

# What the local twin takes for a login. Never sent anywhere but to this machine.
_TWIN = {
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
    "region_name": "us-east-1",
}


@dataclass(frozen=True, slots=True)
class Where:
    """The command line's texts. A table that is named needs no stack, and then there is no
    function to call."""

    stack: str
    table: str | None
    endpoint: str | None


@dataclass(frozen=True, slots=True)
class Deployed:
    """``function`` None: only the table was named, or the stack has no such function.
    ``parameters``: those of the stack by name, none when only the table was named."""

    where: Where
    table: str
    function: str | None
    parameters: Mapping[str, str] = field(default_factory=dict)

    def control(self) -> ControlTable:
        return ControlTable(_client(self.where, "dynamodb", READ_TIMEOUT), self.table)

    def call(self, event: dict[str, str]) -> dict[str, Any]:
        """Call the function that changes the switch. Raises ControlUnavailableError whatever
        failed of it, since the caller has another way."""
        client = _client(self.where, "lambda", FUNCTION_TIMEOUT, attempts=1)
        answer = _asked(
            f"function {self.function}",
            lambda: client.invoke(FunctionName=self.function, Payload=json.dumps(event)),
        )
        body = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise ControlUnavailableError(
                f"function {self.function}: {body.get('errorType')}: {body.get('errorMessage')}"
            )
        return dict(body)


def find(where: Where) -> Deployed:
    """Raises InvalidInputError when there is no such stack or it has no control table, and
    ControlUnavailableError when AWS does not say."""
    if where.table is not None:
        return Deployed(where, where.table, None)
    client = _client(where, "cloudformation", READ_TIMEOUT)
    found = _asked(
        f"stack {where.stack}", lambda: client.describe_stacks(StackName=where.stack)["Stacks"]
    )
    outputs = {item["OutputKey"]: item["OutputValue"] for item in found[0].get("Outputs", [])}
    table = outputs.get("ControlTableName")
    if table is None:
        raise InvalidInputError(f"stack {where.stack} has no control table: is it Tradewind's?")
    parameters = {
        item["ParameterKey"]: item["ParameterValue"] for item in found[0].get("Parameters", [])
    }
    return Deployed(where, table, outputs.get("ChangeSwitchName"), parameters)


def _asked(what: str, call: Callable[[], Answer]) -> Answer:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except ClientError as error:
        if "does not exist" in str(error):
            raise InvalidInputError(f"there is no {what}: give --stack or --table") from error
        raise ControlUnavailableError(f"{what}: {error}") from error
    except BotoCoreError as error:
        raise ControlUnavailableError(f"{what}: {error}") from error


def _client(where: Where, service: str, read_timeout: int, attempts: int = ATTEMPTS) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    endpoint = where.endpoint
    local = _TWIN if endpoint is not None and _on_this_machine(endpoint) else {}
    return _asked(
        service, lambda: boto3.client(service, endpoint_url=endpoint, config=config, **local)
    )


def _on_this_machine(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        host = parts.hostname
    except ValueError as error:
        raise InvalidInputError(f"--endpoint {endpoint!r} cannot be read") from error
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidInputError(f"--endpoint {endpoint!r} is not like http://127.0.0.1:4566")
    # Whoever logs in to the twin in a way of his own is left to it.
    return host in LOOPBACK_HOSTS and "AWS_ACCESS_KEY_ID" not in os.environ

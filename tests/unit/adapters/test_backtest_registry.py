"""Calling register_backtest: what it raises of our own errors is raised here again."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from tradewind.adapters.backtest_registry import RegistryFunction
from tradewind.errors import DatabaseUnavailableError, InvalidInputError, ThrottledError

NOW = datetime(2020, 11, 12, 15, 0, tzinfo=UTC)


class Lambda:
    def __init__(self, answer: Any, failed: bool = False, error: Exception | None = None) -> None:
        self.answer = answer
        self.failed = failed
        self.error = error
        self.asked: list[Any] = []

    def invoke(self, **request: Any) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        self.asked.append((request["FunctionName"], json.loads(request["Payload"])))
        payload = io.BytesIO(json.dumps(self.answer).encode())
        return {"Payload": payload, **({"FunctionError": "Unhandled"} if self.failed else {})}


def test_the_function_is_handed_request_and_time_and_its_answer_is_the_answer() -> None:
    client = Lambda({"state": "requested"})
    assert RegistryFunction(client, "arn").register({"a": 1}, NOW) == {"state": "requested"}
    assert client.asked == [("arn", {"request": {"a": 1}, "at": "2020-11-12T15:00:00Z"})]


# What the function died of -> what its caller is told.
RAISED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"errorType": "InvalidInputError", "errorMessage": "no bars"}, InvalidInputError, "no bars"),
    ({"errorType": "ThrottledError", "errorMessage": "two run"}, ThrottledError, "two run"),
    ({"errorType": "KeyError", "errorMessage": "'x'"}, DatabaseUnavailableError, "'x'"),
    ({"errorMessage": "Task timed out"}, DatabaseUnavailableError, "timed out"),
    # Names of the module that are no errors.
    ({"errorType": "__name__", "errorMessage": "odd"}, DatabaseUnavailableError, "odd"),
]


@pytest.mark.parametrize(("content", "kind", "told"), RAISED)
def test_what_the_function_raised_is_raised(
    content: dict[str, Any], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told):
        RegistryFunction(Lambda(content, failed=True), "arn").register({}, NOW)


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url="https://lambda.example"),
        ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "slow"}}, "Invoke"),
    ],
)
def test_a_function_that_cannot_be_called_may_be_asked_again(error: Exception) -> None:
    with pytest.raises(DatabaseUnavailableError, match="cannot be called"):
        RegistryFunction(Lambda({}, error=error), "arn").register({}, NOW)

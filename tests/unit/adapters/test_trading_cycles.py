"""Starting runs by name, against a Step Functions client that answers as AWS does."""

from __future__ import annotations

from typing import Any

import pytest
from tradewind.adapters.step_functions import TradingCycles
from tradewind.errors import CycleFailedBeforeError

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:tradewind-dev-trading-cycle"


class StepFunctions:
    """Keeps executions by name; a used name is refused whatever became of its run."""

    class exceptions:  # noqa: N801 - boto3's name
        class ExecutionAlreadyExists(Exception):  # noqa: N818 - AWS's name
            pass

    def __init__(self, **statuses: str) -> None:
        self.statuses = statuses
        self.asked: list[str] = []

    def start_execution(self, **request: Any) -> None:
        if request["name"] in self.statuses:
            raise self.exceptions.ExecutionAlreadyExists
        self.statuses[request["name"]] = "RUNNING"

    def describe_execution(self, **request: Any) -> dict[str, str]:
        self.asked.append(request["executionArn"])
        return {"status": self.statuses[request["executionArn"].rsplit(":", 1)[1]]}


def test_a_name_is_started_once() -> None:
    cycles = TradingCycles(StepFunctions(), MACHINE)
    assert cycles.start("run", {}) is True
    assert cycles.start("run", {}) is False


def test_a_run_that_succeeded_is_done() -> None:
    assert TradingCycles(StepFunctions(run="SUCCEEDED"), MACHINE).start("run", {}) is False


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_run_that_failed_is_not_done(status: str) -> None:
    with pytest.raises(CycleFailedBeforeError, match=status):
        TradingCycles(StepFunctions(run=status), MACHINE).start("run", {})


@pytest.mark.parametrize("arn", [MACHINE, MACHINE + ":live"], ids=["machine", "alias"])
def test_an_execution_is_asked_for_under_its_machine(arn: str) -> None:
    client = StepFunctions(run="SUCCEEDED")
    TradingCycles(client, arn).start("run", {})
    assert client.asked == [
        "arn:aws:states:us-east-1:000000000000:execution:tradewind-dev-trading-cycle:run"
    ]

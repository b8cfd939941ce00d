"""Starting runs of the trading cycle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tradewind.errors import CycleFailedBeforeError

# A run in one of these states needs nothing from a second delivery of its minute.
_DONE_OR_UNDER_WAY = ("RUNNING", "SUCCEEDED")


class TradingCycles:
    """``client`` is a boto3 Step Functions client, ``arn`` the state machine (or its alias)."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn

    def start(self, name: str, payload: Mapping[str, Any]) -> bool:
        try:
            self._client.start_execution(
                stateMachineArn=self._arn, name=name, input=json.dumps(payload)
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            status = self._client.describe_execution(executionArn=self._execution_arn(name))[
                "status"
            ]
            if status not in _DONE_OR_UNDER_WAY:
                raise CycleFailedBeforeError(
                    f"run {name} exists and is {status}: reconcile, it is not run again"
                ) from None
            return False
        return True

    def _execution_arn(self, name: str) -> str:
        """…:stateMachine:<machine>[:<alias>] -> …:execution:<machine>:<name>"""
        parts = self._arn.split(":")
        return ":".join([*parts[:5], "execution", parts[6], name])

"""Drive the deployed stack through a session: what the Scheduler would do, minute by minute."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tradewind.errors import TradewindError
from tradewind.market.bar import MINUTE, to_iso

from tradewind_local.twin.local_twin import LocalTwin

SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
# The schedule that a replay stands in for, by its name in the template.
EACH_MINUTE = "EachMinute"
# A minute's bar is there three seconds after the minute, which is when its run looks for it.
_BAR_IS_THERE = timedelta(seconds=3)
_ASKING_TAKES = timedelta(milliseconds=100)
_FIRST_LOOK_SECONDS = 0.2
_POLL_SECONDS = 0.02
# Beyond the state machine's own limit of five minutes nothing is to be expected any more.
_RUN_SECONDS = 330.0
_DRAIN_SECONDS = 60.0


class ReplayFailedError(TradewindError):
    """The replay cannot go on; the message says what did not work."""


@dataclass(frozen=True, slots=True)
class MinuteRun:
    """How one minute's run went.

    ``outcome`` is fetch_bars' answer (``started``, ``already_done``, ``no_session``) or
    ``not_started``; ``status`` the execution's (``SUCCEEDED``, ``FAILED``, …) or None without one.
    ``milliseconds`` from the schedule's call to the execution's end, for started runs only.
    """

    bar_time: datetime
    outcome: str
    status: str | None
    error: str | None
    milliseconds: float | None


class SessionDriver:
    """Calls the schedule's target with the schedule's input, as the Scheduler would.

    Raises ReplayFailedError when the stack has no such schedule, or a run does not end.
    """

    def __init__(self, twin: LocalTwin) -> None:
        self._twin = twin
        self._functions = twin.cloud.client("lambda")
        self._executions = twin.cloud.client("stepfunctions")
        self._queues = twin.queues()
        self._target, self._input = self._schedule()
        machines = list(twin.deployment.of_type("AWS::StepFunctions::StateMachine").values())
        self._execution_prefix = machines[0].replace(":stateMachine:", ":execution:")

    def run(self, bar_times: list[datetime]) -> Iterator[MinuteRun]:
        """One run after the other; the market moves to the run's minute before each."""
        for bar_time in bar_times:
            scheduled = bar_time + MINUTE
            self._move_market(scheduled + _BAR_IS_THERE)
            yield self._run_minute(bar_time, scheduled)

    def stop_market(self) -> None:
        """Let the market stand still, so that nothing moves while books are compared."""
        now = self._twin.market.clock()
        if now is not None:
            # A moment ahead: the clock runs on while we ask, and it cannot go back.
            self._twin.market.set_clock(now + _ASKING_TAKES, running=False)

    def drain(self) -> dict[str, int]:
        """Wait until the queues that feed functions are empty; the messages left, by queue."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while (left := self._queues.undelivered()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left

    def dead_letters(self) -> dict[str, int]:
        """Messages in the queues that no function reads: logical name -> count, zeros left out."""
        return self._queues.dead_letters()

    def _schedule(self) -> tuple[str, str]:
        scheduler = self._twin.cloud.client("scheduler")
        schedules = self._twin.deployment.of_type("AWS::Scheduler::Schedule")
        if EACH_MINUTE not in schedules:
            raise ReplayFailedError(f"template.yaml has no schedule {EACH_MINUTE}")
        target = scheduler.get_schedule(Name=schedules[EACH_MINUTE])["Target"]
        return target["Arn"], target["Input"]

    def _move_market(self, moment: datetime) -> None:
        """Forward only: minutes that were replayed before lie behind the market's clock."""
        now = self._twin.market.clock()
        if now is None or now < moment:
            self._twin.market.set_clock(moment)

    def _run_minute(self, bar_time: datetime, scheduled: datetime) -> MinuteRun:
        began = time.monotonic()
        answer = self._functions.invoke(
            FunctionName=self._target,
            Payload=self._input.replace(SCHEDULED_TIME, to_iso(scheduled)).encode(),
        )
        payload: Any = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            error = f"{payload.get('errorType')}: {payload.get('errorMessage')}"
            return MinuteRun(bar_time, "not_started", None, error, None)
        outcome, name = payload["outcome"], payload["execution"]
        if name is None:
            return MinuteRun(bar_time, outcome, None, None, None)
        execution = self._wait_for_end(name, outcome == "started")
        took = (time.monotonic() - began) * 1000 if outcome == "started" else None
        status = execution["status"]
        failure = f"{execution.get('error')}: {execution.get('cause')}"
        return MinuteRun(
            bar_time, outcome, status, None if status == "SUCCEEDED" else failure, took
        )

    def _wait_for_end(self, name: str, started: bool) -> dict[str, Any]:
        deadline = time.monotonic() + _RUN_SECONDS
        if started:
            time.sleep(_FIRST_LOOK_SECONDS)
        while True:
            execution = self._describe(name)
            if execution is not None and execution["status"] != "RUNNING":
                return execution
            if time.monotonic() > deadline:
                raise ReplayFailedError(f"run {name} did not end within {_RUN_SECONDS:g} s")
            time.sleep(_POLL_SECONDS)

    def _describe(self, name: str) -> dict[str, Any] | None:
        try:
            execution: dict[str, Any] = self._executions.describe_execution(
                executionArn=f"{self._execution_prefix}:{name}"
            )
        except self._executions.exceptions.ExecutionDoesNotExist:
            return None
        return execution

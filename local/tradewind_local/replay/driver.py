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
EVENT_TIME = "<time>"
# The schedules and the rule that a replay stands in for, by their names in the template. The local
# cloud's own would fire by the real clock, in the middle of another session or of none.
EACH_MINUTE = "EachMinute"
BEFORE_OPEN = "BeforeOpen"
FAILED_RUN = "FailedRun"
# When the schedule asks for reconciliation before the open (09:15 in New York).
_BEFORE_OPEN = timedelta(minutes=15)
_SUCCEEDED = "SUCCEEDED"
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


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How one reconciliation went: ``minute`` it was asked for and ``why``; ``status`` as of its
    execution; ``reason`` as its plan gave it; ``intents`` that it committed, by kind and symbol."""

    minute: datetime
    why: str
    status: str
    reason: str
    intents: tuple[str, ...]


class SessionDriver:
    """Calls the schedules' targets with the schedules' inputs, as the Scheduler would, and after a
    failed run the rule's target, as EventBridge would.

    ``reconciliations`` are those that were run. Raises ReplayFailedError when the stack has no such
    schedule, or a run does not end.
    """

    def __init__(self, twin: LocalTwin) -> None:
        self._twin = twin
        self._functions = twin.cloud.client("lambda")
        self._executions = twin.cloud.client("stepfunctions")
        self._queues = twin.queues()
        self._target, self._input = self._schedule(EACH_MINUTE)
        self._reconciler, self._before_open = self._schedule(BEFORE_OPEN)
        self._after_failure = self._failed_run_input()
        self._cycle = twin.deployment.outputs["TradingCycleArn"]
        self.reconciliations: list[Reconciliation] = []

    def run(self, bar_times: list[datetime]) -> Iterator[MinuteRun]:
        """One run after the other; the market moves to the run's minute before each. Before the
        first one the session is prepared by a reconciliation, unless the market has passed it, and
        a run that failed is followed by one."""
        if bar_times:
            self._reconcile_before_open(bar_times[0])
        for bar_time in bar_times:
            scheduled = bar_time + MINUTE
            self._move_market(scheduled + _BAR_IS_THERE)
            run = self._run_minute(bar_time, scheduled)
            if run.outcome == "started" and run.status != _SUCCEEDED:
                event = self._after_failure.replace(EVENT_TIME, to_iso(scheduled))
                self._reconcile(scheduled, event)
            yield run

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

    def _schedule(self, name: str) -> tuple[str, str]:
        """The target and input of a schedule of the template."""
        scheduler = self._twin.cloud.client("scheduler")
        schedules = self._twin.deployment.of_type("AWS::Scheduler::Schedule")
        if name not in schedules:
            raise ReplayFailedError(f"template.yaml has no schedule {name}")
        target = scheduler.get_schedule(Name=schedules[name])["Target"]
        return target["Arn"], target["Input"]

    def _failed_run_input(self) -> str:
        """What the rule on failed runs hands to its target; the event's time is left to be filled
        in."""
        rules = self._twin.deployment.of_type("AWS::Events::Rule")
        if FAILED_RUN not in rules:
            raise ReplayFailedError(f"template.yaml has no rule {FAILED_RUN}")
        events = self._twin.cloud.client("events")
        (target,) = events.list_targets_by_rule(Rule=rules[FAILED_RUN])["Targets"]
        template: str = target["InputTransformer"]["InputTemplate"]
        return template

    def _reconcile_before_open(self, opens: datetime) -> None:
        """A market that has passed that moment has seen its reconciliation: a clock cannot go
        back."""
        minute = opens - _BEFORE_OPEN
        now = self._twin.market.clock()
        if now is not None and now >= minute:
            return
        self._twin.market.set_clock(minute + _ASKING_TAKES)
        self._reconcile(minute, self._before_open.replace(SCHEDULED_TIME, to_iso(minute)))

    def _reconcile(self, minute: datetime, event: str) -> None:
        started = self._executions.start_execution(stateMachineArn=self._reconciler, input=event)
        execution = self._wait_for_end(started["executionArn"], started=True)
        output = json.loads(execution.get("output") or "{}")
        intents = output.get("assessed", {}).get("intents", [])
        self.reconciliations.append(
            Reconciliation(
                minute,
                json.loads(event)["why"],
                execution["status"],
                output.get("reason") or f"{execution.get('error')}: {execution.get('cause')}",
                tuple(f"{intent['kind']} {intent['symbol']}" for intent in intents),
            )
        )

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
        execution = self._wait_for_end(self._execution_arn(name), outcome == "started")
        took = (time.monotonic() - began) * 1000 if outcome == "started" else None
        status = execution["status"]
        failure = f"{execution.get('error')}: {execution.get('cause')}"
        return MinuteRun(bar_time, outcome, status, None if status == _SUCCEEDED else failure, took)

    def _execution_arn(self, name: str) -> str:
        return f"{self._cycle.replace(':stateMachine:', ':execution:')}:{name}"

    def _wait_for_end(self, arn: str, started: bool) -> dict[str, Any]:
        deadline = time.monotonic() + _RUN_SECONDS
        if started:
            time.sleep(_FIRST_LOOK_SECONDS)
        while True:
            execution = self._describe(arn)
            if execution is not None and execution["status"] != "RUNNING":
                return execution
            if time.monotonic() > deadline:
                name = arn.rsplit(":", 1)[1]
                raise ReplayFailedError(f"run {name} did not end within {_RUN_SECONDS:g} s")
            time.sleep(_POLL_SECONDS)

    def _describe(self, arn: str) -> dict[str, Any] | None:
        try:
            execution: dict[str, Any] = self._executions.describe_execution(executionArn=arn)
        except self._executions.exceptions.ExecutionDoesNotExist:
            return None
        return execution

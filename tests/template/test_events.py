"""Every function and schedule has a sample event, and the code can read it."""

from __future__ import annotations

import json
import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tradewind.alerts.model import Alert
from tradewind.backtest.request import BacktestRequest
from tradewind.market.bar import from_iso, to_iso
from tradewind.market.cycle import Cycle, execution_name, reconciliation_name
from tradewind.market.session_table import default_table
from tradewind.orders.ids import intent_id
from tradewind.orders.payload import intent_from_payload, outcome_from_payload
from tradewind.prediction.payload import predictions_from_payload
from tradewind.tradelog.model import TradeEvent
from tradewind.use_cases.daily_report import due_session
from tradewind.use_cases.ports import PayloadRef
from tradewind.use_cases.receive_broker_hint import Hint, receive_broker_hint
from tradewind.use_cases.reconcile import Why
from tradewind.use_cases.trading_switch import alarm_of

from tests.fakes import FakeClock
from tests.template.rules_functions import folder_of
from tests.template.stack import ROOT, Stack
from tests.unit.use_cases.test_receive_broker_hint import Starter

EVENTS = ROOT / "events"
CYCLE_STEPS = (
    "sync_broker",
    "record_broker_state",
    "compute_features",
    "predict_trend",
    "assess_risk",
    "place_order",
    "follow_orders",
    "record_orders",
)


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event


def test_each_function_and_schedule_has_one_and_nothing_else_has() -> None:
    stack = Stack.read()
    functions = {folder_of(stack, name) for name in stack.functions}
    schedules = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        for name in stack.of_type("AWS::Scheduler::Schedule", "AWS::Events::Rule")
    }
    assert {path.stem for path in EVENTS.glob("*.json")} == functions | schedules


def test_the_schedules_sample_is_its_input_with_the_time_filled_in() -> None:
    schedule = Stack.read().resource("EachMinute")["Properties"]["Target"]["Input"]
    filled = schedule.replace("<aws.scheduler.scheduled-time>", "2020-11-12T14:31:00Z")
    assert sample("each_minute") == sample("fetch_bars") == json.loads(filled)
    assert from_iso(sample("fetch_bars")["scheduled_time"]).minute == 31


def test_the_nights_sample_is_its_input_with_the_time_filled_in() -> None:
    schedule = Stack.read().resource("EachNight")["Properties"]
    filled = schedule["Target"]["Input"].replace(
        "<aws.scheduler.scheduled-time>", "2020-11-13T01:30:00Z"
    )
    assert sample("each_night") == sample("maintain_database") == json.loads(filled)
    # Half past eight in the evening in New York, when nothing is traded.
    local = from_iso(sample("each_night")["scheduled_time"]).astimezone(
        ZoneInfo(schedule["ScheduleExpressionTimezone"])
    )
    assert schedule["ScheduleExpression"] == f"cron({local.minute} {local.hour} * * ? *)"


def test_the_reports_samples_are_its_schedules_input_with_the_time_filled_in() -> None:
    schedule = Stack.read().resource("AfterClose")["Properties"]
    event = sample("after_close")
    filled = schedule["Target"]["Input"].replace(
        "<aws.scheduler.scheduled-time>", event["scheduled_time"]
    )
    assert event == sample("daily_report") == json.loads(filled)
    local = from_iso(event["scheduled_time"]).astimezone(
        ZoneInfo(schedule["ScheduleExpressionTimezone"])
    )
    # Its other hour follows the close of a half day, three hours earlier.
    assert schedule["ScheduleExpression"] == (
        f"cron({local.minute} {local.hour - 3},{local.hour} ? * MON-FRI *)"
    )
    due = due_session(from_iso(event["scheduled_time"]), default_table())
    assert due is not None


STARTS = [
    # (schedule, its time of day in New York as the sample has it)
    ("BeforeOpen", "09:15"),
    ("SafetyCheck", "09:32"),
]


@pytest.mark.parametrize(("schedule", "local"), STARTS)
def test_a_reconciliations_schedule_says_why_and_when(schedule: str, local: str) -> None:
    properties = Stack.read().resource(schedule)["Properties"]
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", schedule).lower()
    event = sample(name)
    filled = properties["Target"]["Input"].replace(
        "<aws.scheduler.scheduled-time>", event["scheduled_time"]
    )
    assert event == json.loads(filled)
    assert event["why"] in set(Why)
    at = from_iso(event["scheduled_time"]).astimezone(
        ZoneInfo(properties["ScheduleExpressionTimezone"])
    )
    assert f"{at:%H:%M}" == local


def test_a_failed_runs_event_says_why_and_when() -> None:
    (target,) = Stack.read().resource("FailedRun")["Properties"]["Targets"]
    event = sample("failed_run")
    template = target["InputTransformer"]["InputTemplate"]
    assert event == json.loads(template.replace("<time>", event["scheduled_time"]))
    assert event["why"] == Why.FAILED_RUN


def test_a_reconciliations_step_has_the_cycle_that_the_first_one_planned() -> None:
    cycle = Cycle.from_payload(sample("assess_protection")["cycle"])
    assert cycle.execution == reconciliation_name(cycle.account, cycle.bar_time)
    assert cycle.as_payload() == sample("assess_protection")["cycle"]


def test_a_hints_signature_can_be_checked() -> None:
    """With the secret ``sample``, at the time of its timestamp."""
    event = sample("receive_broker_hint")
    headers = event["headers"]
    answer = receive_broker_hint(
        Hint(
            event["body"].encode(),
            headers["X-Tradewind-Timestamp"],
            headers["X-Tradewind-Signature"],
        ),
        secret="sample",
        account="paper",
        reconciliations=Starter(),
        clock=FakeClock(),
    )
    assert answer.status == 202


def test_an_alarm_can_be_read() -> None:
    (record,) = sample("change_switch")["Records"]
    assert alarm_of(record["Sns"]["Message"])


@pytest.mark.parametrize("step", CYCLE_STEPS)
def test_a_steps_sample_is_of_a_cycle(step: str) -> None:
    cycle = Cycle.from_payload(sample(step)["cycle"])
    assert cycle.execution == execution_name(cycle.account, cycle.bar_time)


@pytest.mark.parametrize("step", CYCLE_STEPS)
def test_a_steps_sample_has_the_fields_that_the_state_machine_gives_it(step: str) -> None:
    from tests.template.rules_workflow import states

    wanted = "".join(word.capitalize() for word in step.split("_"))
    given = [
        set(state.get("Parameters", {})) or set(holder.get("ItemSelector", {}))
        for name, state, _, held_by in states(Stack.read().workflow)
        if state.get("Resource") == f"${{{wanted}}}"
        for holder in [Stack.read().workflow["States"].get(held_by, {})]
    ]
    assert {key.removesuffix(".$") for key in given[0]} == set(sample(step))


def test_references_intents_outcomes_and_predictions_can_be_read() -> None:
    PayloadRef.from_payload(sample("compute_features")["bars"])
    PayloadRef.from_payload(sample("record_broker_state")["broker_state"])
    PayloadRef.from_payload(sample("predict_trend")["features"]["windows"])
    assert predictions_from_payload(sample("assess_risk")["prediction"]["predictions"])
    intent = intent_from_payload(sample("place_order")["intent"])
    assert intent.intent_id == intent_id(
        deployment=sample("place_order")["cycle"]["deployment"],
        account=intent.account,
        strategy=intent.strategy,
        mode=intent.mode,
        session=intent.session,
        bar_time=intent.bar_time,
        symbol=intent.symbol,
        side=intent.side,
        kind=intent.kind,
        revision=intent.revision,
    )
    for step in ("follow_orders", "record_orders"):
        (outcome,) = [outcome_from_payload(item) for item in sample(step)["outcomes"]]
        assert outcome.intent_id == intent.intent_id


def test_a_backtests_request_is_taken_as_it_is_passed_on() -> None:
    asked = BacktestRequest.parse(sample("start_backtest")["body"])
    assert sample("register_backtest")["request"] == asked.as_payload()


@pytest.mark.parametrize("step", ["plan_backtest", "record_backtest"])
def test_a_backtests_step_is_handed_its_request_and_plan(step: str) -> None:
    event = sample(step)
    at = from_iso(event["requested_at"])
    plan = {} if step == "plan_backtest" else {"plan": sample("run_backtest")["plan"]}
    assert {"backtest_id": event["backtest_id"], "requested_at": to_iso(at), **plan} == event
    ref = PayloadRef.from_payload(sample("run_backtest")["plan"])
    assert ref.key == f"backtests/runs/{event['backtest_id']}-{int(at.timestamp())}/plan.json"


def test_messages_can_be_read() -> None:
    for consumer in ("record_alert", "notify"):
        Alert.from_payload(json.loads(sample(consumer)["Records"][0]["body"]))
    TradeEvent.from_payload(json.loads(sample("log_trades")["Records"][0]["body"]))

"""Rules about queues, topics, the schedule and alarms."""

from __future__ import annotations

import json
import re
from zoneinfo import available_timezones

from tests.template.stack import Properties, Stack, mentions

QUEUE = "AWS::SQS::Queue"
SUBSCRIPTION = "AWS::SNS::Subscription"
# What schedules and rules may start directly: its first step validates.
STARTED = {"OrderReconciliation"}


def dead_letter_queues(stack: Stack) -> set[str]:
    """Every queue that something gives up into."""
    found = set()
    for queue in stack.of_type(QUEUE).values():
        found |= mentions(queue.get("RedrivePolicy", {}).get("deadLetterTargetArn"))
    for subscription in stack.of_type(SUBSCRIPTION).values():
        found |= mentions(subscription.get("RedrivePolicy", {}).get("deadLetterTargetArn"))
    for schedule in stack.of_type("AWS::Scheduler::Schedule").values():
        found |= mentions(schedule["Target"].get("DeadLetterConfig", {}).get("Arn"))
    for rule in stack.of_type("AWS::Events::Rule").values():
        for target in rule["Targets"]:
            found |= mentions(target.get("DeadLetterConfig", {}).get("Arn"))
    for function in stack.functions.values():
        on_failure = function.get("EventInvokeConfig", {}).get("DestinationConfig", {})
        found |= mentions(on_failure.get("OnFailure", {}).get("Destination"))
    return found


def visibility_outlasts_the_consumer(stack: Stack) -> list[str]:
    """At least six times the function's timeout, or a slow batch is worked on twice."""
    return [
        f"{queue}: visibility below six times the timeout of {function}"
        for function, queue, _ in stack.queue_events()
        if stack.resource(queue)["Properties"].get("VisibilityTimeout", 30)
        < 6 * stack.functions[function]["Timeout"]
    ]


def queues_give_up_into_dead_letters(stack: Stack) -> list[str]:
    """Consumed queues redrive, deliveries that fail are kept, and no queue is left over."""
    queues = stack.of_type(QUEUE)
    dead = dead_letter_queues(stack)
    consumed = {queue for _, queue, _ in stack.queue_events()}
    found = [
        f"{name} is neither consumed nor a dead-letter queue"
        for name in queues
        if name not in dead | consumed
    ]
    for name in sorted(consumed):
        redrive = queues[name].get("RedrivePolicy", {})
        if not mentions(redrive.get("deadLetterTargetArn")) & set(queues):
            found.append(f"{name} has no dead-letter queue")
        if not 3 <= redrive.get("maxReceiveCount", 0) <= 10:
            found.append(f"{name}: maxReceiveCount is not between 3 and 10")
    for name, subscription in stack.of_type(SUBSCRIPTION).items():
        if subscription["Protocol"] != "sqs":
            continue
        if not mentions(subscription.get("RedrivePolicy", {})) & set(queues):
            found.append(f"{name} loses what cannot be delivered")
        if subscription.get("RawMessageDelivery") is not True:
            found.append(f"{name} wraps messages; consumers read them raw")
    return found


def queues_are_encrypted(stack: Stack) -> list[str]:
    found = [
        f"{name} is not encrypted"
        for name, queue in stack.of_type(QUEUE).items()
        if not queue.get("SqsManagedSseEnabled") and "KmsMasterKeyId" not in queue
    ]
    return found + [
        f"{name} is not encrypted"
        for name, topic in stack.of_type("AWS::SNS::Topic").items()
        if "KmsMasterKeyId" not in topic
    ]


def topics_may_deliver(stack: Stack) -> list[str]:
    """The queue's policy lets its topic send to the queue and to its dead letters."""
    found = []
    policies = [
        statement
        for statement in stack.all_statements()
        if statement.where in stack.of_type("AWS::SQS::QueuePolicy")
        and statement.allows
        and "sqs:SendMessage" in statement.actions
    ]
    for name, subscription in stack.of_type(SUBSCRIPTION).items():
        if subscription["Protocol"] != "sqs":
            continue
        (topic,) = mentions(subscription["TopicArn"])
        targets = mentions(subscription["Endpoint"]) | mentions(subscription.get("RedrivePolicy"))
        for target in sorted(targets):
            if not any(
                target in mentions(list(statement.resources))
                and topic in mentions(statement.condition)
                for statement in policies
            ):
                found.append(f"{name}: {topic} may not send to {target}")
    return found


def consumers_answer_by_record(stack: Stack) -> list[str]:
    """Partial failures, a bound on concurrency, and the permission to take messages."""
    found = []
    for function, queue, event in stack.queue_events():
        if event.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            found.append(f"{function}: one bad record sends the whole batch back")
        if "MaximumConcurrency" not in event.get("ScalingConfig", {}):
            found.append(f"{function}: {queue} has no MaximumConcurrency")
        for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
            if not stack.role_allows(f"{function}Role", f"sqs:{action}", queue):
                found.append(f"{function}Role may not {action} on {queue}")
    return found


def dead_letters_are_seen(stack: Stack) -> list[str]:
    """An alarm on the visible messages of every dead-letter queue, and somebody it tells."""
    watched = set()
    for alarm in stack.of_type("AWS::CloudWatch::Alarm").values():
        if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible":
            watched |= mentions(alarm["Dimensions"])
    return [f"{name} fills unseen" for name in sorted(dead_letter_queues(stack) - watched)]


def alarms_tell_somebody(stack: Stack) -> list[str]:
    topics = set(stack.of_type("AWS::SNS::Topic"))
    return [
        f"{name} tells nobody"
        for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items()
        if not mentions(alarm.get("AlarmActions", [])) & topics
    ]


def failures_raise_alarms(stack: Stack) -> list[str]:
    """What must be watched beyond the dead letters."""
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    needed = {
        ("ExecutionsFailed", "TradingCycle"),
        ("ExecutionsTimedOut", "TradingCycle"),
        ("ExecutionsFailed", "OrderReconciliation"),
        ("ExecutionsTimedOut", "OrderReconciliation"),
        ("ExecutionsFailed", "Backtest"),
        ("ExecutionsTimedOut", "Backtest"),
        ("Errors", "StartBacktest"),
        ("Errors", "FetchBars"),
        ("Throttles", "FetchBars"),
        ("Invocations", "FetchBars"),
    }
    for alarm in alarms.values():
        metrics = [m["MetricStat"]["Metric"] for m in alarm.get("Metrics", []) if "MetricStat" in m]
        for metric in [alarm, *metrics]:
            needed -= {(metric.get("MetricName"), t) for t in mentions(metric.get("Dimensions"))}
    return [f"no alarm on {metric} of {target}" for metric, target in sorted(needed)]


def schedules_are_exact(stack: Stack) -> list[str]:
    """A real time zone, no late repeats, the minute's own time, and as target a function's live
    alias, or a state machine that may be started by others than fetch_bars."""
    found = []
    for name, schedule in stack.of_type("AWS::Scheduler::Schedule").items():
        target = schedule["Target"]
        if schedule.get("ScheduleExpressionTimezone") not in available_timezones():
            found.append(f"{name}: no IANA time zone")
        if schedule["FlexibleTimeWindow"] != {"Mode": "OFF"}:
            found.append(f"{name} may be late by its own wish")
        retry = target.get("RetryPolicy", {})
        if retry.get("MaximumRetryAttempts", 185) > 2:
            found.append(f"{name} repeats too often")
        if retry.get("MaximumEventAgeInSeconds", 86400) > 300:
            found.append(f"{name} repeats too late")
        if "<aws.scheduler.scheduled-time>" not in json.loads(target["Input"]).values():
            found.append(f"{name} does not say which minute it is for")
        called = target["Arn"].get("Ref", "")
        if called not in STARTED and not re.fullmatch(r"\w+\.Alias", called):
            found.append(f"{name} does not call an alias")
    return found


def schedules_reach_their_targets(stack: Stack) -> list[str]:
    """The local cloud does not check these roles: they are compared here. An EventBridge rule's
    dead letters come from EventBridge itself, which the queue's policy must let in."""
    found = []
    for name, schedule in stack.of_type("AWS::Scheduler::Schedule").items():
        target = schedule["Target"]
        (role,) = mentions(target["RoleArn"])
        found += _cannot_call(stack, name, role, target)
        found.extend(
            f"{role} may not send to {queue}"
            for queue in mentions(target.get("DeadLetterConfig", {}).get("Arn"))
            if not stack.role_allows(role, "sqs:SendMessage", queue)
        )
    for name, rule in stack.of_type("AWS::Events::Rule").items():
        for target in rule["Targets"]:
            (role,) = mentions(target["RoleArn"])
            found += _cannot_call(stack, name, role, target)
            if target.get("RetryPolicy", {}).get("MaximumEventAgeInSeconds", 86400) > 300:
                found.append(f"{name} repeats too late")
            found.extend(
                f"{name} may not send to {queue}"
                for queue in mentions(target.get("DeadLetterConfig", {}).get("Arn"))
                if not any(
                    "sqs:SendMessage" in statement.actions
                    and queue in mentions(list(statement.resources))
                    and name in mentions(statement.condition)
                    for statement in stack.all_statements()
                )
            )
    return found


def _cannot_call(stack: Stack, name: str, role: str, target: Properties) -> list[str]:
    (called,) = mentions(target["Arn"])
    action = "states:StartExecution" if called in STARTED else "lambda:InvokeFunction"
    found = [] if stack.role_allows(role, action, called) else [f"{role} may not call {called}"]
    if not mentions(target.get("DeadLetterConfig", {}).get("Arn")):
        found.append(f"{name} has no dead-letter queue")
    return found


def failed_runs_are_reconciled(stack: Stack) -> list[str]:
    """However a run of the cycle ends badly, a reconciliation follows."""
    wanted = {"FAILED", "TIMED_OUT", "ABORTED"}
    for rule in stack.of_type("AWS::Events::Rule").values():
        detail = rule["EventPattern"].get("detail", {})
        if mentions(detail.get("stateMachineArn")) == {"TradingCycle"}:
            wanted -= set(detail.get("status", []))
    return [f"a run that is {status} is not reconciled" for status in sorted(wanted)]


def alarms_lower_the_switch(stack: Stack) -> list[str]:
    """Somebody listens to the switch's topic, and something is told to it."""
    told = [
        name
        for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items()
        if "SwitchTopic" in mentions(alarm.get("AlarmActions"))
    ]
    listening = [
        event
        for event in stack.functions["ChangeSwitch"].get("Events", {}).values()
        if event["Type"] == "SNS" and mentions(event["Properties"]["Topic"]) == {"SwitchTopic"}
    ]
    found = [] if told else ["no alarm lowers the trading switch"]
    if not listening:
        found.append("change_switch does not hear the alarms")
    found.extend(
        "an alarm that cannot be handed to change_switch is lost"
        for event in listening
        if not mentions(event["Properties"].get("RedrivePolicy")) & set(stack.of_type(QUEUE))
    )
    return found


def stale_ticks_are_dropped(stack: Stack) -> list[str]:
    """The Scheduler invokes asynchronously: without this Lambda tries a failed tick twice more,
    for up to six hours."""
    found = []
    for schedule in stack.of_type("AWS::Scheduler::Schedule").values():
        (name,) = mentions(schedule["Target"]["Arn"])
        if name in STARTED:
            continue
        config = stack.functions[name].get("EventInvokeConfig", {})
        if config.get("MaximumRetryAttempts") != 0:
            found.append(f"{name} is tried again by Lambda")
        if config.get("MaximumEventAgeInSeconds", 21600) > 60:
            found.append(f"{name} may run on a tick of long ago")
        queues = mentions(config.get("DestinationConfig", {}))
        if not queues:
            found.append(f"{name}: failed ticks are lost")
        found.extend(
            f"{name}Role may not send to {queue}"
            for queue in queues
            if not stack.role_allows(f"{name}Role", "sqs:SendMessage", queue)
        )
    return found


RULES = (
    visibility_outlasts_the_consumer,
    queues_give_up_into_dead_letters,
    queues_are_encrypted,
    topics_may_deliver,
    consumers_answer_by_record,
    dead_letters_are_seen,
    alarms_tell_somebody,
    failures_raise_alarms,
    schedules_are_exact,
    schedules_reach_their_targets,
    stale_ticks_are_dropped,
    failed_runs_are_reconciled,
    alarms_lower_the_switch,
)

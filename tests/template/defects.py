"""Planted defects: what each rule is there to notice, one change to the good template each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.template import rules_functions as functions
from tests.template import rules_messages as messages
from tests.template import rules_permissions as permissions
from tests.template import rules_workflow as workflow
from tests.template.stack import Stack


@dataclass(frozen=True)
class Defect:
    name: str
    rule: Callable[[Stack], list[str]]
    plant: Callable[[Stack], None]


def put(resource: str, *path: str | int, value: Any) -> Callable[[Stack], None]:
    """Set one property of a resource."""

    def plant(stack: Stack) -> None:
        _walk(stack.resource(resource)["Properties"], path[:-1])[path[-1]] = value

    return plant


def drop(resource: str, *path: str | int) -> Callable[[Stack], None]:
    """Take out one property of a resource."""

    def plant(stack: Stack) -> None:
        del _walk(stack.resource(resource)["Properties"], path[:-1])[path[-1]]

    return plant


def attribute(resource: str, name: str, value: Any) -> Callable[[Stack], None]:
    """Set an attribute beside the properties (DependsOn, DeletionPolicy)."""
    return lambda stack: stack.resource(resource).__setitem__(name, value)


def add(resource: str, kind: str, **properties: Any) -> Callable[[Stack], None]:
    def plant(stack: Stack) -> None:
        stack.template["Resources"][resource] = {"Type": kind, "Properties": properties}

    return plant


def remove(resource: str) -> Callable[[Stack], None]:
    return lambda stack: stack.template["Resources"].pop(resource)


def default(*path: str, value: Any) -> Callable[[Stack], None]:
    """Set something in Globals."""

    def plant(stack: Stack) -> None:
        _walk(stack.template["Globals"], path[:-1])[path[-1]] = value

    return plant


def allow(role: str, action: str, target: Any) -> Callable[[Stack], None]:
    """Give a role one more permission."""

    def plant(stack: Stack) -> None:
        policy = stack.resource(role)["Properties"]["Policies"][0]["PolicyDocument"]
        policy["Statement"].append({"Effect": "Allow", "Action": [action], "Resource": [target]})

    return plant


def forbid(role: str, action: str) -> Callable[[Stack], None]:
    """Take a role's statements with this action away."""

    def plant(stack: Stack) -> None:
        document = stack.resource(role)["Properties"]["Policies"][0]["PolicyDocument"]
        kept = [s for s in document["Statement"] if action not in s["Action"]]
        assert kept != document["Statement"]
        document["Statement"] = kept

    return plant


def step(name: str, key: str, value: Any) -> Callable[[Stack], None]:
    """Set one field of a state, at whatever depth it stands."""

    def plant(stack: Stack) -> None:
        _state(stack, name)[key] = value

    return plant


def of_backtest(name: str, key: str, value: Any) -> Callable[[Stack], None]:
    """Set one field of a state of the backtests' machine."""
    return lambda stack: stack.workflows["Backtest"]["States"][name].__setitem__(key, value)


def without(name: str, key: str) -> Callable[[Stack], None]:
    def plant(stack: Stack) -> None:
        del _state(stack, name)[key]

    return plant


def rename(old: str, new: str) -> Callable[[Stack], None]:
    def plant(stack: Stack) -> None:
        stack.workflow["States"][new] = stack.workflow["States"].pop(old)

    return plant


def retry(name: str, key: str, value: Any) -> Callable[[Stack], None]:
    def plant(stack: Stack) -> None:
        _state(stack, name)["Retry"][0][key] = value

    return plant


def catch_only(name: str, error: str, target: str) -> Callable[[Stack], None]:
    return step(name, "Catch", [{"ErrorEquals": [error], "ResultPath": "$.x", "Next": target}])


def _walk(node: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        node = node[part]
    return node


def _state(stack: Stack, name: str) -> dict[str, Any]:
    (found,) = [s for n, s, *_ in workflow.states(stack.workflow) if n == name]
    return found


F, M, P, W = functions, messages, permissions, workflow
ENV = ("Environment", "Variables")
EVENT = ("Events", "Messages", "Properties")
TARGET = ("Target",)

DEFECTS = (
    # -- functions ---------------------------------------------------------------------------
    Defect("a function without its folder", F.every_folder_is_a_function, remove("LogTrades")),
    Defect("no timeout", F.limits_are_explicit, drop("SyncBroker", "Timeout")),
    Defect("no memory size", F.limits_are_explicit, drop("Notify", "MemorySize")),
    Defect(
        "two functions with one role",
        F.roles_are_own,
        put("Notify", "Role", value={"Fn::GetAtt": ["PlaceOrderRole", "Arn"]}),
    ),
    Defect("policies by SAM", F.roles_are_own, put("Notify", "Policies", value=["X"])),
    Defect("logs for ever", F.logs_are_kept_for_a_time, drop("NotifyLogs", "RetentionInDays")),
    Defect("no log group", F.logs_are_kept_for_a_time, drop("Notify", "LoggingConfig")),
    Defect(
        "no right to log", F.logs_are_kept_for_a_time, forbid("NotifyRole", "logs:PutLogEvents")
    ),
    Defect(
        "payloads in the machine's log",
        F.logs_are_kept_for_a_time,
        put("TradingCycle", "Logging", "IncludeExecutionData", value=True),
    ),
    Defect("no tracing", F.tracing_is_active, put("Api", "TracingEnabled", value=False)),
    Defect(
        "a new layer and old versions",
        F.every_change_is_a_version,
        default("LayerVersion", "PublishLambdaVersion", value=False),
    ),
    Defect(
        "a new limit and old versions",
        F.every_change_is_a_version,
        put("PlaceOrder", "VersionDescription", value={"Fn::Sub": "${LogLevel}"}),
    ),
    Defect(
        "a new image and old versions",
        F.every_change_is_a_version,
        put("RunBacktest", "VersionDescription", value={"Fn::Sub": "${LogLevel}"}),
    ),
    Defect(
        "a description that is too long",
        F.version_descriptions_fit,
        put("Notify", "VersionDescription", value={"Fn::Sub": "x" * 255 + "${LogLevel}"}),
    ),
    Defect("edge in the VPC", F.edge_knows_no_database, put("Notify", "VpcConfig", value={})),
    Defect(
        "edge with a database",
        F.edge_knows_no_database,
        put("Notify", *ENV, "DATABASE_HOST", value="x"),
    ),
    Defect("core outside the VPC", F.core_knows_no_secret, drop("AssessRisk", "VpcConfig")),
    Defect(
        "core with a secret's name",
        F.core_knows_no_secret,
        put("AssessRisk", *ENV, "BROKER_SECRET", value={"Ref": "BrokerSecret"}),
    ),
    Defect(
        "core with a secret",
        F.core_knows_no_secret,
        allow("AssessRiskRole", "secretsmanager:GetSecretValue", {"Ref": "BrokerSecret"}),
    ),
    Defect(
        "a login of somebody else",
        F.core_logs_in_as_itself,
        put("QueryApi", *ENV, "DATABASE_USER", value="tradewind"),
    ),
    Defect(
        "any login",
        F.core_logs_in_as_itself,
        allow("QueryApiRole", "rds-db:connect", {"Fn::Sub": "${Database.DbiResourceId}/*"}),
    ),
    Defect(
        "a password of the twin",
        F.variables_are_known,
        put("QueryApi", *ENV, "DATABASE_PASSWORD", value="x"),
    ),
    Defect(
        "code before its schema",
        F.core_waits_for_the_schema,
        attribute("QueryApi", "DependsOn", "Api"),
    ),
    Defect(
        "an image that every stack needs",
        F.images_are_optional,
        attribute("RunBacktest", "Condition", "HasOperator"),
    ),
    Defect(
        "a stack that needs a container runtime to be built",
        F.images_are_optional,
        attribute("RunBacktest", "Metadata", {"Dockerfile": "Dockerfile"}),
    ),
    Defect(
        "a backtest that knows a secret",
        F.research_runs_apart,
        allow("RunBacktestRole", "secretsmanager:GetSecretValue", {"Ref": "BrokerSecret"}),
    ),
    Defect(
        "a backtest that writes as what trades",
        F.research_runs_apart,
        put("RecordBacktest", *ENV, "DATABASE_USER", value="tw_record"),
    ),
    Defect(
        "a backtest that starts a trading cycle",
        F.research_runs_apart,
        allow("StartBacktestRole", "states:StartExecution", {"Ref": "TradingCycle"}),
    ),
    Defect(
        "a backtest that takes the trading functions' concurrency",
        F.research_runs_apart,
        drop("RunBacktest", "ReservedConcurrentExecutions"),
    ),
    # -- queues, topics, schedule, alarms ----------------------------------------------------
    Defect(
        "a queue faster than its consumer",
        M.visibility_outlasts_the_consumer,
        put("TradeLogQueue", "VisibilityTimeout", value=179),
    ),
    Defect(
        "no dead letters",
        M.queues_give_up_into_dead_letters,
        drop("AlertsNotifyQueue", "RedrivePolicy"),
    ),
    Defect(
        "undelivered and lost",
        M.queues_give_up_into_dead_letters,
        drop("TradeLogSubscription", "RedrivePolicy"),
    ),
    Defect(
        "wrapped messages",
        M.queues_give_up_into_dead_letters,
        put("TradeLogSubscription", "RawMessageDelivery", value=False),
    ),
    Defect("an open queue", M.queues_are_encrypted, drop("TradeLogQueue", "SqsManagedSseEnabled")),
    Defect("an open topic", M.queues_are_encrypted, drop("AlertsTopic", "KmsMasterKeyId")),
    Defect("a closed queue", M.topics_may_deliver, remove("TradeLogQueuePolicy")),
    Defect(
        "whole batches again",
        M.consumers_answer_by_record,
        drop("LogTrades", *EVENT, "FunctionResponseTypes"),
    ),
    Defect(
        "any number of consumers",
        M.consumers_answer_by_record,
        drop("LogTrades", *EVENT, "ScalingConfig"),
    ),
    Defect(
        "a consumer that may not consume",
        M.consumers_answer_by_record,
        forbid("LogTradesRole", "sqs:DeleteMessage"),
    ),
    Defect(
        "dead letters that nobody sees",
        M.dead_letters_are_seen,
        remove("AlertsNotifyDeadLettersAlarm"),
    ),
    Defect("an alarm to nobody", M.alarms_tell_somebody, drop("CyclesFailedAlarm", "AlarmActions")),
    Defect("silence unnoticed", M.failures_raise_alarms, remove("NothingHappensAlarm")),
    Defect(
        "a zone of one's own",
        M.schedules_are_exact,
        put("EachMinute", "ScheduleExpressionTimezone", value="New York"),
    ),
    Defect(
        "orders hours later",
        M.schedules_are_exact,
        drop("EachMinute", *TARGET, "RetryPolicy"),
    ),
    Defect(
        "a minute without its name",
        M.schedules_are_exact,
        put("EachMinute", *TARGET, "Input", value='{"scheduled_time": "now"}'),
    ),
    Defect(
        "a schedule past the alias",
        M.schedules_are_exact,
        put("EachMinute", *TARGET, "Arn", value={"Fn::GetAtt": ["FetchBars", "Arn"]}),
    ),
    Defect(
        "a schedule that may not call",
        M.schedules_reach_their_targets,
        forbid("EachMinuteRole", "lambda:InvokeFunction"),
    ),
    Defect(
        "lost minutes",
        M.schedules_reach_their_targets,
        drop("EachMinute", *TARGET, "DeadLetterConfig"),
    ),
    Defect(
        "a reconciliation that may not be started",
        M.schedules_reach_their_targets,
        forbid("ReconciliationStarterRole", "states:StartExecution"),
    ),
    Defect(
        "failed runs that are lost",
        M.schedules_reach_their_targets,
        remove("ReconciliationDeadLettersPolicy"),
    ),
    Defect(
        "a hanging run that nobody repairs",
        M.failed_runs_are_reconciled,
        put("FailedRun", "EventPattern", "detail", "status", value=["FAILED"]),
    ),
    Defect(
        "an unheard alarm",
        M.alarms_lower_the_switch,
        drop("ChangeSwitch", "Events", "Alarms"),
    ),
    Defect(
        "a schedule that starts the cycle",
        M.schedules_are_exact,
        put("SafetyCheck", *TARGET, "Arn", value={"Ref": "TradingCycle"}),
    ),
    Defect(
        "Lambda's own retries", M.stale_ticks_are_dropped, drop("FetchBars", "EventInvokeConfig")
    ),
    # -- permissions and storage -------------------------------------------------------------
    Defect(
        "all of S3",
        P.no_action_is_everything,
        allow("NotifyRole", "s3:*", {"Fn::GetAtt": ["ModelsBucket", "Arn"]}),
    ),
    Defect("every secret", P.no_resource_is_everything, allow("NotifyRole", "s3:GetObject", "*")),
    Defect(
        "a role for any account",
        P.services_act_for_this_account,
        drop("EachMinuteRole", "AssumeRolePolicyDocument", "Statement", 0, "Condition"),
    ),
    Defect(
        "a name and no right",
        P.variables_come_with_permissions,
        forbid("PredictTrendRole", "s3:GetObject"),
    ),
    Defect("a sealed secret", P.secrets_can_be_opened, forbid("NotifyRole", "kms:Decrypt")),
    Defect("a sealed topic", P.secrets_can_be_opened, forbid("TradingCycleRole", "kms:Decrypt")),
    Defect(
        "a secret in the template",
        P.secrets_have_no_value_here,
        put("SlackSecret", "SecretString", value="{}"),
    ),
    Defect(
        "a second starter",
        P.one_starter,
        allow("QueryApiRole", "states:StartExecution", {"Ref": "TradingCycle"}),
    ),
    Defect(
        "fetch_bars writes more than its count of requests",
        P.one_starter,
        allow("FetchBarsRole", "dynamodb:PutItem", {"Fn::GetAtt": ["ControlTable", "Arn"]}),
    ),
    Defect(
        "change_switch may write a claim",
        P.one_starter,
        allow("ChangeSwitchRole", "dynamodb:PutItem", {"Fn::GetAtt": ["ControlTable", "Arn"]}),
    ),
    Defect(
        "a hint that trades",
        P.one_starter,
        allow("ReceiveBrokerHintRole", "states:StartExecution", {"Ref": "TradingCycle"}),
    ),
    Defect("a NAT gateway", P.no_way_out, add("Nat", "AWS::EC2::NatGateway")),
    Defect("an open endpoint", P.no_way_out, drop("S3Endpoint", "PolicyDocument")),
    Defect(
        "an endpoint by the hour",
        P.no_way_out,
        put("S3Endpoint", "VpcEndpointType", value="Interface"),
    ),
    Defect(
        "a bucket behind the endpoint",
        P.endpoints_know_what_core_uses,
        put("S3Endpoint", "PolicyDocument", "Statement", 0, "Resource", value=[]),
    ),
    Defect(
        "a deploy that waits for its answer",
        P.endpoints_know_what_core_uses,
        drop("S3Endpoint", "PolicyDocument", "Statement", 1),
    ),
    Defect(
        "a database that may be deleted",
        P.database_is_safe,
        put("Database", "DeletionProtection", value=False),
    ),
    Defect(
        "a lost database", P.database_is_safe, attribute("Database", "DeletionPolicy", "Delete")
    ),
    Defect(
        "connections without TLS",
        P.database_is_safe,
        put("DatabaseParameters", "Parameters", "rds.force_ssl", value="0"),
    ),
    Defect(
        "no way back",
        P.tables_are_safe,
        drop("ControlTable", "PointInTimeRecoverySpecification"),
    ),
    Defect(
        "a public bucket",
        P.buckets_are_closed,
        put("ModelsBucket", "PublicAccessBlockConfiguration", "BlockPublicPolicy", value=False),
    ),
    Defect("S3 without TLS", P.buckets_are_closed, remove("ModelsBucketPolicy")),
    Defect(
        "a pool of users that goes with the stack",
        P.data_outlives_the_stack,
        attribute("UserPool", "DeletionPolicy", "Delete"),
    ),
    Defect(
        "a password alone",
        P.users_need_a_second_factor,
        put("UserPool", "MfaConfiguration", value="OPTIONAL"),
    ),
    Defect(
        "a token for an hour",
        P.users_need_a_second_factor,
        put("UserPoolClient", "AccessTokenValidity", value=60),
    ),
    Defect(
        "an open path",
        P.api_is_closed,
        put("QueryApi", "Events", "Status", "Properties", "Auth", value={"Authorizer": "NONE"}),
    ),
    Defect("a path without its version", P.api_is_closed, put("Api", "StageName", value="live")),
    # -- the trading cycle -------------------------------------------------------------------
    Defect("a name in code", W.names_are_words, rename("Cycle done", "CycleDone")),
    Defect(
        "no value",
        W.substitutions_are_defined,
        drop("TradingCycle", "DefinitionSubstitutions", "PlaceOrder"),
    ),
    Defect(
        "the newest code in an old run",
        W.tasks_call_versions,
        put("TradingCycle", "DefinitionSubstitutions", "PlaceOrder", value={"Ref": "PlaceOrder"}),
    ),
    Defect(
        "a version deleted under a run",
        W.runs_keep_their_versions,
        attribute("PlaceOrder", "UpdateReplacePolicy", "Delete"),
    ),
    Defect(
        "a step that may not be called",
        W.role_covers_every_task,
        put(
            "TradingCycleRole",
            "Policies",
            0,
            "PolicyDocument",
            "Statement",
            0,
            "Resource",
            value=[{"Fn::Sub": "${SyncBroker.Arn}:*"}],
        ),
    ),
    Defect(
        "a topic that may not be published to",
        W.role_covers_every_task,
        put(
            "TradingCycleRole",
            "Policies",
            0,
            "PolicyDocument",
            "Statement",
            1,
            "Resource",
            value=[{"Ref": "AlertsTopic"}],
        ),
    ),
    Defect("a task without end", W.tasks_end_in_time, without("Sync broker", "TimeoutSeconds")),
    Defect(
        "a run that overtakes its order",
        W.tasks_end_in_time,
        step("Place order", "TimeoutSeconds", 30),
    ),
    Defect("too many orders", W.retries_are_named_and_few, retry("Place order", "MaxAttempts", 3)),
    Defect(
        "a retry for everything",
        W.retries_are_named_and_few,
        retry("Assess risk", "ErrorEquals", ["States.ALL"]),
    ),
    Defect(
        "a retry of what is refused",
        W.retries_are_named_and_few,
        retry("Assess risk", "ErrorEquals", ["BrokerRejectedError"]),
    ),
    Defect(
        "everybody at once",
        W.retries_are_named_and_few,
        retry("Assess risk", "JitterStrategy", "NONE"),
    ),
    Defect("no catch", W.failures_are_caught, without("Record orders", "Catch")),
    Defect(
        "no catch for what is too large",
        W.failures_are_caught,
        catch_only("Record orders", "States.ALL", "Report failure"),
    ),
    Defect(
        "a failure told to nobody",
        W.failures_are_reported,
        catch_only("Record orders", "States.ALL", "Cycle failed"),
    ),
    Defect(
        "a prediction missed in silence",
        W.failures_are_reported,
        catch_only("Predict trend", "States.ALL", "Trade without prediction"),
    ),
    Defect(
        "trading by default",
        W.trading_is_never_the_default,
        step("Anything to send?", "Default", "Place orders"),
    ),
    Defect(
        "trading by a detour",
        W.trading_is_never_the_default,
        step("Do not trade", "Next", "Place orders"),
    ),
    Defect(
        "a reconciliation that believes its starter",
        W.reconciliation_validates_first,
        lambda stack: stack.workflows["OrderReconciliation"].__setitem__("StartAt", "Sync broker"),
    ),
    Defect(
        "a reconciliation that is always needed",
        W.reconciliation_validates_first,
        lambda stack: stack.workflows["OrderReconciliation"]["States"]["Is it needed?"].__setitem__(
            "Default", "Sync broker"
        ),
    ),
    Defect(
        "a backtest that believes its starter",
        W.backtests_run_what_was_requested,
        lambda stack: stack.workflows["Backtest"].__setitem__("StartAt", "Run chunks"),
    ),
    Defect(
        "a backtest that is run again",
        W.backtests_run_what_was_requested,
        lambda stack: stack.workflows["Backtest"]["States"]["Is it needed?"].__setitem__(
            "Default", "Run chunks"
        ),
    ),
    Defect(
        "a sweep of which a part is ranked",
        W.backtests_run_what_was_requested,
        of_backtest("Run chunks", "ToleratedFailureCount", 3),
    ),
    Defect(
        "a thousand chunks at once",
        W.backtests_run_what_was_requested,
        of_backtest("Run chunks", "MaxConcurrency", 1000),
    ),
    Defect(
        "a chunk tried for an hour",
        W.retries_are_named_and_few,
        lambda stack: stack.workflows["Backtest"]["States"]["Plan backtest"]["Retry"][
            0
        ].__setitem__("MaxDelaySeconds", 600),
    ),
    Defect(
        "a failure written down and told to nobody",
        W.failures_are_reported,
        of_backtest("Record failure", "Next", "Backtest failed"),
    ),
    Defect(
        "all orders at once", W.orders_go_one_at_a_time, step("Place orders", "MaxConcurrency", 0)
    ),
)

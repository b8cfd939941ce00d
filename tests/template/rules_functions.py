"""Rules about functions. A rule answers with what is wrong, in sentences; nothing means kept."""

from __future__ import annotations

import json

from tests.template.stack import ROOT, Stack, mentions

EDGE = {
    "FetchBars",
    "SyncBroker",
    "PredictTrend",
    "PlaceOrder",
    "FollowOrders",
    "ChangeSwitch",
    "RefreshBrokerToken",
    "ReceiveBrokerHint",
    "Notify",
    "StartBacktest",
    "RunBacktest",
}
CORE = {
    "ComputeFeatures",
    "AssessRisk",
    "PlanReconciliation",
    "AssessProtection",
    "RecordBrokerState",
    "RecordOrders",
    "LogTrades",
    "RecordAlert",
    "QueryApi",
    "DailyReport",
    "MaintainDatabase",
    "MigrateSchema",
    "RegisterBacktest",
    "PlanBacktest",
    "RecordBacktest",
}
# What runs backtests, apart from everything that trades.
RESEARCH = {"StartBacktest", "RegisterBacktest", "PlanBacktest", "RunBacktest", "RecordBacktest"}
# Which PostgreSQL role a core function logs in as.
LOGINS = {
    "ComputeFeatures": "tw_trade",
    "AssessRisk": "tw_trade",
    "PlanReconciliation": "tw_trade",
    "AssessProtection": "tw_trade",
    "RecordBrokerState": "tw_record",
    "RecordOrders": "tw_record",
    "LogTrades": "tw_record",
    "RecordAlert": "tw_record",
    "QueryApi": "tw_read",
    "DailyReport": "tw_report",
    "MaintainDatabase": "tw_maintain",
    "MigrateSchema": "tradewind",
    "RegisterBacktest": "tw_research",
    "PlanBacktest": "tw_research",
    "RecordBacktest": "tw_research",
}
SECRETS = {
    "BROKER_SECRET",
    "PAPER_BROKER_SECRET",
    "WEBHOOK_SECRET",
    "ALPHA_VANTAGE_SECRET",
    "SLACK_SECRET",
}
DATABASE = {"DATABASE_HOST", "DATABASE_PORT", "DATABASE_NAME", "DATABASE_USER"}
VARIABLES = (
    SECRETS
    | DATABASE
    | {
        "ACCOUNT",
        "DEPLOYMENT",
        "TRADING_MODE",
        "SYMBOLS",
        "SMA_FAST",
        "SMA_SLOW",
        "RESTRICTED_SYMBOLS",
        "PROTECTIONS_OFF",
        "SET_ACCOUNT_CONFIGURATION",
        "HOLD_OVERNIGHT",
        "DATA_PROVIDER",
        "DATA_FEED",
        "DATA_REQUESTS",
        "ALPHA_VANTAGE_URL",
        "TRADING_URL",
        "PAPER_TRADING_URL",
        "TOKEN_URL",
        "MARKET_DATA_URL",
        "PAYLOAD_BUCKET",
        "MODEL_BUCKET",
        "ARCHIVE_BUCKET",
        "BAR_RETENTION_MONTHS",
        "CONTROL_TABLE",
        "TRADING_CYCLE_ARN",
        "RECONCILIATION_ARN",
        "BACKTEST_ARN",
        "REGISTER_BACKTEST_ARN",
        "ALERTS_TOPIC_ARN",
        "REQUEST_BUDGET",
        "REQUEST_RESERVE",
        "MAX_ORDERS_PER_DAY",
        "MAX_NOTIONAL_PER_ORDER",
        "MAX_NOTIONAL_PER_DAY",
        "NOTIFY_MIN_SEVERITY",
        "LOG_LEVEL",
    }
)


def folder_of(stack: Stack, name: str) -> str:
    properties = stack.functions[name]
    if properties.get("PackageType") == "Image":
        folder: str = properties["ImageConfig"]["Command"][0].partition(".")[0]
        return folder
    return str(properties["CodeUri"]).removeprefix("functions/")


def every_folder_is_a_function(stack: Stack) -> list[str]:
    """functions/<name>/ and the template name the same functions, and each is edge or core."""
    folders = {path.name for path in (ROOT / "functions").iterdir() if path.is_dir()}
    named = {folder_of(stack, name) for name in stack.functions}
    return [
        *(f"functions/{name} is no function of the template" for name in sorted(folders - named)),
        *(f"functions/{name} does not exist" for name in sorted(named - folders)),
        *(
            f"{name} is neither edge nor core: say which in this file"
            for name in sorted(set(stack.functions) ^ (EDGE | CORE))
        ),
    ]


def limits_are_explicit(stack: Stack) -> list[str]:
    return [
        f"{name} has no {limit} of its own"
        for name, properties in stack.functions.items()
        for limit in ("Timeout", "MemorySize")
        if not isinstance(properties.get(limit), int)
    ]


def roles_are_own(stack: Stack) -> list[str]:
    """One role per function, written out: no policies for SAM to widen."""
    found: list[str] = []
    seen: set[str] = set()
    for name, properties in stack.functions.items():
        roles = mentions(properties.get("Role"))
        if roles != {f"{name}Role"} or roles & seen:
            found.append(f"{name} has no role of its own")
        if "Policies" in properties:
            found.append(f"{name} has SAM policies, which are wider than statements")
        seen |= roles
    return found


def logs_are_kept_for_a_time(stack: Stack) -> list[str]:
    """Every function and state machine logs as JSON into a group of its own with a retention."""
    groups = stack.of_type("AWS::Logs::LogGroup")
    found = [
        f"{name} keeps its logs for ever"
        for name, group in groups.items()
        if not group.get("RetentionInDays")
    ]
    for name, properties in stack.functions.items():
        if mentions(properties.get("LoggingConfig", {}).get("LogGroup")) != {f"{name}Logs"}:
            found.append(f"{name} has no log group of its own")
        elif f"{name}Logs" not in groups:
            found.append(f"{name}Logs is no log group")
        elif not stack.role_allows(f"{name}Role", "logs:PutLogEvents", f"{name}Logs"):
            found.append(f"{name}Role may not write to {name}Logs")
    for name, properties in stack.of_type("AWS::Serverless::StateMachine").items():
        logging = properties.get("Logging", {})
        if not mentions(logging.get("Destinations", [])) & set(groups):
            found.append(f"{name} has no log group")
        if (
            logging.get("Level") in (None, "OFF")
            or logging.get("IncludeExecutionData") is not False
        ):
            found.append(f"{name} must log errors, and without what is in the payloads")
    if stack.function_defaults.get("LoggingConfig", {}).get("LogFormat") != "JSON":
        found.append("functions do not log JSON")
    return found


def tracing_is_active(stack: Stack) -> list[str]:
    machines = stack.of_type("AWS::Serverless::StateMachine").items()
    apis = stack.of_type("AWS::Serverless::Api").items()
    found = [
        f"{name} is not traced" for name, p in machines if not p.get("Tracing", {}).get("Enabled")
    ]
    found += [f"{name} is not traced" for name, p in apis if not p.get("TracingEnabled")]
    if stack.function_defaults.get("Tracing") != "Active":
        found.append("functions are not traced")
    return found


def every_change_is_a_version(stack: Stack) -> list[str]:
    """State machine and aliases run versions, so whatever changes must publish one."""
    found = []
    if stack.function_defaults.get("AutoPublishAlias") != "live":
        found.append("functions publish no versions")
    if not stack.template["Globals"].get("LayerVersion", {}).get("PublishLambdaVersion"):
        found.append("a changed layer publishes no versions")
    parameters = set(stack.template["Parameters"])
    for name, properties in stack.functions.items():
        if properties.get("AutoPublishAliasAllProperties") is not True:
            found.append(f"{name}: a changed property publishes no version")
        given = mentions(stack.environment(properties)) | mentions(properties.get("ImageUri"))
        settings = given & parameters
        told = mentions(properties.get("VersionDescription"))
        found.extend(
            f"{name}: a changed {parameter} publishes no version, name it in VersionDescription"
            for parameter in sorted(settings - told)
        )
    return found


def version_descriptions_fit(stack: Stack) -> list[str]:
    """At most 256 characters with every parameter at its longest."""
    found = []
    for name, properties in stack.functions.items():
        text = properties.get("VersionDescription", {}).get("Fn::Sub", "")
        longest = len(text)
        for parameter in mentions(properties.get("VersionDescription")):
            longest += _longest(stack.template["Parameters"][parameter]) - len(f"${{{parameter}}}")
        if longest > 256:
            found.append(f"{name}: VersionDescription may reach {longest} characters")
    return found


def _longest(parameter: dict[str, object]) -> int:
    if "AllowedValues" in parameter:
        return max(len(str(value)) for value in parameter["AllowedValues"])  # type: ignore[attr-defined]
    if "MaxValue" in parameter:
        return len(str(parameter["MaxValue"]))
    return int(str(parameter.get("MaxLength", 20)))


def edge_knows_no_database(stack: Stack) -> list[str]:
    found = []
    for name in sorted(EDGE & set(stack.functions)):
        properties = stack.functions[name]
        if "VpcConfig" in properties:
            found.append(f"{name} is edge and in the VPC, where there is no internet")
        if DATABASE & set(stack.environment(properties)):
            found.append(f"{name} is edge and knows the database")
        if any("rds-db:connect" in s.actions for s in stack.statements_of_role(f"{name}Role")):
            found.append(f"{name} is edge and may log in to the database")
    return found


def core_knows_no_secret(stack: Stack) -> list[str]:
    found = []
    private = set(stack.of_type("AWS::EC2::Subnet"))
    for name in sorted(CORE & set(stack.functions)):
        properties = stack.functions[name]
        vpc = properties.get("VpcConfig", {})
        if not private or mentions(vpc.get("SubnetIds")) != private:
            found.append(f"{name} is core and not in the private subnets")
        if SECRETS & set(stack.environment(properties)):
            found.append(f"{name} is core and knows a secret")
        for statement in stack.statements_of_role(f"{name}Role"):
            secret = [a for a in statement.actions if a.startswith(("secretsmanager:", "kms:"))]
            if secret:
                found.append(f"{name} is core and may {', '.join(secret)}")
    return found


def core_logs_in_as_itself(stack: Stack) -> list[str]:
    """Exactly its own PostgreSQL role, in the variable and in the permission."""
    found = []
    for name in sorted(CORE & set(stack.functions)):
        variables = stack.environment(stack.functions[name])
        if not set(variables) >= DATABASE:
            found.append(f"{name} lacks {', '.join(sorted(DATABASE - set(variables)))}")
        if variables.get("DATABASE_USER") != LOGINS[name]:
            found.append(f"{name} logs in as {variables.get('DATABASE_USER')}")
        allowed = [
            resource.get("Fn::Sub", "") if isinstance(resource, dict) else str(resource)
            for statement in stack.statements_of_role(f"{name}Role")
            if "rds-db:connect" in statement.actions
            for resource in statement.resources
        ]
        if len(allowed) != 1 or not allowed[0].endswith(f"DbiResourceId}}/{LOGINS[name]}"):
            found.append(f"{name}'s role allows logins {allowed}, not {LOGINS[name]} alone")
    return found


def variables_are_known(stack: Stack) -> list[str]:
    """The names settings.py reads, and never those that only the local twin sets."""
    return [
        f"{name} sets {variable}, which no setting reads"
        for name, properties in stack.functions.items()
        for variable in sorted(set(stack.environment(properties)) - VARIABLES)
    ]


def core_waits_for_the_schema(stack: Stack) -> list[str]:
    schemas = set(stack.of_type("Custom::Schema"))
    return [
        f"{name} may be deployed before the schema it needs"
        for name in sorted((CORE - {"MigrateSchema"}) & set(stack.functions))
        if stack.resource(name).get("DependsOn") not in schemas
    ]


def images_are_optional(stack: Stack) -> list[str]:
    """A function of an image exists under a condition on the image's address, which is empty by
    default, and nothing of the image is in the template: `sam build` needs no container runtime."""
    found = []
    for name, properties in stack.functions.items():
        if properties.get("PackageType") != "Image":
            continue
        resource = stack.resource(name)
        (parameter,) = mentions(properties["ImageUri"]) or {""}
        condition = stack.template["Conditions"].get(resource.get("Condition"))
        if condition != {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}:
            found.append(f"{name} exists without its image")
        if stack.template["Parameters"].get(parameter, {}).get("Default") != "":
            found.append(f"{name}: a deploy without an image is not the default")
        if "Dockerfile" in resource.get("Metadata", {}):
            found.append(f"{name}: sam build asks for a container runtime")
    return found


def research_runs_apart(stack: Stack) -> list[str]:
    """Backtests share no function, login, secret or table with what trades, and take none of its
    concurrency where concurrency can be reserved."""
    found = []
    trading = {v for name, v in LOGINS.items() if name not in RESEARCH}
    out_of_bounds = {
        *stack.of_type("AWS::SecretsManager::Secret", "AWS::DynamoDB::Table"),
        *(set(stack.workflows) - {"Backtest"}),
    }
    for name in sorted(RESEARCH & set(stack.functions)):
        variables = stack.environment(stack.functions[name])
        if variables.get("DATABASE_USER") in trading:
            found.append(f"{name} logs in as a function that trades")
        for statement in stack.statements_of_role(f"{name}Role"):
            found.extend(
                f"{name} may use {target}, which is trading's"
                for target in sorted(mentions(list(statement.resources)) & out_of_bounds)
            )
    for machine, workflow in stack.workflows.items():
        called = {
            function
            for function in RESEARCH | EDGE | CORE
            if f'"${{{function}}}"' in json.dumps(workflow)
        }
        if called & RESEARCH and called - RESEARCH:
            found.append(f"{machine} calls both what trades and what researches")
    if "ReservedConcurrentExecutions" not in stack.functions["RunBacktest"]:
        found.append("backtests may take all of the account's concurrency")
    return found


RULES = (
    every_folder_is_a_function,
    limits_are_explicit,
    roles_are_own,
    logs_are_kept_for_a_time,
    tracing_is_active,
    every_change_is_a_version,
    version_descriptions_fit,
    edge_knows_no_database,
    core_knows_no_secret,
    core_logs_in_as_itself,
    variables_are_known,
    core_waits_for_the_schema,
    images_are_optional,
    research_runs_apart,
)

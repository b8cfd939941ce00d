"""Rules about who may do what, and about where things are kept."""

from __future__ import annotations

from typing import Any

from tests.template.stack import Stack, Statement, mentions

# Actions for which AWS knows no narrower resource (Service Authorization Reference).
WITHOUT_RESOURCE = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
}
# A variable that names a resource, and what a function that has it may need to do to it.
USES = {
    "BROKER_SECRET": {"secretsmanager:GetSecretValue"},
    "PAPER_BROKER_SECRET": {"secretsmanager:GetSecretValue"},
    "WEBHOOK_SECRET": {"secretsmanager:GetSecretValue"},
    "ALPHA_VANTAGE_SECRET": {"secretsmanager:GetSecretValue"},
    "SLACK_SECRET": {"secretsmanager:GetSecretValue"},
    "PAYLOAD_BUCKET": {"s3:GetObject", "s3:PutObject"},
    "MODEL_BUCKET": {"s3:GetObject", "s3:PutObject"},
    "ARCHIVE_BUCKET": {"s3:GetObject", "s3:PutObject"},
    "CONTROL_TABLE": {"dynamodb:GetItem", "dynamodb:UpdateItem"},
    "TRADING_CYCLE_ARN": {"states:StartExecution"},
    "RECONCILIATION_ARN": {"states:StartExecution"},
    "BACKTEST_ARN": {"states:StartExecution"},
    "REGISTER_BACKTEST_ARN": {"lambda:InvokeFunction"},
    "ALERTS_TOPIC_ARN": {"sns:Publish"},
}
WAYS_OUT = ("NatGateway", "InternetGateway", "EgressOnlyInternetGateway", "EIP", "Route")


def no_action_is_everything(stack: Stack) -> list[str]:
    """No ``*`` in what is allowed. A key's policy must hand the key to the account, or nobody
    could ever change it; that one statement is meant."""
    keys = stack.of_type("AWS::KMS::Key")
    return [
        f"{statement.where} allows {action}"
        for statement in stack.all_statements()
        for action in statement.actions
        if statement.allows
        and "*" in action
        and not (statement.where in keys and _is_account(statement))
    ]


def _is_account(statement: Statement) -> bool:
    principal = statement.principal
    return isinstance(principal, dict) and str(principal.get("AWS")).count(":root") == 1


def no_resource_is_everything(stack: Stack) -> list[str]:
    """``*`` as resource only where AWS knows no narrower one; a key's policy means its own key."""
    keys = stack.of_type("AWS::KMS::Key")
    return [
        f"{statement.where} allows {action} on everything"
        for statement in stack.all_statements()
        if statement.allows and "*" in statement.resources and statement.where not in keys
        for action in statement.actions
        if action not in WITHOUT_RESOURCE
    ]


def services_act_for_this_account(stack: Stack) -> list[str]:
    """Roles that services take on for many customers are bound to this account."""
    for_many = {"scheduler.amazonaws.com", "states.amazonaws.com", "events.amazonaws.com"}
    return [
        f"{statement.where} may be taken on for another account"
        for statement in stack.all_statements()
        if "sts:AssumeRole" in statement.actions
        and for_many & set(_listed(statement.principal["Service"]))
        and "aws:SourceAccount" not in str(statement.condition)
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def variables_come_with_permissions(stack: Stack) -> list[str]:
    """Who is told a resource's name may use it; who may not use it has no business knowing."""
    found = []
    for name, properties in stack.functions.items():
        for variable, actions in USES.items():
            value = stack.environment(properties).get(variable)
            if value is None:
                continue
            (target,) = mentions(value)
            if not any(stack.role_allows(f"{name}Role", action, target) for action in actions):
                found.append(f"{name} is told {variable} and may not use {target}")
    return found


def secrets_can_be_opened(stack: Stack) -> list[str]:
    """Reading a secret and publishing to an encrypted topic take the key as well."""
    found: list[str] = []
    sealed = {
        **stack.of_type("AWS::SecretsManager::Secret"),
        **stack.of_type("AWS::SNS::Topic"),
    }
    for role in stack.of_type("AWS::IAM::Role"):
        for statement in stack.statements_of_role(role):
            if not {"secretsmanager:GetSecretValue", "sns:Publish"} & set(statement.actions):
                continue
            for target in mentions(list(statement.resources)) & set(sealed):
                properties = sealed[target]
                key_of = properties.get("KmsKeyId", properties.get("KmsMasterKeyId"))
                found.extend(
                    f"{role} may use {target} and not its key {key}"
                    for key in mentions(key_of)
                    if not stack.role_allows(role, "kms:Decrypt", key)
                )
    return found


def secrets_have_no_value_here(stack: Stack) -> list[str]:
    return [
        f"{name} has its value in the template"
        for name, secret in stack.of_type("AWS::SecretsManager::Secret").items()
        if "SecretString" in secret or "GenerateSecretString" not in secret
    ]


# What else is written to the control table, by its items: a provider's count of requests, and the
# switch by the function that is there for it.
OWN_ITEMS = {"FetchBarsRole": "requests#*", "ChangeSwitchRole": "switch#*"}


# Machines whose first step validates, so that others may start them.
VALIDATING = {"OrderReconciliation", "Backtest"}


def one_starter(stack: Stack) -> list[str]:
    """Only fetch_bars starts the trading cycle; what else is started are machines whose first step
    validates. Only place_order writes claims, budgets and the day's limits."""
    found = []
    for role in stack.of_type("AWS::IAM::Role"):
        for statement in stack.statements_of_role(role):
            if not statement.allows:
                continue
            started = mentions(list(statement.resources)) & set(stack.workflows)
            if "states:StartExecution" in statement.actions and role != "FetchBarsRole":
                found.extend(
                    f"{role} may start {machine}" for machine in sorted(started - VALIDATING)
                )
            writes = {"dynamodb:UpdateItem", "dynamodb:PutItem"} & set(statement.actions)
            if not writes or role == "PlaceOrderRole":
                continue
            items = OWN_ITEMS.get(role)
            if items is None or f"'dynamodb:LeadingKeys': ['{items}']" not in str(
                statement.condition
            ):
                found.append(f"{role} may {', '.join(sorted(writes))}")
    return found


def no_way_out(stack: Stack) -> list[str]:
    """No NAT, no internet gateway, no public address, no endpoint that costs by the hour."""
    found = [
        f"{name} is a way out of the VPC"
        for name, resource in stack.template["Resources"].items()
        if resource["Type"] in {f"AWS::EC2::{way}" for way in WAYS_OUT}
    ]
    for name, endpoint in stack.of_type("AWS::EC2::VPCEndpoint").items():
        if endpoint.get("VpcEndpointType") != "Gateway":
            found.append(f"{name} is no gateway endpoint")
        if "PolicyDocument" not in endpoint:
            found.append(f"{name} lets everything through")
    for name, subnet in stack.of_type("AWS::EC2::Subnet").items():
        if subnet.get("MapPublicIpOnLaunch"):
            found.append(f"{name} gives out public addresses")
    return found


def endpoints_know_what_core_uses(stack: Stack) -> list[str]:
    """Whatever a core function may do in S3 and DynamoDB, the endpoints let through, and the
    answer to CloudFormation as well."""
    through = [
        s for s in stack.all_statements() if s.where in stack.of_type("AWS::EC2::VPCEndpoint")
    ]
    found: list[str] = []
    for name, properties in stack.functions.items():
        if "VpcConfig" not in properties:
            continue
        for statement in stack.statements_of_role(f"{name}Role"):
            for action in statement.actions:
                if not action.startswith(("s3:", "dynamodb:")):
                    continue
                found.extend(
                    f"{name} may {action} on {target}, but no endpoint lets it through"
                    for target in sorted(mentions(list(statement.resources)))
                    if not any(
                        action in s.actions and target in mentions(list(s.resources))
                        for s in through
                    )
                )
    if not any("cloudformation-custom-resource-response-" in str(s.resources) for s in through):
        found.append("migrate_schema cannot answer CloudFormation")
    return found


def database_is_safe(stack: Stack) -> list[str]:
    wanted: dict[str, Any] = {
        "StorageEncrypted": True,
        "DeletionProtection": True,
        "PubliclyAccessible": False,
        "EnableIAMDatabaseAuthentication": True,
        "MasterUserAuthenticationType": "iam-db-auth",
        "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
        "MultiAZ": {"Ref": "MultiAz"},
    }
    found: list[str] = []
    for name, database in stack.of_type("AWS::RDS::DBInstance").items():
        found.extend(
            f"{name}: {key} is {database.get(key)!r}, not {value!r}"
            for key, value in wanted.items()
            if database.get(key) != value
        )
        if {"MasterUserPassword", "ManageMasterUserPassword"} & set(database):
            found.append(f"{name} has a password")
        found.extend(
            f"{name}: {policy} loses the data"
            for policy in ("DeletionPolicy", "UpdateReplacePolicy")
            if stack.resource(name).get(policy) != "Snapshot"
        )
    for name, parameters in stack.of_type("AWS::RDS::DBParameterGroup").items():
        if parameters["Parameters"].get("rds.force_ssl") != "1":
            found.append(f"{name} allows connections without TLS")
    return found


def tables_are_safe(stack: Stack) -> list[str]:
    found = []
    for name, table in stack.of_type("AWS::DynamoDB::Table").items():
        if table.get("BillingMode") != "PAY_PER_REQUEST":
            found.append(f"{name} is not on demand")
        if not table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
            found.append(f"{name} cannot be restored")
        if not table.get("SSESpecification", {}).get("SSEEnabled"):
            found.append(f"{name} is not encrypted with KMS")
        if not table.get("TimeToLiveSpecification", {}).get("Enabled"):
            found.append(f"{name} never forgets")
    return found


def buckets_are_closed(stack: Stack) -> list[str]:
    found = []
    for name, bucket in stack.of_type("AWS::S3::Bucket").items():
        block = bucket.get("PublicAccessBlockConfiguration", {})
        if [block.get(key) for key in sorted(block)] != [True] * 4:
            found.append(f"{name} may become public")
        if "BucketEncryption" not in bucket:
            found.append(f"{name} is not encrypted")
        tls_only = any(
            not statement.allows
            and name in mentions(list(statement.resources))
            and statement.condition == {"Bool": {"aws:SecureTransport": "false"}}
            for statement in stack.all_statements()
            if statement.where in stack.of_type("AWS::S3::BucketPolicy")
        )
        if not tls_only:
            found.append(f"{name} answers without TLS")
    return found


def data_outlives_the_stack(stack: Stack) -> list[str]:
    """What holds data, logs or users stays when the stack goes, and when a change replaces it."""
    holding = (
        "AWS::RDS::DBInstance",
        "AWS::DynamoDB::Table",
        "AWS::S3::Bucket",
        "AWS::KMS::Key",
        "AWS::Cognito::UserPool",
        "AWS::Logs::LogGroup",
    )
    return [
        f"{name}: {policy} is not Retain or Snapshot"
        for name in stack.of_type(*holding)
        for policy in ("DeletionPolicy", "UpdateReplacePolicy")
        if stack.resource(name).get(policy) not in ("Retain", "Snapshot")
    ]


def users_need_a_second_factor(stack: Stack) -> list[str]:
    found = []
    for name, pool in stack.of_type("AWS::Cognito::UserPool").items():
        if pool.get("MfaConfiguration") != "ON" or pool.get("EnabledMfas") != [
            "SOFTWARE_TOKEN_MFA"
        ]:
            found.append(f"{name} lets users in with a password alone")
    for name, client in stack.of_type("AWS::Cognito::UserPoolClient").items():
        minutes = client.get("TokenValidityUnits", {}).get("AccessToken") == "minutes"
        if not minutes or client.get("AccessTokenValidity", 60) > 15:
            found.append(f"{name}: access tokens live longer than 15 minutes")
    return found


# Who calls here logs in nowhere and signs what it sends; the function checks the signature.
SIGNED_PATHS = {"/webhooks/broker"}


def _there(node: dict[str, Any]) -> dict[str, Any]:
    """What exists under a condition, where it does."""
    return node["Fn::If"][1] if "Fn::If" in node else node


def api_is_closed(stack: Stack) -> list[str]:
    """Read from the translated template: every method of every path asks for a token, but for
    those that are asked for a signature instead."""
    found = []
    for name, resource in stack.translated["Resources"].items():
        if (
            resource["Type"] == "AWS::ApiGateway::Stage"
            and resource["Properties"]["StageName"] != "v1"
        ):
            found.append(f"{name}: paths would not begin with /v1")
        if resource["Type"] != "AWS::ApiGateway::RestApi":
            continue
        for path, methods in resource["Properties"]["Body"]["paths"].items():
            if path in SIGNED_PATHS:
                continue
            found.extend(
                f"{method.upper()} {path} is open to everybody"
                for method, operation in _there(methods).items()
                if method != "parameters" and "Users" not in str(_there(operation).get("security"))
            )
    return found


RULES = (
    no_action_is_everything,
    no_resource_is_everything,
    services_act_for_this_account,
    variables_come_with_permissions,
    secrets_can_be_opened,
    secrets_have_no_value_here,
    one_starter,
    no_way_out,
    endpoints_know_what_core_uses,
    database_is_safe,
    tables_are_safe,
    buckets_are_closed,
    data_outlives_the_stack,
    users_need_a_second_factor,
    api_is_closed,
)

"""Deploy ``template.yaml`` onto the local cloud through its CloudFormation."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradewind.errors import TradewindError

from tradewind_local.twin.cloud import REGION, LocalCloud
from tradewind_local.twin.functions import bootstrap_script, bootstrap_zip
from tradewind_local.twin.template import (
    LeftOut,
    StandIns,
    Template,
    add_environment,
    disable_schedules,
    leave_out,
    leave_out_layers,
    load_template,
    localise_api_addresses,
    make_local,
    translate,
)

STACK = "tradewind"
_ARTIFACTS = "tradewind-artifacts"
_WAIT_SECONDS = 120.0
_POLL_SECONDS = 0.05
_SUCCEEDED = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


class DeployFailedError(TradewindError):
    """CloudFormation did not reach the wanted state; the message names the resources and why."""


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """What the twin sets beside the template.

    ``parameters`` override the template's; ``variables`` go to every function,
    ``database_variables`` to those with a DATABASE_HOST.
    """

    parameters: Mapping[str, str]
    variables: Mapping[str, str]
    database_variables: Mapping[str, str]
    stand_ins: StandIns


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployed stack: what was left out, its outputs, and logical id -> physical id."""

    left_out: list[LeftOut]
    outputs: dict[str, str]
    resources: dict[str, str]
    types: dict[str, str]

    def of_type(self, kind: str) -> dict[str, str]:
        return {name: self.resources[name] for name, its in self.types.items() if its == kind}


def deploy(root: Path, cloud: LocalCloud, reports: Path, settings: LocalSettings) -> Deployment:
    """Create or update the stack from ``root/template.yaml``; safe to repeat.

    Raises InvalidInputError for a template that cannot be read or translated and
    DeployFailedError for one that the local cloud refuses.
    """
    objects = cloud.client("s3")
    with suppress(objects.exceptions.BucketAlreadyOwnedByYou):
        objects.create_bucket(Bucket=_ARTIFACTS)
    layers = [root / "layers" / "tradewind"]
    stamp = json.dumps([settings.variables, settings.database_variables, settings.parameters])

    def upload_function(name: str, source: str) -> str:
        # Published versions keep the environment they were made with, and SAM publishes one when
        # the code's address changes: so all that a function gets from here goes into the address.
        script = bootstrap_script(Path(source).name, root / source, layers, reports, {})
        address = hashlib.sha256((script + stamp).encode()).hexdigest()[:16]
        key = f"{name}-{address}.zip"
        objects.put_object(Bucket=_ARTIFACTS, Key=key, Body=bootstrap_zip(script))
        return f"s3://{_ARTIFACTS}/{key}"

    template, left_layers = leave_out_layers(load_template(root / "template.yaml"))
    local = make_local(template, root, upload_function)
    translated = translate(local, settings.parameters, REGION)
    stack, left = leave_out(translated, _runs_locally(), settings.stand_ins)
    disable_schedules(stack)
    stack = localise_api_addresses(stack, cloud.url)
    add_environment(stack, settings.variables, settings.database_variables)
    _apply(cloud, objects, stack, settings.parameters)
    return _describe(cloud, [*left_layers, *left])


def _runs_locally() -> Callable[[str], bool]:
    from ministack.services.cloudformation.provisioners import (  # type: ignore[import-untyped]  # 0.6 s
        _RESOURCE_HANDLERS,
    )

    return lambda kind: kind in _RESOURCE_HANDLERS or kind.startswith("Custom::")


def _apply(
    cloud: LocalCloud, objects: Any, template: Template, parameters: Mapping[str, str]
) -> None:
    body = json.dumps(template).encode()
    objects.put_object(Bucket=_ARTIFACTS, Key="template.json", Body=body)
    stacks = cloud.client("cloudformation")
    request = {
        "StackName": STACK,
        "TemplateURL": f"{cloud.url}/{_ARTIFACTS}/template.json",
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
        "Capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    }
    status = _status(stacks)
    try:
        if status is None:
            stacks.create_stack(**request)
        else:
            stacks.update_stack(**request)
    except stacks.exceptions.ClientError as error:
        if "No updates are to be performed" in str(error):
            return
        raise DeployFailedError(f"the local cloud refused the template: {error}") from error
    deadline = time.monotonic() + _WAIT_SECONDS
    while (status := _status(stacks)) and status.endswith("_IN_PROGRESS"):
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
    if status not in _SUCCEEDED:
        raise DeployFailedError(f"the stack ended as {status}: {_failures(stacks)}")


def _status(stacks: Any) -> str | None:
    """The stack's status; None when there is no stack, also when it was deleted."""
    try:
        status = str(stacks.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"])
    except stacks.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if status == "DELETE_COMPLETE" else status


def _failures(stacks: Any) -> str:
    events = stacks.describe_stack_events(StackName=STACK)["StackEvents"]
    reasons = [
        f"{event['LogicalResourceId']} ({event['ResourceType']}): "
        f"{event.get('ResourceStatusReason', 'no reason given')}"
        for event in events
        if event["ResourceStatus"].endswith("_FAILED")
        and "cancelled" not in event.get("ResourceStatusReason", "")
    ]
    return "; ".join(reasons) or "no resource reported a reason"


def _describe(cloud: LocalCloud, left_out: list[LeftOut]) -> Deployment:
    stacks = cloud.client("cloudformation")
    stack = stacks.describe_stacks(StackName=STACK)["Stacks"][0]
    resources, types = {}, {}
    for page in stacks.get_paginator("list_stack_resources").paginate(StackName=STACK):
        for resource in page["StackResourceSummaries"]:
            resources[resource["LogicalResourceId"]] = resource["PhysicalResourceId"]
            types[resource["LogicalResourceId"]] = resource["ResourceType"]
    outputs = {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}
    return Deployment(left_out, outputs, resources, types)

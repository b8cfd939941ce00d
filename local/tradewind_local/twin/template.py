"""``template.yaml`` made fit for the local cloud, with every omission written down.

The template itself is never edited: it is read, changed in memory and handed over.

1. Every function becomes ``provided.al2023`` with a zip that holds only a ``bootstrap`` script
   (:mod:`tradewind_local.twin.functions`); layers are the source tree, so their resources go.
   Functions of an image too: they run from the folder that its command names.
2. State machine definitions are written into the template; AWS's own ``aws-sam-translator``
   expands the SAM resources.
3. Resources the local cloud cannot run are taken out, and what refers to them gets a stand-in
   value. Each is listed as :class:`LeftOut`.
4. Schedules and rules are deployed disabled: they would fire by the real clock, so a replay calls
   their targets itself. An API's address becomes that of the local cloud.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tradewind.errors import InvalidInputError

Template = dict[str, Any]

RUNTIME = "provided.al2023"

# An address in the place of the research image, whose functions exist only with one.
SOURCE_TREE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/source-tree:here"

# What is left out although the local cloud would accept it, and why.
_REPLACED = {
    "AWS::Serverless::LayerVersion": "functions run from the source tree",
    "AWS::RDS::DBInstance": "an embedded PostgreSQL server takes its place",
}
_NOT_AVAILABLE = "the local cloud does not run this type"
_METRIC_MATH = "the local cloud's alarms know no metric math"
_API_ADDRESS = re.compile(r"https://\$\{(\w+)\}\.execute-api\.[^/]+/")
_SUB_TOKEN = re.compile(r"\$\{([^!}][^}]*)\}")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A resource of the template that does not run locally."""

    resource: str
    type: str
    reason: str

    def as_payload(self) -> dict[str, str]:
        return {"resource": self.resource, "type": self.type, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class StandIns:
    """Values in the place of what a left-out resource would answer.

    ``attributes`` maps ``Type`` to ``{"Ref": …, "Endpoint.Port": …}``; anything not named gets a
    value that says what it is, so that it is recognised wherever it turns up.
    """

    attributes: Mapping[str, Mapping[str, str]]

    def value(self, resource: LeftOut, attribute: str) -> str:
        known = self.attributes.get(resource.type, {})
        return known.get(attribute, f"left-out-{resource.resource}-{attribute}")


def load_template(path: Path) -> Template:
    """Read a CloudFormation template, its short tags (``!Ref``) as long ones. InvalidInputError."""
    try:
        template = yaml.load(path.read_text(encoding="utf-8"), Loader=_TagLoader)  # noqa: S506
    except (OSError, yaml.YAMLError) as error:
        raise InvalidInputError(f"{path.name}: not readable as a template: {error}") from error
    if not isinstance(template, dict) or "Resources" not in template:
        raise InvalidInputError(f"{path.name}: has no Resources section")
    return template


class _TagLoader(yaml.SafeLoader):
    """SafeLoader that reads ``!Tag`` as ``{"Fn::Tag": …}``."""


def _construct_tag(loader: _TagLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    return {name: value}


_TagLoader.add_multi_constructor("!", _construct_tag)
# "2010-09-09" and policy versions are strings, not dates.
_TagLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def functions_of(template: Template) -> dict[str, dict[str, Any]]:
    """Logical id -> properties of every function, before or after translation."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] in ("AWS::Serverless::Function", "AWS::Lambda::Function")
    }


def make_local(template: Template, root: Path, code_uri: Callable[[str, str], str]) -> Template:
    """Step 1 and half of 2, on a copy. ``code_uri(logical id, CodeUri)`` says where the zip is."""
    local = deepcopy(template)
    defaults = local.get("Globals", {}).get("Function", {})
    for key in ("Layers", "Architectures"):
        defaults.pop(key, None)
    for name, properties in functions_of(local).items():
        if properties.get("PackageType") == "Image":
            _run_from_source(name, properties)
        source = properties.get("CodeUri", defaults.get("CodeUri"))
        if not isinstance(source, str):
            raise InvalidInputError(f"template.yaml: function {name} has no CodeUri folder")
        properties["CodeUri"] = code_uri(name, source)
        properties["Runtime"] = RUNTIME
        for key in ("Layers", "Architectures"):
            properties.pop(key, None)
    defaults.pop("CodeUri", None)
    for resource in local["Resources"].values():
        if resource["Type"] == "AWS::Serverless::StateMachine":
            properties = resource["Properties"]
            definition = properties.pop("DefinitionUri", None)
            if definition is not None:
                text = (root / definition).read_text(encoding="utf-8")
                properties["Definition"] = json.loads(text)
        resource.pop("Metadata", None)
    return local


def _run_from_source(name: str, properties: dict[str, Any]) -> None:
    """An image's command is ``<folder of functions/>.<module>.<handler>``."""
    for key in ("PackageType", "ImageUri"):
        properties.pop(key, None)
    command = properties.pop("ImageConfig", {}).get("Command", [])
    folder, _, handler = command[0].partition(".") if command else ("", "", "")
    if "." not in handler:
        raise InvalidInputError(
            f"template.yaml: function {name} has an image and no ImageConfig.Command like "
            "run_backtest.app.handler"
        )
    properties |= {"CodeUri": f"functions/{folder}", "Handler": handler}


def translate(template: Template, parameters: Mapping[str, str], region: str) -> Template:
    """Expand the SAM resources with AWS's own translator. Raises InvalidInputError."""
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    os.environ.setdefault("AWS_DEFAULT_REGION", region)  # the translator asks boto3 for it
    from samtranslator.model.exceptions import (  # half a second of imports
        InvalidDocumentException,
    )
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    try:
        translated: Template = Translator({}, Parser()).translate(
            deepcopy(template), dict(parameters)
        )
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise InvalidInputError(f"template.yaml: {causes}") from error
    return translated


def leave_out(
    template: Template, runs_locally: Callable[[str], bool], stand_ins: StandIns
) -> tuple[Template, list[LeftOut]]:
    """Take out what cannot run, put stand-in values where it was referred to."""
    gone: dict[str, LeftOut] = {}
    kept: dict[str, Any] = {}
    for name, resource in template["Resources"].items():
        reason = _why_not_local(resource, runs_locally)
        if reason is None:
            kept[name] = resource
        else:
            gone[name] = LeftOut(name, resource["Type"], reason)
    for resource in kept.values():
        _without_dependencies_on(resource, gone)
    result = {**template, "Resources": kept}
    return _replace_references(result, gone, stand_ins), sorted(
        gone.values(), key=lambda left: left.resource
    )


def leave_out_layers(template: Template) -> tuple[Template, list[LeftOut]]:
    """Take out layer resources before translation: SAM would ask for their content."""
    layers = [
        LeftOut(name, resource["Type"], _REPLACED[resource["Type"]])
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::LayerVersion"
    ]
    names = {layer.resource for layer in layers}
    kept = {name: body for name, body in template["Resources"].items() if name not in names}
    return {**template, "Resources": kept}, layers


def disable_schedules(template: Template) -> None:
    for resource in template["Resources"].values():
        if resource["Type"] in ("AWS::Scheduler::Schedule", "AWS::Events::Rule"):
            resource["Properties"]["State"] = "DISABLED"


def localise_api_addresses(template: Template, cloud_url: str) -> Template:
    """``https://${Api}.execute-api.…/v1`` is ``<cloud>/_aws/execute-api/${Api}/v1`` here."""

    def localise(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: localise(value) for key, value in node.items()}
        if isinstance(node, list):
            return [localise(item) for item in node]
        if isinstance(node, str):
            return _API_ADDRESS.sub(rf"{cloud_url}/_aws/execute-api/${{\1}}/", node)
        return node

    return {**template, "Outputs": localise(template.get("Outputs", {}))}


def add_environment(
    template: Template, variables: Mapping[str, str], database_variables: Mapping[str, str]
) -> None:
    """Give every function ``variables``, and those that know a database ``database_variables``."""
    for properties in functions_of(template).values():
        environment = properties.setdefault("Environment", {}).setdefault("Variables", {})
        if "DATABASE_HOST" in environment:
            environment.update(database_variables)
        environment.update(variables)


def _why_not_local(resource: Mapping[str, Any], runs_locally: Callable[[str], bool]) -> str | None:
    kind = resource["Type"]
    if kind in _REPLACED:
        return _REPLACED[kind]
    if not runs_locally(kind):
        return _NOT_AVAILABLE
    if kind == "AWS::CloudWatch::Alarm" and "Metrics" in resource.get("Properties", {}):
        return _METRIC_MATH
    return None


def _without_dependencies_on(resource: dict[str, Any], gone: Mapping[str, LeftOut]) -> None:
    depends = resource.get("DependsOn")
    if depends is not None:
        names = [depends] if isinstance(depends, str) else depends
        left = [name for name in names if name not in gone]
        if left:
            resource["DependsOn"] = left
        else:
            del resource["DependsOn"]


def _replace_references(node: Any, gone: Mapping[str, LeftOut], stand_ins: StandIns) -> Any:
    if isinstance(node, list):
        return [_replace_references(item, gone, stand_ins) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        (key, value), *_ = node.items()
        if key == "Ref" and value in gone:
            return stand_ins.value(gone[value], "Ref")
        if key == "Fn::GetAtt":
            name, attribute = value.split(".", 1) if isinstance(value, str) else value
            if name in gone:
                return stand_ins.value(gone[name], attribute)
        if key == "Fn::Sub":
            text, *mapping = value if isinstance(value, list) else [value]
            own = mapping[0] if mapping else {}

            def token(match: re.Match[str]) -> str:
                name, _, attribute = match.group(1).partition(".")
                if name in gone and name not in own:
                    return stand_ins.value(gone[name], attribute or "Ref")
                return match.group(0)

            replaced = _SUB_TOKEN.sub(token, text)
            if own:
                return {key: [replaced, _replace_references(own, gone, stand_ins)]}
            return {key: replaced}
    return {key: _replace_references(value, gone, stand_ins) for key, value in node.items()}

"""The template as the rules read it: resources by type, who mentions whom, what a role allows."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
WORKFLOWS = ROOT / "statemachines"
REGION = "us-east-1"

Properties = dict[str, Any]
FUNCTION = "AWS::Serverless::Function"
MACHINE = "AWS::Serverless::StateMachine"
_TOKEN = re.compile(r"\$\{([^!}][^}]*)\}")
_LOCATIONS = ("CodeUri", "ContentUri", "DefinitionUri")


@dataclass(frozen=True)
class Statement:
    """One statement of a policy, its lists always lists."""

    where: str
    allows: bool
    actions: tuple[str, ...]
    resources: tuple[Any, ...]
    principal: Any
    condition: Any


@dataclass(frozen=True)
class Stack:
    """``template`` is the raw template with long intrinsic functions, ``workflows`` the state
    machines' definitions by logical id. Neither is changed by a rule."""

    template: dict[str, Any]
    workflows: dict[str, dict[str, Any]]

    @classmethod
    def read(cls) -> Stack:
        template = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
        return cls(
            template,
            {
                name: json.loads(
                    (ROOT / resource["Properties"]["DefinitionUri"]).read_text(encoding="utf-8")
                )
                for name, resource in template["Resources"].items()
                if resource["Type"] == MACHINE
            },
        )

    def copy(self) -> Stack:
        return Stack(deepcopy(self.template), deepcopy(self.workflows))

    @property
    def workflow(self) -> dict[str, Any]:
        """The trading cycle's definition."""
        return self.workflows["TradingCycle"]

    def resource(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.template["Resources"][name]
        return found

    def of_type(self, *types: str) -> dict[str, Properties]:
        """Logical id -> properties."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.template["Resources"].items()
            if resource["Type"] in types
        }

    @property
    def functions(self) -> dict[str, Properties]:
        return self.of_type(FUNCTION)

    @property
    def function_defaults(self) -> Properties:
        defaults: Properties = self.template.get("Globals", {}).get("Function", {})
        return defaults

    def environment(self, properties: Properties) -> Properties:
        """A function's variables with those that all functions have."""
        return {
            **self.function_defaults.get("Environment", {}).get("Variables", {}),
            **properties.get("Environment", {}).get("Variables", {}),
        }

    def queue_events(self) -> Iterator[tuple[str, str, Properties]]:
        """Function, queue, properties of the event source."""
        for name, properties in self.functions.items():
            for event in properties.get("Events", {}).values():
                if event["Type"] == "SQS":
                    (queue,) = mentions(event["Properties"]["Queue"])
                    yield name, queue, event["Properties"]

    def statements_of_role(self, role: str) -> list[Statement]:
        """The role's own policies and the template's managed policies it names."""
        properties = self.resource(role)["Properties"]
        found = [
            statement
            for policy in properties.get("Policies", [])
            for statement in _statements(role, policy["PolicyDocument"])
        ]
        for name in mentions(properties.get("ManagedPolicyArns", [])):
            if name in self.template["Resources"]:
                document = self.resource(name)["Properties"]["PolicyDocument"]
                found.extend(_statements(name, document))
        return found

    def all_statements(self) -> list[Statement]:
        """Every statement of every policy in the template, wherever it stands."""
        return [
            statement
            for name, resource in self.template["Resources"].items()
            for document in _documents(resource.get("Properties", {}))
            for statement in _statements(name, document)
        ]

    def role_allows(self, role: str, action: str, target: str) -> bool:
        """Whether the role may do ``action`` to the resource with that logical id."""
        return any(
            statement.allows and action in statement.actions and target in mentions(resource)
            for statement in self.statements_of_role(role)
            for resource in statement.resources
        )

    @cached_property
    def translated(self) -> dict[str, Any]:
        return translate(self.template)


def mentions(node: Any) -> set[str]:
    """Logical ids (and parameters, pseudo parameters) that a value refers to."""
    if isinstance(node, list):
        return set().union(*(mentions(item) for item in node))
    if not isinstance(node, dict):
        return set()
    if set(node) == {"Ref"}:
        return {node["Ref"].split(".")[0]}
    if set(node) == {"Fn::GetAtt"}:
        target = node["Fn::GetAtt"]
        return {target.split(".")[0] if isinstance(target, str) else target[0]}
    if set(node) == {"Fn::Sub"}:
        text, *own = node["Fn::Sub"] if isinstance(node["Fn::Sub"], list) else [node["Fn::Sub"]]
        names = {token.split(".")[0] for token in _TOKEN.findall(text)}
        return names - set(own[0] if own else ()) | mentions(own)
    return set().union(*(mentions(value) for value in node.values()))


def translate(template: Mapping[str, Any]) -> dict[str, Any]:
    """What CloudFormation makes of the SAM template, offline: folders become addresses in S3."""
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    raw = deepcopy(dict(template))
    for name, resource in raw["Resources"].items():
        for location in _LOCATIONS:
            if location in resource.get("Properties", {}):
                resource["Properties"][location] = f"s3://bucket/{name}"
    translated: dict[str, Any] = Translator({}, Parser()).translate(raw, {})
    return translated


def _documents(node: Any) -> Iterator[Any]:
    if isinstance(node, list):
        for item in node:
            yield from _documents(item)
    elif isinstance(node, dict):
        if "Statement" in node:
            yield node
        else:
            for value in node.values():
                yield from _documents(value)


def _statements(where: str, document: Properties) -> list[Statement]:
    return [
        Statement(
            where=where,
            allows=statement["Effect"] == "Allow",
            actions=tuple(_listed(statement["Action"])),
            resources=tuple(_listed(statement.get("Resource", []))),
            principal=statement.get("Principal"),
            condition=statement.get("Condition"),
        )
        for statement in document["Statement"]
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

"""The template made fit for the local cloud: nothing leaves it silently."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tradewind.errors import InvalidInputError
from tradewind_local.twin.template import (
    LeftOut,
    StandIns,
    add_environment,
    disable_schedules,
    leave_out,
    leave_out_layers,
    load_template,
    localise_api_addresses,
    make_local,
    translate,
)

STAND_INS = StandIns(
    {"AWS::RDS::DBInstance": {"Endpoint.Address": "127.0.0.1", "Endpoint.Port": "5555"}}
)


def everything(_: str) -> bool:
    return True


def without(*types: str) -> Any:
    return lambda kind: kind not in types


def test_short_tags_are_read_as_their_long_forms(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(
        "AWSTemplateFormatVersion: 2010-09-09\n"
        "Resources:\n"
        "  A:\n"
        "    Type: AWS::SNS::Topic\n"
        "    Condition: Wanted\n"
        "    Properties:\n"
        "      Name: !Sub 'x-${AWS::Region}'\n"
        "      Port: !GetAtt Database.Endpoint.Port\n"
        "      List: !Join ['-', [!Ref B, c]]\n"
        "      If: !If [Wanted, !Condition Wanted, 1]\n"
    )
    template = load_template(path)
    assert template["AWSTemplateFormatVersion"] == "2010-09-09"
    assert template["Resources"]["A"]["Properties"] == {
        "Name": {"Fn::Sub": "x-${AWS::Region}"},
        "Port": {"Fn::GetAtt": ["Database", "Endpoint.Port"]},
        "List": {"Fn::Join": ["-", [{"Ref": "B"}, "c"]]},
        "If": {"Fn::If": ["Wanted", {"Condition": "Wanted"}, 1]},
    }


@pytest.mark.parametrize("text", ["", "Resources: [", "Description: nothing else"])
def test_a_file_that_is_no_template_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=r"template\.yaml"):
        load_template(path)


def test_what_cannot_run_is_listed_with_its_reason() -> None:
    template = {
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Gateway": {"Type": "AWS::EC2::NatGateway"},
            "Database": {"Type": "AWS::RDS::DBInstance"},
            "Plain": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Errors"}},
            "Math": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": []}},
        }
    }
    kept, left = leave_out(template, without("AWS::EC2::NatGateway"), STAND_INS)
    assert set(kept["Resources"]) == {"Topic", "Plain"}
    assert {(item.resource, item.type) for item in left} == {
        ("Gateway", "AWS::EC2::NatGateway"),
        ("Database", "AWS::RDS::DBInstance"),
        ("Math", "AWS::CloudWatch::Alarm"),
    }
    assert all(item.reason for item in left)


# What refers to a resource that is gone -> what stands there instead.
REFERENCES: list[tuple[Any, Any]] = [
    ({"Ref": "Database"}, "left-out-Database-Ref"),
    ({"Fn::GetAtt": ["Database", "Endpoint.Address"]}, "127.0.0.1"),
    ({"Fn::GetAtt": "Database.Endpoint.Port"}, "5555"),
    (
        {"Fn::Sub": "dbuser:${Database.DbiResourceId}/${AWS::Region}/${Other}"},
        {"Fn::Sub": "dbuser:left-out-Database-DbiResourceId/${AWS::Region}/${Other}"},
    ),
    (
        {"Fn::Sub": ["${Name}:${Database.Endpoint.Port}", {"Name": {"Ref": "Database"}}]},
        {"Fn::Sub": ["${Name}:5555", {"Name": "left-out-Database-Ref"}]},
    ),
    # A name of the substitution's own wins over the resource's, and ${!Literal} stays.
    (
        {"Fn::Sub": ["${Database}-${!Database}", {"Database": "mine"}]},
        {"Fn::Sub": ["${Database}-${!Database}", {"Database": "mine"}]},
    ),
    ({"Ref": "Other"}, {"Ref": "Other"}),
    ([{"Fn::If": ["X", {"Ref": "Database"}, 1]}], [{"Fn::If": ["X", "left-out-Database-Ref", 1]}]),
]


@pytest.mark.parametrize(("reference", "expected"), REFERENCES)
def test_references_to_what_is_gone_get_stand_ins(reference: Any, expected: Any) -> None:
    template = {
        "Resources": {
            "Database": {"Type": "AWS::RDS::DBInstance"},
            "User": {"Type": "AWS::SNS::Topic", "Properties": {"Value": reference}},
        },
        "Outputs": {"Out": {"Value": reference}},
    }
    kept, _ = leave_out(template, everything, STAND_INS)
    assert kept["Resources"]["User"]["Properties"]["Value"] == expected
    assert kept["Outputs"]["Out"]["Value"] == expected


@pytest.mark.parametrize(
    ("depends", "expected"),
    [("Database", None), (["Database"], None), (["Database", "Topic"], ["Topic"])],
)
def test_nothing_waits_for_what_is_gone(depends: Any, expected: Any) -> None:
    template = {
        "Resources": {
            "Database": {"Type": "AWS::RDS::DBInstance"},
            "Topic": {"Type": "AWS::SNS::Topic"},
            "User": {"Type": "AWS::SNS::Topic", "DependsOn": depends},
        }
    }
    kept, _ = leave_out(template, everything, STAND_INS)
    assert kept["Resources"]["User"].get("DependsOn") == expected


def sam_template() -> dict[str, Any]:
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Globals": {
            "Function": {
                "Runtime": "python3.13",
                "Architectures": ["arm64"],
                "Handler": "app.handler",
                "AutoPublishAlias": "live",
            }
        },
        "Resources": {
            "Layer": {
                "Type": "AWS::Serverless::LayerVersion",
                "Properties": {"ContentUri": "layers/x"},
            },
            "One": {
                "Type": "AWS::Serverless::Function",
                "Metadata": {"BuildMethod": "python-uv"},
                "Properties": {
                    "CodeUri": "functions/one",
                    "Layers": [{"Ref": "Layer"}],
                    "Environment": {"Variables": {"DATABASE_HOST": "db"}},
                    "Events": {
                        "Tick": {"Type": "ScheduleV2", "Properties": {"ScheduleExpression": "x"}}
                    },
                },
            },
            "Machine": {
                "Type": "AWS::Serverless::StateMachine",
                "Properties": {
                    "DefinitionUri": "machine.json",
                    "DefinitionSubstitutions": {"One": {"Ref": "One.Version"}},
                    "Role": "arn:aws:iam::000000000000:role/x",
                },
            },
        },
    }


def test_functions_and_machines_survive_the_way_to_the_local_cloud(tmp_path: Path) -> None:
    """Custom runtime, our zip, no layers; the definition inside; versions still referred to."""
    definition = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "${One}"}}}
    (tmp_path / "machine.json").write_text(json.dumps(definition))
    original = sam_template()
    template, layers = leave_out_layers(original)
    local = make_local(template, tmp_path, lambda name, source: f"s3://b/{name}/{source}")
    stack = translate(local, {}, "us-east-1")
    disable_schedules(stack)
    add_environment(stack, {"CLOCK_URL": "c"}, {"DATABASE_TLS": "off"})

    assert original == sam_template()
    assert layers == [
        LeftOut("Layer", "AWS::Serverless::LayerVersion", "functions run from the source tree")
    ]
    function = stack["Resources"]["One"]["Properties"]
    assert function["Runtime"] == "provided.al2023"
    assert function["Code"] == {"S3Bucket": "b", "S3Key": "One/functions/one"}
    assert "Layers" not in function
    assert "Architectures" not in function
    assert function["Environment"]["Variables"] == {
        "DATABASE_HOST": "db",
        "DATABASE_TLS": "off",
        "CLOCK_URL": "c",
    }
    machine = stack["Resources"]["Machine"]["Properties"]
    version = machine["DefinitionSubstitutions"]["One"]["Ref"]
    assert stack["Resources"][version]["Type"] == "AWS::Lambda::Version"
    assert "Resource" in json.dumps(machine)
    (schedule,) = (
        resource
        for resource in stack["Resources"].values()
        if resource["Type"] == "AWS::Scheduler::Schedule"
    )
    assert schedule["Properties"]["State"] == "DISABLED"


# Command of an image -> the folder and the handler that run instead; None: refused.
IMAGES: list[tuple[list[str], tuple[str, str] | None]] = [
    (["run_backtest.app.handler"], ("functions/run_backtest", "app.handler")),
    (["app.handler"], None),
    ([], None),
]


@pytest.mark.parametrize(("command", "expected"), IMAGES)
def test_a_function_of_an_image_runs_from_its_folder(
    command: list[str], expected: tuple[str, str] | None, tmp_path: Path
) -> None:
    properties = {
        "PackageType": "Image",
        "ImageUri": {"Ref": "Uri"},
        **({"ImageConfig": {"Command": command}} if command else {}),
    }
    template = {
        "Globals": {"Function": {"Runtime": "python3.13", "Handler": "other.handler"}},
        "Resources": {"F": {"Type": "AWS::Serverless::Function", "Properties": properties}},
    }
    if expected is None:
        with pytest.raises(InvalidInputError, match=r"function F .*run_backtest\.app\.handler"):
            make_local(template, tmp_path, lambda *_: "")
        return
    local = make_local(template, tmp_path, lambda _, source: f"s3://b/{source}")
    folder, handler = expected
    assert local["Resources"]["F"]["Properties"] == {
        "CodeUri": f"s3://b/{folder}",
        "Handler": handler,
        "Runtime": "provided.al2023",
    }


def test_another_zip_publishes_another_version(tmp_path: Path) -> None:
    """Published versions keep the settings they were made with, so an edit must make a new one."""
    (tmp_path / "machine.json").write_text('{"StartAt": "A", "States": {}}')
    versions = set()
    for content in ("a", "a", "b"):
        template, _ = leave_out_layers(sam_template())
        local = make_local(template, tmp_path, lambda *_, content=content: f"s3://b/{content}")
        stack = translate(local, {}, "us-east-1")
        versions |= {
            name
            for name, resource in stack["Resources"].items()
            if resource["Type"] == "AWS::Lambda::Version"
        }
    assert len(versions) == 2


def test_what_the_translator_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {"F": {"Type": "AWS::Serverless::Function", "Properties": {}}},
    }
    with pytest.raises(InvalidInputError, match="F"):
        translate(template, {}, "us-east-1")
    with pytest.raises(InvalidInputError, match="function F has no CodeUri"):
        make_local(template, tmp_path, lambda *_: "")


def test_only_functions_with_a_database_get_its_password() -> None:
    template = {
        "Resources": {
            "Edge": {"Type": "AWS::Lambda::Function", "Properties": {}},
            "Core": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Environment": {"Variables": {"DATABASE_HOST": "h"}}},
            },
        }
    }
    add_environment(template, {"CLOCK_URL": "c"}, {"DATABASE_PASSWORD": "p"})
    edge, core = (template["Resources"][name]["Properties"] for name in ("Edge", "Core"))
    assert edge["Environment"]["Variables"] == {"CLOCK_URL": "c"}
    assert core["Environment"]["Variables"] == {
        "DATABASE_HOST": "h",
        "DATABASE_PASSWORD": "p",
        "CLOCK_URL": "c",
    }


def test_an_apis_address_is_the_local_clouds() -> None:
    address = "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/v1"
    template = {"Resources": {}, "Outputs": {"Url": {"Value": {"Fn::Sub": address}}}}
    localised = localise_api_addresses(template, "http://127.0.0.1:40000")
    assert localised["Outputs"]["Url"]["Value"] == {
        "Fn::Sub": "http://127.0.0.1:40000/_aws/execute-api/${Api}/v1"
    }

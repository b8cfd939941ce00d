"""The function that CloudFormation calls: migrates, puts the starter model in place, answers."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws
from tradewind import bootstrap
from tradewind.adapters.postgres.connection import DatabaseAddress, open_session
from tradewind.adapters.postgres.schema import SCHEMA_VERSION
from tradewind.errors import InvalidInputError
from tradewind.prediction.registry import CHAMPION_KEY

HANDLER = Path(__file__).parents[3] / "functions" / "migrate_schema" / "app.py"
BUCKET = "models"
CREATE = {"RequestType": "Create"}


class Context:
    function_name = "migrate_schema"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:migrate_schema"
    aws_request_id = "1"


class CloudFormation:
    """What lies behind a ResponseURL: takes one answer a request, the first ones refused."""

    def __init__(self) -> None:
        self.answers: list[tuple[str | None, dict[str, Any]]] = []
        self.refusals = 0
        outer = self

        class Receiver(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.refusals:
                    outer.refusals -= 1
                    self.send_response(503)
                else:
                    outer.answers.append((self.headers["Content-Type"], json.loads(body)))
                    self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Not to the terminal."""

        self.server = HTTPServer(("127.0.0.1", 0), Receiver)
        self.url = f"http://127.0.0.1:{self.server.server_port}/answer?signed=1"

    def request(self, kind: str, **more: str) -> dict[str, Any]:
        return {
            "RequestType": kind,
            "ResponseURL": self.url,
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Schema",
            **more,
        }


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    receiver = CloudFormation()
    serving = Thread(target=receiver.server.serve_forever, args=(0.01,))
    serving.start()
    yield receiver
    receiver.server.shutdown()
    serving.join()
    receiver.server.server_close()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, empty_database: DatabaseAddress) -> Iterator[Any]:
    """The function's environment: an empty database, an empty model bucket (the answer)."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    variables = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "DATABASE_HOST": empty_database.host,
        "DATABASE_PORT": str(empty_database.port),
        "DATABASE_NAME": empty_database.name,
        "DATABASE_USER": empty_database.user,
        "DATABASE_PASSWORD": empty_database.password_source(),
        "DATABASE_TLS": "off",
        "MODEL_BUCKET": BUCKET,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    built = (bootstrap.environment, bootstrap.client, bootstrap.database)
    for builder in built:
        builder.cache_clear()
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        yield s3
        bootstrap.database().close()
    for builder in built:
        builder.cache_clear()


@pytest.fixture
def app() -> ModuleType:
    spec = importlib.util.spec_from_file_location("migrate_schema_app", HANDLER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def keys(bucket: Any) -> list[str]:
    return [item["Key"] for item in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def test_a_direct_call_installs_everything_and_a_second_changes_nothing(
    bucket: Any, app: ModuleType, empty_database: DatabaseAddress
) -> None:
    first = app.handler(CREATE, Context())
    starter = first["starter_model"]
    assert first == {
        "schema_version": SCHEMA_VERSION,
        "starter_model": starter,
        "champion_model": starter,
    }
    installed = [CHAMPION_KEY, f"models/{starter}/card.json", f"models/{starter}/model.onnx"]
    assert keys(bucket) == installed
    stamps = bucket.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert app.handler(CREATE, Context()) == first
    assert bucket.list_objects_v2(Bucket=BUCKET)["Contents"] == stamps
    session = open_session(empty_database, "tests")
    assert session.rows("SELECT model_version FROM models") == [[starter]]
    session.close()


def test_a_champion_that_was_chosen_stays(bucket: Any, app: ModuleType) -> None:
    bucket.put_object(Bucket=BUCKET, Key=CHAMPION_KEY, Body=b'{"model_version": "better-2"}')
    assert app.handler(CREATE, Context())["champion_model"] == "better-2"


def test_cloudformation_is_answered_at_its_address(
    bucket: Any, app: ModuleType, cloudformation: CloudFormation
) -> None:
    cloudformation.refusals = 1  # told again until it is taken
    app.handler(cloudformation.request("Create"), Context())
    app.handler(cloudformation.request("Update", PhysicalResourceId="tradewind-schema"), Context())
    app.handler(cloudformation.request("Delete", PhysicalResourceId="as-created"), Context())
    content_types = {content_type for content_type, _ in cloudformation.answers}
    answers = [answer for _, answer in cloudformation.answers]
    assert content_types == {""}
    assert [answer["Status"] for answer in answers] == ["SUCCESS"] * 3
    assert [answer["PhysicalResourceId"] for answer in answers] == [
        "tradewind-schema",
        "tradewind-schema",
        "as-created",
    ]
    assert answers[0]["Data"]["schema_version"] == SCHEMA_VERSION
    assert answers[2]["Data"] == {}
    assert {key: answers[0][key] for key in ("StackId", "RequestId", "LogicalResourceId")} == {
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Schema",
    }
    # Deleting the resource is no reason to take anything away.
    assert len(keys(bucket)) == 3


def test_a_failure_is_answered_in_one_line_and_raised_to_a_direct_caller(
    bucket: Any,
    app: ModuleType,
    cloudformation: CloudFormation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket.delete_bucket(Bucket=BUCKET)
    app.handler(cloudformation.request("Create"), Context())
    ((_, answer),) = cloudformation.answers
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("NoSuchBucket")
    assert "\n" not in answer["Reason"]
    monkeypatch.setattr(bootstrap, "migrator", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        app.handler(CREATE, Context())


def test_an_answer_goes_over_https_or_stays_on_this_machine(app: ModuleType) -> None:
    elsewhere = {"RequestType": "Delete", "ResponseURL": "http://example.com/answer"}
    with pytest.raises(InvalidInputError, match="not https"):
        app.handler(elsewhere, Context())

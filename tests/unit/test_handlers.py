"""Handlers: importing one needs no environment and no network; a queue fails record by record."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tradewind import bootstrap, settings
from tradewind.alerts.model import Alert
from tradewind.errors import InvalidInputError, NotifierUnavailableError

from tests.fakes import FakeClock
from tests.unit.use_cases.test_receive_broker_hint import Starter

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))

IMPORT = """
import socket, sys
def refuse(*args, **kwargs):
    raise SystemExit("importing a handler opened a socket")
socket.socket.connect = refuse
sys.path[:0] = {paths!r}
import app
print(callable(app.handler), "boto3" in sys.modules, "pg8000" in sys.modules)
"""


def load(name: str) -> ModuleType:
    path = ROOT / "functions" / name / "app.py"
    spec = importlib.util.spec_from_file_location(f"functions_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", FUNCTIONS)
def test_importing_a_handler_touches_nothing(name: str) -> None:
    paths = [str(ROOT / "functions" / name), str(ROOT / "layers" / "tradewind")]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT.format(paths=paths)],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Neither AWS nor database clients are even imported before they are used.
    assert done.stdout.split() == ["True", "False", "False"]


class Context:
    function_name = "notify"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:notify"
    aws_request_id = "1"

    def get_remaining_time_in_millis(self) -> int:
        return 1000


class FlakyChannel:
    """Refuses what it is told to refuse."""

    name = "fake"

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, alert: Alert) -> None:
        if alert.message == "unlucky":
            raise NotifierUnavailableError("fake: 500")
        self.sent.append(alert.message)


def record(number: int, message: str, severity: int = 3) -> dict[str, Any]:
    body = {
        "type": "test",
        "severity": severity,
        "message": message,
        "timestamp": "2020-11-12T14:31:05Z",
        "dedupe_key": str(number),
    }
    return {"messageId": str(number), "body": json.dumps(body), "eventSource": "aws:sqs"}


def test_only_the_record_that_failed_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    channel = FlakyChannel()
    monkeypatch.setattr(bootstrap, "channel", lambda: channel)
    monkeypatch.setattr(
        bootstrap,
        "environment",
        lambda: settings.Environment({"NOTIFY_MIN_SEVERITY": "2"}),
    )
    broken = {"messageId": "9", "body": "not json", "eventSource": "aws:sqs"}
    records = [record(1, "one"), record(2, "unlucky"), record(3, "minor", severity=1), broken]
    answer = load("notify").handler({"Records": records}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "9"}]}
    assert channel.sent == ["one"]


def test_a_tick_without_a_time_is_refused_by_name() -> None:
    with pytest.raises(InvalidInputError, match="no scheduled_time"):
        load("fetch_bars").handler({"time": "2020-11-12T14:31:00Z"}, Context())


def hint(signed: str, **changes: Any) -> dict[str, Any]:
    """A request as API Gateway hands it over, with the signature of ``signed``."""
    signature = hmac.new(b"secret", b"1605191464." + signed.encode(), hashlib.sha256).hexdigest()
    headers = {"X-Tradewind-Timestamp": "1605191464", "X-Tradewind-Signature": signature}
    return {"httpMethod": "POST", "headers": headers, "body": signed, **changes}


def in_base64(body: str) -> dict[str, Any]:
    return {"body": base64.b64encode(body.encode()).decode(), "isBase64Encoded": True}


HINTS = [
    # (what is special about the request, the request, the answer's status)
    ("as it should be", hint("{}"), 202),
    ("header names of another case", hint("{}", headers={
        name.lower(): value for name, value in hint("{}")["headers"].items()}), 202),
    ("a body in base64", hint("{}", **in_base64("{}")), 202),
    ("a body that is no base64", hint("{}", body="{}", isBase64Encoded=True), 400),
    ("no body", hint("", body=None), 202),
    ("no headers", hint("{}", headers=None), 401),
    ("another body than was signed", hint("{}", body="[]"), 401),
]  # fmt: skip


@pytest.mark.parametrize(
    ("event", "status"), [row[1:] for row in HINTS], ids=[str(row[0]) for row in HINTS]
)
def test_a_brokers_hint_is_read_as_it_was_signed(
    event: dict[str, Any], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = Starter()
    ours = settings.AccountSettings("here", "paper", "paper", ("AAPL",))
    monkeypatch.setattr(bootstrap, "webhook_secret", lambda: "secret")
    monkeypatch.setattr(bootstrap, "account", lambda: ours)
    monkeypatch.setattr(bootstrap, "reconciliations", lambda: starter)
    monkeypatch.setattr(bootstrap, "clock", FakeClock)
    answer = load("receive_broker_hint").handler(event, Context())
    assert answer["statusCode"] == status
    assert json.loads(answer["body"])["message"]
    assert len(starter.started) == (status == 202)


def test_what_a_stranger_sends_is_not_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bootstrap, "webhook_secret", lambda: "the secret")
    monkeypatch.setattr(
        bootstrap, "account", lambda: settings.AccountSettings("here", "paper", "paper", ("AAPL",))
    )
    monkeypatch.setattr(bootstrap, "reconciliations", Starter)
    monkeypatch.setattr(bootstrap, "clock", FakeClock)
    load("receive_broker_hint").handler(hint("a stranger's words"), Context())
    said = " ".join(str(record.__dict__) for record in caplog.records)
    assert "answered" in said
    assert "a stranger's words" not in said
    assert "the secret" not in said

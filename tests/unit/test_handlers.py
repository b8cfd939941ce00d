"""Handlers: importing one needs no environment and no network; a queue fails record by record."""

from __future__ import annotations

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

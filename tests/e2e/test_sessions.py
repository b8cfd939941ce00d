"""One state folder, session after session: the saved local cloud is gone on from, and works on."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import run, wait_until_nothing_is_left

pytestmark = pytest.mark.e2e

# What a sound session says of its deliveries and books.
SOUND = {
    "executions_failed": 0,
    "orders_without_intent": 0,
    "intents_without_outcome": 0,
    "positions_match": True,
    "undelivered": {},
    "dead_letters": {},
}
STARTED_ANEW = "starting with a new one"


def session(day: str, minutes: int) -> list[str]:
    return ["--seed", "4", "--date", day, "--minutes", str(minutes)]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that a few minutes of a first session were replayed on."""
    folder = tmp_path_factory.mktemp("sessions")
    run(folder / "first.log", *session("2025-06-10", 5), "--state", str(folder / "state"))
    return folder / "state"


def assert_all_was_stored(summary: dict[str, Any], minutes: int) -> None:
    expected = {**SOUND, "cycles_started": minutes, "bars_stored": 2 * minutes}
    assert {key: summary[key] for key in expected} == expected
    # Queues bring these: without a fill and an alert the session would say nothing of them.
    assert summary["trade_events"] == summary["fills"] >= 1
    assert summary["alerts"] >= 1


def test_another_session_is_stored_whole_and_once(state: Path, tmp_path: Path) -> None:
    options = [*session("2025-06-11", 45), "--state", str(state)]
    ports = json.loads((state / "ports.json").read_text())
    assert_all_was_stored(run(tmp_path / "second.log", *options), 45)
    # It was the saved local cloud, where it was, that did so.
    assert json.loads((state / "ports.json").read_text()) == ports
    assert STARTED_ANEW not in (tmp_path / "second.log").read_text()

    again = run(tmp_path / "again.log", *options)
    added = (
        "cycles_started",
        "bars_stored",
        "intents",
        "orders",
        "fills",
        "trade_events",
        "alerts",
    )
    assert {name: again[name] for name in added} == dict.fromkeys(added, 0)
    assert again["executions_succeeded"] == 45


@pytest.mark.parametrize(("server", "day"), [("cloud", "2025-06-13"), ("postgres", "2025-06-16")])
def test_a_taken_port_costs_a_new_local_cloud_and_nothing_else(
    state: Path, tmp_path: Path, server: str, day: str
) -> None:
    port = json.loads((state / "ports.json").read_text())[server]
    with socket.create_server(("127.0.0.1", port)):
        summary = run(tmp_path / "taken.log", *session(day, 45), "--state", str(state))
    said = (tmp_path / "taken.log").read_text()
    assert len(re.findall(STARTED_ANEW, said)) == 1
    assert_all_was_stored(summary, 45)
    assert json.loads((state / "ports.json").read_text())[server] != port
    assert wait_until_nothing_is_left(state) == []

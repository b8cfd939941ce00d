"""Slack's plain-text answers, and a webhook address that never shows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tradewind.adapters.slack import SlackChannel
from tradewind.alerts.model import WARNING, Alert
from tradewind.errors import NotifierRefusedError, NotifierUnavailableError, ThrottledError

from tests.unit.adapters.http_server import Answer, serving

RECORDED = (
    Path(__file__).parents[4] / "shared" / "data" / "fixtures_notify"
) / "slack_incoming_webhook.json"
ALERT = Alert("stop_filled", WARNING, "sold 10 AAPL", datetime(2020, 11, 12, tzinfo=UTC), "e1")


def test_an_alert_is_a_text() -> None:
    with serving(Answer(200, b"ok")) as server:
        SlackChannel(server.url + "/services/secret").send(ALERT)
    assert server.requests == [
        ("POST", "/services/secret", {"text": "[warning] stop_filled: sold 10 AAPL"})
    ]


@pytest.mark.skipif(not RECORDED.exists(), reason="../shared/data/fixtures_notify is absent")
def test_every_recorded_answer_has_its_kind() -> None:
    kinds = {429: ThrottledError, 500: NotifierUnavailableError}
    for row in json.loads(RECORDED.read_text()):
        if row["status"] == 200:
            continue
        answer = Answer(row["status"], row["body_text"].encode(), row.get("headers", {}))
        expected = kinds.get(row["status"], NotifierRefusedError)
        with serving(answer) as server, pytest.raises(expected) as caught:
            SlackChannel(server.url + "/services/secret").send(ALERT)
        assert "secret" not in str(caught.value)


def test_a_lost_connection_does_not_tell_the_address() -> None:
    with serving(Answer(hang_up=True)) as server, pytest.raises(NotifierUnavailableError) as caught:
        SlackChannel(server.url + "/services/secret").send(ALERT)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None

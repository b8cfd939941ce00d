"""The wiring: what is built once, and what is built anew when its keys have changed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tradewind import bootstrap
from tradewind.adapters import secrets
from tradewind.adapters.secrets import Secrets
from tradewind.settings import Environment


class SecretsManager:
    key = "k1"

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803 - boto3's name
        return {"SecretString": json.dumps({"api_key": self.key, "secret_key": "s"})}


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsManager]:
    manager = SecretsManager()
    kept = Secrets(manager)
    variables = {
        "TRADING_MODE": "paper",
        "TRADING_URL": "https://broker.example",
        "BROKER_SECRET": "broker",
    }
    monkeypatch.setattr(bootstrap, "_secrets", lambda: kept)
    monkeypatch.setattr(bootstrap, "environment", lambda: Environment(variables))
    yield manager
    bootstrap._broker.cache_clear()


def test_a_warm_environment_takes_up_rotated_keys(
    manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bootstrap.broker()
    manager.key = "k2"
    assert bootstrap.broker() is first  # within the time that a secret is kept
    monkeypatch.setattr(secrets, "KEEP_FOR", -1.0)
    assert bootstrap.broker() is not first


def test_a_control_table_that_stalls_leaves_an_exit_most_of_its_functions_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Asked at most twice on an exit's way; beyond the function's 30 s the process is killed.
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bootstrap.client.cache_clear()
    config = bootstrap.client("dynamodb").meta.config
    bootstrap.client.cache_clear()
    a_question = config.retries["total_max_attempts"] * config.read_timeout
    assert 2 * a_question <= 15
    assert config.connect_timeout <= config.read_timeout

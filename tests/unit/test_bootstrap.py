"""The wiring: what is built once, and what is built anew when its keys have changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from botocore.exceptions import ConnectTimeoutError
from tradewind import bootstrap
from tradewind.adapters import secrets
from tradewind.adapters.secrets import Secrets
from tradewind.settings import Environment
from tradewind.strategies import configuration


class SecretsManager:
    key = "k1"
    answers = True

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803 - boto3's name
        if not self.answers:
            raise ConnectTimeoutError(endpoint_url="https://secretsmanager.example")
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


def test_kept_keys_go_on_while_secrets_manager_does_not_answer(
    manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.answers = False
    with pytest.raises(ConnectTimeoutError):
        bootstrap.broker()
    manager.answers = True
    first = bootstrap.broker()
    manager.answers = False
    monkeypatch.setattr(secrets, "KEEP_FOR", -1.0)
    assert bootstrap.broker() is first


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


def test_a_function_is_called_once_and_given_up_before_the_api_gives_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bootstrap.client.cache_clear()
    config = bootstrap.client("lambda").meta.config
    bootstrap.client.cache_clear()
    assert config.retries["total_max_attempts"] == 1
    assert config.connect_timeout + config.read_timeout < 29


TWO_STRATEGIES = """
[[strategy]]
name = "sma_crossover"
symbols = ["AAPL", "NVDA"]
capital = 0.7

[[strategy]]
name = "lstm_trend"
symbols = ["MSFT"]
capital = 0.3
parameters = {min_confidence = 0.6, minutes_without_prediction = 5}
"""


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two strategies in the file; three symbols in the parameter, one of them in neither."""
    variables = {
        "DEPLOYMENT": "here",
        "ACCOUNT": "paper",
        "TRADING_MODE": "paper",
        "SYMBOLS": "AAPL,MSFT,KO",
        "SMA_FAST": "20",
        "SMA_SLOW": "50",
        "REQUEST_BUDGET": "1",
        "REQUEST_RESERVE": "0",
        "MAX_ORDERS_PER_DAY": "1",
        "MAX_NOTIONAL_PER_ORDER": "1",
        "MAX_NOTIONAL_PER_DAY": "1",
    }
    kept = (bootstrap.account, bootstrap._strategy_entries, bootstrap._assignments,
            bootstrap.symbols, bootstrap.strategies, bootstrap.allotments)  # fmt: skip
    monkeypatch.setattr(bootstrap, "environment", lambda: Environment(variables))
    monkeypatch.setattr(configuration, "shipped_text", lambda: TWO_STRATEGIES)
    for builder in kept:
        builder.cache_clear()
    yield
    for builder in kept:
        builder.cache_clear()


@pytest.mark.usefixtures("configured")
def test_strategies_and_their_capital_come_from_the_file() -> None:
    assert {symbol: one.name for symbol, one in bootstrap.strategies().items()} == {
        "AAPL": "sma_crossover_20_50",
        "NVDA": "sma_crossover_20_50",
        "MSFT": "lstm_trend_0.6_5",
    }
    parts = bootstrap.allotments()
    assert parts["AAPL"] is parts["NVDA"]
    assert (parts["AAPL"].symbols, parts["AAPL"].fraction) == ({"AAPL", "NVDA"}, Decimal("0.7"))
    assert (parts["MSFT"].symbols, parts["MSFT"].fraction) == ({"MSFT"}, Decimal("0.3"))


@pytest.mark.usefixtures("configured")
def test_what_is_fetched_and_may_be_sent_is_the_parameters_symbols_and_the_files() -> None:
    assert bootstrap.symbols() == ("AAPL", "MSFT", "KO", "NVDA")
    assert bootstrap.submitter().symbols == bootstrap.symbols()


@pytest.mark.parametrize(("mode", "told", "sets"), [
    ("paper", "true", True), ("live", "true", True), ("live", "false", False),
    ("shadow", "true", False),  # it changes nothing at the broker
])  # fmt: skip
def test_who_sets_the_accounts_configuration(
    monkeypatch: pytest.MonkeyPatch, mode: str, told: str, sets: bool
) -> None:
    variables = {
        "DEPLOYMENT": "here", "ACCOUNT": "paper", "SYMBOLS": "AAPL", "TRADING_MODE": mode,
        "SET_ACCOUNT_CONFIGURATION": told,
    }  # fmt: skip
    monkeypatch.setattr(bootstrap, "environment", lambda: Environment(variables))
    bootstrap.account.cache_clear()
    try:
        assert bootstrap.sets_account_configuration() is sets
    finally:
        bootstrap.account.cache_clear()

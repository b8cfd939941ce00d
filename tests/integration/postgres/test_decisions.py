"""The ``cycles``, ``predictions``, ``decisions`` and ``models`` tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from threading import Thread
from time import sleep
from types import MappingProxyType
from typing import Any

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.errors import InvalidInputError
from tradewind.prediction.model import ModelCard, Prediction, Trend
from tradewind.strategies.decision import Action, Decision

from tests.integration.postgres.rows import ACCOUNT, MINUTE, OPEN, SESSION, uuid_of

PREDICTION = Prediction(
    prediction_id=uuid_of("prediction"),
    symbol="AAPL",
    predicted_trend=Trend.UP,
    confidence=Decimal("0.731"),
    timestamp=OPEN,
    model_version="starter-1",
    feature_fingerprint="f1",
    stale=False,
)
DECISION = Decision(
    decision_id=uuid_of("decision"),
    account=ACCOUNT,
    strategy="sma_crossover",
    mode="paper",
    symbol="AAPL",
    bar_time=OPEN,
    wanted=Action.ENTER,
    action=Action.WAIT,
    reason_code="too_early",
    reason="no new entry in the first 5 minutes",
    close=Decimal("119.5301"),
    quantity=Decimal(0),
)
CARD = ModelCard(
    model_version="starter-1",
    sha256="a" * 64,
    feature_fingerprint="f1",
    trained_on="simulated bars",
    created_at=OPEN,
    card=MappingProxyType({"accuracy": "0.4", "of": ["simulated", "bars"]}),
)


def test_the_newest_decided_minute_is_each_accounts_own(database: PostgresDatabase) -> None:
    with database.transaction() as stores:
        assert stores.cycles.newest_decided(ACCOUNT) is None
        stores.cycles.decided(ACCOUNT, OPEN + MINUTE, SESSION, "paper-2")
        stores.cycles.decided(ACCOUNT, OPEN, SESSION, "paper-1")
        stores.cycles.decided(ACCOUNT, OPEN, SESSION, "paper-1")
        stores.cycles.decided("shadow", OPEN + 5 * MINUTE, SESSION, "shadow-5")
        assert stores.cycles.newest_decided(ACCOUNT) == OPEN + MINUTE


def test_a_cycle_is_finished_once(database: PostgresDatabase, ask: Callable[..., Any]) -> None:
    with database.transaction() as stores:
        stores.cycles.decided(ACCOUNT, OPEN, SESSION, "paper-1")
        stores.cycles.decided(ACCOUNT, OPEN + MINUTE, SESSION, "paper-2")
        stores.cycles.finished(ACCOUNT, OPEN)
    finished = "SELECT finished_at FROM cycles ORDER BY bar_time"
    first = ask(finished)
    with database.transaction() as stores:
        stores.cycles.finished(ACCOUNT, OPEN)
        stores.cycles.finished(ACCOUNT, OPEN + 9 * MINUTE)  # never decided: nothing to finish
    assert ask(finished) == first
    assert [row[0] is not None for row in first] == [True, False]


def test_the_accounts_lock_is_held_until_the_transaction_ends(
    connected: Callable[[str], PostgresDatabase], ask: Callable[..., Any]
) -> None:
    order: list[str] = []
    waiting = connected("tw_record")

    def wait_for_lock() -> None:
        with waiting.transaction() as stores:
            stores.cycles.lock_account(ACCOUNT)
            order.append("second")

    with connected("tw_trade").transaction() as stores:
        stores.cycles.lock_account(ACCOUNT)
        stores.cycles.lock_account(ACCOUNT)  # ours already
        second = Thread(target=wait_for_lock)
        second.start()
        with connected("tw_record").transaction() as others:
            others.cycles.lock_account("shadow")  # another account waits for nobody
        while not ask("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            sleep(0.01)
        order.append("first")
    second.join()
    assert order == ["first", "second"]


def test_predictions_and_decisions_are_written_once(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    other = replace(PREDICTION, prediction_id=uuid_of("msft"), symbol="MSFT")
    for _ in range(2):
        with database.transaction() as stores:
            stores.predictions.save([PREDICTION])
            stores.predictions.save([replace(PREDICTION, confidence=Decimal(0)), other])
            stores.predictions.save([])
            stores.decisions.save([DECISION])
            stores.decisions.save([replace(DECISION, reason="changed its mind")])
            stores.decisions.save([])
    assert ask("SELECT symbol, predicted_trend, confidence FROM predictions ORDER BY symbol") == [
        ["AAPL", "up", Decimal("0.731")],
        ["MSFT", "up", Decimal("0.731")],
    ]
    assert ask("SELECT wanted, action, reason FROM decisions") == [
        ["enter", "wait", "no new entry in the first 5 minutes"]
    ]


def test_a_strategy_decides_once_on_a_symbol_and_minute_whatever_the_id(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    with database.transaction() as stores:
        stores.decisions.save([DECISION])
        stores.decisions.save([replace(DECISION, decision_id=uuid_of("other"))])
        stores.decisions.save([replace(DECISION, decision_id=uuid_of("later"), mode="shadow")])
    assert ask("SELECT count(*) FROM decisions") == [[2]]


@pytest.mark.parametrize("confidence", ["-0.1", "1.01", "NaN"])
def test_a_confidence_is_a_probability(database: PostgresDatabase, confidence: str) -> None:
    with pytest.raises(InvalidInputError), database.transaction() as stores:
        stores.predictions.save([replace(PREDICTION, confidence=Decimal(confidence))])


def test_a_models_version_never_changes_its_hash(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    with database.transaction() as stores:
        stores.models.register(CARD)
        stores.models.register(replace(CARD, trained_on="told again, left alone"))
    with (
        pytest.raises(InvalidInputError, match="starter-1 is registered with hash aaaaaaaaaaaa"),
        database.transaction() as stores,
    ):
        stores.models.register(replace(CARD, sha256="b" * 64))
    assert ask("SELECT sha256, trained_on, card FROM models") == [
        ["a" * 64, "simulated bars", {"accuracy": "0.4", "of": ["simulated", "bars"]}]
    ]

"""The pointer to the champion, its card, and the check that the file is the one meant."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest
from tradewind.errors import InvalidInputError, PayloadMismatchError
from tradewind.prediction.registry import Champion, card_of, champion_of, check_model

CARD = {
    "model_version": "m1",
    "sha256": hashlib.sha256(b"model").hexdigest(),
    "feature_fingerprint": "f1",
    "trained_on": "simulated bars",
    "created_at": "2026-01-02T03:04:05Z",
    "evaluation": {"accuracy": 0.4},
}


def test_the_champion_names_its_two_objects() -> None:
    assert champion_of(b'{"model_version": "m1"}') == Champion(
        "m1", "models/m1/model.onnx", "models/m1/card.json"
    )


def test_a_card_is_kept_whole() -> None:
    card = card_of(json.dumps(CARD).encode())
    assert card.model_version == "m1"
    assert card.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert card.trained_on == "simulated bars"
    assert card.card == CARD


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "champion is not JSON"),
        (b"\xff", "champion is not JSON"),
        (b"[]", "champion is not a JSON object"),
        (b"{}", "champion has no model_version"),
        (b'{"model_version": ""}', "champion has no model_version"),
        (b'{"model_version": 3}', "champion has no model_version"),
    ],
)
def test_a_pointer_that_names_nothing(body: bytes, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        champion_of(body)


@pytest.mark.parametrize("part", [name for name in CARD if name != "evaluation"])
def test_a_card_without_a_part_the_system_needs(part: str) -> None:
    body = json.dumps({name: value for name, value in CARD.items() if name != part}).encode()
    with pytest.raises(InvalidInputError, match=f"model card has no {part}"):
        card_of(body)


def test_a_card_without_a_zone_in_its_time() -> None:
    with pytest.raises(InvalidInputError, match="without a zone"):
        card_of(json.dumps(CARD | {"created_at": "2026-01-02T03:04:05"}).encode())


def test_only_the_card_s_own_file_on_its_own_features_is_taken() -> None:
    card = card_of(json.dumps(CARD).encode())
    check_model(card, b"model", "f1")
    with pytest.raises(PayloadMismatchError, match="model m1: the file's sha256"):
        check_model(card, b"another", "f1")
    with pytest.raises(InvalidInputError, match="trained on feature definition f1"):
        check_model(card, b"model", "f2")

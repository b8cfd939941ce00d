"""Which model serves, and whether it is the one it claims to be.

The model bucket holds each version under ``models/<version>/`` for good, and one small object,
``champion.json``, that names the version in use: promoting and rolling back are one write.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tradewind.errors import InvalidInputError, PayloadMismatchError
from tradewind.market.bar import from_iso
from tradewind.prediction.model import ModelCard

CHAMPION_KEY = "champion.json"


@dataclass(frozen=True, slots=True)
class Champion:
    """The model in use, and the keys of its two objects in the model bucket."""

    model_version: str
    model_key: str
    card_key: str


def champion_of(body: bytes) -> Champion:
    """Reads ``champion.json``. InvalidInputError when it names no version."""
    version = _text(_object(body, "champion"), "model_version", "champion")
    return Champion(version, f"models/{version}/model.onnx", f"models/{version}/card.json")


def card_of(body: bytes) -> ModelCard:
    """Reads a ``card.json``. InvalidInputError when a part that the system needs is missing."""
    card = _object(body, "model card")
    return ModelCard(
        model_version=_text(card, "model_version", "model card"),
        sha256=_text(card, "sha256", "model card"),
        feature_fingerprint=_text(card, "feature_fingerprint", "model card"),
        trained_on=_text(card, "trained_on", "model card"),
        created_at=from_iso(_text(card, "created_at", "model card")),
        card=card,
    )


def check_model(card: ModelCard, model: bytes, feature_fingerprint: str) -> None:
    """Refuses a file that is not the card's (PayloadMismatchError), and a model that was trained
    on other features than this code computes (InvalidInputError)."""
    found = hashlib.sha256(model).hexdigest()
    if found != card.sha256:
        raise PayloadMismatchError(
            f"model {card.model_version}: the file's sha256 is {found}, its card says {card.sha256}"
        )
    if feature_fingerprint != card.feature_fingerprint:
        raise InvalidInputError(
            f"model {card.model_version} was trained on feature definition "
            f"{card.feature_fingerprint}, this code computes {feature_fingerprint}: train it again"
        )


def _object(body: bytes, what: str) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise InvalidInputError(f"the {what} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidInputError(f"the {what} is not a JSON object")
    return value


def _text(value: Mapping[str, Any], name: str, what: str) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not text:
        raise InvalidInputError(f"the {what} has no {name}")
    return text

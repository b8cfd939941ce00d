"""A prediction, and the card of the model that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID


class Trend(StrEnum):
    DOWN = "down"
    FLAT = "flat"
    UP = "up"


# The order of the model's output columns.
TRENDS = (Trend.DOWN, Trend.FLAT, Trend.UP)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row of ``predictions``. ``timestamp`` is the start of the newest bar the model saw,
    ``confidence`` the probability it gave to ``predicted_trend`` (0..1)."""

    prediction_id: UUID
    symbol: str
    predicted_trend: Trend
    confidence: Decimal
    timestamp: datetime
    model_version: str
    feature_fingerprint: str
    stale: bool


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One row of ``models``: what a model is, what it was trained on, what it scored."""

    model_version: str
    sha256: str
    feature_fingerprint: str
    trained_on: str
    created_at: datetime
    card: Mapping[str, Any]

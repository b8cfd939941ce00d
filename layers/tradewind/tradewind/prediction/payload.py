"""Predictions as JSON, for the way through the state machine and for the last good ones."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from tradewind.errors import InvalidInputError
from tradewind.market.bar import from_iso, to_iso
from tradewind.prediction.model import Prediction, Trend


def prediction_payload(prediction: Prediction) -> dict[str, Any]:
    return {
        "prediction_id": str(prediction.prediction_id),
        "symbol": prediction.symbol,
        "predicted_trend": prediction.predicted_trend,
        "confidence": str(prediction.confidence),
        "timestamp": to_iso(prediction.timestamp),
        "model_version": prediction.model_version,
        "feature_fingerprint": prediction.feature_fingerprint,
        "stale": prediction.stale,
    }


def predictions_from_payload(items: Sequence[Any]) -> list[Prediction]:
    """Raises InvalidInputError when an item is not a prediction."""
    try:
        return [
            Prediction(
                prediction_id=UUID(item["prediction_id"]),
                symbol=str(item["symbol"]),
                predicted_trend=Trend(item["predicted_trend"]),
                confidence=Decimal(item["confidence"]),
                timestamp=from_iso(item["timestamp"]),
                model_version=str(item["model_version"]),
                feature_fingerprint=str(item["feature_fingerprint"]),
                stale=bool(item["stale"]),
            )
            for item in items
        ]
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise InvalidInputError(f"not a prediction: {error!r}") from error

"""From a model's probabilities to predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid5

from tradewind.errors import InvalidInputError
from tradewind.market.bar import to_iso
from tradewind.prediction.model import TRENDS, Prediction, Trend

# Ids made from names in this space are the same on every retry.
PREDICTION_NAMESPACE = UUID("c7c1f7f4-5d0e-5b52-8a2c-3f1d9b6f7a10")

# A softmax in single precision adds up to one within this.
_SUM_TOLERANCE = 1e-3


def predictions_from(
    probabilities: Sequence[Sequence[float]],
    symbols: Sequence[str],
    bar_time: datetime,
    model_version: str,
    feature_fingerprint: str,
) -> list[Prediction]:
    """One prediction per symbol from the model's rows, whose columns are TRENDS: the likeliest
    trend, and its probability to six decimals. On a tie the prediction is flat, if that is among
    the likeliest, else down: never up for want of a reason.

    ``bar_time`` is the start of the newest bar in the windows. InvalidInputError when the rows
    are not probabilities: such a model must not be listened to.
    """
    if len(probabilities) != len(symbols):
        raise InvalidInputError(f"{len(probabilities)} model outputs for {len(symbols)} symbols")
    predictions = []
    for symbol, row in zip(symbols, probabilities, strict=True):
        trend, probability = _likeliest([float(value) for value in row], symbol)
        predictions.append(
            Prediction(
                prediction_id=prediction_id(model_version, symbol, bar_time),
                symbol=symbol,
                predicted_trend=trend,
                confidence=Decimal(f"{probability:.6f}"),
                timestamp=bar_time,
                model_version=model_version,
                feature_fingerprint=feature_fingerprint,
                stale=False,
            )
        )
    return predictions


def prediction_id(model_version: str, symbol: str, bar_time: datetime) -> UUID:
    """The same for every account and every retry: a prediction is about the market."""
    return uuid5(PREDICTION_NAMESPACE, f"{model_version}|{symbol}|{to_iso(bar_time)}")


def _likeliest(row: Sequence[float], symbol: str) -> tuple[Trend, float]:
    probable = len(row) == len(TRENDS) and all(0 <= value <= 1 for value in row)
    if not probable or not math.isclose(sum(row), 1, abs_tol=_SUM_TOLERANCE):
        raise InvalidInputError(f"the model's output for {symbol} is not probabilities: {row}")
    by_trend = dict(zip(TRENDS, row, strict=True))
    return max(by_trend.items(), key=lambda item: (item[1], item[0] is Trend.FLAT))

"""From probabilities to predictions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from tradewind.errors import InvalidInputError
from tradewind.prediction.model import Prediction, Trend
from tradewind.prediction.trend import prediction_id, predictions_from

BAR = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)


def predicted(row: list[float]) -> Prediction:
    (prediction,) = predictions_from([row], ["AAPL"], BAR, "m1", "f1")
    return prediction


@pytest.mark.parametrize(
    ("row", "trend", "confidence"),
    [
        ([0.7, 0.2, 0.1], Trend.DOWN, "0.700000"),
        ([0.2, 0.5, 0.3], Trend.FLAT, "0.500000"),
        ([0.1, 0.2, 0.7], Trend.UP, "0.700000"),
        # ties: flat if it is among the likeliest, never up for want of a reason
        ([0.4, 0.4, 0.2], Trend.FLAT, "0.400000"),
        ([0.2, 0.4, 0.4], Trend.FLAT, "0.400000"),
        ([0.4, 0.2, 0.4], Trend.DOWN, "0.400000"),
        # certain
        ([0.0, 0.0, 1.0], Trend.UP, "1.000000"),
        # single precision does not add up to one exactly
        ([0.33333334, 0.33333331, 0.33333334], Trend.DOWN, "0.333333"),
    ],
)
def test_the_likeliest_trend(row: list[float], trend: Trend, confidence: str) -> None:
    prediction = predicted(row)
    assert prediction.predicted_trend is trend
    assert str(prediction.confidence) == confidence


def test_everything_a_row_of_predictions_keeps() -> None:
    first, second = predictions_from(
        [[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]], ["AAPL", "MSFT"], BAR, "starter-1", "abc"
    )
    assert first == Prediction(
        prediction_id=prediction_id("starter-1", "AAPL", BAR),
        symbol="AAPL",
        predicted_trend=Trend.DOWN,
        confidence=Decimal("0.700000"),
        timestamp=BAR,
        model_version="starter-1",
        feature_fingerprint="abc",
        stale=False,
    )
    assert (second.symbol, second.predicted_trend) == ("MSFT", Trend.UP)
    assert predictions_from([], [], BAR, "starter-1", "abc") == []


def test_the_id_is_made_from_model_symbol_and_minute() -> None:
    """Pinned: an id that changed between releases would store a prediction twice."""
    first = prediction_id("m1", "AAPL", BAR)
    assert first == UUID("649e7a94-2c51-599b-bd1c-9917a78843a7")
    new_york = BAR.astimezone(timezone(timedelta(hours=-5)))
    assert prediction_id("m1", "AAPL", new_york) == first
    others = {
        prediction_id("m2", "AAPL", BAR),
        prediction_id("m1", "MSFT", BAR),
        prediction_id("m1", "AAPL", BAR + timedelta(minutes=1)),
    }
    assert len(others | {first}) == 4


@pytest.mark.parametrize(
    "row",
    [
        [0.5, 0.5],  # a column is missing
        [0.2, 0.2, 0.2, 0.4],
        [float("nan"), 0.5, 0.5],
        [-0.1, 0.6, 0.5],
        [1.1, -0.05, -0.05],
        [0.2, 0.2, 0.2],  # does not add up to one
    ],
)
def test_what_is_not_probabilities_is_refused(row: list[float]) -> None:
    with pytest.raises(InvalidInputError, match="AAPL is not probabilities"):
        predicted(row)


def test_every_output_has_its_symbol() -> None:
    with pytest.raises(InvalidInputError, match="1 model outputs for 2 symbols"):
        predictions_from([[0.2, 0.3, 0.5]], ["AAPL", "MSFT"], BAR, "m1", "f1")

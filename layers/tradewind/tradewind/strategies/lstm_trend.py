"""Long while the model does not expect the price to fall.

- flat: enter when this minute's own prediction says up, with at least the confidence asked for. A
  prediction of an earlier minute, or one marked stale, is history.
- long: leave while the newest prediction says down, fresh or not, whatever its confidence; and
  while the newest one is as old as the limit, because nobody watches the position then.

Ages are counted by the clock, also across a night: what was predicted yesterday says nothing about
this morning's price.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from tradewind.errors import InvalidInputError
from tradewind.features.definition import TIMESTEPS
from tradewind.market.bar import MINUTE, to_iso
from tradewind.prediction.model import Trend
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Wish

# Of three trends the likeliest has at least a third.
LEAST_CONFIDENCE = Decimal("0.34")
# Predictions are handed to strategies up to this age (minutes): having none at all therefore means
# that any limit up to it has passed.
LONGEST_WITHOUT_PREDICTION = 15


@dataclass(frozen=True, slots=True)
class LstmTrend:
    """``min_confidence``: of an entry's prediction, 0.34..1. ``minutes_without_prediction``: a
    position is left when the newest prediction is so old, 1..15."""

    min_confidence: Decimal
    minutes_without_prediction: int

    def __post_init__(self) -> None:
        if not LEAST_CONFIDENCE <= self.min_confidence <= 1:
            raise InvalidInputError(
                f"min_confidence={self.min_confidence}: need {LEAST_CONFIDENCE} to 1"
            )
        if not 1 <= self.minutes_without_prediction <= LONGEST_WITHOUT_PREDICTION:
            raise InvalidInputError(
                f"minutes_without_prediction={self.minutes_without_prediction}: "
                f"need 1 to {LONGEST_WITHOUT_PREDICTION}"
            )

    @property
    def name(self) -> str:
        return f"lstm_trend_{self.min_confidence.normalize():f}_{self.minutes_without_prediction}"

    @property
    def bars_needed(self) -> int:
        """The minutes the model looks at: a hole among them is a hole in its prediction."""
        return TIMESTEPS

    @property
    def needs_prediction(self) -> bool:
        return True

    def decide(self, view: MarketView) -> Wish:
        return self._while_long(view) if view.holding else self._while_flat(view)

    def _while_long(self, view: MarketView) -> Wish:
        limit, prediction = self.minutes_without_prediction, view.prediction
        if prediction is None or view.minute - prediction.timestamp >= timedelta(minutes=limit):
            last = (
                f"the last is from {to_iso(prediction.timestamp)}"
                if prediction
                else "none is known"
            )
            return Wish(
                Action.EXIT,
                "no_fresh_prediction",
                f"no fresh prediction for {limit} minutes: {last}",
            )
        age = (view.minute - prediction.timestamp) // MINUTE
        said = f"the newest prediction, {age} minutes old, says {prediction.predicted_trend}"
        if prediction.predicted_trend is Trend.DOWN:
            return Wish(Action.EXIT, "trend_down", said)
        return Wish(Action.HOLD, "trend_not_down", said)

    def _while_flat(self, view: MarketView) -> Wish:
        prediction = view.prediction
        if prediction is None:
            return Wish(Action.WAIT, "no_prediction", "there is no prediction for this minute")
        if prediction.stale or prediction.timestamp != view.minute:
            return Wish(
                Action.WAIT,
                "stale_prediction",
                f"the newest prediction is from {to_iso(prediction.timestamp)}, "
                f"decided is {to_iso(view.minute)}",
            )
        trend, confidence = prediction.predicted_trend, prediction.confidence
        if trend is not Trend.UP:
            return Wish(Action.WAIT, "trend_not_up", f"the prediction says {trend}")
        if confidence < self.min_confidence:
            return Wish(
                Action.WAIT,
                "low_confidence",
                f"the prediction says up with confidence {confidence}, "
                f"asked for are {self.min_confidence}",
            )
        return Wish(
            Action.ENTER, "trend_up", f"the prediction says up with confidence {confidence}"
        )

"""The trend strategy, wish by wish."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal as D
from uuid import UUID

import pytest
from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, Bar
from tradewind.prediction.model import Prediction, Trend
from tradewind.strategies.decision import Action
from tradewind.strategies.lstm_trend import LstmTrend
from tradewind.strategies.protocol import MarketView, Strategy

NOW = datetime(2020, 11, 12, 17, 0, tzinfo=UTC)
STRATEGY: Strategy = LstmTrend(min_confidence=D("0.60"), minutes_without_prediction=5)


def prediction(trend: Trend, confidence: str, age: int, stale: bool | None = None) -> Prediction:
    """``age`` in minutes; what is old is marked so, unless the case says otherwise."""
    return Prediction(
        prediction_id=UUID(int=abs(age)),
        symbol="AAPL",
        predicted_trend=trend,
        confidence=D(confidence),
        timestamp=NOW - age * MINUTE,
        model_version="m",
        feature_fingerprint="f",
        stale=age > 0 if stale is None else stale,
    )


def view(known: Prediction | None, holding: bool) -> MarketView:
    price = D(100)
    bar = Bar("AAPL", NOW, price, price, price, price, 100, "file")
    return MarketView("AAPL", NOW, [bar], known, holding)


UP, FLAT, DOWN = Trend.UP, Trend.FLAT, Trend.DOWN

# Confidence of at least 0.6, five minutes without a prediction.
WISHES = [
    # -- flat
    (prediction(UP, "0.60", 0), False, Action.ENTER, "trend_up"),
    (prediction(UP, "0.599999", 0), False, Action.WAIT, "low_confidence"),
    (prediction(FLAT, "0.99", 0), False, Action.WAIT, "trend_not_up"),
    (prediction(DOWN, "0.99", 0), False, Action.WAIT, "trend_not_up"),
    (None, False, Action.WAIT, "no_prediction"),
    # a minute old, whether anybody marked it or not
    (prediction(UP, "0.99", 1), False, Action.WAIT, "stale_prediction"),
    (prediction(UP, "0.99", 1, stale=False), False, Action.WAIT, "stale_prediction"),
    (prediction(UP, "0.99", 0, stale=True), False, Action.WAIT, "stale_prediction"),
    # -- long
    (prediction(UP, "0.99", 0), True, Action.HOLD, "trend_not_down"),
    (prediction(UP, "0.40", 0), True, Action.HOLD, "trend_not_down"),
    (prediction(FLAT, "0.99", 0), True, Action.HOLD, "trend_not_down"),
    # any confidence will do to leave
    (prediction(DOWN, "0.34", 0), True, Action.EXIT, "trend_down"),
    # its minute was lost, the exit is not
    (prediction(DOWN, "0.99", 4), True, Action.EXIT, "trend_down"),
    # the limit itself is too old
    (prediction(UP, "0.99", 4), True, Action.HOLD, "trend_not_down"),
    (prediction(UP, "0.99", 5), True, Action.EXIT, "no_fresh_prediction"),
    (prediction(UP, "0.99", 1050), True, Action.EXIT, "no_fresh_prediction"),
    (None, True, Action.EXIT, "no_fresh_prediction"),
]


@pytest.mark.parametrize(("known", "holding", "action", "reason_code"), WISHES)
def test_wish(known: Prediction | None, holding: bool, action: Action, reason_code: str) -> None:
    wish = STRATEGY.decide(view(known, holding))
    assert (wish.action, wish.reason_code) == (action, reason_code)
    assert wish.reason


def test_the_sentence_has_the_figures() -> None:
    wish = STRATEGY.decide(view(prediction(UP, "0.55", 0), False))
    assert wish.reason == "the prediction says up with confidence 0.55, asked for are 0.60"
    wish = STRATEGY.decide(view(prediction(UP, "0.55", 5), True))
    assert wish.reason == "no fresh prediction for 5 minutes: the last is from 2020-11-12T16:55:00Z"


def test_its_name_is_the_same_however_the_number_is_written() -> None:
    assert STRATEGY.name == "lstm_trend_0.6_5"
    assert LstmTrend(D(1), 15).name == "lstm_trend_1_15"


def test_a_hole_anywhere_in_the_models_window_counts() -> None:
    assert STRATEGY.bars_needed == 60


@pytest.mark.parametrize(
    ("confidence", "minutes"), [("0.33", 5), ("1.01", 5), ("0.6", 0), ("0.6", 16)]
)
def test_parameters_that_make_no_sense_are_refused(confidence: str, minutes: int) -> None:
    with pytest.raises(InvalidInputError, match=r"need \S+ to \S+"):
        LstmTrend(D(confidence), minutes)


def test_what_comes_later_is_not_shown_to_a_strategy() -> None:
    with pytest.raises(InvalidInputError, match="look back only"):
        view(prediction(UP, "0.9", -1), False)
    late = Bar("AAPL", NOW + MINUTE, D(1), D(1), D(1), D(1), 1, "file")
    with pytest.raises(InvalidInputError, match=r"17:00:00Z would see what is known from .*17:01"):
        MarketView("AAPL", NOW, [late], None, holding=False)

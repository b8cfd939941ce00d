"""Serve the champion model; on failure the last good prediction, marked stale."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Protocol

from tradewind.errors import InvalidInputError, TradewindError
from tradewind.features.definition import fingerprint
from tradewind.features.window_pack import unpack_windows
from tradewind.market.cycle import Cycle
from tradewind.prediction.model import Prediction
from tradewind.prediction.payload import prediction_payload, predictions_from_payload
from tradewind.use_cases.ports import PayloadRef, Payloads

logger = logging.getLogger(__name__)

# A last good prediction older than this is refused: no prediction is better than an old one.
AGE_LIMIT = timedelta(minutes=15)


class TrendModel(Protocol):
    """A loaded model. Raises TradewindError when it cannot be loaded or run."""

    def predictions(self, windows: dict[str, Any], cycle: Cycle) -> list[Prediction]:
        """One prediction per symbol's window (float32, timesteps x features)."""
        ...


@dataclass(frozen=True, slots=True)
class Predicted:
    predictions: tuple[Prediction, ...]
    stale: bool


def predict_trend(
    cycle: Cycle,
    windows_ref: PayloadRef,
    windows_fingerprint: str,
    *,
    model: TrendModel,
    payloads: Payloads,
) -> Predicted:
    """Predictions for every window of the run. Windows made by another feature definition are
    refused: a model must see what it was trained on."""
    if windows_fingerprint != fingerprint():
        raise InvalidInputError(
            f"windows were made by feature definition {windows_fingerprint}, "
            f"this code has {fingerprint()}"
        )
    key = f"predictions/{cycle.account}/last_good.json"
    try:
        made = model.predictions(unpack_windows(payloads.get(windows_ref)), cycle)
    except TradewindError as error:
        logger.exception("inference failed, falling back to the last good prediction")
        last = _last_good(payloads.newest(key), cycle)
        if not last:
            raise error from None
        return Predicted(last, stale=True)
    if made:
        body = json.dumps([prediction_payload(prediction) for prediction in made]).encode()
        payloads.put(key, body, len(made))
    return Predicted(tuple(made), stale=False)


def _last_good(body: bytes | None, cycle: Cycle) -> tuple[Prediction, ...]:
    if body is None:
        return ()
    return tuple(
        replace(prediction, stale=True)
        for prediction in predictions_from_payload(json.loads(body))
        if cycle.bar_time - AGE_LIMIT <= prediction.timestamp <= cycle.bar_time
    )

"""Serve the champion model."""

from __future__ import annotations

from typing import Any, Protocol

from tradewind.errors import InvalidInputError
from tradewind.features.definition import fingerprint
from tradewind.features.window_pack import unpack_windows
from tradewind.market.cycle import Cycle
from tradewind.prediction.model import Prediction
from tradewind.use_cases.ports import PayloadRef, Payloads


class TrendModel(Protocol):
    """A model that is loaded when first needed. Raises TradewindError when it cannot be."""

    def predictions(self, windows: dict[str, Any], cycle: Cycle) -> list[Prediction]:
        """One prediction per symbol's window (float32, timesteps x features)."""
        ...


def predict_trend(
    cycle: Cycle,
    windows_ref: PayloadRef,
    windows_fingerprint: str,
    *,
    model: TrendModel,
    payloads: Payloads,
) -> list[Prediction]:
    """Predictions for every window of the run. Windows made by another feature definition are
    refused: a model must see what it was trained on. When this fails, the run goes on with the
    last good predictions, which ``assess_risk`` takes from the store of record."""
    if windows_fingerprint != fingerprint():
        raise InvalidInputError(
            f"windows were made by feature definition {windows_fingerprint}, "
            f"this code has {fingerprint()}"
        )
    return model.predictions(unpack_windows(payloads.get(windows_ref)), cycle)

"""The champion model out of the model bucket: the pointer names a version, its hash is checked."""

from __future__ import annotations

import time
from typing import Any, Protocol

from tradewind.adapters.onnx_model import OnnxModel
from tradewind.errors import PermanentError
from tradewind.market.cycle import Cycle
from tradewind.prediction.model import Prediction
from tradewind.prediction.registry import CHAMPION_KEY, card_of, champion_of


class ModelMissingError(PermanentError):
    """The model bucket does not hold what its pointer names."""


class Objects(Protocol):
    def newest(self, key: str) -> bytes | None: ...


# A promoted model is served by warm environments after this many seconds at the latest.
LOOK_AGAIN_AFTER = 60.0


class ChampionModel:
    """Loaded at the first prediction and kept while warm; a changed pointer loads the new one."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._model: OnnxModel | None = None
        self._looked_at = 0.0

    def predictions(self, windows: dict[str, Any], cycle: Cycle) -> list[Prediction]:
        """One prediction per symbol's window (float32, timesteps x features)."""
        return self._champion().predictions(windows, cycle)

    def _champion(self) -> OnnxModel:
        now = time.monotonic()
        if self._model is not None and now - self._looked_at < LOOK_AGAIN_AFTER:
            return self._model
        champion = champion_of(self._read(CHAMPION_KEY))
        if self._model is None or self._model.card.model_version != champion.model_version:
            card = card_of(self._read(champion.card_key))
            self._model = OnnxModel(card, self._read(champion.model_key))
        self._looked_at = now
        return self._model

    def _read(self, key: str) -> bytes:
        body = self._objects.newest(key)
        if body is None:
            raise ModelMissingError(
                f"{key} is not in the model bucket: deploy again, or publish a model"
            )
        return body

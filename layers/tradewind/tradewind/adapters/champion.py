"""The champion model out of the model bucket: pointer, then model, checked by its hash."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Protocol

from tradewind.errors import PermanentError
from tradewind.features.definition import fingerprint
from tradewind.market.cycle import Cycle
from tradewind.prediction.model import Prediction

if TYPE_CHECKING:
    from tradewind.adapters.onnx_model import OnnxModel

POINTER = "models/champion.json"


class ModelUnusableError(PermanentError):
    """The champion is missing, damaged, or was trained on other features."""


class Objects(Protocol):
    def newest(self, key: str) -> bytes | None: ...


class ChampionModel:
    """Loaded at the first prediction and kept while warm; a changed pointer loads the new one."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._version = ""
        self._model: OnnxModel | None = None

    def predictions(self, windows: dict[str, Any], cycle: Cycle) -> list[Prediction]:
        import numpy as np

        from tradewind.prediction.outputs import predictions_of

        if not windows:
            return []
        model = self._champion()
        symbols = sorted(windows)
        outputs = model.predict(np.stack([windows[symbol] for symbol in symbols]))
        return predictions_of(
            outputs, symbols, bar_time=cycle.bar_time, model_version=self._version
        )

    def _champion(self) -> OnnxModel:
        from tradewind.adapters.onnx_model import OnnxModel

        pointer = json.loads(self._read(POINTER))
        version = str(pointer["model_version"])
        if self._model is None or version != self._version:
            card = json.loads(self._read(f"models/{version}/card.json"))
            if card["feature_fingerprint"] != fingerprint():
                raise ModelUnusableError(
                    f"model {version} was trained on features {card['feature_fingerprint']}, "
                    f"this code makes {fingerprint()}"
                )
            body = self._read(f"models/{version}/model.onnx")
            if hashlib.sha256(body).hexdigest() != pointer["sha256"]:
                raise ModelUnusableError(f"model {version} does not have the hash of its pointer")
            self._model, self._version = OnnxModel(body), version
        return self._model

    def _read(self, key: str) -> bytes:
        body = self._objects.newest(key)
        if body is None:
            raise ModelUnusableError(f"{key} is not in the model bucket")
        return body

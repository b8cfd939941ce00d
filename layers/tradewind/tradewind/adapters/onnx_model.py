"""A trend model in ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradewind.errors import InvalidInputError
from tradewind.features.definition import FEATURES, TIMESTEPS, fingerprint
from tradewind.features.windows import Window
from tradewind.market.cycle import Cycle
from tradewind.prediction.model import TRENDS, ModelCard, Prediction
from tradewind.prediction.registry import check_model
from tradewind.prediction.trend import predictions_from


class OnnxModel:
    """A model and its card. ONNX Runtime is imported and the model loaded with the first
    prediction, so that a cold start that predicts nothing does not pay for it."""

    def __init__(self, card: ModelCard, model: bytes) -> None:
        """Refuses a model that is not the card's or does not fit this code's features."""
        check_model(card, model, fingerprint())
        self.card = card
        self._model = model
        self._session: Any = None

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities of shape (n, 3), columns as in TRENDS, for windows of shape
        (n, TIMESTEPS, features). InvalidInputError for a file that is no such model."""
        if not len(windows):
            return np.empty((0, len(TRENDS)), np.float32)
        # ONNX Runtime's errors have no common base but Exception, and no other public home.
        from onnxruntime.capi import onnxruntime_pybind11_state as runtime

        try:
            session = self._loaded()
            (probabilities,) = session.run(None, {session.get_inputs()[0].name: windows})
        except (
            runtime.Fail,
            runtime.InvalidArgument,
            runtime.InvalidGraph,
            runtime.InvalidProtobuf,
            runtime.NotImplemented,
            runtime.RuntimeException,
        ) as error:
            raise InvalidInputError(
                f"model {self.card.model_version} cannot be run on windows of shape "
                f"{windows.shape}, expected (n, {TIMESTEPS}, {len(FEATURES)}): {error}"
            ) from error
        result: NDArray[np.float32] = probabilities
        return result

    def predictions(self, windows: dict[str, Window], cycle: Cycle) -> list[Prediction]:
        """One prediction per symbol's window, in their order."""
        shape = (len(windows), TIMESTEPS, len(FEATURES))
        rows = np.array(list(windows.values()), np.float32).reshape(shape)
        return predictions_from(
            self.predict(rows).tolist(),
            list(windows),
            cycle.bar_time,
            self.card.model_version,
            self.card.feature_fingerprint,
        )

    def _loaded(self) -> Any:
        if self._session is None:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            # A small function has little more than one core; threads of its own would only wait.
            options.intra_op_num_threads = 1
            options.inter_op_num_threads = 1
            self._session = onnxruntime.InferenceSession(
                self._model, options, providers=["CPUExecutionProvider"]
            )
        return self._session

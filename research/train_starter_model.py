"""Train the starter model on simulated bars and write it, with its card, into the package.

    make starter-model

It exists so that the whole chain, from a bar to a prediction in PostgreSQL, runs on a real model
from the first start. It has learnt how the simulated market makes its prices, and nothing else:
its card says so, and no strategy trades on it.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import tensorflow as tf
from numpy.typing import NDArray
from tradewind import prediction
from tradewind.features.definition import FEATURE_BARS, FEATURES, TIMESTEPS, fingerprint
from tradewind.features.windows import Window
from tradewind.market.bar import to_iso
from tradewind.market.session_table import default_table
from tradewind.prediction.model import TRENDS
from tradewind_local.exchange.simulated_market import simulated_bars

from research.training_set import (
    FLAT_BAND,
    HORIZON,
    STRIDE,
    Examples,
    Fold,
    examples_of,
    joined,
    walk_forward,
)

SEED = 20_201_112
# Another market of the same kind: other symbols, other random numbers, later sessions.
HOLDOUT_SEED = 7
SYMBOLS = tuple(f"SIM{number}" for number in range(8))
FIRST_DAY, LAST_DAY = date(2019, 9, 3), date(2019, 12, 31)
HOLDOUT_FIRST_DAY, HOLDOUT_LAST_DAY = date(2020, 2, 3), date(2020, 2, 28)

UNITS, DROPOUT, EPOCHS, BATCH, LEARNING_RATE = 32, 0.2, 12, 128, 0.002
FOLDS = 3
LARGEST_DIFFERENCE = 1e-5
LARGEST_FILE = 300_000

STARTER = Path(prediction.__file__).parent / "starter"

Probabilities = NDArray[np.float32]


def simulated_examples(
    symbols: Sequence[str], first: date, last: date, seed: int
) -> tuple[Examples, int]:
    """The examples of all symbols, and how many sessions they span."""
    sessions = default_table().between(first, last)
    bars = simulated_bars(symbols, sessions, seed)
    parts = [examples_of(bars[start :: len(symbols)], sessions) for start in range(len(symbols))]
    return joined(parts), len(sessions)


def new_model() -> Any:
    return keras.Sequential(
        [
            keras.Input((TIMESTEPS, len(FEATURES)), name="windows"),
            keras.layers.LSTM(UNITS),
            keras.layers.Dropout(DROPOUT),
            keras.layers.Dense(len(TRENDS), activation="softmax", name="trend"),
        ]
    )


def trained(examples: Examples) -> tuple[Any, list[float]]:
    """A model after all epochs, and the loss of each."""
    keras.utils.set_random_seed(SEED)
    model = new_model()
    model.compile(keras.optimizers.Adam(LEARNING_RATE), "sparse_categorical_crossentropy")
    history = model.fit(
        examples.windows, examples.labels, batch_size=BATCH, epochs=EPOCHS, verbose=2
    )
    return model, [round(float(loss), 4) for loss in history.history["loss"]]


def scores(model: Any, train: Examples, test: Examples) -> dict[str, Any]:
    """The model's accuracy beside what can be had without one: always the commonest label of the
    training sessions, and the label of the 15 minutes just past."""
    probabilities = model.predict(test.windows, batch_size=1024, verbose=0)
    commonest = np.bincount(train.labels, minlength=len(TRENDS)).argmax()
    truth = probabilities[np.arange(len(test.labels)), test.labels]
    return {
        "train_windows": len(train.labels),
        "test_windows": len(test.labels),
        "accuracy": _share(probabilities.argmax(axis=1) == test.labels),
        "baseline_commonest_label": _share(test.labels == commonest),
        "baseline_last_15_minutes": _share(test.labels == test.past),
        "log_loss": round(float(-np.log(np.maximum(truth, 1e-9)).mean()), 4),
        "label_shares": {
            trend.value: _share(test.labels == column) for column, trend in enumerate(TRENDS)
        },
    }


def fold_scores(examples: Examples, fold: Fold) -> dict[str, Any]:
    train = examples.where(examples.sessions < fold.train_until)
    test = examples.where(
        (examples.sessions >= fold.test_from) & (examples.sessions < fold.test_until)
    )
    model, _ = trained(train)
    return {
        "train_sessions": [0, fold.train_until - 1],
        "test_sessions": [fold.test_from, fold.test_until - 1],
        **scores(model, train, test),
    }


def exported(model: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        model.export(path, format="onnx", verbose=False)
        return path.read_bytes()


def checked(model: Any, onnx: bytes, windows: Window) -> dict[str, Any]:
    """ONNX Runtime against Keras; ends the run when they differ or a number is missing."""
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    (served,) = session.run(None, {session.get_inputs()[0].name: windows})
    expected = model.predict(windows, batch_size=1024, verbose=0)
    difference = float(np.abs(served - expected).max())
    if not np.isfinite(served).all() or not difference < LARGEST_DIFFERENCE:
        raise SystemExit(f"the exported model differs from Keras by {difference}: not written")
    if len(onnx) > LARGEST_FILE:
        raise SystemExit(f"the exported model has {len(onnx)} bytes, more than {LARGEST_FILE}")
    return {
        "rows": len(windows),
        "largest_difference_to_keras": float(f"{difference:.1e}"),
        "allowed": LARGEST_DIFFERENCE,
        "not_finite": 0,
    }


def golden_rows(onnx: bytes) -> list[dict[str, Any]]:
    """Outputs for a window of zeros, and for one where a single feature is 1 at every step: they
    change when the file, or the order of the features, does."""
    rows = [None, *FEATURES]
    windows = np.zeros((len(rows), TIMESTEPS, len(FEATURES)), np.float32)
    for column in range(len(FEATURES)):
        windows[column + 1, :, column] = 1
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {session.get_inputs()[0].name: windows})
    return [
        {"ones_in": name, "probabilities": [round(float(value), 6) for value in output]}
        for name, output in zip(rows, outputs, strict=True)
    ]


def _share(hits: NDArray[np.bool_]) -> float:
    return round(float(hits.mean()), 4)


def main() -> None:
    tf.config.experimental.enable_op_determinism()
    examples, sessions = simulated_examples(SYMBOLS, FIRST_DAY, LAST_DAY, SEED)
    folds = [fold_scores(examples, fold) for fold in walk_forward(sessions, FOLDS)]
    model, losses = trained(examples)
    holdout_symbols = [f"OTHER{number}" for number in range(4)]
    holdout, _ = simulated_examples(
        holdout_symbols, HOLDOUT_FIRST_DAY, HOLDOUT_LAST_DAY, HOLDOUT_SEED
    )
    onnx = exported(model)
    sha256 = hashlib.sha256(onnx).hexdigest()
    model_version = f"starter-{sha256[:12]}"
    card = {
        "model_version": model_version,
        "notice": (
            "Starter model, trained on simulated bars. It has no predictive value on real "
            "markets: what it has learnt is how the simulated market makes its prices. Do not "
            "trade on it."
        ),
        "trained_on": "simulated bars",
        "created_at": to_iso(datetime.now(UTC).replace(microsecond=0)),
        "sha256": sha256,
        "bytes": len(onnx),
        "feature_fingerprint": fingerprint(),
        "input": {
            "shape": ["batch", TIMESTEPS, len(FEATURES)],
            "features": list(FEATURES),
            "feature_bars": FEATURE_BARS,
        },
        "output": [trend.value for trend in TRENDS],
        "label": (
            f"sign of the logarithmic return of the close over the next {HORIZON} minutes of the "
            f"same session, flat within {FLAT_BAND:.2%}"
        ),
        "architecture": f"LSTM {UNITS}, dropout {DROPOUT}, softmax {len(TRENDS)}",
        "parameters": model.count_params(),
        "training": {
            "generator": "tradewind_local.exchange.simulated_market.simulated_bars",
            "seed": SEED,
            "symbols": list(SYMBOLS),
            "sessions": [FIRST_DAY.isoformat(), LAST_DAY.isoformat(), sessions],
            "windows": len(examples.labels),
            "every_nth_bar": STRIDE,
            "epochs": EPOCHS,
            "batch": BATCH,
            "learning_rate": LEARNING_RATE,
            "loss_by_epoch": losses,
        },
        "evaluation": {
            "walk_forward": {
                "method": (
                    "expanding window over sessions, one session left out between training and "
                    "test; every fold trains a new model; accuracy is the share of right labels"
                ),
                "folds": folds,
            },
            "holdout": {
                "what": (
                    "the shipped model on other simulated symbols, another seed, later sessions"
                ),
                "seed": HOLDOUT_SEED,
                "sessions": [HOLDOUT_FIRST_DAY.isoformat(), HOLDOUT_LAST_DAY.isoformat()],
                **scores(model, examples, holdout),
            },
            "real_markets": "not evaluated, and of no value there",
        },
        "onnx_check": checked(model, onnx, holdout.windows),
        "golden": golden_rows(onnx),
        "versions": {
            name: version(name)
            for name in ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "numpy", "TA-Lib")
        },
    }
    STARTER.mkdir(exist_ok=True)
    (STARTER / "model.onnx").write_bytes(onnx)
    (STARTER / "card.json").write_text(json.dumps(card, indent=2) + "\n")
    champion = {"model_version": model_version}
    (STARTER / "champion.json").write_text(json.dumps(champion, indent=2) + "\n")


if __name__ == "__main__":
    main()

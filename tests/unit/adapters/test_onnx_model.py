"""ONNX Runtime behind our own face, and the starter model that the package ships."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from tradewind import prediction
from tradewind.adapters.onnx_model import OnnxModel
from tradewind.errors import InvalidInputError, PayloadMismatchError
from tradewind.features.definition import FEATURE_BARS, FEATURES, TIMESTEPS, fingerprint
from tradewind.features.windows import Window, feature_window
from tradewind.market.cycle import Cycle
from tradewind.market.session_table import default_table
from tradewind.prediction.model import TRENDS
from tradewind.prediction.registry import card_of, champion_of
from tradewind_local.exchange.simulated_market import simulated_bars

STARTER = Path(prediction.__file__).parent / "starter"
MODEL = (STARTER / "model.onnx").read_bytes()
CARD = card_of((STARTER / "card.json").read_bytes())

SESSION = default_table().between(date(2020, 11, 12), date(2020, 11, 12))[0]
CYCLE = Cycle("here", "paper", "paper", "paper-20201112T2059Z", SESSION.last_bar, SESSION)


def starter() -> OnnxModel:
    return OnnxModel(CARD, MODEL)


def window_of(symbol: str) -> Window:
    bars = simulated_bars([symbol], [SESSION], seed=1)[-FEATURE_BARS:]
    window = feature_window(bars, default_table().session_of)
    assert window is not None
    return window


# -- the starter model -----------------------------------------------------------------------


def test_the_shipped_files_belong_together() -> None:
    assert hashlib.sha256(MODEL).hexdigest() == CARD.sha256
    assert CARD.card["bytes"] == len(MODEL) < 300_000
    assert CARD.feature_fingerprint == fingerprint()
    assert CARD.card["input"]["features"] == list(FEATURES)
    assert CARD.card["output"] == [trend.value for trend in TRENDS]
    champion = champion_of((STARTER / "champion.json").read_bytes())
    assert champion.model_version == CARD.model_version


def test_the_card_says_what_the_model_is_worth() -> None:
    assert CARD.trained_on == "simulated bars"
    assert "no predictive value on real markets" in CARD.card["notice"]
    assert CARD.created_at < datetime(2100, 1, 1, tzinfo=UTC)
    assert {"tensorflow", "keras", "onnx"} <= set(CARD.card["versions"])
    folds = CARD.card["evaluation"]["walk_forward"]["folds"]
    for figures in [*folds, CARD.card["evaluation"]["holdout"]]:
        assert 0 <= figures["baseline_commonest_label"] <= 1
        assert 0 <= figures["baseline_last_15_minutes"] <= 1
        assert 0 <= figures["accuracy"] <= 1
    for fold in folds:  # always from the past to the future, with a session between
        assert fold["train_sessions"][1] + 1 < fold["test_sessions"][0]
    assert CARD.card["onnx_check"]["largest_difference_to_keras"] < 1e-5


def test_it_gives_the_outputs_its_card_was_written_with() -> None:
    """One window of zeros, and one per feature with ones in that feature: another file, another
    order of features or another runtime's arithmetic would show."""
    golden = CARD.card["golden"]
    assert [row["ones_in"] for row in golden] == [None, *FEATURES]
    windows = np.zeros((len(golden), TIMESTEPS, len(FEATURES)), np.float32)
    for column in range(len(FEATURES)):
        windows[column + 1, :, column] = 1
    expected = [row["probabilities"] for row in golden]
    np.testing.assert_allclose(starter().predict(windows), expected, atol=1e-5)
    assert len({tuple(row) for row in expected}) == len(expected)  # every feature has a say


# -- the adapter -----------------------------------------------------------------------------


def test_one_prediction_per_window_in_their_order() -> None:
    predictions = starter().predictions(
        {"MSFT": window_of("MSFT"), "AAPL": window_of("AAPL")}, CYCLE
    )
    assert [made.symbol for made in predictions] == ["MSFT", "AAPL"]
    for made in predictions:
        assert made.timestamp == CYCLE.bar_time
        assert made.model_version == CARD.model_version
        assert made.feature_fingerprint == fingerprint()
        assert 1 / 3 <= made.confidence <= 1
        assert not made.stale


def test_a_symbol_does_not_depend_on_its_company() -> None:
    alone = starter().predictions({"AAPL": window_of("AAPL")}, CYCLE)
    together = starter().predictions({"MSFT": window_of("MSFT"), "AAPL": window_of("AAPL")}, CYCLE)
    assert together[1].prediction_id == alone[0].prediction_id
    assert together[1].predicted_trend is alone[0].predicted_trend
    assert float(together[1].confidence) == pytest.approx(float(alone[0].confidence), abs=1e-5)


def test_no_windows_no_predictions() -> None:
    assert starter().predictions({}, CYCLE) == []


def test_a_model_that_is_not_the_card_s_is_refused() -> None:
    with pytest.raises(PayloadMismatchError):
        OnnxModel(CARD, MODEL + b"\0")
    with pytest.raises(InvalidInputError, match="train it again"):
        OnnxModel(replace(CARD, feature_fingerprint="other"), MODEL)


@pytest.mark.parametrize("file", [b"", b"not a model"])
def test_a_file_that_is_no_model(file: bytes) -> None:
    """Its card may vouch for it, and still it cannot be run: an error of ours, so that the last
    good prediction can stand in."""
    model = OnnxModel(replace(CARD, sha256=hashlib.sha256(file).hexdigest()), file)
    with pytest.raises(InvalidInputError, match="cannot be run"):
        model.predictions({"AAPL": window_of("AAPL")}, CYCLE)


def test_windows_of_another_shape_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"shape \(1, 60, 9\), expected \(n, 60, 10\)"):
        starter().predict(np.zeros((1, 60, 9), np.float32))


def test_the_runtime_is_loaded_with_the_first_prediction() -> None:
    code = (
        "import sys; from tests.unit.adapters import test_onnx_model as t;"
        "model = t.starter(); assert 'onnxruntime' not in sys.modules;"
        "model.predictions({'AAPL': t.window_of('AAPL')}, t.CYCLE);"
        "assert 'onnxruntime' in sys.modules"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert answer.returncode == 0, answer.stderr


def test_the_card_is_readable_json() -> None:
    text = (STARTER / "card.json").read_text()
    assert json.loads(text) == CARD.card
    assert text == json.dumps(CARD.card, indent=2) + "\n"

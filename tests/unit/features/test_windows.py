"""The model's windows: what each number means, and what no input can do to them."""

from __future__ import annotations

import dataclasses
import math
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from tradewind.errors import InvalidInputError
from tradewind.features import definition
from tradewind.features.arrays import block_of
from tradewind.features.definition import FEATURE_BARS, FEATURES, LIMIT, TIMESTEPS, fingerprint
from tradewind.features.window_pack import pack_windows, unpack_windows
from tradewind.features.windows import Window, feature_window, windows_of
from tradewind.market.bar import Bar
from tradewind.market.session_table import default_table
from tradewind_local.exchange.simulated_market import simulated_bars

from tests.unit.features.bar_series import from_rows, sessions_until, walk

session_of = default_table().session_of


def window_of(bars: list[Bar]) -> Window:
    window = feature_window(bars, session_of)
    assert window is not None
    return window


def column(bars: list[Bar], name: str) -> list[float]:
    values: list[float] = window_of(bars)[:, FEATURES.index(name)].tolist()
    return values


def still(price: str = "50", volume: str = "0", count: int = FEATURE_BARS) -> list[Bar]:
    row = dict.fromkeys(("open", "high", "low", "close"), price) | {"volume": volume}
    return from_rows([row] * count)


def with_newest(bars: list[Bar], **changes: Decimal | int) -> list[Bar]:
    return [*bars[:-1], dataclasses.replace(bars[-1], **changes)]  # type: ignore[arg-type]


def test_shape_and_type() -> None:
    window = window_of(walk())
    assert window.shape == (TIMESTEPS, len(FEATURES)) == (60, 10)
    assert window.dtype == np.float32
    assert np.isfinite(window).all()
    assert np.abs(window).max() <= LIMIT


def test_fewer_bars_give_no_window() -> None:
    bars = walk()
    assert feature_window(bars[-FEATURE_BARS:], session_of) is not None
    assert feature_window(bars[-FEATURE_BARS + 1 :], session_of) is None
    assert feature_window([], session_of) is None


def test_older_history_does_not_change_a_bit() -> None:
    bars = walk(count=300)
    assert np.array_equal(window_of(bars), window_of(bars[-FEATURE_BARS:]))


def test_a_symbol_does_not_depend_on_its_company() -> None:
    alone, other, short = walk("AAPL"), walk("MSFT", seed=2), walk("NEW", count=199)
    windows = windows_of(block_of({"MSFT": other, "AAPL": alone, "NEW": short}), session_of)
    assert set(windows) == {"AAPL", "MSFT"}
    assert np.array_equal(windows["AAPL"], window_of(alone))
    assert np.array_equal(windows["MSFT"], window_of(other))
    assert windows_of(block_of({"NEW": short}), session_of) == {}


# What the newest row says when the newest bar closes at 50.05 after 199 bars at 50.
NEWEST = [
    # ln(50.05/50) in tenths of a percent, over one bar and over five
    ("return_1", math.log(50.05 / 50) / 0.001),
    ("return_5", math.log(50.05 / 50) / 0.001),
    # high 50.10, low 50.00
    ("range", 0.10 / 50.05 / 0.001),
    # in the middle of its range
    ("close_in_range", 0.0),
    # only gains since the row began
    ("rsi_14", 1.0),
    # ATR: one true range of 0.10 in 14
    ("atr_14", 0.10 / 14 / 50.05 / 0.001),
    # the mean of 19 x 50 and 50.05 is 50.0025
    ("sma_20_distance", (50.05 / 50.0025 - 1) / 0.001),
    # 2,000 shares after nothing: the mean is 100, and one share is added on both sides
    ("volume_to_mean_20", math.log(2001 / 101)),
    # the last minute of the session: 389/390 of the way, from -1 to 1
    ("time_of_session", 2 * 389 / 390 - 1),
]


@pytest.mark.parametrize(("name", "expected"), NEWEST)
def test_what_a_number_means(name: str, expected: float) -> None:
    cents = {"high": Decimal("50.10"), "low": Decimal("50.00"), "close": Decimal("50.05")}
    bars = with_newest(still(), volume=2000, **cents)
    assert column(bars, name)[-1] == pytest.approx(expected, abs=1e-4)


def test_the_macd_histogram_follows_a_move() -> None:
    """The histogram is MACD minus its own EMA: a first rise lifts MACD before its EMA."""
    risen = column(with_newest(still(), close=Decimal("50.05"), high=Decimal("50.10")), FEATURES[5])
    assert FEATURES[5] == "macd_hist_12_26_9"
    assert risen[-1] > 0
    assert risen[:-1] == pytest.approx([0.0] * 59, abs=1e-6)


def test_prices_that_do_not_move_and_no_volume() -> None:
    bars = still(volume="0")
    window = window_of(bars)
    for name in FEATURES[:-1]:  # all but the time of session
        assert column(bars, name) == pytest.approx([0.0] * TIMESTEPS, abs=1e-6), name
    assert np.isfinite(window).all()


@pytest.mark.parametrize("factor", ["0.001", "7", "1000"])
def test_price_level_does_not_matter(factor: str) -> None:
    bars = walk()
    scaled = [
        dataclasses.replace(
            bar,
            **{
                name: getattr(bar, name) * Decimal(factor)
                for name in ("open", "high", "low", "close")
            },
        )
        for bar in bars
    ]
    np.testing.assert_allclose(window_of(scaled), window_of(bars), atol=1e-4)


def test_a_gap_is_bounded() -> None:
    """A night that halves the price is 693 units; the model sees the definition's limit."""
    crash = with_newest(still(), close=Decimal("25"), low=Decimal("25"))
    assert column(crash, "return_1")[-1] == -LIMIT
    assert column(crash, "range")[-1] == LIMIT


def test_time_runs_by_the_session_s_own_length() -> None:
    half_day, full_day = date(2020, 11, 27), date(2020, 11, 12)
    for day, minutes in ((half_day, 210), (full_day, 390)):
        bars = simulated_bars(["AAPL"], sessions_until(day), seed=1)
        times = column(bars, "time_of_session")
        assert times[-1] == pytest.approx(2 * (minutes - 1) / minutes - 1, abs=1e-6)
        assert times[0] == pytest.approx(2 * (minutes - 60) / minutes - 1, abs=1e-6)


def test_a_bar_outside_regular_hours_is_refused() -> None:
    bars = still()
    late = [dataclasses.replace(bar, start=bar.start + timedelta(minutes=1)) for bar in bars]
    with pytest.raises(InvalidInputError, match="outside regular trading hours"):
        feature_window(late, session_of)


def test_a_price_of_zero_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="positive prices"):
        feature_window(with_newest(still(), low=Decimal(0)), session_of)


def test_a_price_that_is_no_number_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="not finite"):
        feature_window(with_newest(still(), high=Decimal("NaN")), session_of)


# -- the fingerprint -------------------------------------------------------------------------


def test_the_fingerprint_is_pinned() -> None:
    """It changes with the definition, and only on purpose: a model trained before does not fit
    any more, so the starter model has to be trained again."""
    assert fingerprint() == "f7b6295a2a08"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VERSION", 2),
        ("FEATURE_BARS", 201),
        ("TIMESTEPS", 61),
        ("MOVE_UNIT", 0.002),
        ("LIMIT", 11.0),
        ("FEATURES", FEATURES[::-1]),
    ],
)
def test_the_fingerprint_sees_every_part_of_the_definition(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    before = fingerprint()
    monkeypatch.setattr(definition, name, value)
    fingerprint.cache_clear()
    try:
        assert fingerprint() != before
    finally:
        fingerprint.cache_clear()


# -- the pack --------------------------------------------------------------------------------


def test_a_pack_gives_back_what_went_in() -> None:
    windows = {"MSFT": window_of(walk("MSFT", seed=2)), "AAPL": window_of(walk("AAPL"))}
    pack = pack_windows(windows)
    unpacked = unpack_windows(pack)
    assert list(unpacked) == ["AAPL", "MSFT"]
    for symbol, window in windows.items():
        assert np.array_equal(unpacked[symbol], window)
    assert pack_windows(dict(sorted(windows.items()))) == pack
    assert unpack_windows(pack_windows({})) == {}


@pytest.mark.parametrize(
    "pack",
    [
        b"",
        b"{}",
        pack_windows({"AAPL": np.zeros((TIMESTEPS, len(FEATURES)), np.float32)})[:-1],
    ],
)
def test_what_is_not_a_pack_is_refused(pack: bytes) -> None:
    with pytest.raises(InvalidInputError, match="not a pack"):
        unpack_windows(pack)


def test_windows_of_another_shape_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as other_definition:
        other_definition.setattr(definition, "TIMESTEPS", 30)
        pack = pack_windows({"AAPL": np.zeros((30, len(FEATURES)), np.float32)})
    with pytest.raises(InvalidInputError, match=r"expected float32 of shape \(1, 60, 10\)"):
        unpack_windows(pack)

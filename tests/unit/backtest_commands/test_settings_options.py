"""Options as settings: what they become, and the one line that refuses them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import pytest
from tradewind.backtest.settings import (
    BacktestSettings,
    FillConvention,
    Fixed,
    HalfSpread,
    Slippage,
    VolumeShare,
)
from tradewind.errors import InvalidInputError
from tradewind.risk.protections import Protection
from tradewind_local.backtest_commands.settings_options import (
    SettingsOptions,
    settings_of,
    slippage_of,
)

TYPED = SettingsOptions(
    fill="live_parity", stop="0.015", trail="0.015", risk="0.02", cash="100000", commission="0",
    slippage=None, daily_drawdown=None, off=(),
)  # fmt: skip


@pytest.mark.parametrize("fill", list(FillConvention))
def test_what_is_not_given_is_the_conventions_own(fill: FillConvention) -> None:
    assert settings_of(replace(TYPED, fill=str(fill))) == BacktestSettings.of(fill)


def test_what_is_given_holds_also_where_it_is_nothing() -> None:
    made = settings_of(replace(TYPED, slippage="0", daily_drawdown="0.1", risk="1"))
    assert (made.slippage, made.daily_drawdown, made.risk) == (Fixed(D(0)), D("0.1"), D(1))


SLIPPAGES = [
    # (typed, what it becomes)
    ("0.0002", Fixed(D("0.0002"))),
    ("2e-4", Fixed(D("0.0002"))),
    ("spread:0.01", HalfSpread(D("0.005"))),  # a fill pays half of what the market quotes
    ("volume:0.1", VolumeShare(D("0.1"))),
    ("volume:1:0.05", VolumeShare(D(1), D("0.05"))),
]


@pytest.mark.parametrize(("typed", "expected"), SLIPPAGES)
def test_slippage(typed: str, expected: Slippage) -> None:
    assert slippage_of(typed) == expected


def test_protections_are_switched_off_by_name_or_all_together() -> None:
    assert settings_of(replace(TYPED, off=("cooldown",))).protections.off == {Protection.COOLDOWN}
    assert settings_of(replace(TYPED, off=("all",))).protections.off == set(Protection)


WRONG = [
    # (what was typed, what the line says)
    ({"stop": "0"}, "--stop is 0: give more than 0 and less than 1"),
    ({"stop": "1"}, "--stop is 1: give more than 0 and less than 1"),
    ({"stop": "nan"}, "--stop is nan"),
    ({"stop": "a lot"}, "--stop 'a lot' is not a number"),
    ({"trail": "-0.1"}, "--trail is -0.1"),
    ({"trail": "inf"}, "--trail is inf"),
    ({"risk": "0"}, "--risk is 0: give more than 0 and at most 1"),
    ({"risk": "1.01"}, "--risk is 1.01"),
    ({"cash": "0"}, "--cash is 0"),
    ({"cash": "-5"}, "--cash is -5"),
    ({"cash": "1e13"}, "--cash is 1e13"),
    ({"commission": "0.1"}, "--commission is 0.1: give 0 or more and less than 0.1"),
    ({"commission": "-0.001"}, "--commission is -0.001"),
    ({"slippage": "0.5"}, "--slippage is 0.5: give 0 or more and less than 0.1"),
    ({"slippage": "spread:x"}, "--slippage spread: 'x' is not a number"),
    ({"slippage": "volume:0"}, "--slippage volume: is 0: give more than 0 and at most 1"),
    ({"slippage": "volume:0.1:0.5"}, "--slippage volume:SHARE: is 0.5"),
    ({"slippage": "ticks:1"}, "--slippage 'ticks:1' is none of"),
    ({"daily_drawdown": "1"}, "--daily-drawdown is 1"),
    ({"off": ("all", "gravity")}, "--without 'gravity' is no protection: give all or one of"),
    ({"fill": "vectorbt", "off": ("all",)}, "--without is for --fill live_parity"),
]


@pytest.mark.parametrize(("typed", "said"), WRONG)
def test_what_is_absurd_is_refused_by_its_option(typed: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        settings_of(replace(TYPED, **typed))  # type: ignore[arg-type]
    assert said in str(refused.value)


@pytest.mark.parametrize("typed", ["0.0999", "spread:999", "volume:1:0.2999"])
def test_the_dearest_that_is_taken_can_be_tripled(typed: str) -> None:
    # Results are also computed at three times the cost.
    settings_of(replace(TYPED, slippage=typed, commission="0.0999")).at_cost(D(3))

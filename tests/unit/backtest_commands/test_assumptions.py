"""What is assumed, in the words that people read beside each result."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from tradewind.backtest.settings import (
    BacktestSettings,
    FillConvention,
    Fixed,
    HalfSpread,
    VolumeShare,
)
from tradewind.risk.protections import ProtectionSettings
from tradewind_local.backtest_commands.assumptions import assumptions_of, fills_in_words

LIVE, NEXT_OPEN, VECTORBT = FillConvention

CASES = [
    # (settings, a part of what is said)
    (BacktestSettings.of(LIVE), "is worse by 2 bp of its price; no commission, the SEC's"),
    (BacktestSettings.of(LIVE), "No entry in a session's first 5 and last 15 minutes; flat 5"),
    (BacktestSettings.of(LIVE), "never more than 25 % of equity a symbol"),
    (BacktestSettings.of(LIVE), "No daily halt"),
    (BacktestSettings.of(LIVE, daily_drawdown=D("0.10")), "At a loss of 10 % since the previous"),
    (BacktestSettings.of(LIVE, protections=ProtectionSettings.without(["cooldown"])),
     "Protections are those of live trading, without cooldown."),
    (BacktestSettings.of(NEXT_OPEN), "Fills have no slippage; no commission, no fees."),
    (BacktestSettings.of(NEXT_OPEN), "risks 2 % of equity over a stop of 1.5 % (trailing 1.5 %)"),
    (BacktestSettings.of(NEXT_OPEN), "the entry bar's included"),
    (BacktestSettings.of(VECTORBT), "the entry bar's left out"),
    (BacktestSettings.of(VECTORBT, commission=D("0.0010")), "a commission of 0.1 % of each side's"),
    (BacktestSettings.of(VECTORBT, slippage=Fixed(D("0.001"))), "worse by 10 bp of its price"),
    (BacktestSettings.of(VECTORBT, slippage=HalfSpread(D("0.0050"))), "0.005 USD a share"),
    (BacktestSettings.of(VECTORBT, slippage=VolumeShare(D("0.1"))), "at most 10 % of that volume"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "said"), CASES)
def test_assumptions(settings: BacktestSettings, said: str) -> None:
    assert said in " ".join(assumptions_of(settings))


@pytest.mark.parametrize("fill", list(FillConvention))
def test_the_convention_comes_first_and_by_name(fill: FillConvention) -> None:
    settings = BacktestSettings.of(fill)
    sentences = assumptions_of(settings)
    assert sentences[0] == f"Fill convention {fill}:"
    assert fills_in_words(settings).startswith(sentences[1])

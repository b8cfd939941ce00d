"""What a backtest assumes: defaults by convention, costs times a factor, what is refused."""

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
from tradewind.errors import InvalidInputError


def test_live_parity_pays_and_the_peers_conventions_do_not() -> None:
    live = BacktestSettings.of(FillConvention.LIVE_PARITY)
    assert (live.slippage, live.regulatory_fees) == (Fixed(D("0.0002")), True)
    assert live == BacktestSettings()

    for fill in (FillConvention.NEXT_OPEN, FillConvention.VECTORBT):
        free = BacktestSettings.of(fill, stop=D("0.002"))
        assert (free.slippage, free.regulatory_fees, free.commission) == (Fixed(), False, 0)
        assert free.stop == D("0.002")


@pytest.mark.parametrize(
    ("slippage", "twice"),
    [
        (Fixed(D("0.0002")), Fixed(D("0.0004"))),
        (HalfSpread(D("0.01")), HalfSpread(D("0.02"))),
        (VolumeShare(D("0.1"), D("0.2")), VolumeShare(D("0.1"), D("0.4"))),
    ],
)
def test_twice_the_cost_is_twice_all_of_it(
    slippage: Fixed | HalfSpread | VolumeShare, twice: object
) -> None:
    costly = BacktestSettings(commission=D("0.001"), slippage=slippage).at_cost(D(2))
    assert (costly.commission, costly.slippage, costly.fee_factor) == (D("0.002"), twice, 2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cash", D(0)),
        ("cash", D("-1")),
        ("cash", D("NaN")),
        ("cash", D(10**13)),
        ("stop", D(0)),
        ("stop", D(1)),
        ("stop", D("Infinity")),
        ("trail", D("-0.01")),
        ("risk", D(0)),
        ("risk", D("1.01")),
        ("commission", D("-0.001")),
        ("commission", D(1)),
        ("daily_drawdown", D(0)),
        ("fee_factor", D(-1)),
    ],
)
def test_absurd_numbers_are_refused_by_name(field: str, value: D) -> None:
    with pytest.raises(InvalidInputError, match=f"^{field} is {value}: give"):
        BacktestSettings(**{field: value})  # type: ignore[arg-type]


def test_absurd_slippage_is_refused() -> None:
    for make in (
        lambda: Fixed(D(1)),
        lambda: Fixed(D(-1)),
        lambda: HalfSpread(D("NaN")),
        lambda: VolumeShare(D(0)),
        lambda: VolumeShare(D(2)),
        lambda: VolumeShare(D("0.1"), D(-1)),
    ):
        with pytest.raises(InvalidInputError, match=r"^slippage"):
            make()

"""What trading costs in a backtest by the declared assumptions, in exact decimals.

``live_kernel`` restates this in integers; a property test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from tradewind.backtest.settings import (
    LIVE_SLIPPAGE,
    BacktestSettings,
    Fixed,
    HalfSpread,
    Slippage,
    VolumeShare,
)
from tradewind.orders.model import Side
from tradewind.portfolio.regulatory_fees import sale_fees, up_to_the_cent

# A part of a bar's volume and the impact that follows from it are rounded up to this.
MILLIONTH = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Costs:
    """``commission`` is a fraction of the notional on each side; ``fee_factor`` times the
    regulatory fees are paid on sales (0: none)."""

    slippage: Slippage = LIVE_SLIPPAGE
    commission: Decimal = Decimal(0)
    fee_factor: Decimal = Decimal(0)

    @classmethod
    def of(cls, settings: BacktestSettings) -> Costs:
        fee_factor = settings.fee_factor if settings.regulatory_fees else Decimal(0)
        return cls(settings.slippage, settings.commission, fee_factor)

    def bought_of(self, quantity: Decimal, volume: int) -> Decimal:
        """How many of the shares that are wanted are bought in a bar of this volume."""
        if not isinstance(self.slippage, VolumeShare):
            return quantity
        return min(quantity, (self.slippage.share * volume).to_integral_value(ROUND_FLOOR))

    def worse_by(self, price: Decimal, quantity: Decimal, volume: int) -> Decimal:
        """USD a share by which a fill in a bar of this volume is worse than the market."""
        match self.slippage:
            case Fixed(fraction):
                return price * fraction
            case HalfSpread(usd):
                return usd
            case VolumeShare(impact=impact):
                part = _up(quantity / volume) if quantity < volume else Decimal(1)
                return price * _up(impact * part * part)

    def of_fill(self, side: Side, quantity: Decimal, price: Decimal) -> Decimal:
        """USD of commission and fees, rounded up to the cent each."""
        cost = up_to_the_cent(quantity * price * self.commission)
        if side is Side.SELL:
            fees = sale_fees(quantity * price, (quantity,))
            cost += up_to_the_cent(fees * self.fee_factor)
        return cost


def _up(fraction: Decimal) -> Decimal:
    return fraction.quantize(MILLIONTH, rounding=ROUND_CEILING)

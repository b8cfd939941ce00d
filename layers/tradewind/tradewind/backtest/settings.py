"""What a backtest assumes about fills, costs and size."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from tradewind.errors import InvalidInputError
from tradewind.portfolio.round_trips import DECLARED_SLIPPAGE
from tradewind.risk.limits import RiskLimits
from tradewind.risk.protections import ProtectionSettings


class FillConvention(StrEnum):
    """``live_parity`` does as live trading does; ``next_open_no_entry_bar_stop`` as backtesting.py
    and backtrader do, ``vectorbt`` as vectorbt does. docs/backtesting.md has the rules."""

    LIVE_PARITY = "live_parity"
    NEXT_OPEN = "next_open_no_entry_bar_stop"
    VECTORBT = "vectorbt"


def _fraction(
    name: str, value: Decimal, *, least: Decimal | None = None, most: Decimal | None = None
) -> None:
    """Without ``least`` the value has to be above 0, without ``most`` below 1."""
    low_enough = value.is_finite() and (value < 1 if most is None else value <= most)
    if not low_enough or (value <= 0 if least is None else value < least):
        lower = "above 0" if least is None else f"from {least}"
        upper = "below 1" if most is None else f"at most {most}"
        raise InvalidInputError(f"{name} is {value}: give a fraction {lower}, {upper}")


@dataclass(frozen=True, slots=True)
class Fixed:
    """Each fill is worse by a fraction of its price, 0 <= fraction < 1."""

    fraction: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        _fraction("slippage", self.fraction, least=Decimal(0))

    def times(self, factor: Decimal) -> Fixed:
        return Fixed(self.fraction * factor)


@dataclass(frozen=True, slots=True)
class HalfSpread:
    """Each fill is worse by so many USD a share."""

    usd: Decimal

    def __post_init__(self) -> None:
        if not (self.usd.is_finite() and self.usd >= 0):
            raise InvalidInputError(f"slippage: a half spread of {self.usd} USD: give 0 or more")

    def times(self, factor: Decimal) -> HalfSpread:
        return HalfSpread(self.usd * factor)


@dataclass(frozen=True, slots=True)
class VolumeShare:
    """An entry takes at most ``share`` of its bar's volume (0 < share <= 1); what is beyond is not
    bought. Each fill is worse by ``impact`` x (its part of the bar's volume)^2 of its price. An
    exit is never cut: it sells the whole position at the impact of its whole part, of 1 at most.
    """

    share: Decimal
    impact: Decimal = Decimal("0.1")

    def __post_init__(self) -> None:
        if not (self.share.is_finite() and 0 < self.share <= 1):
            raise InvalidInputError(
                f"slippage: a volume share of {self.share}: give a fraction above 0, at most 1"
            )
        if not (self.impact.is_finite() and self.impact >= 0):
            raise InvalidInputError(f"slippage: an impact of {self.impact}: give 0 or more")

    def times(self, factor: Decimal) -> VolumeShare:
        return VolumeShare(self.share, self.impact * factor)


Slippage = Fixed | HalfSpread | VolumeShare

# Half a spread and a delay of seconds.
LIVE_SLIPPAGE = Fixed(DECLARED_SLIPPAGE)


@dataclass(frozen=True, slots=True)
class BacktestSettings:
    """``cash`` in USD; ``stop``, ``trail``, ``risk`` and ``commission`` are fractions: of the entry
    price, of the highest high since, of equity, and of the notional on each side.

    ``regulatory_fees``: the SEC's and FINRA's on sales, times ``fee_factor``. ``daily_drawdown``:
    at this loss since the previous session's end entries stop until the next; None: never.
    ``protections`` and ``limits`` are those of live trading and hold for live_parity alone.
    """

    fill: FillConvention = FillConvention.LIVE_PARITY
    cash: Decimal = Decimal(100_000)
    stop: Decimal = Decimal("0.015")
    trail: Decimal = Decimal("0.015")
    risk: Decimal = Decimal("0.02")
    commission: Decimal = Decimal(0)
    slippage: Slippage = LIVE_SLIPPAGE
    regulatory_fees: bool = True
    fee_factor: Decimal = Decimal(1)
    daily_drawdown: Decimal | None = None
    protections: ProtectionSettings = field(default_factory=ProtectionSettings)
    limits: RiskLimits = field(default_factory=RiskLimits)

    def __post_init__(self) -> None:
        if not (self.cash.is_finite() and 0 < self.cash <= 10**12):
            raise InvalidInputError(f"cash is {self.cash}: give USD above 0, at most 10^12")
        _fraction("stop", self.stop)
        _fraction("trail", self.trail)
        _fraction("risk", self.risk, most=Decimal(1))
        _fraction("commission", self.commission, least=Decimal(0))
        if not (self.fee_factor.is_finite() and self.fee_factor >= 0):
            raise InvalidInputError(f"fee_factor is {self.fee_factor}: give 0 or more")
        if self.daily_drawdown is not None:
            _fraction("daily_drawdown", self.daily_drawdown)

    @classmethod
    def of(cls, fill: FillConvention, **overrides: object) -> BacktestSettings:
        """The convention's own defaults: live_parity pays 2 bp a side and the fees, the peers'
        conventions nothing. ``overrides`` are fields by name."""
        own: dict[str, object] = {}
        if fill is not FillConvention.LIVE_PARITY:
            own = {"slippage": Fixed(), "regulatory_fees": False}
        values: dict[str, object] = {"fill": fill, **own, **overrides}
        return cls(**values)  # type: ignore[arg-type]

    def at_cost(self, factor: Decimal) -> BacktestSettings:
        """The same with commission, slippage and fees times ``factor``."""
        return replace(
            self,
            commission=self.commission * factor,
            slippage=self.slippage.times(factor),
            fee_factor=self.fee_factor * factor,
        )

"""The rules of live trading as whole numbers, for the compiled pass of ``live_parity``.

Nothing is decided here: the numbers come from the objects that live trading itself is given, and
from the constants of its modules. Fractions are in millionths, money in millionths of a USD, times
in regular minutes. What is finer than a millionth is refused instead of being rounded.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from tradewind.backtest.arrays import PRICE_SCALE
from tradewind.backtest.live_fields import Table
from tradewind.backtest.settings import BacktestSettings, Fixed, HalfSpread, VolumeShare
from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE
from tradewind.orders.prices import COLLAR
from tradewind.portfolio.regulatory_fees import LARGEST_TAF, SEC_FEE_PER_DOLLAR, TAF_PER_SHARE
from tradewind.risk.limits import RiskLimits
from tradewind.risk.protections import Protection, ProtectionSettings

MILLION = 1_000_000
# USD. Money of such an account is exact in 64 bits, and in double precision up to nine times it.
MOST_CASH = 1_000_000_000
# What is switched off is never reached.
NEVER = 2**62


class LiveRules(NamedTuple):
    """Named as where they come from. ``..._kept``: the part of a price that is left."""

    cash: int
    # fills
    collar: int
    stop_kept: int
    trail_kept: int
    slippage: int
    half_spread: int
    volume_share: int  # 0: a fill takes the whole order
    impact: int
    # costs
    commission: int
    fee_factor: int
    sec_fee: int  # in ten-millionths of what is sold
    taf: int  # a share
    largest_taf: int
    # size and limits
    risk: int
    atr_multiple: int
    atr_sessions: int
    symbol_exposure: int
    exposure: int
    min_notional: int
    max_notional: int
    capital_per_day: int
    entries_per_minute: int
    entries_per_day: int
    price_deviation: int
    # times: of a run, counted from the session's open or back from its close
    first_entry: int
    last_entry: int
    flat_before: int
    hold_overnight: int
    # protections
    cooldown: int
    stops_in_symbol: int
    stops_in_all: int
    stop_window: int
    stop_lock: int
    daily_drawdown: int
    halving_drawdown: int
    reduced_size: int
    locking_drawdown: int
    locking_sessions: int
    low_profit_trades: int
    low_profit: int
    low_profit_window: int
    low_profit_lock: int


# The same as a row of named numbers, which compiled code reads fastest.
RULES: Final = np.dtype([(name, np.int64) for name in LiveRules._fields], align=True)


def in_force(settings: BacktestSettings) -> tuple[RiskLimits, ProtectionSettings]:
    """Live trading's objects with what the settings say apart from them: ``risk`` is the risk per
    trade, and a ``daily_drawdown`` of None switches that protection off."""
    protections = settings.protections
    if settings.daily_drawdown is None:
        off = protections.off | {Protection.DAILY_DRAWDOWN}
        protections = replace(protections, off=off)
    else:
        protections = replace(protections, daily_drawdown=settings.daily_drawdown)
    return replace(settings.limits, risk_per_trade=settings.risk), protections


def live_rules(settings: BacktestSettings) -> Table:
    """One row of RULES. InvalidInputError for amounts finer than a millionth, and for more cash
    than is counted exactly."""
    if settings.cash > MOST_CASH:
        raise InvalidInputError(
            f"cash is {settings.cash}: {settings.fill} counts exactly up to {MOST_CASH:,} USD"
        )
    limits, protections = in_force(settings)
    slippage = settings.slippage
    numbers = LiveRules(
        cash=_millionths("cash", settings.cash),
        collar=MILLION + _millionths("collar", COLLAR),
        stop_kept=MILLION - _millionths("stop", settings.stop),
        trail_kept=MILLION - _millionths("trail", settings.trail),
        slippage=(
            _millionths("slippage", slippage.fraction) if isinstance(slippage, Fixed) else 0
        ),
        half_spread=(
            _millionths("half spread", slippage.usd) if isinstance(slippage, HalfSpread) else 0
        ),
        volume_share=(
            _millionths("volume share", slippage.share) if isinstance(slippage, VolumeShare) else 0
        ),
        impact=_millionths("impact", slippage.impact) if isinstance(slippage, VolumeShare) else 0,
        commission=_millionths("commission", settings.commission),
        fee_factor=(
            _millionths("fee_factor", settings.fee_factor) if settings.regulatory_fees else 0
        ),
        sec_fee=int(SEC_FEE_PER_DOLLAR * 10 * MILLION),
        taf=_millionths("TAF", TAF_PER_SHARE),
        largest_taf=_millionths("TAF", LARGEST_TAF),
        risk=_millionths("risk", limits.risk_per_trade),
        atr_multiple=_millionths("daily_atr_multiple", limits.daily_atr_multiple),
        atr_sessions=limits.daily_atr_sessions,
        symbol_exposure=_millionths("max_symbol_exposure", limits.max_symbol_exposure),
        exposure=_millionths("max_exposure", limits.max_exposure),
        min_notional=_millionths("min_notional", limits.min_notional),
        max_notional=(
            NEVER if limits.max_notional is None
            else _millionths("max_notional", limits.max_notional)
        ),
        capital_per_day=_millionths("max_capital_per_day", limits.max_capital_per_day),
        entries_per_minute=limits.max_entries_per_minute,
        entries_per_day=limits.max_entries_per_day,
        price_deviation=_millionths("max_price_deviation", limits.max_price_deviation),
        first_entry=-(-limits.no_entry_after_open // MINUTE),
        last_entry=limits.no_entry_before_close // MINUTE,
        flat_before=limits.flat_before_close // MINUTE,
        hold_overnight=int(limits.hold_overnight),
        **_protections(protections),
    )  # fmt: skip
    return np.array([tuple(numbers)], RULES)


def _protections(settings: ProtectionSettings) -> dict[str, int]:
    def on(name: Protection, value: int, switched_off: int = NEVER) -> int:
        return switched_off if name in settings.off else value

    locking = settings.locking_drawdown
    return {
        "cooldown": on(Protection.COOLDOWN, settings.cooldown, -1),
        "stops_in_symbol": on(Protection.STOP_GUARD, settings.stops_in_symbol),
        "stops_in_all": on(Protection.STOP_GUARD, settings.stops_in_all),
        "stop_window": settings.stop_window,
        "stop_lock": settings.stop_lock,
        "daily_drawdown": on(
            Protection.DAILY_DRAWDOWN, _millionths("daily_drawdown", settings.daily_drawdown)
        ),
        "halving_drawdown": on(
            Protection.PEAK_DRAWDOWN, _millionths("halving_drawdown", settings.halving_drawdown)
        ),
        "reduced_size": _millionths("reduced_size", settings.reduced_size),
        "locking_drawdown": (
            NEVER if locking is None
            else on(Protection.PEAK_DRAWDOWN, _millionths("locking_drawdown", locking))
        ),
        "locking_sessions": settings.locking_sessions,
        "low_profit_trades": on(Protection.LOW_PROFIT, settings.low_profit_trades),
        "low_profit": _millionths("low_profit", settings.low_profit),
        "low_profit_window": settings.low_profit_window,
        "low_profit_lock": settings.low_profit_lock,
    }  # fmt: skip


def _millionths(name: str, value: Decimal) -> int:
    scaled = value * PRICE_SCALE
    if scaled != scaled.to_integral_value():
        raise InvalidInputError(f"{name} is {value}: at most six decimals are counted")
    return int(scaled)

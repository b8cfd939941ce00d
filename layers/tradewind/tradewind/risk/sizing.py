"""How many shares. Whole shares, exact decimals, the smallest cap wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from itertools import pairwise

from tradewind.market.ports import DailyBar
from tradewind.risk.limits import RiskLimits


@dataclass(frozen=True, slots=True)
class Size:
    """``limited_by`` names the cap that decided the quantity."""

    quantity: Decimal
    limited_by: str


def daily_atr(sessions: Sequence[DailyBar], count: int) -> Decimal | None:
    """The mean true range of the last ``count`` sessions (USD), None with fewer than ``count`` + 1.

    A plain mean of exactly those sessions, so that older history cannot change it.
    """
    if len(sessions) < count + 1:
        return None
    recent = sessions[-(count + 1) :]
    ranges = [
        max(day.high, before.close) - min(day.low, before.close) for before, day in pairwise(recent)
    ]
    return sum(ranges, Decimal(0)) / count


def entry_size(
    *,
    equity: Decimal,
    exposure: Decimal,
    buying_power: Decimal,
    limit_price: Decimal,
    stop_price: Decimal,
    atr: Decimal | None,
    limits: RiskLimits,
) -> Size:
    """Shares to buy at no more than ``limit_price``.

    risk x equity / max(stop distance, k x daily ATR), capped by 25 % of equity in one symbol,
    100 % in all (``exposure`` is what is held and being bought, foreign positions included) and
    by the buying power left in this run. Without enough sessions for the daily ATR the stop
    distance alone counts, and the caps decide. Money is USD.
    """
    if limit_price <= 0 or stop_price >= limit_price:
        return Size(Decimal(0), "no valid stop")
    stop_distance = limit_price - stop_price
    distance = max(stop_distance, limits.daily_atr_multiple * atr) if atr else stop_distance
    caps = {
        "risk per trade": limits.risk_per_trade * equity / distance,
        "exposure per symbol": limits.max_symbol_exposure * equity / limit_price,
        "exposure in all": (limits.max_exposure * equity - exposure) / limit_price,
        "buying power": buying_power / limit_price,
    }
    limited_by = min(caps, key=lambda name: caps[name])
    quantity = max(caps[limited_by], Decimal(0)).to_integral_value(ROUND_FLOOR)
    if quantity * limit_price < limits.min_notional:
        return Size(Decimal(0), limited_by)
    return Size(quantity, limited_by)

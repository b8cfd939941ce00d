"""The numbers risk works with, in one place. Fractions of equity unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Defaults are the owner's; ``docs/decisions.md`` says why."""

    risk_per_trade: Decimal = Decimal("0.02")
    daily_atr_multiple: Decimal = Decimal(2)
    max_symbol_exposure: Decimal = Decimal("0.25")
    max_exposure: Decimal = Decimal(1)
    min_notional: Decimal = Decimal(100)  # USD
    max_notional: Decimal | None = None  # USD of one entry; None: the caps alone decide
    max_capital_per_day: Decimal = Decimal(2_000_000)  # USD of a session's entries together
    max_entries_per_minute: int = 10
    max_entries_per_day: int = 200
    max_price_deviation: Decimal = Decimal("0.01")  # of an entry's limit from the last price
    no_entry_after_open: timedelta = timedelta(minutes=5)
    no_entry_before_close: timedelta = timedelta(minutes=15)
    flat_before_close: timedelta = timedelta(minutes=5)
    hold_overnight: bool = False  # positions stay open at the session's end, their stops GTC
    entry_lifetime: timedelta = timedelta(seconds=45)  # after the start of the run's minute
    daily_atr_sessions: int = 14
    max_data_age: timedelta = timedelta(minutes=5)  # of the newest bar, before the decided one

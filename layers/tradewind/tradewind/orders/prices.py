"""Prices that a broker takes, and the prices of protection."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

STOP_LOSS = Decimal("0.015")
TRAIL = Decimal("0.015")
# How far a marketable entry may be filled above the price it was decided on.
COLLAR = Decimal("0.003")


def tick_size(price: Decimal) -> Decimal:
    """Alpaca: 0.01 from one dollar up, 0.0001 below (sub-penny answers 422)."""
    return Decimal("0.01") if price >= 1 else Decimal("0.0001")


def floor_to_tick(price: Decimal) -> Decimal:
    tick = tick_size(price)
    return (price / tick).to_integral_value(ROUND_FLOOR) * tick


def ceil_to_tick(price: Decimal) -> Decimal:
    tick = tick_size(price)
    return (price / tick).to_integral_value(ROUND_CEILING) * tick


def entry_limit(decision_price: Decimal) -> Decimal:
    """The limit of a marketable entry: the decision price and a collar, rounded up to the tick."""
    return ceil_to_tick(decision_price * (1 + COLLAR))


def initial_stop(decision_price: Decimal) -> Decimal:
    """The stop an entry carries: 1.5 % below the decision price, rounded down to the tick."""
    return floor_to_tick(decision_price * (1 - STOP_LOSS))


def trailing_stop(avg_entry_price: Decimal, highest_high: Decimal | None) -> Decimal:
    """Where the resting stop belongs: 1.5 % below the highest high since entry, and never below
    1.5 % under the average entry price; rounded down to the tick."""
    fixed = avg_entry_price * (1 - STOP_LOSS)
    trailed = highest_high * (1 - TRAIL) if highest_high is not None else fixed
    return floor_to_tick(max(fixed, trailed))

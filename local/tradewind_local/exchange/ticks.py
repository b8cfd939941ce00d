"""The trades inside a bar: a seeded path from its open over its extremes to its close."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random

from tradewind.market.bar import Bar

FEWEST, MOST = 20, 60
MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Tick:
    """A trade in the market. ``at`` is aware UTC, ``price`` in USD."""

    at: datetime
    price: Decimal


def ticks_of(bar: Bar, seed: int) -> list[Tick]:
    """20 to 60 ticks in time order, all within low..high, touching open, high, low and close.

    Whether low or high comes first is drawn from the seed. Prices between the four are whole cents
    where the range has any. The first tick comes within the minute's first second but never at its
    first instant (so no tick falls on a session's opening instant), the last within the minute.
    """
    rng = _rng(bar, seed)
    count = rng.randint(FEWEST, MOST)
    extremes = [bar.low, bar.high] if rng.random() < 0.5 else [bar.high, bar.low]
    first, second = sorted(rng.sample(range(1, count - 1), 2))
    corners = [(0, bar.open), (first, extremes[0]), (second, extremes[1]), (count - 1, bar.close)]

    prices = [bar.open]
    for (left, from_price), (right, to_price) in pairwise(corners):
        prices += _between(from_price, to_price, right - left - 1, bar, rng)
        prices.append(to_price)

    slot = MINUTE_US // count
    return [
        Tick(
            bar.start
            + timedelta(microseconds=index * slot + rng.randrange(1, slot if index else 1_000_000)),
            price,
        )
        for index, price in enumerate(prices)
    ]


def tick_count(bar: Bar, seed: int) -> int:
    """How many ticks :func:`ticks_of` gives, without making them."""
    return _rng(bar, seed).randint(FEWEST, MOST)


def _rng(bar: Bar, seed: int) -> Random:
    return Random(f"{seed}/{bar.symbol}/{bar.start.timestamp():.0f}")  # noqa: S311 - repeatable


def _between(start: Decimal, end: Decimal, count: int, bar: Bar, rng: Random) -> list[Decimal]:
    """``count`` prices on a shaky line from start to end, inside the bar's range.

    Whole numbers do the work: the same digits everywhere, and twenty times faster than Decimal.
    """
    digits = max(2, *(_decimals(price) for price in (bar.open, bar.high, bar.low, bar.close)))
    scale = 10**digits
    cent = scale // 100
    low, high = int(bar.low * scale), int(bar.high * scale)
    origin, distance = int(start * scale), int((end - start) * scale)
    shake = (high - low) // 8
    prices = []
    for step in range(1, count + 1):
        raw = origin + distance * step // (count + 1) + rng.randint(-shake, shake)
        whole_cents = (raw + cent // 2) // cent * cent
        prices.append(Decimal(min(high, max(low, whole_cents))).scaleb(-digits))
    return prices


def _decimals(price: Decimal) -> int:
    exponent = price.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0

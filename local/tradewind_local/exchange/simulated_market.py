"""A seeded simulated market: one-minute bars that look like a share and are nobody's history.

Prices walk in cents. A regime of 30 to 90 minutes pushes the walk up or down about as hard as
its noise shakes it, so that averages of 20 and 50 minutes cross several times a session.

Only addition, multiplication and rounding of doubles are used: they give the same digits on
every machine, which logarithms and cosines (and so ``random.gauss``) do not promise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from random import Random

from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session import Session

# All per minute and relative to the price.
NOISE = 0.0006
DRIFT = 0.00022
GAP = 0.004  # between the close and the next session's open

STEPS = 6  # moves of the walk inside a minute, from which high and low are read
REGIME_MINUTES = (30, 90)
BUSY_EDGES = 3.0  # how much busier the first and last minutes are than the middle of the day


def simulated_bars(symbols: Sequence[str], sessions: Sequence[Session], seed: int) -> list[Bar]:
    """Every regular minute of the sessions (oldest first) for each symbol, ordered by time and
    then as the symbols came; feed ``simulated``, prices in whole cents.

    A symbol's bars depend on the seed, its name and the sessions, not on the other symbols.
    """
    columns = [list(_walk(symbol, sessions, seed)) for symbol in symbols]
    return [bar for minute in zip(*columns, strict=True) for bar in minute]


def _walk(symbol: str, sessions: Sequence[Session], seed: int) -> Iterator[Bar]:
    # Not for secrets: a seeded walk must be repeatable.
    rng = Random(f"{seed}/{symbol}")  # noqa: S311
    home = rng.randint(4_000, 25_000)  # cents; the walk is pulled back here when it strays far
    mean_volume = rng.randint(15_000, 90_000)
    price = home
    minutes_left, direction = 0, 1
    for session in sessions:
        price = max(100, round(price * (1 + GAP * _bell(rng))))
        for minute in range(session.minutes):
            if minutes_left == 0:
                minutes_left = rng.randint(*REGIME_MINUTES)
                direction = _turn(rng, direction, price / home)
            minutes_left -= 1
            path = [price]
            for _ in range(STEPS):
                step = direction * DRIFT / STEPS + NOISE * _bell(rng) / STEPS**0.5
                path.append(max(100, round(path[-1] * (1 + step))))
            # The first trade of a minute is seldom at the last one's price exactly.
            path[0] = max(100, price + rng.randint(-1, 1))
            price = path[-1]
            yield Bar(
                symbol=symbol,
                start=session.open + minute * MINUTE,
                open=_dollars(path[0]),
                high=_dollars(max(path)),
                low=_dollars(min(path)),
                close=_dollars(price),
                volume=round(mean_volume * _busyness(minute, session.minutes) * (0.4 + _unit(rng))),
                feed="simulated",
            )


def _turn(rng: Random, direction: int, stray: float) -> int:
    """The next regime's direction: mostly the other way, and home when the price is far off."""
    if stray > 1.06:
        return -1
    if stray < 0.94:
        return 1
    return -direction if rng.random() < 0.8 else direction


def _busyness(minute: int, minutes: int) -> float:
    """Volume is U-shaped over the day; 1 on average, near enough."""
    middle = (minutes - 1) / 2
    distance = abs(minute - middle) / middle if middle else 0.0
    return 0.6 + (BUSY_EDGES - 1) * 0.6 * distance * distance


def _bell(rng: Random) -> float:
    """Mean 0, standard deviation 1, as a sum of twelve uniforms."""
    total = 0.0
    for _ in range(12):
        total += rng.random()
    return total - 6.0


def _unit(rng: Random) -> float:
    """Mean 0.6, so that ``0.4 + _unit`` has mean 1."""
    return 1.2 * rng.random()


def _dollars(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)

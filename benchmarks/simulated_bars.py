"""SIMULATED one-minute bars in cents: a seeded random walk with jumps at the open.

From Python's own generator, whose numbers are the same in every version, so that stored results
can be made again.
"""

from __future__ import annotations

import random
from datetime import date, timedelta

import numpy as np
from tradewind.backtest.arrays import PRICE_SCALE, BarArrays, assembled
from tradewind.market.session_table import default_table

SYMBOL = "SIM"
CENT = PRICE_SCALE // 100
FIRST_DAY = date(2018, 1, 2)
# Of a minute and of a night, as fractions: those of a large US stock, and lively.
MINUTE_CHANGE = 0.0007
NIGHT_CHANGE = 0.012


def simulated(count: int, seed: int = 1) -> BarArrays:
    """The first ``count`` regular minutes from January 2018 on."""
    chance = random.Random(seed)  # noqa: S311 - a simulation, no secret
    start, rows = [], []
    level = 10_000.0  # cents
    day = FIRST_DAY
    while len(rows) < count:
        session = default_table().following(day - timedelta(days=1))
        level *= 1 + chance.gauss(0, NIGHT_CHANGE)
        for minute in range(min(session.minutes, count - len(rows))):
            opened = max(100, round(level * (1 + chance.gauss(0, MINUTE_CHANGE / 5))))
            level = max(100.0, level * (1 + chance.gauss(0, MINUTE_CHANGE)))
            close = round(level)
            reach = abs(chance.gauss(0, MINUTE_CHANGE / 2)), abs(chance.gauss(0, MINUTE_CHANGE / 2))
            high = round(max(opened, close) * (1 + reach[0]))
            low = round(min(opened, close) * (1 - reach[1]))
            start.append(int(session.open.timestamp()) + 60 * minute)
            rows.append((opened, high, low, close, chance.randrange(1_000, 90_000)))
        day = session.date + timedelta(days=1)
    *prices, volume = np.array(rows, np.int64).T
    return assembled(
        SYMBOL,
        np.array(start, np.int64),
        [column * CENT for column in prices],
        volume,
        default_table(),
        regular_only=True,
    )


def repeated(bars: BarArrays, times: int) -> BarArrays:
    """The same sessions again and again, as if they followed each other: for measuring alone."""
    sessions = len(bars.session_dates)
    numbers = np.arange(times, dtype=np.int64)
    length = int(bars.start[-1] - bars.start[0]) + 86_400
    days = [bars.session_dates[0] + timedelta(days=number) for number in range(sessions * times)]
    return BarArrays(
        bars.symbol,
        (bars.start[np.newaxis, :] + (numbers * length)[:, np.newaxis]).ravel(),
        *(np.tile(one, times) for one in (bars.open, bars.high, bars.low, bars.close, bars.volume)),
        (bars.session + (numbers * sessions)[:, np.newaxis]).ravel().astype(np.int32),
        np.tile(bars.minute, times),
        np.tile(bars.session_minutes, times),
        tuple(days),
    )

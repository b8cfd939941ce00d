"""What the features are. Training and serving use the same definition or do not work together.

Each feature is a function of exactly the last ``FEATURE_BARS`` closed regular-session bars of its
symbol, so a truncated history gives the same digits. 200 bars are enough for the averages with a
long memory to forget how they were seeded: after the first value, 180 bars later, the seed of an
EMA(20) weighs 1.5e-8, that of Wilder's RSI(14) and ATR(14) 1e-6.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache

# Raise it whenever a formula in ``windows.py`` changes without a change in the figures below.
VERSION = 1

FEATURE_BARS = 200
TIMESTEPS = 60

SMA_SHORT, SMA_LONG, EMA, RSI, ATR = 20, 50, 20, 14, 14
MACD_FAST, MACD_SLOW, MACD_SIGNAL = 12, 26, 9
VOLUME_MEAN = 20
RETURN_BARS = 5

# Relative price moves are measured in tenths of a percent, which brings a minute's to about one.
MOVE_UNIT = 0.001
# A night's gap may be any size; a model has seen nothing beyond this many units.
LIMIT = 10.0

FEATURES = (
    "return_1",
    f"return_{RETURN_BARS}",
    "range",
    "close_in_range",
    f"rsi_{RSI}",
    f"macd_hist_{MACD_FAST}_{MACD_SLOW}_{MACD_SIGNAL}",
    f"atr_{ATR}",
    f"sma_{SMA_SHORT}_distance",
    f"volume_to_mean_{VOLUME_MEAN}",
    "time_of_session",
)


@cache
def fingerprint() -> str:
    """12 hexadecimal digits that change with anything that changes a model's input."""
    definition = json.dumps([VERSION, FEATURE_BARS, TIMESTEPS, MOVE_UNIT, LIMIT, FEATURES])
    return hashlib.sha256(definition.encode()).hexdigest()[:12]

"""What the compiled pass of ``live_parity`` keeps in mind: rows of named whole numbers.

Money and prices are in millionths of a USD, bars indices into the market's columns. *Regular
minutes* are counted from the open of the first session on, over all of the calendar's sessions.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np


def _row(*names: str) -> np.dtype[np.void]:
    return np.dtype([(name, np.int64) for name in names], align=True)


# A row, and a table of them; numpy has no types for fields.
Row = Any
Table = Any

# One symbol.
SYMBOL: Final = _row(
    "state",
    "quantity",  # ordered or held
    "limit",  # of the open entry
    "stop",  # where it rests
    "target",  # where it belongs
    "bar",  # the newest
    "close",  # the newest
    "entry_bar",
    "entry_price",
    "paid",  # of commission at the entry
    "best",  # the highest high since the entry, its bar's included
    "worst",  # the lowest low, likewise
    "exit_reason",
    "locked_until",  # regular minutes
    "bars_needed",  # of its strategy
    "first_bar",
    "first_day",
)

# The states of a symbol.
FLAT: Final = 0
PENDING: Final = 1  # an entry meets the next minute
HOLDING: Final = 2  # with a stop
NAKED: Final = 3  # held without one, as after a day on which an exit found no market
EXITING: Final = 4  # an exit waits for the symbol's next bar

# The account. ``worth``: of all positions; ``power`` and ``exposure``: what a run's entries have
# left to spend, and what is held and being bought. ``peak_locked`` is the ``peak_at`` that the
# newest lock for a drawdown came of; ``peak_at`` and ``..._until`` are regular minutes.
ACCOUNT: Final = _row(
    "cash", "worth", "equity", "last_equity", "power", "exposure", "active", "trips",
    "entries_today", "capital_today", "day_locked", "all_locked_until", "peak", "peak_at",
    "peak_locked", "peak_locked_until",
)  # fmt: skip

# A round trip. ``closed_at`` is in regular seconds.
TRIP: Final = _row(
    "symbol", "entry_bar", "exit_bar", "entry_price", "exit_price", "quantity", "fees", "reason",
    "worst", "best", "gap_loss", "by_stop", "closed_at",
)  # fmt: skip

# A session of the line: its length in minutes, the regular minutes before it, and its number in the
# calendar, from the first one's.
SESSION: Final = _row("length", "before", "rank")

# A row of minutes without any bar, before a minute of the line: from the regular minute
# ``settled_at`` on they count as minutes without trades, and are a hole to the runs before.
GAP: Final = _row("minute", "settled_at")

# A symbol's day: its session, and the true ranges of the symbol's days up to it, added up.
DAY: Final = _row("session", "ranges")

"""The bars the market is made of, and the ticks and prices that follow from them.

They lie in the state's SQLite file: 88,000 bars would take 50 MB as objects, and a restart would
have to build them all. A bar that was given once never changes, so a price at an instant is a
function of the bars, the seed and the instant, and needs no state of its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, Bar, bar_fault

from tradewind_local.exchange.ticks import Tick, tick_count, ticks_of

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bars (
    symbol TEXT NOT NULL, start INTEGER NOT NULL,
    open TEXT NOT NULL, high TEXT NOT NULL, low TEXT NOT NULL, close TEXT NOT NULL,
    volume INTEGER NOT NULL, feed TEXT NOT NULL,
    PRIMARY KEY (symbol, start)
) WITHOUT ROWID;
CREATE TEMP TABLE incoming (
    symbol TEXT, start INTEGER, open TEXT, high TEXT, low TEXT, close TEXT,
    volume INTEGER, feed TEXT
);
"""
_COLUMNS = "symbol, start, open, high, low, close, volume, feed"


class BarBook:
    """Bars by symbol and minute. Writes belong to the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, seed: int) -> None:
        self._connection = connection
        self._seed = seed
        self._connection.executescript(_SCHEMA)
        # Two symbols' session fits; a replay asks for the same minute again and again.
        self._ticks = lru_cache(maxsize=1_024)(lambda bar: ticks_of(bar, seed))
        self._symbols = {row[0] for row in connection.execute("SELECT DISTINCT symbol FROM bars")}

    def add(self, bars: Iterable[Bar]) -> int:
        """New bars added. InvalidInputError for an impossible bar, or one that says something
        else than the bar that is there; then none is added."""
        given: dict[tuple[str, datetime], Bar] = {}
        for bar in bars:
            if (fault := bar_fault(bar)) is not None:
                raise InvalidInputError(f"bar {bar.symbol} {bar.start.isoformat()}: {fault}")
            if given.setdefault((bar.symbol, bar.start), bar) != bar:
                raise InvalidInputError(_contradiction(bar))
        run = self._connection.execute
        run("DELETE FROM incoming")
        self._connection.executemany(
            "INSERT INTO incoming VALUES (?,?,?,?,?,?,?,?)", map(_as_row, given.values())
        )
        # As text first, which is fast; 119.5 and 119.50 are then found to be the same.
        for row in run(
            f"SELECT {_COLUMNS} FROM incoming i WHERE EXISTS (SELECT 1 FROM bars b"  # noqa: S608
            " WHERE b.symbol = i.symbol AND b.start = i.start"
            " AND (b.open, b.high, b.low, b.close, b.volume)"
            " IS NOT (i.open, i.high, i.low, i.close, i.volume))"
        ).fetchall():
            bar = _as_bar(row)
            if _values(bar) != _values(self.bars(bar.symbol, bar.start, bar.start, 1)[0]):
                raise InvalidInputError(_contradiction(bar))
        added = run(
            f"INSERT INTO bars SELECT {_COLUMNS} FROM incoming WHERE true ON CONFLICT DO NOTHING"  # noqa: S608
        ).rowcount
        run("DELETE FROM incoming")
        self._symbols.update(symbol for symbol, _ in given)
        return added

    def __len__(self) -> int:
        count: int = self._connection.execute("SELECT count(*) FROM bars").fetchone()[0]
        return count

    @property
    def symbols(self) -> set[str]:
        """Symbols with at least one bar, past or future."""
        return self._symbols

    def bars(
        self, symbol: str, first: datetime, last: datetime, limit: int, newest_first: bool = False
    ) -> list[Bar]:
        """Bars with first <= start <= last (aware UTC)."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM bars WHERE symbol = ? AND start BETWEEN ? AND ?"  # noqa: S608
            f" ORDER BY start {'DESC' if newest_first else 'ASC'} LIMIT ?",
            (symbol, first.timestamp(), last.timestamp(), limit),
        )
        return [_as_bar(row) for row in rows]

    def latest_complete(self, symbol: str, now: datetime) -> Bar | None:
        """The newest bar whose minute is over."""
        found = self.bars(symbol, datetime.min.replace(tzinfo=UTC), now - MINUTE, 1, True)
        return found[0] if found else None

    def ticks(self, symbol: str, after: datetime, until: datetime) -> list[Tick]:
        """Ticks with after < at <= until, in time order."""
        return [
            tick
            for bar in self.bars(symbol, after - MINUTE, until, -1)
            for tick in self._ticks(bar)
            if after < tick.at <= until
        ]

    def last_tick(self, symbol: str, at: datetime) -> Tick | None:
        """The newest tick at or before an instant; None before the symbol's first."""
        # The newest bar may not have ticked yet; the one before it has.
        for bar in self.bars(symbol, datetime.min.replace(tzinfo=UTC), at, 2, True):
            for tick in reversed(self._ticks(bar)):
                if tick.at <= at:
                    return tick
        return None

    def tick_count(self, bar: Bar) -> int:
        return tick_count(bar, self._seed)


def _contradiction(bar: Bar) -> str:
    return (
        f"bar {bar.symbol} {bar.start.isoformat()} is there already with other values; "
        "the past cannot be changed: use a new state folder"
    )


def _as_row(bar: Bar) -> tuple[object, ...]:
    prices = (str(bar.open), str(bar.high), str(bar.low), str(bar.close))
    return (bar.symbol, int(bar.start.timestamp()), *prices, bar.volume, bar.feed)


def _as_bar(row: Sequence[object]) -> Bar:
    symbol, start, opened, high, low, close, volume, feed = row
    return Bar(
        symbol=str(symbol),
        start=datetime.fromtimestamp(int(str(start)), UTC),
        open=Decimal(str(opened)),
        high=Decimal(str(high)),
        low=Decimal(str(low)),
        close=Decimal(str(close)),
        volume=int(str(volume)),
        feed=str(feed),
    )


def _values(bar: Bar) -> tuple[object, ...]:
    return (bar.open, bar.high, bar.low, bar.close, bar.volume)

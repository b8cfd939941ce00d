"""How much of the promise was kept, and what to ask for to keep it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from tradewind.market.bar import MINUTE
from tradewind.market.gap_ledger import (
    AROUND,
    GapLedger,
    LedgerEntry,
    MinuteRange,
    OpenGap,
    expected_minutes,
)
from tradewind.market.session import Session

# Of the minutes of the last sessions, all symbols; minutes without trades do not count against it.
PROMISE = Decimal("0.999")
ROLLING_SESSIONS = 21

# Gaps nearer to each other than this are asked for in one call: a request is dearer than bars.
JOIN_WITHIN = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class Availability:
    """Minutes expected, and of these received (late ones too) and known to be without trades."""

    expected: int
    received: int
    no_trade: int

    @property
    def missing(self) -> int:
        return self.expected - self.received - self.no_trade

    @property
    def figure(self) -> Fraction:
        """Between 0 and 1; 1 while nothing was expected."""
        if self.expected == 0:
            return Fraction(1)
        return Fraction(self.received + self.no_trade, self.expected)

    @property
    def promise_kept(self) -> bool:
        return self.figure >= PROMISE

    def __add__(self, other: Availability) -> Availability:
        return Availability(
            self.expected + other.expected,
            self.received + other.received,
            self.no_trade + other.no_trade,
        )


NOTHING_EXPECTED = Availability(0, 0, 0)


def availability(
    ledger: GapLedger, symbols: Iterable[str], sessions: Iterable[Session], until: datetime
) -> Availability:
    """Over all the symbols and sessions, for the minutes over at ``until``. For the promise, give
    the last ROLLING_SESSIONS sessions; for a session's own figure, that session."""
    entries = {(entry.symbol, entry.session.date): entry for entry in ledger.entries}
    total = NOTHING_EXPECTED
    symbols = list(symbols)
    for session in sessions:
        for symbol in symbols:
            entry = entries.get((symbol, session.date)) or LedgerEntry(symbol, session)
            total += _of_entry(entry, until)
    return total


def _of_entry(entry: LedgerEntry, until: datetime) -> Availability:
    expected = expected_minutes(entry.session, until) or ()
    no_trade = entry.no_trade
    return Availability(
        expected=len(expected),
        received=sum(minute in entry.received for minute in expected),
        no_trade=sum(minute in no_trade for minute in expected),
    )


@dataclass(frozen=True, slots=True)
class BackfillCall:
    """One question to a provider: bars of these symbols that start in ``first..last``."""

    symbols: tuple[str, ...]
    session: Session
    first: datetime
    last: datetime

    def with_neighbours(self) -> MinuteRange:
        """What to ask for really: with the minutes around, whose bars show that the provider has
        this part of the day (without them its silence says nothing), within the session."""
        return MinuteRange(
            max(self.first - AROUND, self.session.open),
            min(self.last + AROUND, self.session.last_bar),
        )


def backfill_plan(gaps: Iterable[OpenGap]) -> list[BackfillCall]:
    """The calls that ask for every missing minute, oldest session first.

    A call begins and ends with a missing minute and names only symbols with a gap in it. Gaps of
    all symbols within a quarter of an hour of each other share a call, so some minutes that are
    there are read again, which only costs their bytes.
    """
    calls: list[BackfillCall] = []
    for gap in sorted(gaps, key=lambda gap: (gap.minutes.first, gap.symbol)):
        # A night is longer than JOIN_WITHIN: a call stays in its session.
        if calls and gap.minutes.first - calls[-1].last <= JOIN_WITHIN:
            call = calls[-1]
            calls[-1] = BackfillCall(
                tuple(sorted({*call.symbols, gap.symbol})),
                call.session,
                call.first,
                max(call.last, gap.minutes.last),
            )
        else:
            calls.append(
                BackfillCall((gap.symbol,), gap.session, gap.minutes.first, gap.minutes.last)
            )
    return calls

"""The gap ledger: which minutes of a session are there, which are missing, which had no trade.

A minute of the regular session that is over is in one state:

    missing -> received     its bar is stored (``backfilled`` when it came too late for its own run)
    missing -> no trade     the provider said so: asked, it left this minute out and not those
                            around it; twice at least a minute apart, or once a quarter of an hour
                            after the minute
    no trade -> backfilled  a bar came after all

A held or rejected bar is not stored, so its minute stays missing; it did come, so its minute is not
one without trades. What the ledger holds depends on what came and when, not on the order or the
portions in which it is told.

The limit of it: a provider that loses up to nine neighbouring minutes of every symbol asked for
looks like a market without trades.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, to_iso
from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable

# A bar that is received later than this after its minute was not there for its own run.
ON_TIME = MINUTE
# Two looks this far apart that find nothing, or one look this long after the minute's end.
LOOKS_APART = MINUTE
SETTLED_AFTER = timedelta(minutes=15)
# How near a bar before and one after must be to show that the provider has this part of the day.
AROUND = 5 * MINUTE


class MinuteState(StrEnum):
    RECEIVED = "received"
    BACKFILLED = "backfilled"
    NO_TRADE = "no_trade"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class MinuteRange:
    """Consecutive minutes by their starts, both included."""

    first: datetime
    last: datetime

    def __len__(self) -> int:
        return (self.last - self.first) // MINUTE + 1

    def __iter__(self) -> Iterator[datetime]:
        return (self.first + number * MINUTE for number in range(len(self)))


@dataclass(frozen=True, slots=True)
class OpenGap:
    """Consecutive missing minutes of one symbol in one session."""

    symbol: str
    session: Session
    minutes: MinuteRange


def expected_minutes(session: Session, until: datetime) -> MinuteRange | None:
    """The regular minutes of a session that were over at ``until``; None when none was."""
    last = min(session.last_bar, until - MINUTE)
    over = (last - session.open) // MINUTE
    return MinuteRange(session.open, session.open + over * MINUTE) if over >= 0 else None


def gaps(
    session: Session,
    received: Collection[datetime],
    no_trade: Collection[datetime],
    until: datetime,
) -> list[MinuteRange]:
    """The minutes that were over at ``until``, did not come and are not known to be without
    trades, oldest first. Minutes outside the session are ignored."""
    known = {*received, *no_trade}
    return joined(m for m in expected_minutes(session, until) or () if m not in known)


def joined(minutes: Iterable[datetime]) -> list[MinuteRange]:
    """Minutes in any order as the fewest ranges, oldest first."""
    ranges: list[MinuteRange] = []
    for minute in sorted(set(minutes)):
        if ranges and minute == ranges[-1].last + MINUTE:
            ranges[-1] = MinuteRange(ranges[-1].first, minute)
        else:
            ranges.append(MinuteRange(minute, minute))
    return ranges


# -- what a provider's silence means --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """A complete answer (all its pages) to one question: bars of ``symbols`` that start in
    ``first..last``. ``came`` holds the starts of all bars in it, by symbol, be they accepted or
    not; ``asked_at`` is when the question was sent."""

    symbols: tuple[str, ...]
    first: datetime
    last: datetime
    asked_at: datetime
    came: Mapping[str, Collection[datetime]]


def empty_minutes(answer: ProviderAnswer, session: Session) -> dict[str, list[datetime]]:
    """The minutes of a session the answer shows to be without a bar, by symbol; a symbol without
    such minutes is absent.

    A minute counts when the provider evidently has this part of the day: another symbol has a bar
    of this very minute, or bars came within five minutes before and after it (at the session's
    edges the inner side is enough). An outage is silence too, and must not pass for a quiet market.
    """
    expected = expected_minutes(session, answer.asked_at)
    if expected is None:
        return {}
    alive = {start for starts in answer.came.values() for start in starts}
    shown = [
        minute
        for minute in expected
        if answer.first <= minute <= answer.last and _is_shown(minute, alive, session)
    ]
    found: dict[str, list[datetime]] = {}
    for symbol in answer.symbols:
        came = answer.came.get(symbol, ())
        if empty := [minute for minute in shown if minute not in came]:
            found[symbol] = empty
    return found


def _is_shown(minute: datetime, alive: Collection[datetime], session: Session) -> bool:
    if minute in alive:
        return True
    near = [number * MINUTE for number in range(1, AROUND // MINUTE + 1)]
    before = minute - AROUND < session.open or any(minute - step in alive for step in near)
    after = minute + AROUND > session.last_bar or any(minute + step in alive for step in near)
    return before and after


@dataclass(frozen=True, slots=True)
class Looks:
    """The first and the last time a provider's answer lacked a minute's bar."""

    first: datetime
    last: datetime

    def and_at(self, at: datetime) -> Looks:
        return Looks(min(self.first, at), max(self.last, at))

    def confirm(self, minute: datetime) -> bool:
        """Whether they are enough to say that the minute had no trade."""
        settled = minute + MINUTE + SETTLED_AFTER
        return self.last - self.first >= LOOKS_APART or self.last >= settled


# -- the ledger -----------------------------------------------------------------------------------


@dataclass(slots=True)
class LedgerEntry:
    """One symbol in one session. ``received``: minute -> when its bar was first stored;
    ``looks``: minute -> when the provider was seen to have no bar of it."""

    symbol: str
    session: Session
    received: dict[datetime, datetime] = field(default_factory=dict)
    looks: dict[datetime, Looks] = field(default_factory=dict)

    def state(self, minute: datetime) -> MinuteState:
        """Of a regular minute of the session that is over."""
        received_at = self.received.get(minute)
        if received_at is not None:
            late = received_at > minute + MINUTE + ON_TIME
            return MinuteState.BACKFILLED if late else MinuteState.RECEIVED
        looks = self.looks.get(minute)
        if looks is not None and looks.confirm(minute):
            return MinuteState.NO_TRADE
        return MinuteState.MISSING

    @property
    def no_trade(self) -> set[datetime]:
        return {minute for minute in self.looks if self.state(minute) is MinuteState.NO_TRADE}

    def gaps(self, until: datetime) -> list[MinuteRange]:
        return gaps(self.session, self.received, self.no_trade, until)


class GapLedger:
    """All entries of some symbols and sessions."""

    def __init__(self, sessions: SessionTable) -> None:
        self._sessions = sessions
        self._entries: dict[tuple[str, date], LedgerEntry] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GapLedger) and self._entries == other._entries

    @property
    def entries(self) -> list[LedgerEntry]:
        """By symbol and session."""
        return [self._entries[key] for key in sorted(self._entries)]

    def open(self, symbols: Iterable[str], session: Session) -> None:
        """Expect these symbols' bars in this session; what is known of them already stays."""
        for symbol in symbols:
            self._entry(symbol, session)

    def bars_stored(self, bars: Iterable[tuple[str, datetime]], at: datetime) -> None:
        """Bars (symbol, start) were stored at this moment; those outside regular hours do not
        count, and the earliest time of each does."""
        for symbol, start in bars:
            session = self._sessions.session_of(start)
            if session is not None:
                received = self._entry(symbol, session).received
                received[start] = min(at, received.get(start, at))

    def answered(self, answer: ProviderAnswer) -> None:
        """Learn from what an answer lacks. The bars it brought count when they are stored."""
        for session in self._sessions.between(answer.first.date(), answer.last.date()):
            for symbol, minutes in empty_minutes(answer, session).items():
                looks = self._entry(symbol, session).looks
                for minute in minutes:
                    known = looks.get(minute, Looks(answer.asked_at, answer.asked_at))
                    looks[minute] = known.and_at(answer.asked_at)

    def gaps(self, symbol: str, session: Session, until: datetime) -> list[MinuteRange]:
        """A session the ledger was never told to expect is missing as a whole."""
        entry = self._entries.get((symbol, session.date))
        return gaps(session, (), (), until) if entry is None else entry.gaps(until)

    def open_gaps(self, until: datetime) -> list[OpenGap]:
        """What is missing of all that was over at ``until``, by symbol and time."""
        return [
            OpenGap(entry.symbol, entry.session, minutes)
            for entry in self.entries
            for minutes in entry.gaps(until)
        ]

    def hole_before(self, symbol: str, bar_time: datetime, window: int) -> list[datetime]:
        """The missing minutes among those a decision on ``bar_time`` would look back over: from
        the decided minute, included, to the oldest of the last ``window`` received bars.

        Minutes without trades take no place in the window. Ends at the first session that is
        missing as a whole, as nothing older can make the answer better. Oldest first.
        """
        session = self._sessions.session_of(bar_time)
        if session is None:
            raise InvalidInputError(f"{to_iso(bar_time)} lies outside regular trading hours")
        missing: list[datetime] = []
        seen = 0
        until = bar_time + MINUTE
        while True:
            entry = self._entries.get((symbol, session.date)) or LedgerEntry(symbol, session)
            minutes = list(expected_minutes(session, until) or ())
            known = len(missing)
            for minute in reversed(minutes):
                state = entry.state(minute)
                if state is MinuteState.MISSING:
                    missing.append(minute)
                elif state is not MinuteState.NO_TRADE:
                    seen += 1
                    if seen >= window:
                        return missing[::-1]
            if len(missing) - known == len(minutes):
                return missing[::-1]
            session = self._sessions.previous(session.date)
            until = session.close

    def _entry(self, symbol: str, session: Session) -> LedgerEntry:
        key = (symbol, session.date)
        if key not in self._entries:
            self._entries[key] = LedgerEntry(symbol, session)
        return self._entries[key]

"""The bars of a backtest, asked for as live trading asks for them: nothing later than a minute."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise

from tradewind.errors import InvalidInputError
from tradewind.market.adjustment import FactorTable, split_like
from tradewind.market.answer import REREAD
from tradewind.market.bar import MINUTE, Bar, bar_fault, to_iso
from tradewind.market.gap_ledger import GapLedger, ProviderAnswer
from tradewind.market.ports import DailyBar
from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable

# Whenever it became known: the bars are what they are.
_EVER = datetime.max.replace(tzinfo=UTC)


class Market:
    """Regular-session bars of some symbols, and the ledger of the minutes without one.

    ``bars`` in any order, split-adjusted to one price level; those of other symbols or outside
    regular hours do not count. ``daily``: ranges of sessions that the bars do not hold whole.
    InvalidInputError for a bar that cannot be true and for two bars of one minute that differ.
    """

    def __init__(
        self,
        bars: Iterable[Bar],
        symbols: Collection[str],
        calendar: SessionTable,
        daily: Mapping[str, Sequence[DailyBar]] | None = None,
    ) -> None:
        self._calendar = calendar
        self._symbols = tuple(sorted(symbols))
        by_symbol: dict[str, dict[datetime, Bar]] = {symbol: {} for symbol in self._symbols}
        for bar in bars:
            if bar.symbol not in by_symbol or not calendar.in_session(bar.start):
                continue
            _check(bar, by_symbol[bar.symbol].get(bar.start))
            by_symbol[bar.symbol][bar.start] = bar
        self._starts = {symbol: sorted(own) for symbol, own in by_symbol.items()}
        self._bars = {
            symbol: [own[start] for start in self._starts[symbol]]
            for symbol, own in by_symbol.items()
        }
        self._daily = {
            symbol: _daily(own, calendar, (daily or {}).get(symbol, ()))
            for symbol, own in self._bars.items()
        }
        self._ledger = GapLedger(calendar)
        self._asked_until: date | None = None

    def check_level(self, factors: FactorTable, *, overnight: bool) -> None:
        """InvalidInputError where bars before and after a known split are at two price levels. What
        is held ``overnight`` would earn or lose by a split that nobody told of, too: a jump between
        two sessions that looks like one has to be in ``factors``, if only as a factor of 1."""
        for symbol, own in self._bars.items():
            for before, after in pairwise(own):
                days = before.start.date(), after.start.date()
                looks = split_like(before.close, after.open) if days[0] != days[1] else None
                if looks is None or factors.is_no_split(symbol, *days, _EVER):
                    continue
                steps = factors.steps(symbol, *days, _EVER)
                if steps or overnight:
                    raise InvalidInputError(
                        f"bars of {symbol} go from {before.close} at the end of {days[0]} to "
                        f"{after.open} on {days[1]}, which looks like a split ({looks}): bring "
                        "them to one price level, or tell of a factor of 1 if the market moved so"
                    )

    def previous(self, session: Session) -> Session:
        return self._calendar.previous(session.date)

    def following(self, session: Session) -> Session:
        return self._calendar.following(session.date)

    def minute(self, start: datetime) -> dict[str, Bar]:
        """The bars of one minute by symbol; a symbol that did not trade in it is absent."""
        found = {symbol: self.newest(symbol, start, 1) for symbol in self._symbols}
        return {symbol: own[0] for symbol, own in found.items() if own and own[0].start == start}

    def newest(self, symbol: str, until: datetime, count: int) -> list[Bar]:
        """The newest ``count`` bars with start <= until, oldest first; fewer where there are."""
        end = bisect_right(self._starts[symbol], until)
        return self._bars[symbol][max(0, end - count) : end]

    def highest_high(self, symbol: str, since: datetime, until: datetime) -> Decimal | None:
        """Over the bars with since <= start <= until; None without any."""
        starts = self._starts[symbol]
        own = self._bars[symbol][bisect_left(starts, since) : bisect_right(starts, until)]
        return max((bar.high for bar in own), default=None)

    def daily(self, symbol: str, before: date, count: int) -> list[DailyBar]:
        """The ranges of the last ``count`` sessions with bars before a day, oldest first."""
        days = self._daily[symbol]
        end = bisect_left(days, before, key=lambda day: day.session)
        return days[max(0, end - count) : end]

    def prepare(self, session: Session) -> None:
        """Before a session: what came of the sessions before it is settled by now."""
        firsts = [starts[0] for starts in self._starts.values() if starts]
        if not firsts:
            return
        first = self._asked_until or min(firsts).date()
        for earlier in self._calendar.between(first, session.date):
            if earlier.date < session.date:
                self._look(earlier.open, earlier.last_bar, session.open)
        self._asked_until = session.date

    def look(self, session: Session, bar_time: datetime) -> None:
        """What the provider's answer in the run of a minute shows: live trading reads the last ten
        minutes again each time, and takes a minute that twice was not there for one without
        trades."""
        first = max(session.open, bar_time - REREAD + MINUTE)
        self._look(first, bar_time, bar_time + MINUTE)

    def recent_minutes(self, session: Session, bar_time: datetime) -> list[datetime]:
        """The regular minutes of the session before and of this one, up to a minute."""
        before = self._calendar.previous(session.date)
        minutes = [before.open + number * MINUTE for number in range(before.minutes)]
        count = (bar_time - session.open) // MINUTE + 1
        return minutes + [session.open + number * MINUTE for number in range(count)]

    def missing(self, symbol: str, since: datetime, until: datetime) -> list[datetime]:
        """The regular minutes from ``since`` on that were over at ``until``, have no bar and are
        not known to be without trades."""
        return [
            minute
            for session in self._calendar.between(since.date(), until.date())
            for gap in self._ledger.gaps(symbol, session, until)
            for minute in gap
            if minute >= since
        ]

    def _look(self, first: datetime, last: datetime, asked_at: datetime) -> None:
        came = {symbol: self._between(symbol, first, last) for symbol in self._symbols}
        self._ledger.bars_stored(
            ((symbol, start) for symbol, starts in came.items() for start in starts), asked_at
        )
        expected = (last - first) // MINUTE + 1
        if any(len(starts) < expected for starts in came.values()):
            self._ledger.answered(ProviderAnswer(self._symbols, first, last, asked_at, came))

    def _between(self, symbol: str, first: datetime, last: datetime) -> Sequence[datetime]:
        starts = self._starts[symbol]
        return starts[bisect_left(starts, first) : bisect_right(starts, last)]


def _check(bar: Bar, known: Bar | None) -> None:
    fault = bar_fault(bar)
    if fault is not None:
        raise InvalidInputError(f"{bar.symbol} {to_iso(bar.start)}: {fault}")
    if known is not None and not known.same_values(bar):
        raise InvalidInputError(f"{bar.symbol} {to_iso(bar.start)}: two bars that differ")


def _daily(
    bars: Sequence[Bar], calendar: SessionTable, earlier: Sequence[DailyBar]
) -> list[DailyBar]:
    """The ranges by session; ``earlier`` ones count before those of the bars, which may begin in
    the middle of a session."""
    by_day: dict[date, list[Bar]] = {}
    for bar in bars:
        session = calendar.session_of(bar.start)
        if session is not None:
            by_day.setdefault(session.date, []).append(bar)
    made = {
        day: DailyBar(
            own[0].symbol,
            day,
            own[0].open,
            max(bar.high for bar in own),
            min(bar.low for bar in own),
            own[-1].close,
        )
        for day, own in by_day.items()
    }
    made |= {day.session: day for day in earlier}
    return [made[day] for day in sorted(made)]

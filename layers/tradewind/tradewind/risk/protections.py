"""Protections: when trading goes badly, less of it or none for a while.

After freqtrade's protections (https://www.freqtrade.io/en/latest/includes/protections/):
CooldownPeriod, StoplossGuard, MaxDrawdown, LowProfitPairs. Different here: times are counted in
regular minutes, so that a night heals nothing; drawdown is that of the account's equity rather than
of closed trades; from the peak, size is halved before anything is locked.

Everything follows from what is given, so that a backtest and a live run lock the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, to_iso
from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable
from tradewind.risk.locks import Lock, in_force

FULL_SIZE = Decimal(1)
# The shortest session there is (a half-day), in minutes, and the most days from one to the next.
_SHORTEST_SESSION = 210
_LONGEST_BREAK = timedelta(days=5)


class Protection(StrEnum):
    """The names by which protections are switched off; the locks' codes, too."""

    COOLDOWN = "cooldown"
    STOP_GUARD = "stop_guard"
    DAILY_DRAWDOWN = "daily_drawdown"
    PEAK_DRAWDOWN = "peak_drawdown"
    LOW_PROFIT = "low_profit"


@dataclass(frozen=True, slots=True)
class ProtectionSettings:
    """Times are regular minutes, drawdowns and profits fractions.

    ``cooldown``: no entry in a symbol for so long after it was left. The signal that closed it
    often comes back at once in a sideways market, and each return pays the spread.
    ``stops_in_symbol``, ``stops_in_all``: so many exits by stop within ``stop_window`` lock the
    symbol, or all, for ``stop_lock``. Stops in a row say that the market is not the one the
    strategy was made for.
    ``daily_drawdown``: at this loss since the previous close entries stop until the next session.
    ``halving_drawdown``: at this loss from the peak new size is multiplied by ``reduced_size``.
    ``locking_drawdown``: at this loss from the peak entries stop for ``locking_sessions`` sessions
    (the one it happens in counted), once a peak; None: never.
    ``low_profit_trades``: so many round trips of a symbol within ``low_profit_window`` that
    together earned less than ``low_profit`` lock it for ``low_profit_lock``.
    ``off``: protections that are switched off.
    """

    cooldown: int = 5
    stops_in_symbol: int = 2
    stops_in_all: int = 4
    stop_window: int = 60
    stop_lock: int = 60
    daily_drawdown: Decimal = Decimal("0.10")
    halving_drawdown: Decimal = Decimal("0.075")
    reduced_size: Decimal = Decimal("0.5")
    locking_drawdown: Decimal | None = None
    locking_sessions: int = 5
    low_profit_trades: int = 4
    low_profit: Decimal = Decimal("-0.01")
    low_profit_window: int = 390
    low_profit_lock: int = 195
    off: frozenset[Protection] = frozenset()

    def __post_init__(self) -> None:
        for name in ("cooldown", "stops_in_symbol", "stops_in_all", "stop_window", "stop_lock",
                     "locking_sessions", "low_profit_trades", "low_profit_window",
                     "low_profit_lock"):  # fmt: skip
            if getattr(self, name) < 1:
                raise InvalidInputError(f"protections: {name} is {getattr(self, name)}, least is 1")
        drawdowns = {"daily_drawdown": self.daily_drawdown,
                     "halving_drawdown": self.halving_drawdown}  # fmt: skip
        if self.locking_drawdown is not None:
            drawdowns["locking_drawdown"] = self.locking_drawdown
        for name, value in drawdowns.items():
            if not 0 < value < 1:
                raise InvalidInputError(f"protections: {name} is {value}, not between 0 and 1")
        if self.locking_drawdown is not None and self.locking_drawdown < self.halving_drawdown:
            raise InvalidInputError(
                f"protections: locking_drawdown {self.locking_drawdown} comes before "
                f"halving_drawdown {self.halving_drawdown}"
            )
        if not 0 < self.reduced_size <= 1:
            raise InvalidInputError(
                f"protections: reduced_size is {self.reduced_size}, not above 0 and at most 1"
            )

    @property
    def looks_back(self) -> int:
        """Regular minutes of closed round trips that :func:`protect` has to be given."""
        return max(self.cooldown, self.stop_window + self.stop_lock,
                   self.low_profit_window + self.low_profit_lock)  # fmt: skip

    @classmethod
    def without(cls, names: Iterable[str]) -> ProtectionSettings:
        """The defaults with these protections off. Raises InvalidInputError for an unknown name."""
        try:
            return cls(off=frozenset(Protection(name) for name in names))
        except ValueError as error:
            raise InvalidInputError(
                f"protections: {error}; known are {', '.join(Protection)}"
            ) from error


@dataclass(frozen=True, slots=True)
class ClosedTrip:
    """From flat to flat in one symbol. ``profit`` is a fraction of what the shares cost."""

    symbol: str
    closed_at: datetime
    profit: Decimal
    by_stop: bool


@dataclass(frozen=True, slots=True)
class EquityChange:
    """Fractions, negative for a loss, None where unknown; deposits and withdrawals are out
    (:mod:`tradewind.risk.equity`). ``peak_at`` names the peak that ``from_peak`` counts from."""

    since_close: Decimal | None = None
    from_peak: Decimal | None = None
    peak_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Protected:
    """What holds at a moment: locks, and what every new size is multiplied by, and why."""

    locks: tuple[Lock, ...] = ()
    size_factor: Decimal = FULL_SIZE
    size_reason: str = ""


def sessions_around(
    session: Session, settings: ProtectionSettings, calendar: SessionTable
) -> list[Session]:
    """Enough sessions before and after to count the protections' minutes back and their locks on,
    oldest first."""
    back = settings.looks_back // _SHORTEST_SESSION + 1
    ahead = max(settings.looks_back // _SHORTEST_SESSION, settings.locking_sessions) + 1
    first = max(session.date - back * _LONGEST_BREAK, calendar.first_day)
    last = min(session.date + ahead * _LONGEST_BREAK, calendar.last_day)
    return calendar.between(first, last)


def protect(
    at: datetime,
    trips: Sequence[ClosedTrip],
    change: EquityChange,
    sessions: Sequence[Session],
    settings: ProtectionSettings,
    standing: Sequence[Lock] = (),
) -> Protected:
    """The locks in force at ``at`` and the size of what may be entered.

    ``trips``: those closed in the last ``settings.looks_back`` regular minutes at least, any order;
    later ones than ``at`` are left out. ``sessions``: from the first trip's to some after ``at``,
    oldest first; a lock that would end after the last of them ends with it. ``standing``: locks
    found earlier; a daily drawdown that recovered stays locked through them.
    """
    known = sorted(
        (trip for trip in trips if trip.closed_at <= at),
        key=lambda trip: (trip.closed_at, trip.symbol),
    )
    found = [
        lock
        for name, rule in _RULES.items()
        if name not in settings.off
        for lock in rule(known, TradingMinutes(sessions), settings)
    ]
    found += _drawdown_locks(at, change, sessions, settings)
    # What is switched off lifts also the locks that it set before.
    kept = [lock for lock in standing if lock.code not in settings.off]
    factor, reason = _size(change, settings)
    return Protected(in_force(kept, found, at), factor, reason)


class TradingMinutes:
    """Time counted in regular minutes only."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self._sessions = sessions

    def later(self, at: datetime, minutes: int) -> datetime:
        """The moment so many regular minutes after, rounded up to the minute."""
        left = minutes * MINUTE
        end = at
        for session in self._sessions:
            if session.close <= at:
                continue
            begins = max(at, session.open)
            if session.close - begins > left:
                return _rounded_up(begins + left)
            left -= session.close - begins
            end = session.close
        return end

    def elapsed(self, at: datetime) -> timedelta:
        """The regular time from the first session's open to a moment."""
        parts = (
            min(at, session.close) - session.open for session in self._sessions if session.open < at
        )
        return sum(parts, timedelta())

    def within(self, trips: Sequence[ClosedTrip], minutes: int) -> list[Sequence[ClosedTrip]]:
        """For each trip, itself and those before it that closed less than so many regular minutes
        earlier. ``trips``: oldest first."""
        times = [self.elapsed(trip.closed_at) for trip in trips]
        firsts = [bisect_right(times, time - minutes * MINUTE) for time in times]
        return [trips[first : number + 1] for number, first in enumerate(firsts)]


def _rounded_up(at: datetime) -> datetime:
    whole = at.replace(second=0, microsecond=0)
    return whole if whole == at else whole + MINUTE


def _cooldowns(
    trips: Sequence[ClosedTrip], time: TradingMinutes, settings: ProtectionSettings
) -> Iterator[Lock]:
    for trip in trips:
        until = time.later(trip.closed_at, settings.cooldown)
        yield Lock(
            trip.symbol,
            trip.closed_at,
            until,
            Protection.COOLDOWN,
            f"{trip.symbol} was left at {to_iso(trip.closed_at)}; no entry for "
            f"{settings.cooldown} minutes",
            to_iso(trip.closed_at),
        )


def _stop_guards(
    trips: Sequence[ClosedTrip], time: TradingMinutes, settings: ProtectionSettings
) -> Iterator[Lock]:
    stops = [trip for trip in trips if trip.by_stop]
    for stop, recent in zip(stops, time.within(stops, settings.stop_window), strict=True):
        of_symbol = sum(1 for other in recent if other.symbol == stop.symbol)
        until = time.later(stop.closed_at, settings.stop_lock)
        for symbol, count, limit in (
            (stop.symbol, of_symbol, settings.stops_in_symbol),
            (None, len(recent), settings.stops_in_all),
        ):
            if count >= limit:
                yield Lock(
                    symbol,
                    stop.closed_at,
                    until,
                    Protection.STOP_GUARD,
                    f"{count} exits by stop in {symbol or 'all symbols'} within "
                    f"{settings.stop_window} minutes; no entry for {settings.stop_lock} minutes",
                    to_iso(stop.closed_at),
                )


def _low_profits(
    trips: Sequence[ClosedTrip], time: TradingMinutes, settings: ProtectionSettings
) -> Iterator[Lock]:
    by_symbol: dict[str, list[ClosedTrip]] = {}
    for trip in trips:
        by_symbol.setdefault(trip.symbol, []).append(trip)
    for symbol, own in by_symbol.items():
        for trip, recent in zip(own, time.within(own, settings.low_profit_window), strict=True):
            earned = sum((one.profit for one in recent), Decimal(0))
            if len(recent) < settings.low_profit_trades or earned >= settings.low_profit:
                continue
            yield Lock(
                symbol,
                trip.closed_at,
                time.later(trip.closed_at, settings.low_profit_lock),
                Protection.LOW_PROFIT,
                f"{len(recent)} round trips of {symbol} within {settings.low_profit_window} "
                f"minutes earned {earned * 100:+.2f} %; no entry for {settings.low_profit_lock} "
                "minutes",
                to_iso(trip.closed_at),
            )


_Rule = Callable[[Sequence[ClosedTrip], TradingMinutes, ProtectionSettings], Iterator[Lock]]
_RULES: Mapping[Protection, _Rule] = {
    Protection.COOLDOWN: _cooldowns,
    Protection.STOP_GUARD: _stop_guards,
    Protection.LOW_PROFIT: _low_profits,
}


def _drawdown_locks(
    at: datetime, change: EquityChange, sessions: Sequence[Session], settings: ProtectionSettings
) -> Iterator[Lock]:
    # The run of a session's last bar happens at its close, and is still of that session.
    to_come = [session for session in sessions if session.close >= at]
    if not to_come:
        return
    today, later = to_come[0], to_come[1:]
    day, peak = change.since_close, change.from_peak
    if (
        Protection.DAILY_DRAWDOWN not in settings.off
        and day is not None
        and day <= -settings.daily_drawdown
    ):
        yield Lock(
            None,
            at,
            later[0].open if later else today.close,
            Protection.DAILY_DRAWDOWN,
            f"equity is {day * 100:.2f} % since the previous close; entries stop at "
            f"-{settings.daily_drawdown * 100:f} % until the next session",
            today.date.isoformat(),
        )
    if (
        Protection.PEAK_DRAWDOWN not in settings.off
        and settings.locking_drawdown is not None
        and peak is not None
        and peak <= -settings.locking_drawdown
    ):
        locked = to_come[: settings.locking_sessions]
        yield Lock(
            None,
            at,
            locked[-1].close,
            Protection.PEAK_DRAWDOWN,
            f"equity is {peak * 100:.2f} % from its peak; entries stop at "
            f"-{settings.locking_drawdown * 100:f} % for {settings.locking_sessions} sessions",
            to_iso(change.peak_at) if change.peak_at is not None else "first",
        )


def _size(change: EquityChange, settings: ProtectionSettings) -> tuple[Decimal, str]:
    peak = change.from_peak
    if (
        Protection.PEAK_DRAWDOWN in settings.off
        or peak is None
        or peak > -settings.halving_drawdown
    ):
        return FULL_SIZE, ""
    return (
        settings.reduced_size,
        f"size times {settings.reduced_size}: equity is {peak * 100:.2f} % from its peak "
        f"(from -{settings.halving_drawdown * 100:f} % on)",
    )

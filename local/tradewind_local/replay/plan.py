"""What a replay was asked to do, checked whole before anything is started or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tradewind.errors import InvalidInputError, OutsideCalendarError
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.csv_bars import read_bars
from tradewind.market.csv_rows import Label
from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable
from tradewind.market.symbol import check_symbol

from tradewind_local.exchange.simulated_market import simulated_bars

DEFAULT_SYMBOLS = ("AAPL", "MSFT")
DEFAULT_SIMULATED_MINUTES = 60
LONGEST_SESSION = 390
# Any session does for a market that never was; a fixed one gives the same run to everybody.
SIMULATED_DATE = date(2025, 6, 10)


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """One session to replay.

    ``history`` are regular-hours bars before the session and ``bars`` those of it, both ordered by
    time; ``minutes`` counts the runs from the session's open. ``source`` is ``recorded`` or
    ``simulated``.
    """

    source: str
    session: Session
    symbols: tuple[str, ...]
    minutes: int
    history: tuple[Bar, ...]
    bars: tuple[Bar, ...]

    @property
    def simulated(self) -> bool:
        return self.source == "simulated"

    def bar_times(self) -> list[datetime]:
        """The bars decided on, one a run: the run happens in the minute after."""
        return [self.session.open + minute * MINUTE for minute in range(self.minutes)]


def recorded_plan(
    files: Mapping[str, Path],
    day: str | None,
    minutes: int | None,
    label: Label,
    timezone: str,
    sessions: SessionTable,
) -> ReplayPlan:
    """Bars from CSV files, by symbol. Raises InvalidInputError with one line."""
    if day is None:
        raise InvalidInputError("--date is missing: which day of the files is to be replayed?")
    session = _session(day, sessions)
    count = _minutes(minutes, session, session.minutes)
    zone = _zone(timezone)
    history: list[Bar] = []
    bars: list[Bar] = []
    for symbol, path in files.items():
        check_symbol(symbol)
        regular = [
            bar for bar in read_bars(path, symbol, label, zone) if _in_session(bar.start, sessions)
        ]
        of_day = [bar for bar in regular if session.contains(bar.start)]
        if not of_day:
            raise InvalidInputError(f"{path}: no bars in the session of {day}; {_extent(regular)}")
        bars += of_day
        history += [bar for bar in regular if bar.start < session.open]
    return ReplayPlan("recorded", session, tuple(files), count, _by_time(history), _by_time(bars))


def simulated_plan(
    symbols: Sequence[str],
    day: str | None,
    minutes: int | None,
    seed: int,
    sessions: SessionTable,
) -> ReplayPlan:
    """A seeded simulated market. Raises InvalidInputError with one line."""
    for symbol in symbols:
        check_symbol(symbol)
    if len(set(symbols)) != len(symbols):
        raise InvalidInputError(f"--symbols names a symbol twice: {' '.join(symbols)}")
    session = _session(day or SIMULATED_DATE.isoformat(), sessions)
    count = _minutes(minutes, session, min(DEFAULT_SIMULATED_MINUTES, session.minutes))
    walked = sessions.between(max(_market_opens(session.date), sessions.first_day), session.date)
    everything = simulated_bars(symbols, walked, seed)
    return ReplayPlan(
        "simulated",
        session,
        tuple(symbols),
        count,
        tuple(bar for bar in everything if bar.start < session.open),
        tuple(bar for bar in everything if bar.start >= session.open),
    )


def parse_bars_option(values: Sequence[str]) -> dict[str, Path]:
    """``AAPL=path.csv`` for each; the files must be there. Raises InvalidInputError."""
    files: dict[str, Path] = {}
    for value in values:
        symbol, equals, path = value.partition("=")
        if not equals or not symbol or not path:
            raise InvalidInputError(f"--bars {value!r} is not like AAPL=path.csv")
        if symbol in files:
            raise InvalidInputError(f"--bars names {symbol} twice")
        files[symbol] = Path(path)
    return files


def _session(day: str, sessions: SessionTable) -> Session:
    try:
        wanted = date.fromisoformat(day)
    except ValueError as error:
        raise InvalidInputError(f"--date {day!r} is not a date like 2020-11-12") from error
    try:
        session = sessions.session_on(wanted)
    except OutsideCalendarError as error:
        raise InvalidInputError(f"--date {error}") from error
    if session is None:
        raise InvalidInputError(
            f"--date {day}: the exchange has no session that day (weekend or holiday)"
        )
    return session


def _market_opens(day: date) -> date:
    """Where the simulated market of a session begins: on the first of the month before. Daily
    ranges of three weeks size a position, and a month's sessions follow each other on one walk."""
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def _minutes(asked: int | None, session: Session, default: int) -> int:
    """On a short day the replay ends at the close, however many minutes were asked for."""
    if asked is None:
        return default
    if not 1 <= asked <= LONGEST_SESSION:
        raise InvalidInputError(f"--minutes {asked}: give 1 to {LONGEST_SESSION}")
    return min(asked, session.minutes)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInputError(
            f"--timezone {name!r} is not a time zone like America/New_York"
        ) from error


def _in_session(start: datetime, sessions: SessionTable) -> bool:
    try:
        return sessions.in_session(start)
    except OutsideCalendarError:
        return False


def _extent(bars: Sequence[Bar]) -> str:
    if not bars:
        return "no row of it lies in regular trading hours (is --label or --timezone right?)"
    first, last = bars[0].start.date(), bars[-1].start.date()
    return f"its regular-hours bars run from {first} to {last}"


def _by_time(bars: Sequence[Bar]) -> tuple[Bar, ...]:
    return tuple(sorted(bars, key=lambda bar: (bar.start, bar.symbol)))

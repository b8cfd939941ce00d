"""Ask a provider for past sessions and store what is missing of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby

from tradewind.errors import (
    ProviderRefusedError,
    RetryableError,
    ThrottledError,
    TradewindError,
    UnknownSymbolError,
)
from tradewind.market.answer import Answer, Question
from tradewind.market.bar import Bar
from tradewind.market.gap_ledger import empty_minutes
from tradewind.market.intake import APART, Intake
from tradewind.market.ports import CorporateActionProvider, MarketDataProvider
from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable
from tradewind.market.verdict import ValidationRules
from tradewind.use_cases.ports import Clock
from tradewind.use_cases.store_bars import BarShelf
from tradewind.use_cases.unit_of_work import Database

logger = logging.getLogger(__name__)

# The transport tries a request four times within seconds; a question as a whole is asked so often,
# so long apart. A provider that is still not there then is down.
ATTEMPTS = 4
FIRST_PAUSE = 5.0
# A provider that names a longer time is not waited for: its quota is used up.
LONGEST_WAIT = 90.0


@dataclass(frozen=True, slots=True)
class Source:
    """A provider and how it is best asked: ``symbols_a_call`` at once, and sessions together that
    ``together`` gives the same key (one session, or a month where that costs one request)."""

    name: str
    provider: MarketDataProvider
    corporate_actions: CorporateActionProvider | None
    symbols_a_call: int
    together: Callable[[Session], object]


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why not everything was asked for: the error's name and words; ``go_on_at`` when the provider
    named a time."""

    error: str
    cause: str
    go_on_at: datetime | None


@dataclass(slots=True)
class Backfilled:
    """``asked`` and ``skipped`` count pairs of symbol and session; skipped ones were complete.
    ``unknown``: symbols the provider does not know, with what it says."""

    intakes: dict[str, Intake]
    asked: int = 0
    skipped: int = 0
    unknown: dict[str, str] = field(default_factory=dict)
    stopped: Stopped | None = None


@dataclass(frozen=True, slots=True)
class _Call:
    symbols: tuple[str, ...]
    sessions: tuple[Session, ...]

    def question(self) -> Question:
        return Question(self.symbols, self.sessions[0].open, self.sessions[-1].last_bar)


class _StopError(Exception):
    def __init__(self, error: TradewindError, go_on_at: datetime | None = None) -> None:
        super().__init__(str(error))
        self.stopped = Stopped(type(error).__name__, str(error), go_on_at)


def backfill_bars(
    symbols: Sequence[str],
    wanted: Sequence[Session],
    *,
    source: Source,
    database: Database,
    sessions: SessionTable,
    rules: ValidationRules,
    clock: Clock,
    again: bool,
    progress: Callable[[int, str], None],
) -> Backfilled:
    """Regular hours of the sessions (oldest first), as far as they are over.

    A session without missing minutes in the ledger is skipped, unless ``again``. Each symbol's
    session is a transaction, so the same call goes on where it was stopped. A quota that is used
    up, a provider that stays away or refuses ends it early (``Backfilled.stopped``); nothing that
    was stored before is lost. ``progress`` is told how many pairs of symbol
    and session are done, and the session.
    """
    now = clock.now()
    _learn_splits(symbols, wanted, source, database)
    missing = _missing(symbols, wanted, database, now)
    done = Backfilled({symbol: Intake(symbol, source.name) for symbol in symbols})
    todo = {
        session: tuple(s for s in symbols if again or s in missing.get(session.date, ()))
        for session in wanted
    }
    done.skipped = len(symbols) * len(wanted) - sum(map(len, todo.values()))
    shelves = {
        symbol: BarShelf(intake, database=database, sessions=sessions, rules=rules)
        for symbol, intake in done.intakes.items()
    }
    try:
        for call in _calls(todo, source):
            known = tuple(symbol for symbol in call.symbols if symbol not in done.unknown)
            answer = _ask(_Call(known, call.sessions), source, clock, done) if known else None
            if answer is not None:
                _store(answer, call.sessions, shelves, database)
            done.asked += len(call.symbols) * len(call.sessions)
            progress(done.skipped + done.asked, call.sessions[-1].date.isoformat())
    except _StopError as stop:
        done.stopped = stop.stopped
    for shelf in shelves.values():
        shelf.close(clock.now())
    return done


def _learn_splits(
    symbols: Sequence[str], sessions: Sequence[Session], source: Source, database: Database
) -> None:
    """Without them a jump of a split's size is held back all the same. Other actions of the past
    concern nobody who trades today."""
    if source.corporate_actions is None or not sessions:
        return
    try:
        # The first session is measured by the one before it.
        announced = source.corporate_actions.announced(
            symbols, sessions[0].date - APART, sessions[-1].date
        )
    except (RetryableError, ProviderRefusedError) as error:
        logger.warning("no corporate actions: %s", error)
        return
    with database.transaction() as stores:
        stores.factors.learn(announced.factors)


def _missing(
    symbols: Sequence[str], sessions: Sequence[Session], database: Database, until: datetime
) -> dict[date, set[str]]:
    """By session, the symbols of which minutes are missing."""
    missing: dict[date, set[str]] = {}
    with database.transaction() as stores:
        for gap in stores.gaps.open_gaps(symbols, sessions, until):
            missing.setdefault(gap.session.date, set()).add(gap.symbol)
    return missing


def _calls(todo: Mapping[Session, Sequence[str]], source: Source) -> Iterator[_Call]:
    """What to ask, oldest first: sessions that belong together and miss the same symbols."""
    for _, group in groupby(todo, key=source.together):
        by_symbols: dict[tuple[str, ...], list[Session]] = {}
        for session in group:
            for some in _portions(todo[session], source.symbols_a_call):
                by_symbols.setdefault(some, []).append(session)
        for some, together in by_symbols.items():
            yield _Call(some, tuple(together))


def _portions(symbols: Sequence[str], size: int) -> Iterable[tuple[str, ...]]:
    return (tuple(symbols[start : start + size]) for start in range(0, len(symbols), size))


def _ask(call: _Call, source: Source, clock: Clock, done: Backfilled) -> Answer | None:
    """The answer; None when the provider knows none of the symbols."""
    question = call.question()
    attempt = 1
    while True:
        asked_at = clock.now()
        try:
            bars = source.provider.bars(question.symbols, question.first, question.last)
            return Answer(question, asked_at, tuple(bars))
        except UnknownSymbolError as error:
            done.unknown.update(dict.fromkeys(question.symbols, str(error)))
            return None
        except ProviderRefusedError as error:
            raise _StopError(error) from error
        except RetryableError as error:
            wait = FIRST_PAUSE * 2 ** (attempt - 1)
            if isinstance(error, ThrottledError) and error.retry_after is not None:
                wait = error.retry_after
            if wait > LONGEST_WAIT:
                raise _StopError(error, clock.now() + timedelta(seconds=wait)) from error
            if attempt == ATTEMPTS:
                raise _StopError(error) from error
            logger.warning("%s: again in %.0f s: %s", source.name, wait, error)
            clock.sleep(wait)
            attempt += 1


def _store(
    answer: Answer,
    sessions: Sequence[Session],
    shelves: Mapping[str, BarShelf],
    database: Database,
) -> None:
    for session in sessions:
        came: dict[str, list[Bar]] = {}
        for bar in answer.bars:
            if session.contains(bar.start):
                came.setdefault(bar.symbol, []).append(bar)
        for symbol, bars in came.items():
            shelf = shelves[symbol]
            shelf.intake.read += len(bars)
            shelf.take(bars, answer.asked_at)
        # A symbol without any bar proves nothing: it may be unknown, or not there yet.
        empty = {
            symbol: minutes
            for symbol, minutes in empty_minutes(answer.for_the_ledger(), session).items()
            if symbol in came
        }
        if empty:
            with database.transaction() as stores:
                stores.gaps.seen_empty(empty, answer.asked_at)

"""Backtests on request: what is asked for is written down once, answered for an hour, run once.

The id of a backtest is a hash of the bars and of what is asked (``BacktestRequest.id_with``). Who
asks for the same within the hour gets what is there, be it under way or done; one that failed is
run again when it is asked for again.

``start_backtest`` runs outside the VPC, where runs are started, and ``register_backtest`` inside,
where the books are. The times come from the former.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Any, Protocol

from tradewind.backtest.request import BacktestRequest
from tradewind.errors import CycleFailedBeforeError, InvalidInputError, ThrottledError
from tradewind.market.adjustment import FactorTable
from tradewind.market.bar import Bar, from_iso, to_iso
from tradewind.use_cases.ports import Clock, PayloadRef, TradingCycleStarter

# How long the same question gets the same answer.
KEPT_FOR = timedelta(hours=1)
# No run is under way longer: the state machine's own limit.
LONGEST_RUN = timedelta(minutes=50)
# Each step of a run keeps a connection to PostgreSQL (docs/connections.md).
MOST_UNDER_WAY = 2

# Whenever it was learnt.
_TODAY = datetime.max.replace(tzinfo=UTC)

_ID = re.compile(r"[0-9a-f]{32}")


class BacktestState(StrEnum):
    REQUESTED = "requested"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StoredBacktest:
    """One row of ``backtests``: the newest run of this question.

    ``request``: its JSON form. ``data_hash``: of the bars asked for. ``result``: JSON, of a run its
    metrics, of a sweep the best trials; ``result_ref``: the object with all of it.
    """

    backtest_id: str
    requested_at: datetime
    expires_at: datetime
    state: BacktestState
    data_hash: str
    request: Mapping[str, Any]
    trials: int
    result: Mapping[str, Any] | None = None
    result_ref: PayloadRef | None = None
    reason: str | None = None
    finished_at: datetime | None = None

    @property
    def run(self) -> str:
        """The name of its execution and of its objects' folder."""
        return f"{self.backtest_id}-{int(self.requested_at.timestamp())}"

    def is_lost(self, now: datetime) -> bool:
        """Under way for longer than any run may be: it ended without a word."""
        under_way = self.state in (BacktestState.REQUESTED, BacktestState.RUNNING)
        return under_way and now - self.requested_at > LONGEST_RUN

    def answers(self, now: datetime) -> bool:
        """Whether the same question is answered by this, rather than run anew."""
        alive = self.state is not BacktestState.FAILED and not self.is_lost(now)
        return alive and now < self.expires_at

    def as_answer(self, now: datetime) -> dict[str, Any]:
        """What the API says of it, JSON-ready."""
        lost, ref = self.is_lost(now), self.result_ref
        return {
            "backtest_id": self.backtest_id,
            "state": BacktestState.FAILED.value if lost else self.state.value,
            "requested_at": to_iso(self.requested_at),
            "expires_at": to_iso(self.expires_at),
            "finished_at": None if self.finished_at is None else to_iso(self.finished_at),
            "trials": self.trials,
            "request": dict(self.request),
            "result": None if self.result is None else dict(self.result),
            "result_key": None if ref is None else ref.key,
            "reason": "the run ended without a word" if lost else self.reason,
        }


class BacktestStore(Protocol):
    """The ``backtests`` table. What is said of a run counts only while it is its question's newest
    one (``requested_at``), so that a run which was given up cannot speak for its successor."""

    def lock(self) -> None:
        """Wait for, then hold, the right to request, until the transaction ends."""
        ...

    def find(self, backtest_id: str) -> StoredBacktest | None: ...

    def under_way(self, since: datetime) -> int:
        """How many that were requested since are not over."""
        ...

    def request(self, backtest: StoredBacktest) -> None:
        """Insert, in the place of an earlier run of the same question."""
        ...

    def running(self, backtest: StoredBacktest) -> None: ...

    def done(
        self,
        backtest: StoredBacktest,
        result: Mapping[str, Any],
        result_ref: PayloadRef,
        at: datetime,
    ) -> None: ...

    def failed(self, backtest: StoredBacktest, reason: str, at: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class BarExtent:
    """How many regular bars of a symbol the ``bars`` table has between two days, and a SHA-256
    (hex) over them."""

    bars: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ArchivedPart:
    """An object of the bars' archive that holds a month between two days, or a part of it."""

    key: str
    sha256: str


class BarHistory(Protocol):
    """The bars of regular hours for research. Days are New York's, both included."""

    def extent(self, symbol: str, first: date, last: date) -> BarExtent: ...

    def bars(self, symbol: str, first: date, last: date) -> Iterator[Sequence[Bar]]:
        """What the table has, as it was traded, oldest first, a month at a time."""
        ...

    def archived(self, first: date, last: date) -> list[ArchivedPart]:
        """What the archive has of months that left the table, oldest first."""
        ...

    def factors(self, symbols: Sequence[str]) -> FactorTable: ...


@dataclass(frozen=True, slots=True)
class ResearchBooks:
    """What one transaction of research sees."""

    backtests: BacktestStore
    history: BarHistory


class ResearchDatabase(Protocol):
    def researching(self) -> AbstractContextManager[ResearchBooks]: ...


class BacktestRegistry(Protocol):
    """``register_backtest``, from outside the VPC."""

    def register(self, request: Mapping[str, Any], at: datetime) -> Mapping[str, Any]: ...


def start_backtest(
    body: str, *, registry: BacktestRegistry, runs: TradingCycleStarter, clock: Clock
) -> dict[str, Any]:
    """``POST /v1/backtest``: the answer of ``GET /v1/backtest/{id}`` for this question, its run
    started if there is none.

    InvalidInputError for a request that cannot be, ThrottledError while too many are under way.
    """
    request = BacktestRequest.parse(body)
    answer = dict(registry.register(request.as_payload(), clock.now()))
    run = str(answer.pop("run"))
    if answer["state"] == BacktestState.REQUESTED:
        told = {name: answer[name] for name in ("backtest_id", "requested_at")}
        try:
            # Under the run's own name: a second start changes nothing.
            runs.start(run, told)
        except CycleFailedBeforeError:
            answer |= {"state": BacktestState.FAILED.value, "reason": "the run could not begin"}
    return answer


def register_backtest(
    content: Mapping[str, Any], at: datetime, *, database: ResearchDatabase
) -> dict[str, Any]:
    """Write a request down, unless it is answered already; the answer, with its ``run``'s name."""
    request = BacktestRequest.from_payload(content)
    with database.researching() as books:
        data_hash = data_hash_of(request, books.history)
        backtest_id = request.id_with(data_hash)
        books.backtests.lock()
        known = books.backtests.find(backtest_id)
        if known is None or not known.answers(at):
            if books.backtests.under_way(at - LONGEST_RUN) >= MOST_UNDER_WAY:
                raise ThrottledError(
                    f"{MOST_UNDER_WAY} backtests are under way: ask again when one is over", 60
                )
            requested_at = at.replace(microsecond=0)
            if known is not None:
                # Its run's name has been used, and seconds are all that tells two names apart.
                requested_at = max(requested_at, known.requested_at + timedelta(seconds=1))
            known = StoredBacktest(
                backtest_id,
                requested_at,
                requested_at + KEPT_FOR,
                BacktestState.REQUESTED,
                data_hash,
                request.as_payload(),
                request.trials,
            )
            books.backtests.request(known)
    return {**known.as_answer(at), "run": known.run}


def read_backtest(
    backtest_id: str, now: datetime, *, database: ResearchDatabase
) -> dict[str, Any] | None:
    """``GET /v1/backtest/{id}``; None when nobody asked for one of that id."""
    if not _ID.fullmatch(backtest_id):
        raise InvalidInputError(f"{backtest_id[:40]!r} is no backtest's id: 32 hexadecimal digits")
    with database.researching() as books:
        known = books.backtests.find(backtest_id)
    return None if known is None else known.as_answer(now)


def requested(event: Mapping[str, Any], books: ResearchBooks) -> StoredBacktest:
    """The backtest that a run was started for. InvalidInputError when there is none such."""
    backtest_id = str(event.get("backtest_id"))
    found = books.backtests.find(backtest_id) if _ID.fullmatch(backtest_id) else None
    if found is None or found.requested_at != from_iso(str(event.get("requested_at"))):
        raise InvalidInputError(f"no backtest {backtest_id[:40]!r} was requested at that time")
    return found


def data_hash_of(request: BacktestRequest, history: BarHistory) -> str:
    """One hash over the bars and splits asked for. InvalidInputError for a symbol without bars and
    for a jump like a split's that nobody has answered."""
    digest = hashlib.sha256()
    archived = history.archived(request.first, request.last)
    for part in archived:
        digest.update(f"{part.key} {part.sha256}\n".encode())
    splits = splits_of(request, history)
    for symbol in request.symbols:
        extent = history.extent(symbol, request.first, request.last)
        if not extent.bars and not archived:
            raise InvalidInputError(
                f"{symbol} has no bars from {request.first} to {request.last}: import or backfill "
                "them (tradewind bars), or give other days"
            )
        digest.update(f"{symbol} {extent.bars} {extent.sha256} {splits[symbol]}\n".encode())
    return digest.hexdigest()


def splits_of(
    request: BacktestRequest, history: BarHistory
) -> dict[str, list[tuple[date, Fraction]]]:
    """By symbol: the splits between the days asked for, by all that is known today."""
    factors = history.factors(request.symbols)
    found = {}
    for symbol in request.symbols:
        if factors.is_suspected(symbol, request.first, request.last, _TODAY):
            raise InvalidInputError(
                f"{symbol} jumps like a split between {request.first} and {request.last}, and "
                "nobody has told of one: record a factor, 1 if it was the market"
            )
        found[symbol] = factors.steps(symbol, request.first, request.last, _TODAY)
    return found

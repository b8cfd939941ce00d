"""A requested backtest as its state machine runs it: planned, worked out in chunks, recorded.

Every step may be run again: it writes the same under the same names. What is large lies in S3 below
``backtests/``: ``bars/<fingerprint>.npz`` for all runs, and one folder a run::

    runs/<run>/plan.json      the request, its bars and its chunks
    runs/<run>/chunks.json    the state machine's items: one call each
    runs/<run>/chunks/<n>     what a chunk came to: JSON of a run, trials (.npz) of a sweep
    runs/<run>/failure.json   why a chunk failed
    runs/<run>/result.json    a run's metrics and trades, a sweep's ranking
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, Protocol

from tradewind.backtest.arrays import BarArrays, arrays_of
from tradewind.backtest.bar_columns import packed, unpacked
from tradewind.backtest.request import BacktestRequest
from tradewind.backtest.trials import SHOWN, Trials, luck, ranking
from tradewind.errors import InvalidInputError, PayloadMismatchError
from tradewind.market.adjustment import FactorTable, SplitFactor
from tradewind.market.bar import Bar
from tradewind.market.bar_months import BarArchive
from tradewind.market.session_table import SessionTable
from tradewind.use_cases.backtesting import (
    BacktestState,
    BarHistory,
    ResearchDatabase,
    data_hash_of,
    requested,
    splits_of,
)
from tradewind.use_cases.ports import PayloadRef, Payloads

_FOLDER = "backtests"


class Engine(Protocol):
    """The compiled engine, where there is one: it is not in the layers."""

    def run(self, bars: Sequence[BarArrays], request: BacktestRequest) -> dict[str, Any]:
        """``metrics``, ``costs``, ``findings`` and ``trades``, JSON-ready."""
        ...

    def sweep(self, bars: BarArrays, request: BacktestRequest, fast: Sequence[int]) -> Trials: ...


def plan_backtest(
    event: Mapping[str, Any],
    *,
    database: ResearchDatabase,
    archive: BarArchive,
    sessions: SessionTable,
    payloads: Payloads,
) -> dict[str, Any]:
    """Load what was requested, put its bars where the chunks find them, and cut it into chunks.

    ``needed`` is false for a run that is over. InvalidInputError for a run that nobody requested
    and for bars that have changed since.
    """
    with database.researching() as books:
        backtest = requested(event, books)
        told = {"backtest_id": backtest.backtest_id, "requested_at": event["requested_at"]}
        if backtest.state not in (BacktestState.REQUESTED, BacktestState.RUNNING):
            return {**told, "needed": False}
        request = BacktestRequest.from_payload(backtest.request)
        bars = {}
        for symbol in request.symbols:
            arrays = _arrays(symbol, request, books.history, archive, sessions)
            key = f"{_FOLDER}/bars/{arrays.fingerprint()}.npz"
            bars[symbol] = payloads.put(key, packed(arrays), len(arrays)).as_payload()
        # After the bars were read: what changed in between would show.
        if data_hash_of(request, books.history) != backtest.data_hash:
            raise InvalidInputError("the bars have changed since the request: ask again")
        books.backtests.running(backtest)
    chunks = [{"symbols": part.symbols, "fast": part.fast} for part in request.chunks()]
    plan = {"run": backtest.run, "request": request.as_payload(), "bars": bars, "chunks": chunks}
    ref = payloads.put(_key(backtest.run, "plan.json"), _json(plan), len(chunks)).as_payload()
    items = [{"plan": ref, "chunk": number} for number in range(len(chunks))]
    listed = payloads.put(_key(backtest.run, "chunks.json"), _json(items), len(items))
    return {**told, "needed": True, "plan": ref, "chunks": listed.as_payload()}


def run_chunk(item: Mapping[str, Any], *, engine: Engine, payloads: Payloads) -> dict[str, Any]:
    """Work out one chunk. The answer is as short as can be: there may be many."""
    plan, request = _plan(PayloadRef.from_payload(item["plan"]), payloads)
    number = int(item["chunk"])
    chunk = plan["chunks"][number]
    bars = [
        unpacked(payloads.get(PayloadRef.from_payload(plan["bars"][symbol])))
        for symbol in chunk["symbols"]
    ]
    if request.is_sweep:
        content = engine.sweep(bars[0], request, chunk["fast"]).packed()
    else:
        content = _json(engine.run(bars, request))
    payloads.put(_chunk_key(plan["run"], number), content, 1)
    return {"chunk": number}


def note_failure(item: Mapping[str, Any], error: Exception, *, payloads: Payloads) -> None:
    """Leave word of why a chunk failed: the state machine is told of its chunks' failures that
    there were some. The last one counts."""
    plan, _ = _plan(PayloadRef.from_payload(item["plan"]), payloads)
    number = int(item["chunk"])
    chunk = plan["chunks"][number]
    part = f", fast {chunk['fast'][0]} to {chunk['fast'][-1]}" if chunk["fast"] else ""
    where = f"chunk {number} ({', '.join(chunk['symbols'])}{part})"
    told = {"error": type(error).__name__, "reason": f"{where}: {_first_line(str(error))}"}
    payloads.put(_key(plan["run"], "failure.json"), _json(told), 1)


def record_backtest(
    event: Mapping[str, Any], at: datetime, *, database: ResearchDatabase, payloads: Payloads
) -> dict[str, Any]:
    """Gather what the chunks came to, rank it, and keep it."""
    plan, request = _plan(PayloadRef.from_payload(event["plan"]), payloads)
    parts = [_chunk(plan["run"], number, payloads) for number in range(len(plan["chunks"]))]
    if request.is_sweep:
        trials = [Trials.unpacked(part) for part in parts]
        rows = ranking(trials)
        shown = {**luck(trials), "ranked": rows[:SHOWN]}
        content = {**shown, "ranked": rows}
    else:
        content = json.loads(parts[0])
        shown = {**content, "trades": len(content["trades"])}
    extent = {symbol: ref["count"] for symbol, ref in plan["bars"].items()}
    body = _json({"request": plan["request"], "bars": extent, **content})
    ref = payloads.put(_key(plan["run"], "result.json"), body, request.trials)
    with database.researching() as books:
        backtest = requested(event, books)
        books.backtests.done(backtest, {"bars": extent, **shown}, ref, at)
    return {"backtest_id": event["backtest_id"], "trials": request.trials, "result": ref.key}


def record_failure(
    event: Mapping[str, Any], at: datetime, *, database: ResearchDatabase, payloads: Payloads
) -> dict[str, str]:
    """Write down why a run failed. The answer is the failure with the best reason that is known, in
    the state machine's own form."""
    failure = event["failure"]
    error, reason = str(failure.get("Error")), _cause(str(failure.get("Cause")))
    with database.researching() as books:
        backtest = requested(event, books)
        told = payloads.newest(_key(backtest.run, "failure.json"))
        if told is not None:
            noted = json.loads(told)
            error, reason = noted["error"], noted["reason"]
        books.backtests.failed(backtest, f"{error}: {reason}", at)
    return {"Error": error, "Cause": reason}


def _arrays(
    symbol: str,
    request: BacktestRequest,
    history: BarHistory,
    archive: BarArchive,
    sessions: SessionTable,
) -> BarArrays:
    """The symbol's bars at the price level of the last day, by all that is known of splits."""
    ever = datetime.min.replace(tzinfo=UTC)
    level = FactorTable(
        SplitFactor(symbol, day, Decimal(factor.numerator), Decimal(factor.denominator), ever)
        for day, factor in splits_of(request, history)[symbol]
    )
    found: dict[datetime, Bar] = {}
    for part in _portions(symbol, request, history, archive):
        # The table's word is newer than the archive's, a later part's newer than an earlier one's.
        found.update((bar.start, bar) for bar in part)
    decided = datetime.combine(request.last, time(12), UTC)
    return arrays_of(symbol, level.adjusted(list(found.values()), decided), sessions)


def _portions(
    symbol: str, request: BacktestRequest, history: BarHistory, archive: BarArchive
) -> Iterator[Sequence[Bar]]:
    first = datetime.combine(request.first, time.min, UTC)
    last = datetime.combine(request.last, time.max, UTC)
    of_symbol = f'{{"symbol":"{symbol}",'.encode()
    for part in history.archived(request.first, request.last):
        lines = (line for line in archive.read(part.key) if line.startswith(of_symbol))
        bars = map(Bar.from_payload, map(json.loads, lines))
        yield [bar for bar in bars if first <= bar.start <= last]
    yield from history.bars(symbol, request.first, request.last)


def _plan(ref: PayloadRef, payloads: Payloads) -> tuple[dict[str, Any], BacktestRequest]:
    plan: dict[str, Any] = json.loads(payloads.get(ref))
    return plan, BacktestRequest.from_payload(plan["request"])


def _chunk(run: str, number: int, payloads: Payloads) -> bytes:
    content = payloads.newest(_chunk_key(run, number))
    if content is None:
        raise PayloadMismatchError(f"chunk {number} of {run} left no result")
    return content


def _key(run: str, name: str) -> str:
    return f"{_FOLDER}/runs/{run}/{name}"


def _chunk_key(run: str, number: int) -> str:
    return _key(run, f"chunks/{number}")


def _json(content: object) -> bytes:
    return json.dumps(content, allow_nan=False).encode()


def _cause(text: str) -> str:
    """A failed function's cause is JSON with its message in it."""
    with suppress(ValueError, TypeError, KeyError):
        text = str(json.loads(text)["errorMessage"])
    return _first_line(text)


def _first_line(text: str) -> str:
    return (text.splitlines() or [""])[0][:500]

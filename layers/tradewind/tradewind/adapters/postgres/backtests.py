"""The ``backtests`` table, and the bars that research reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import as_json
from tradewind.adapters.postgres.splits import PostgresFactors
from tradewind.market.adjustment import FactorTable
from tradewind.market.bar import Bar
from tradewind.market.bar_months import months_after
from tradewind.market.bar_series import BarSeries
from tradewind.use_cases.backtesting import (
    ArchivedPart,
    BacktestState,
    BarExtent,
    StoredBacktest,
)
from tradewind.use_cases.ports import PayloadRef

# Any constant will do, as long as nothing else locks it.
_LOCK = "SELECT pg_advisory_xact_lock(7261002)"

_FIND = """
SELECT backtest_id, requested_at, expires_at, state, data_hash, request::text, trials,
    result::text, result_key, result_sha256, reason, finished_at
FROM backtests WHERE backtest_id = :backtest_id
"""

_UNDER_WAY = """
SELECT count(*) FROM backtests
WHERE state IN ('requested', 'running') AND requested_at > :since
"""

_REQUEST = """
INSERT INTO backtests
    (backtest_id, requested_at, expires_at, state, data_hash, request, trials)
VALUES (:backtest_id, :requested_at, :expires_at, 'requested', :data_hash, :request, :trials)
ON CONFLICT (backtest_id) DO UPDATE SET
    requested_at = excluded.requested_at, expires_at = excluded.expires_at,
    state = excluded.state, data_hash = excluded.data_hash, request = excluded.request,
    trials = excluded.trials, result = NULL, result_key = NULL, result_sha256 = NULL,
    reason = NULL, finished_at = NULL
"""

_RUNNING = """
UPDATE backtests SET state = 'running'
WHERE backtest_id = :backtest_id AND requested_at = :requested_at AND state = 'requested'
"""

_DONE = """
UPDATE backtests SET state = 'done', result = :result, result_key = :key,
    result_sha256 = :sha256, reason = NULL, finished_at = :at
WHERE backtest_id = :backtest_id AND requested_at = :requested_at
"""

_FAILED = """
UPDATE backtests SET state = 'failed', reason = :reason, finished_at = :at
WHERE backtest_id = :backtest_id AND requested_at = :requested_at AND state <> 'done'
"""

_EXTENT = """
SELECT count(*), encode(sha256(convert_to(coalesce(string_agg(
    concat_ws(',', date_part('epoch', start)::bigint, open, high, low, close, volume),
    E'\\n' ORDER BY start), ''), 'UTF8')), 'hex')
FROM bars
WHERE symbol = :symbol AND in_session AND start >= :since AND start < :until
"""

# Columns as texts, for the reasons given for the cycle's own read of bars.
_BARS = """
SELECT string_agg((date_part('epoch', start) / 60)::int::text, ',' ORDER BY start) AS minutes,
    string_agg(open::text, ',' ORDER BY start), string_agg(high::text, ',' ORDER BY start),
    string_agg(low::text, ',' ORDER BY start), string_agg(close::text, ',' ORDER BY start),
    string_agg(volume::text, ',' ORDER BY start), json_agg(feed ORDER BY start)::text
FROM bars
WHERE symbol = :symbol AND in_session AND start >= :since AND start < :until
"""

_ARCHIVED = """
SELECT key, sha256 FROM bar_archives WHERE month >= :first AND month <= :last
ORDER BY month, part
"""


class PostgresBacktests:
    """Implements ``BacktestStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock(self) -> None:
        self._session.rows(_LOCK)

    def find(self, backtest_id: str) -> StoredBacktest | None:
        rows = self._session.rows(_FIND, backtest_id=backtest_id)
        return _backtest(*rows[0]) if rows else None

    def under_way(self, since: datetime) -> int:
        count: int = self._session.rows(_UNDER_WAY, since=since)[0][0]
        return count

    def request(self, backtest: StoredBacktest) -> None:
        self._session.rows(
            _REQUEST,
            backtest_id=backtest.backtest_id,
            requested_at=backtest.requested_at,
            expires_at=backtest.expires_at,
            data_hash=backtest.data_hash,
            request=as_json(backtest.request),
            trials=backtest.trials,
        )

    def running(self, backtest: StoredBacktest) -> None:
        self._session.rows(_RUNNING, **_run(backtest))

    def done(
        self,
        backtest: StoredBacktest,
        result: Mapping[str, Any],
        result_ref: PayloadRef,
        at: datetime,
    ) -> None:
        self._session.rows(
            _DONE,
            **_run(backtest),
            result=as_json(result),
            key=result_ref.key,
            sha256=result_ref.sha256,
            at=at,
        )

    def failed(self, backtest: StoredBacktest, reason: str, at: datetime) -> None:
        self._session.rows(_FAILED, **_run(backtest), reason=reason, at=at)


class PostgresBarHistory:
    """Implements ``BarHistory``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def extent(self, symbol: str, first: date, last: date) -> BarExtent:
        rows = self._session.rows(
            _EXTENT, symbol=symbol, since=_midnight(first), until=_midnight(last + _DAY)
        )
        return BarExtent(*rows[0])

    def bars(self, symbol: str, first: date, last: date) -> Iterator[Sequence[Bar]]:
        month = first.replace(day=1)
        while month <= last:
            following = months_after(month, 1)
            # Regular hours lie on their own date in UTC.
            since, until = max(month, first), min(following, last + _DAY)
            yield self._between(symbol, since, until)
            month = following

    def archived(self, first: date, last: date) -> list[ArchivedPart]:
        rows = self._session.rows(_ARCHIVED, first=first.replace(day=1), last=last)
        return [ArchivedPart(*row) for row in rows]

    def factors(self, symbols: Sequence[str]) -> FactorTable:
        return PostgresFactors(self._session).table(symbols)

    def _between(self, symbol: str, since: date, until: date) -> Sequence[Bar]:
        row = self._session.rows(
            _BARS, symbol=symbol, since=_midnight(since), until=_midnight(until)
        )[0]
        if row[0] is None:
            return []
        minutes, opens, highs, lows, closes, volumes = (texts.split(",") for texts in row[:-1])
        feeds = json.loads(row[-1])
        return BarSeries(symbol, minutes, opens, highs, lows, closes, volumes, feeds)


_DAY = timedelta(days=1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _run(backtest: StoredBacktest) -> dict[str, object]:
    return {"backtest_id": backtest.backtest_id, "requested_at": backtest.requested_at}


def _backtest(
    backtest_id: str,
    requested_at: datetime,
    expires_at: datetime,
    state: str,
    data_hash: str,
    request: str,
    trials: int,
    result: str | None,
    result_key: str | None,
    result_sha256: str | None,
    reason: str | None,
    finished_at: datetime | None,
) -> StoredBacktest:
    ref = None
    if result_key is not None and result_sha256 is not None:
        ref = PayloadRef(result_key, result_sha256, trials)
    return StoredBacktest(
        backtest_id,
        requested_at,
        expires_at,
        BacktestState(state),
        data_hash,
        json.loads(request),
        trials,
        None if result is None else json.loads(result),
        ref,
        reason,
        finished_at,
    )

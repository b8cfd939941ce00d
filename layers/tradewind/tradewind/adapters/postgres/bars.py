"""The ``bars`` and ``technical_indicators`` tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import as_json, plain_array, records, text_array
from tradewind.errors import InvalidInputError
from tradewind.features.ports import IndicatorValue
from tradewind.market.adjustment import KnownClose
from tradewind.market.bar import MINUTE, Bar, to_iso
from tradewind.market.bar_series import BarSeries
from tradewind.market.bar_trace import HISTORY_AFTER
from tradewind.market.gap_ledger import ON_TIME
from tradewind.market.ports import BarWrite, DailyBar

# The last ten minutes are read again each time, so most of a batch is there already: what is equal
# is left out before it is written, as it would be locked otherwise. Arrays instead of one JSON
# value, as elsewhere: of 5,000 bars they take 12 ms to make instead of 60.
#
# Writes bars; beside them the newest one of each symbol (of the batch and what is there already,
# whichever is later) and the traces of late and corrected ones (market.bar_trace.traces_of).
_UPSERT = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(
        :symbols::text[], :starts::timestamptz[], :opens::numeric[], :highs::numeric[],
        :lows::numeric[], :closes::numeric[], :volumes::bigint[], :feeds::text[],
        :in_session::boolean[])
        AS given(symbol, start, open, high, low, close, volume, feed, in_session)
),
there AS MATERIALIZED (
    SELECT symbol, start, open, high, low, close, volume, feed, in_session FROM bars
    WHERE symbol = ANY(:known::text[]) AND start >= :first AND start <= :last
),
written AS (
    INSERT INTO bars AS b
        (symbol, start, open, high, low, close, volume, feed, in_session)
    SELECT symbol, start, open, high, low, close, volume, feed, in_session
    FROM given
    WHERE NOT EXISTS (
        SELECT FROM there
        WHERE there.symbol = given.symbol AND there.start = given.start
            AND there.open = given.open AND there.high = given.high AND there.low = given.low
            AND there.close = given.close AND there.volume = given.volume
            AND there.feed = given.feed AND there.in_session = given.in_session)
    ORDER BY symbol, start
    ON CONFLICT (symbol, start) DO UPDATE SET
        open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
        volume = excluded.volume, feed = excluded.feed, in_session = excluded.in_session,
        corrected_at = now()
    WHERE (b.open, b.high, b.low, b.close, b.volume, b.feed, b.in_session)
        IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close,
                          excluded.volume, excluded.feed, excluded.in_session)
    RETURNING old.symbol IS NULL AS is_new, new.symbol, new.start,
        old.open AS old_open, old.high AS old_high, old.low AS old_low, old.close AS old_close,
        old.volume AS old_volume, old.feed AS old_feed,
        new.open, new.high, new.low, new.close, new.volume, new.feed
),
traced AS (
    INSERT INTO bar_traces (symbol, start, received_at, kind,
        old_open, old_high, old_low, old_close, old_volume, old_feed,
        open, high, low, close, volume, feed)
    SELECT symbol, start, :received_at::timestamptz,
        CASE WHEN is_new THEN 'late' ELSE 'corrected' END,
        old_open, old_high, old_low, old_close, old_volume, old_feed,
        open, high, low, close, volume, feed
    FROM written
    WHERE CASE WHEN is_new
        THEN :received_at::timestamptz > start + :on_time::interval
            AND :received_at::timestamptz <= start + :history_after::interval
        ELSE (open, high, low, close, volume)
            IS DISTINCT FROM (old_open, old_high, old_low, old_close, old_volume)
        END
    ON CONFLICT (symbol, start, received_at) DO NOTHING
),
newest AS (
    INSERT INTO latest_bars AS l (symbol, start, open, high, low, close, volume, feed)
    SELECT DISTINCT ON (symbol) symbol, start, open, high, low, close, volume, feed
    FROM given
    ORDER BY symbol, start DESC
    ON CONFLICT (symbol) DO UPDATE SET
        start = excluded.start, open = excluded.open, high = excluded.high, low = excluded.low,
        close = excluded.close, volume = excluded.volume, feed = excluded.feed
    WHERE excluded.start >= l.start
        AND (l.start, l.open, l.high, l.low, l.close, l.volume, l.feed)
        IS DISTINCT FROM (excluded.start, excluded.open, excluded.high, excluded.low,
                          excluded.close, excluded.volume, excluded.feed)
)
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written
"""

# The reads below walk back from a moment. Told how far at most, they leave the months before alone;
# otherwise each month that is stored costs a probe for every symbol. So they are asked for a short
# while first, and for all time only where that was not enough (a new or a thin symbol).
_EVER = datetime.min.replace(tzinfo=UTC)
_RECENT_SPAN, _LONG = timedelta(days=10), timedelta(days=36_525)
# Sessions are at most a handful of days apart.
_DAYS_PER_SESSION, _DAYS_BESIDES = 2, 10

# One row per symbol, each column of its bars as one text: this is the largest read of each minute,
# and neither the driver nor a parser shall make a value of what nobody looks at. Texts keep every
# digit; a start is a whole minute, by the table's own check. A feed may be any text: JSON.
_RECENT = """
SELECT wanted.symbol, found.*
FROM unnest(:symbols::text[]) AS wanted(symbol)
CROSS JOIN LATERAL (
    SELECT string_agg((date_part('epoch', start) / 60)::int::text, ',' ORDER BY start) AS minutes,
        string_agg(open::text, ',' ORDER BY start), string_agg(high::text, ',' ORDER BY start),
        string_agg(low::text, ',' ORDER BY start), string_agg(close::text, ',' ORDER BY start),
        string_agg(volume::text, ',' ORDER BY start), json_agg(feed ORDER BY start)::text
    FROM (
        SELECT * FROM bars
        WHERE bars.symbol = wanted.symbol AND bars.in_session
            AND bars.start <= :until AND bars.start >= :since
        ORDER BY bars.start DESC
        LIMIT :count
    ) AS newest
) AS found
WHERE found.minutes IS NOT NULL
"""

_HIGHEST = """
SELECT (
    SELECT max(bars.high) FROM bars
    WHERE bars.symbol = wanted.symbol AND bars.start BETWEEN wanted.since AND wanted.until
        AND bars.in_session
)
FROM unnest(:symbols::text[], :sinces::timestamptz[], :untils::timestamptz[])
    WITH ORDINALITY AS wanted(symbol, since, until, place)
ORDER BY wanted.place
"""

# Walks from session to session, one index look-up each, instead of reading a symbol's whole past.
_DAILY = """
WITH RECURSIVE session AS (
    SELECT wanted.symbol, newest.day, 1 AS number
    FROM unnest(:symbols::text[]) AS wanted(symbol)
    CROSS JOIN LATERAL (
        SELECT (bars.start AT TIME ZONE 'America/New_York')::date AS day FROM bars
        WHERE bars.symbol = wanted.symbol AND bars.in_session
            AND bars.start < :before::date::timestamp AT TIME ZONE 'America/New_York'
            AND bars.start >= :since
        ORDER BY bars.start DESC LIMIT 1
    ) AS newest
    UNION ALL
    SELECT session.symbol, earlier.day, session.number + 1
    FROM session
    CROSS JOIN LATERAL (
        SELECT (bars.start AT TIME ZONE 'America/New_York')::date AS day FROM bars
        WHERE bars.symbol = session.symbol AND bars.in_session
            AND bars.start < session.day::timestamp AT TIME ZONE 'America/New_York'
            AND bars.start >= :since
        ORDER BY bars.start DESC LIMIT 1
    ) AS earlier
    WHERE session.number < :count
)
SELECT session.symbol, session.day, range.open, range.high, range.low, range.close
FROM session
CROSS JOIN LATERAL (
    SELECT (array_agg(bars.open ORDER BY bars.start))[1] AS open, max(bars.high) AS high,
        min(bars.low) AS low, (array_agg(bars.close ORDER BY bars.start DESC))[1] AS close
    FROM bars
    WHERE bars.symbol = session.symbol AND bars.in_session
        AND bars.start >= session.day::timestamp AT TIME ZONE 'America/New_York'
        AND bars.start < (session.day + 1)::timestamp AT TIME ZONE 'America/New_York'
) AS range
ORDER BY session.symbol, session.day
"""

_CLOSES_BEFORE = """
SELECT wanted.symbol, last.start, last.close
FROM json_to_recordset(:rows) AS wanted(symbol text, before timestamptz)
CROSS JOIN LATERAL (
    SELECT bars.start, bars.close FROM bars
    WHERE bars.symbol = wanted.symbol AND bars.in_session
        AND bars.start < wanted.before AND bars.start >= wanted.before - :span::interval
    ORDER BY bars.start DESC
    LIMIT 1
) AS last
"""

LATEST_BARS = """
SELECT symbol, start, open, high, low, close, volume, feed FROM latest_bars
WHERE symbol = ANY(:symbols::text[])
ORDER BY symbol
"""

_SAVE_INDICATORS = """
INSERT INTO technical_indicators AS t (symbol, indicator_name, value, timestamp)
SELECT symbol, indicator_name, value, timestamp
FROM json_to_recordset(:rows) AS given(
    symbol text, indicator_name text, value numeric, timestamp timestamptz)
ORDER BY symbol, indicator_name, timestamp
ON CONFLICT (symbol, indicator_name, timestamp) DO UPDATE SET value = excluded.value
WHERE t.value IS DISTINCT FROM excluded.value
"""


class PostgresBars:
    """Implements ``BarStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def upsert(
        self, bars: Sequence[Bar], in_session: Sequence[bool], received_at: datetime
    ) -> BarWrite:
        if len(bars) != len(in_session):
            raise InvalidInputError(f"{len(bars)} bars, but {len(in_session)} session marks")
        if not bars:
            return BarWrite(0, 0)
        # One row per bar, as one statement may not write a row twice: the last one told counts.
        last = {
            (bar.symbol, bar.start): (bar, regular)
            for bar, regular in zip(bars, in_session, strict=True)
        }
        rows = [bar for bar, _ in last.values()]
        times = {start: to_iso(start) for start in {bar.start for bar in rows}}
        stored, corrected = self._session.rows(
            _UPSERT,
            symbols=text_array(bar.symbol for bar in rows),
            starts=plain_array(times[bar.start] for bar in rows),
            opens=plain_array(bar.open for bar in rows),
            highs=plain_array(bar.high for bar in rows),
            lows=plain_array(bar.low for bar in rows),
            closes=plain_array(bar.close for bar in rows),
            volumes=plain_array(bar.volume for bar in rows),
            feeds=text_array(bar.feed for bar in rows),
            in_session=plain_array(regular for _, regular in last.values()),
            known=text_array({bar.symbol for bar in rows}),
            first=min(times),
            last=max(times),
            received_at=received_at,
            on_time=MINUTE + ON_TIME,
            history_after=HISTORY_AFTER,
        )[0]
        return BarWrite(stored, corrected)

    def recent(self, symbols: Sequence[str], until: datetime, count: int) -> dict[str, BarSeries]:
        found = self._recent(_unique(symbols), until, count, until - _RECENT_SPAN)
        short = [symbol for symbol in _unique(symbols) if len(found.get(symbol, ())) < count]
        return {**found, **self._recent(short, until, count, _EVER)} if short else found

    def _recent(
        self, symbols: Sequence[str], until: datetime, count: int, since: datetime
    ) -> dict[str, BarSeries]:
        rows = self._session.rows(
            _RECENT, symbols=text_array(symbols), until=until, since=since, count=count
        )
        return {row[0]: _series(*row) for row in rows}

    def highest(self, stretches: Sequence[tuple[str, datetime, datetime]]) -> list[Decimal | None]:
        if not stretches:
            return []
        rows = self._session.rows(
            _HIGHEST,
            symbols=text_array(symbol for symbol, _, _ in stretches),
            sinces=plain_array(since.isoformat() for _, since, _ in stretches),
            untils=plain_array(until.isoformat() for _, _, until in stretches),
        )
        return [row[0] for row in rows]

    def daily(self, symbols: Sequence[str], before: date, count: int) -> dict[str, list[DailyBar]]:
        span = timedelta(days=count * _DAYS_PER_SESSION + _DAYS_BESIDES)
        # Midnight in UTC comes before midnight in New York: nothing that is wanted is cut off.
        since = datetime.combine(before - span, time.min, UTC)
        found = self._daily(_unique(symbols), before, count, since)
        short = [symbol for symbol in _unique(symbols) if len(found.get(symbol, ())) < count]
        return {**found, **self._daily(short, before, count, _EVER)} if short else found

    def _daily(
        self, symbols: Sequence[str], before: date, count: int, since: datetime
    ) -> dict[str, list[DailyBar]]:
        found: dict[str, list[DailyBar]] = {}
        rows = self._session.rows(_DAILY, symbols=symbols, before=before, count=count, since=since)
        for row in rows:
            found.setdefault(row[0], []).append(DailyBar(*row))
        return found

    def closes_before(self, starts: Mapping[str, datetime]) -> dict[str, KnownClose]:
        found = self._closes_before(starts, _RECENT_SPAN)
        absent = {symbol: start for symbol, start in starts.items() if symbol not in found}
        return {**found, **self._closes_before(absent, _LONG)} if absent else found

    def _closes_before(
        self, starts: Mapping[str, datetime], span: timedelta
    ) -> dict[str, KnownClose]:
        rows = as_json([{"symbol": symbol, "before": start} for symbol, start in starts.items()])
        found = self._session.rows(_CLOSES_BEFORE, rows=rows, span=span)
        return {symbol: KnownClose(start, close) for symbol, start, close in found}

    def latest(self, symbols: Sequence[str]) -> list[Bar]:
        rows = self._session.rows(LATEST_BARS, symbols=_unique(symbols))
        return [Bar(*row) for row in rows]


class PostgresIndicators:
    """Implements ``IndicatorStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def save(self, values: Sequence[IndicatorValue]) -> None:
        if values:
            last = {(v.symbol, v.indicator_name, v.timestamp): v for v in values}
            fields = ("symbol", "indicator_name", "value", "timestamp")
            self._session.rows(_SAVE_INDICATORS, rows=records(last.values(), fields))


def _series(
    symbol: str,
    minutes: str,
    opens: str,
    highs: str,
    lows: str,
    closes: str,
    volumes: str,
    feeds: str,
) -> BarSeries:
    return BarSeries(
        symbol,
        minutes.split(","),
        opens.split(","),
        highs.split(","),
        lows.split(","),
        closes.split(","),
        volumes.split(","),
        json.loads(feeds),
    )


def _unique(symbols: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(symbols))

"""The gap ledger: ``empty_looks`` beside ``bars``.

Minutes are compared within the range of one symbol and session, which the keys give; never one
whole table with another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from tradewind.adapters.postgres.connection import Session as Connection
from tradewind.adapters.postgres.records import as_json
from tradewind.market.availability import NOTHING_EXPECTED, Availability
from tradewind.market.gap_ledger import OpenGap, expected_minutes, joined
from tradewind.market.session import Session

_SEEN_EMPTY = """
INSERT INTO empty_looks AS known (symbol, start, first_look, last_look)
SELECT DISTINCT given.key, minute.start::timestamptz, :at::timestamptz, :at::timestamptz
FROM json_each(:empty::json) AS given
CROSS JOIN LATERAL json_array_elements_text(given.value) AS minute(start)
ORDER BY 1, 2
ON CONFLICT (symbol, start) DO UPDATE SET
    first_look = least(known.first_look, excluded.first_look),
    last_look = greatest(known.last_look, excluded.last_look)
WHERE known.first_look > excluded.first_look OR known.last_look < excluded.last_look
"""

# What is missing of "pair": symbols and ranges of minutes. OFFSET 0 keeps the reads of a range what
# they are: joined to all pairs at once, PostgreSQL might prefer to read all bars there are.
_MISSING_OF_PAIRS = """
SELECT symbol, number, json_agg(start ORDER BY start)
FROM (
    SELECT pair.symbol, pair.number, minute.start
    FROM pair
    CROSS JOIN LATERAL generate_series(pair.first, pair.last, interval '1 minute')
        AS minute(start)
    WHERE minute.start >= pair.since
    EXCEPT (
        SELECT pair.symbol, pair.number, received.start
        FROM pair
        CROSS JOIN LATERAL (
            SELECT bars.start FROM bars
            WHERE bars.symbol = pair.symbol
                AND bars.start >= pair.first AND bars.start <= pair.last
            OFFSET 0
        ) AS received
        UNION ALL
        SELECT pair.symbol, pair.number, quiet.start
        FROM pair
        CROSS JOIN LATERAL (
            SELECT looks.start FROM empty_looks AS looks
            WHERE looks.symbol = pair.symbol AND looks.confirmed
                AND looks.start >= pair.first AND looks.start <= pair.last
            OFFSET 0
        ) AS quiet
    )
) AS missing
GROUP BY symbol, number
ORDER BY symbol, number
"""

_PAIRS_SINCE = """
WITH pair AS MATERIALIZED (
    SELECT wanted.key AS symbol, session.number, session.first, session.last,
        wanted.value::timestamptz AS since
    FROM json_each_text(:since::json) AS wanted
    CROSS JOIN json_to_recordset(:sessions)
        AS session(number integer, first timestamptz, last timestamptz)
    WHERE session.last >= wanted.value::timestamptz
)
"""

# How many minutes of each symbol and session came, and how many had no trade.
_COUNTED = """
WITH counted AS MATERIALIZED (
    SELECT wanted.symbol, session.number, session.first, session.last,
        received.minutes AS received, quiet.minutes AS quiet
    FROM unnest(:symbols::text[]) AS wanted(symbol)
    CROSS JOIN json_to_recordset(:sessions)
        AS session(number integer, first timestamptz, last timestamptz)
    CROSS JOIN LATERAL (
        SELECT count(*) AS minutes FROM bars
        WHERE bars.symbol = wanted.symbol
            AND bars.start >= session.first AND bars.start <= session.last
    ) AS received
    CROSS JOIN LATERAL (
        SELECT count(*) AS minutes FROM empty_looks AS looks
        WHERE looks.symbol = wanted.symbol AND looks.confirmed
            AND looks.start >= session.first AND looks.start <= session.last
            AND NOT EXISTS (
                SELECT FROM bars
                WHERE bars.symbol = wanted.symbol AND bars.start = looks.start
                    AND bars.start >= session.first AND bars.start <= session.last)
    ) AS quiet
)
"""

# The minutes themselves are looked at only where the counts do not add up.
_PAIRS_SHORT = """
, pair AS MATERIALIZED (
    SELECT symbol, number, first, last, first AS since
    FROM counted
    WHERE received + quiet < extract(epoch FROM last - first) / 60 + 1
)
"""

_SUMS = "SELECT number, sum(received)::bigint, sum(quiet)::bigint FROM counted GROUP BY number"

_MISSING = "".join((_PAIRS_SINCE, _MISSING_OF_PAIRS))
_OPEN_GAPS = "".join((_COUNTED, _PAIRS_SHORT, _MISSING_OF_PAIRS))
_AVAILABILITY = "".join((_COUNTED, _SUMS))


class PostgresGaps:
    """Implements ``GapStore``."""

    def __init__(self, session: Connection) -> None:
        self._session = session

    def seen_empty(self, empty: Mapping[str, Sequence[datetime]], asked_at: datetime) -> None:
        if empty:
            self._session.rows(_SEEN_EMPTY, empty=as_json(empty), at=asked_at)

    def missing(
        self, since: Mapping[str, datetime], sessions: Sequence[Session], until: datetime
    ) -> dict[str, list[datetime]]:
        rows = self._session.rows(_MISSING, since=as_json(since), sessions=_ranges(sessions, until))
        found: dict[str, list[datetime]] = {}
        for symbol, _, minutes in rows:
            found.setdefault(symbol, []).extend(map(datetime.fromisoformat, minutes))
        return {symbol: sorted(minutes) for symbol, minutes in found.items()}

    def open_gaps(
        self, symbols: Sequence[str], sessions: Sequence[Session], until: datetime
    ) -> list[OpenGap]:
        # By symbol and time, whatever the order they were given in.
        ordered = sorted(set(sessions), key=lambda session: session.date)
        rows = self._session.rows(
            _OPEN_GAPS, symbols=_unique(symbols), sessions=_ranges(ordered, until)
        )
        return [
            OpenGap(symbol, ordered[number], gap)
            for symbol, number, minutes in sorted(rows, key=lambda row: (row[0], row[1]))
            for gap in joined(map(datetime.fromisoformat, minutes))
        ]

    def availability(
        self, symbols: Sequence[str], sessions: Sequence[Session], until: datetime
    ) -> dict[date, Availability]:
        wanted = _unique(symbols)
        rows = self._session.rows(_AVAILABILITY, symbols=wanted, sessions=_ranges(sessions, until))
        counts = {number: (received, quiet) for number, received, quiet in rows}
        figures: dict[date, Availability] = {}
        for number, session in enumerate(sessions):
            expected = len(expected_minutes(session, until) or ()) * len(wanted)
            figures[session.date] = (
                Availability(expected, *counts[number]) if expected else NOTHING_EXPECTED
            )
        return figures


def _ranges(sessions: Sequence[Session], until: datetime) -> str:
    """Each session's minutes that were over, by its place in the sequence."""
    rows = []
    for number, session in enumerate(sessions):
        minutes = expected_minutes(session, until)
        if minutes is not None:
            rows.append({"number": number, "first": minutes.first, "last": minutes.last})
    return as_json(rows)


def _unique(symbols: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(symbols))

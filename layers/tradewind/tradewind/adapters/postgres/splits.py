"""The ``split_factors`` and ``suspected_splits`` tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import as_json, records, text_array
from tradewind.market.adjustment import FactorTable, KnownClose, SplitFactor, SuspectedSplit

_FACTOR = ("symbol", "effective", "known_at", "new_rate", "old_rate")

# News is what differs from what was known last before it: in the batch itself, else in the table.
_LEARN = """
WITH given AS (
    SELECT *, lag(new_rate) OVER earlier AS new_before, lag(old_rate) OVER earlier AS old_before
    FROM json_to_recordset(:rows) AS told(
        symbol text, effective date, known_at timestamptz, new_rate numeric, old_rate numeric)
    WINDOW earlier AS (PARTITION BY symbol, effective ORDER BY known_at)
),
learnt AS (
    INSERT INTO split_factors (symbol, effective, known_at, new_rate, old_rate)
    SELECT given.symbol, given.effective, given.known_at, given.new_rate, given.old_rate
    FROM given
    LEFT JOIN LATERAL (
        SELECT new_rate, old_rate FROM split_factors AS known
        WHERE known.symbol = given.symbol AND known.effective = given.effective
        ORDER BY known_at DESC LIMIT 1
    ) AS last ON true
    WHERE (given.new_rate, given.old_rate) IS DISTINCT FROM (
        coalesce(given.new_before, last.new_rate), coalesce(given.old_before, last.old_rate))
    ON CONFLICT (symbol, effective, known_at) DO NOTHING
    RETURNING symbol
)
SELECT count(*) FROM learnt
"""

_SUSPECT = """
INSERT INTO suspected_splits (symbol, effective, ratio_numerator, ratio_denominator,
    before_start, before_close, after_price, seen_at)
SELECT symbol, effective, ratio_numerator, ratio_denominator,
    before_start, before_close, after_price, seen_at
FROM json_to_recordset(:rows) AS given(
    symbol text, effective date, ratio_numerator bigint, ratio_denominator bigint,
    before_start timestamptz, before_close numeric, after_price numeric, seen_at timestamptz)
ON CONFLICT (symbol, effective) DO NOTHING
"""

# Both tables as one value each, digits as text.
_TABLE = """
SELECT
    (SELECT coalesce(json_agg(json_build_array(
         symbol, effective, new_rate::text, old_rate::text, known_at)), '[]')
     FROM split_factors WHERE symbol = ANY(:symbols::text[])),
    (SELECT coalesce(json_agg(json_build_array(
         symbol, effective, ratio_numerator, ratio_denominator, before_start,
         before_close::text, after_price::text, seen_at)), '[]')
     FROM suspected_splits WHERE symbol = ANY(:symbols::text[]))
"""


class PostgresFactors:
    """Implements ``FactorStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def learn(self, factors: Sequence[SplitFactor]) -> int:
        if not factors:
            return 0
        learnt: int = self._session.rows(_LEARN, rows=records(factors, _FACTOR))[0][0]
        return learnt

    def suspect(self, suspected: Sequence[SuspectedSplit]) -> None:
        if suspected:
            rows = [
                {
                    "symbol": seen.symbol,
                    "effective": seen.effective,
                    "ratio_numerator": seen.ratio.numerator,
                    "ratio_denominator": seen.ratio.denominator,
                    "before_start": seen.before.start,
                    "before_close": seen.before.close,
                    "after_price": seen.after,
                    "seen_at": seen.seen_at,
                }
                for seen in suspected
            ]
            self._session.rows(_SUSPECT, rows=as_json(rows))

    def table(self, symbols: Sequence[str]) -> FactorTable:
        factors, suspected = self._session.rows(_TABLE, symbols=text_array(symbols))[0]
        return FactorTable(map(_factor, factors), map(_suspicion, suspected))


def _factor(row: list[Any]) -> SplitFactor:
    symbol, effective, new_rate, old_rate, known_at = row
    return SplitFactor(
        symbol,
        date.fromisoformat(effective),
        Decimal(new_rate),
        Decimal(old_rate),
        datetime.fromisoformat(known_at),
    )


def _suspicion(row: list[Any]) -> SuspectedSplit:
    symbol, effective, numerator, denominator, start, close, after, seen_at = row
    return SuspectedSplit(
        symbol,
        date.fromisoformat(effective),
        Fraction(numerator, denominator),
        KnownClose(datetime.fromisoformat(start), Decimal(close)),
        Decimal(after),
        datetime.fromisoformat(seen_at),
    )

"""What a backtest of a traded session begins with, from the store of record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal

from tradewind.adapters.postgres.bars import PostgresBars
from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.corporate_actions import PostgresCorporateActions
from tradewind.adapters.postgres.records import plain_array, text_array
from tradewind.adapters.postgres.splits import PostgresFactors
from tradewind.market.bar import MINUTE, Bar, from_iso
from tradewind.reports.ports import DecidedSymbol, Period, ReferenceRecords
from tradewind.risk.closed_trips import RecentTrade
from tradewind.risk.equity import EquityMark
from tradewind.risk.locks import Lock

# Columns carry the names of the fields they keep. (S608 below: these names are all that is put
# into a statement; values go in as parameters.)
_LOCK = ", ".join(field.name for field in fields(Lock))
_MARK = ", ".join(field.name for field in fields(EquityMark))

_SYMBOLS = """
SELECT symbol, array_agg(DISTINCT strategy), array_agg(DISTINCT mode::text),
    bool_or(wanted IN ('enter', 'exit'))
FROM decisions
WHERE account = :account AND bar_time >= :open AND bar_time < :close
GROUP BY symbol
ORDER BY symbol
"""

# One value for each symbol: a session of sixty symbols has 23,400 decisions.
_DECIDED = """
SELECT symbol, json_agg(json_build_array(bar_time, action, reason_code))::text
FROM decisions
WHERE account = :account AND bar_time >= :open AND bar_time < :close
    AND symbol = ANY(:symbols::text[])
GROUP BY symbol
"""

_BEGINNING = """
SELECT (SELECT max(bar_time) FROM cycles
        WHERE account = :account AND bar_time >= :open AND bar_time < :close),
    first.cash, first.as_of
FROM (SELECT) AS always
LEFT JOIN LATERAL (
    SELECT cash, as_of FROM account_snapshots
    WHERE account = :account AND as_of >= :first_reading AND as_of < :close
    ORDER BY as_of LIMIT 1
) AS first ON true
"""

_LOCKS = f"""
SELECT {_LOCK} FROM locks
WHERE account = :account AND since <= :open AND until > :open
ORDER BY since, code, key, symbol
"""  # noqa: S608

_MARK_BEFORE = f"""
SELECT {_MARK} FROM equity_marks
WHERE account = :account AND session < :session ORDER BY session DESC LIMIT 1
"""  # noqa: S608

_TRADES = """
SELECT t.symbol, t.timestamp, t.side, t.fill_qty, t.fill_price, t.realised_pnl,
    coalesce(o.order_type IN ('stop', 'stop_limit', 'trailing_stop'), false)
FROM trades AS t
LEFT JOIN orders AS o ON o.account = t.account AND o.order_id = t.order_id
WHERE t.account = :account AND t.timestamp >= :trades_since AND t.timestamp <= :since
ORDER BY t.timestamp, t.side, t.execution_id
"""

# One JSON value per symbol instead of a row per bar, which the driver reads three times as fast.
_BARS = """
SELECT bars.symbol, json_agg(json_build_array(start, open::text, high::text, low::text, close::text,
                                              volume, feed) ORDER BY start)
FROM bars JOIN unnest(:symbols::text[], :sinces::timestamptz[]) AS wanted(symbol, since)
    ON wanted.symbol = bars.symbol
WHERE start >= wanted.since AND start >= :oldest AND start < :close AND in_session
GROUP BY bars.symbol
"""


class PostgresReferenceReads:
    """The part of ``ReportReads`` that backtests are made from."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def decided_symbols(self, account: str, period: Period) -> list[DecidedSymbol]:
        rows = self._session.rows(_SYMBOLS, **_hours(account, period))
        return [DecidedSymbol(*row) for row in rows]

    def reference_records(
        self,
        account: str,
        period: Period,
        symbols: Sequence[str],
        *,
        bars_before: int,
        daily_before: int,
        held_since: Mapping[str, datetime],
        trades_since: datetime,
    ) -> ReferenceRecords:
        session, hours = period.session, _hours(account, period)
        newest, cash, cash_at = self._session.rows(
            _BEGINNING, **hours, first_reading=period.first_reading
        )[0]
        stored = PostgresBars(self._session)
        before = stored.recent(symbols, session.open - MINUTE, bars_before)
        since = dict.fromkeys(symbols, session.open) | {
            symbol: min(opened.replace(second=0, microsecond=0), session.open)
            for symbol, opened in held_since.items()
        }
        bars = self._bars_since(since, session.close)
        marks = self._session.rows(_MARK_BEFORE, account=account, session=session.date)
        return ReferenceRecords(
            minutes=0 if newest is None else (newest - session.open) // MINUTE + 1,
            cash=cash,
            cash_at=cash_at,
            bars={
                symbol: [
                    *(bar for bar in before.get(symbol, ()) if bar.start < since[symbol]),
                    *bars.get(symbol, ()),
                ]
                for symbol in symbols
            },
            daily=stored.daily(symbols, session.date, daily_before),
            factors=PostgresFactors(self._session).table(symbols),
            actions=PostgresCorporateActions(self._session).of(symbols),
            trades=[
                RecentTrade(*row)
                for row in self._session.rows(
                    _TRADES, account=account, trades_since=trades_since, since=period.since
                )
            ],
            locks=tuple(
                Lock(*row) for row in self._session.rows(_LOCKS, account=account, open=session.open)
            ),
            mark=EquityMark(*marks[0]) if marks else None,
            decided={
                (from_iso(bar_time), symbol): (action, code)
                for symbol, decided in self._session.rows(
                    _DECIDED, **hours, symbols=text_array(symbols)
                )
                for bar_time, action, code in json.loads(decided)
            },
        )

    def _bars_since(self, since: Mapping[str, datetime], close: datetime) -> dict[str, list[Bar]]:
        """Regular ones, by symbol; those without any are absent."""
        rows = self._session.rows(
            _BARS,
            symbols=text_array(since),
            sinces=plain_array(one.isoformat() for one in since.values()),
            oldest=min(since.values(), default=close),
            close=close,
        )
        return {symbol: _bars(symbol, bars) for symbol, bars in rows}


def _bars(symbol: str, rows: Sequence[Sequence[str]]) -> list[Bar]:
    """What ``json_build_array`` made of a symbol's bars."""
    return [
        Bar(
            symbol,
            from_iso(start),
            Decimal(opened),
            Decimal(high),
            Decimal(low),
            Decimal(close),
            int(volume),
            feed,
        )
        for start, opened, high, low, close, volume, feed in rows
    ]


def _hours(account: str, period: Period) -> dict[str, object]:
    return {"account": account, "open": period.session.open, "close": period.session.close}

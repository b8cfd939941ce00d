"""What reports are made of, read from the store of record in eleven statements, however much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tradewind.adapters.postgres.position_history import SPLITS_OF
from tradewind.adapters.postgres.records import text_array
from tradewind.adapters.postgres.reference_reads import PostgresReferenceReads
from tradewind.alerts.model import Alert
from tradewind.orders.model import BrokerActivity, Side
from tradewind.portfolio.executions import Execution, Purpose
from tradewind.portfolio.splits import PositionSplit
from tradewind.portfolio.statement import TRANSFERS, CashFlow, ClosedDay, EquityReading
from tradewind.reports.ports import (
    CycleCounts,
    ForeignPosition,
    Period,
    RefusalCount,
    SessionRecords,
)

_ACTIVITY = tuple(field.name for field in fields(BrokerActivity))

# How far a price may lie back. A held symbol without a bar for that long is valued at our last
# execution.
_PRICE_AGE = timedelta(days=30)

# From the last time that a symbol was flat: what came before has no part in what is held or sold.
# A split changes what is held without a trade; several that were seen at once change it once.
# Trades whose order or intent is not known (none that the system booked itself) count as decided on
# at their own price.
_EXECUTIONS = """
WITH events AS (
    SELECT symbol, timestamp, execution_id, order_id, intent_id, side, fill_qty, fill_price,
        CASE side WHEN 'buy' THEN fill_qty ELSE -fill_qty END AS change
    FROM trades
    WHERE account = :account AND timestamp <= :until
    UNION ALL
    SELECT DISTINCT symbol, seen_at, '', NULL, NULL, NULL, NULL::numeric, NULL::numeric,
        quantity_after - quantity_before
    FROM position_splits
    WHERE account = :account AND seen_at <= :until
),
numbered AS (
    SELECT *, row_number() OVER in_order AS number, sum(change) OVER in_order AS held
    FROM events
    WINDOW in_order AS (PARTITION BY symbol ORDER BY timestamp, execution_id)
),
flat AS (
    SELECT symbol, max(number) AS number FROM numbered
    WHERE held = 0 AND timestamp <= :since
    GROUP BY symbol
)
SELECT t.execution_id, t.order_id, t.symbol, coalesce(i.strategy, ''), purpose.name, t.side,
    t.fill_qty, t.fill_price, t.timestamp,
    coalesce(i.bar_time, date_trunc('minute', t.timestamp)),
    coalesce(i.decision_price, t.fill_price),
    CASE purpose.name
        WHEN 'stop' THEN coalesce(o.stop_price, i.stop_price)
        WHEN 'exit' THEN i.stop_price
    END,
    CASE purpose.name WHEN 'exit' THEN coalesce(split_part(i.reason, ':', 1), 'exit')
        ELSE purpose.name END
FROM numbered AS t
LEFT JOIN flat ON flat.symbol = t.symbol
LEFT JOIN orders AS o ON o.account = :account AND o.order_id = t.order_id
LEFT JOIN order_intents AS i ON i.intent_id = t.intent_id
CROSS JOIN LATERAL (SELECT CASE
    WHEN t.side = 'buy' THEN 'entry'
    WHEN o.order_type IN ('stop', 'stop_limit', 'trailing_stop') THEN 'stop'
    WHEN o.order_type IS NULL AND i.kind <> 'exit' THEN 'stop'
    ELSE 'exit' END AS name) AS purpose
WHERE t.number > coalesce(flat.number, 0) AND t.side IS NOT NULL
ORDER BY t.timestamp, t.execution_id
"""

_TOTALS = """
SELECT count(*), count(finished_at),
    (SELECT coalesce(sum(realised_pnl), 0) FROM trades
     WHERE account = :account AND timestamp <= :until)
FROM cycles
WHERE account = :account AND bar_time >= :open AND bar_time < :close
"""

_REFUSALS = """
SELECT 'risk', wanted, reason_code, count(*), min(reason)
FROM decisions
WHERE account = :account AND bar_time >= :open AND bar_time < :close
    AND wanted IN ('enter', 'exit') AND action <> wanted
GROUP BY wanted, reason_code
UNION ALL
SELECT status, kind, outcome_code, count(*), min(outcome_reason)
FROM order_intents
WHERE account = :account AND session = :session
    AND status IN ('rejected', 'blocked', 'expired_unsent')
GROUP BY status, kind, outcome_code
ORDER BY 1, 2, 3
"""

_READINGS = """
SELECT as_of, equity, last_equity FROM account_snapshots
WHERE account = :account AND as_of >= :first AND as_of <= :until
ORDER BY as_of
"""

# A session ends 20 minutes after its usual close here, as its report does. The previous close is
# what the day's first snapshot told: from the close on, the broker means the day's own.
_CLOSED_DAYS = """
WITH sessions AS (
    SELECT session,
        (session + time '16:20') AT TIME ZONE 'America/New_York' AS ended,
        (lag(session) OVER (ORDER BY session) + time '16:20')
            AT TIME ZONE 'America/New_York' AS ended_before
    FROM (SELECT DISTINCT session FROM cycles
          WHERE account = :account AND session < :session) AS decided
)
SELECT s.session, newest.equity, first.last_equity,
    (SELECT coalesce(sum(amount), 0) FROM cash_activities AS a
     WHERE a.account = :account AND a.kind = ANY(:transfers::text[]) AND a.told_at <= s.ended
        AND a.told_at > coalesce(s.ended_before, s.session AT TIME ZONE 'America/New_York'))
FROM sessions AS s
CROSS JOIN LATERAL (
    SELECT last_equity FROM account_snapshots
    WHERE account = :account
        AND as_of >= (s.session + time '04:00') AT TIME ZONE 'America/New_York'
        AND as_of < (s.session + time '16:00') AT TIME ZONE 'America/New_York'
    ORDER BY as_of LIMIT 1
) AS first
CROSS JOIN LATERAL (
    SELECT equity FROM account_snapshots
    WHERE account = :account AND as_of <= s.ended
    ORDER BY as_of DESC LIMIT 1
) AS newest
ORDER BY s.session
"""

# What an account's first snapshot told of the past is no news of a session.
_FLOWS = f"""
SELECT told_at, {", ".join(_ACTIVITY)} FROM cash_activities
WHERE account = :account AND told_at > :since AND told_at <= :until AND day >= :from_day
ORDER BY told_at, activity_id
"""  # noqa: S608

_FOREIGN = """
SELECT symbol, broker_quantity, broker_price, broker_as_of FROM positions
WHERE account = :account AND quantity = 0 AND broker_quantity <> 0
ORDER BY symbol
"""

_ALERTS = """
SELECT type, severity, message, timestamp, dedupe_key, account FROM alerts
WHERE (account = :account OR account IS NULL) AND timestamp > :since AND timestamp <= :until
ORDER BY timestamp, alert_id
"""

_PRICES = """
SELECT wanted.symbol, before.close, newest.close
FROM unnest(:symbols::text[]) AS wanted(symbol)
LEFT JOIN LATERAL (
    SELECT close FROM bars
    WHERE bars.symbol = wanted.symbol AND in_session AND start < :since AND start >= :since_oldest
    ORDER BY start DESC LIMIT 1
) AS before ON true
LEFT JOIN LATERAL (
    SELECT close FROM bars
    WHERE bars.symbol = wanted.symbol AND in_session AND start < :until AND start >= :until_oldest
    ORDER BY start DESC LIMIT 1
) AS newest ON true
"""

_ACCOUNTS = "SELECT DISTINCT account FROM cycles ORDER BY account"


class PostgresReportReads(PostgresReferenceReads):
    """Implements ``ReportReads``."""

    def executions(self, account: str, since: datetime, until: datetime) -> list[Execution]:
        rows = self._session.rows(_EXECUTIONS, account=account, since=since, until=until)
        return [_execution(row) for row in rows]

    def splits(self, account: str, symbols: Sequence[str]) -> list[PositionSplit]:
        rows = self._session.rows(SPLITS_OF, account=account, symbols=text_array(symbols))
        return [PositionSplit(*row) for row in rows]

    def accounts(self) -> list[str]:
        return [row[0] for row in self._session.rows(_ACCOUNTS)]

    def session_records(self, account: str, period: Period) -> SessionRecords:
        session, since, until = period.session, period.since, period.until
        hours = {"account": account, "open": session.open, "close": session.close}
        decided, finished, realised_ever = self._session.rows(_TOTALS, **hours, until=until)[0]
        executions = self.executions(account, since, until)
        symbols = sorted({one.symbol for one in executions})
        before, newest = self._prices(symbols, since, until)
        return SessionRecords(
            cycles=CycleCounts(decided, finished),
            executions=executions,
            realised_ever=realised_ever,
            refusals=[
                RefusalCount(by, what, code or "", count, example or "")
                for by, what, code, count, example in self._session.rows(
                    _REFUSALS, **hours, session=session.date
                )
            ],
            readings=[
                EquityReading(*row)
                for row in self._session.rows(
                    _READINGS, account=account, first=period.first_reading, until=until
                )
            ],
            closed_days=[
                ClosedDay(*row)
                for row in self._session.rows(
                    _CLOSED_DAYS,
                    account=account,
                    session=session.date,
                    transfers=sorted(TRANSFERS),
                )
            ],
            flows=[
                CashFlow(BrokerActivity(*activity), told_at)
                for told_at, *activity in self._session.rows(
                    _FLOWS, account=account, since=since, until=until, from_day=since.date()
                )
            ],
            foreign=[
                ForeignPosition(*row) for row in self._session.rows(_FOREIGN, account=account)
            ],
            alerts=[
                Alert(*row)
                for row in self._session.rows(_ALERTS, account=account, since=since, until=until)
            ],
            bars=self._bars_since(dict.fromkeys(symbols, session.open), session.close),
            close_before=before,
            last_price=newest,
            splits=self.splits(account, symbols),
        )

    def _prices(
        self, symbols: Sequence[str], since: datetime, until: datetime
    ) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
        rows = self._session.rows(
            _PRICES,
            symbols=list(symbols),
            since=since,
            since_oldest=since - _PRICE_AGE,
            until=until,
            until_oldest=until - _PRICE_AGE,
        )
        return (
            {symbol: close for symbol, close, _ in rows if close is not None},
            {symbol: close for symbol, _, close in rows if close is not None},
        )


def _execution(row: Sequence[Any]) -> Execution:
    execution_id, order_id, symbol, strategy, purpose, side, *rest = row
    return Execution(execution_id, order_id, symbol, strategy, Purpose(purpose), Side(side), *rest)

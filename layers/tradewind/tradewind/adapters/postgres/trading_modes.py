"""The ``paper_runs`` and ``live_approvals`` tables, and what going live is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import plain_array, records
from tradewind.alerts.model import ACKNOWLEDGED, CRITICAL
from tradewind.market.session import Session as TradingSession
from tradewind.orders.control import SwitchState
from tradewind.risk.going_live import OpenAlert, PaperEvidence
from tradewind.risk.modes import LiveApproval, PaperRun, RampRecord, RunState, TradedSymbol

# Columns carry the names of the fields they keep. (S608 below: these names are all that is put
# into a statement; values go in as parameters.)
_RUN = tuple(field.name for field in fields(PaperRun))
_APPROVAL = tuple(field.name for field in fields(LiveApproval))

RUNS = f"""
SELECT DISTINCT ON (strategy, symbol) {", ".join(_RUN)} FROM paper_runs
WHERE account = :account
ORDER BY strategy, symbol, number DESC
"""  # noqa: S608

_ADD_RUNS = f"""
INSERT INTO paper_runs ({", ".join(_RUN)})
SELECT {", ".join(_RUN)}
FROM json_to_recordset(:rows) AS given(
    account text, strategy text, symbol text, number integer, state text, who text, why text,
    at timestamptz)
"""  # noqa: S608

LATEST_APPROVAL = f"""
SELECT {", ".join(_APPROVAL)} FROM live_approvals
WHERE account = :account ORDER BY number DESC LIMIT 1
"""  # noqa: S608

_APPROVE = f"""
INSERT INTO live_approvals ({", ".join(_APPROVAL)})
VALUES ({", ".join(f":{name}" for name in _APPROVAL)})
"""  # noqa: S608

_TRADED_SYMBOLS = """
SELECT DISTINCT ON (symbol) symbol, strategy, mode FROM decisions
WHERE account = :account AND bar_time >= (
    SELECT min(bar_time) FROM cycles
    WHERE account = :account AND session = (
        SELECT session FROM cycles WHERE account = :account ORDER BY bar_time DESC LIMIT 1))
ORDER BY symbol, bar_time DESC
"""

_TRADED_ON_PAPER = """
SELECT
    (SELECT count(DISTINCT i.session) FROM trades AS t JOIN order_intents AS i USING (intent_id)
     WHERE i.mode = 'paper'),
    (SELECT count(*) FROM paper_trades WHERE exit_price IS NOT NULL)
"""

_OPEN_ALERTS = """
SELECT type, severity, message, timestamp FROM alerts AS a
WHERE NOT EXISTS (
    SELECT FROM alerts_log AS l
    WHERE l.alert_id = a.alert_id AND l.notification_status = :acknowledged
)
ORDER BY timestamp, alert_id
"""

# A session in which nothing was bought or sold with real money says nothing: the switch may have
# been down, or another mode deployed. One that began before the approval is none of its own. It
# takes one probe of an index for each session, however many executions it had.
TRADED = """
SELECT given.day
FROM unnest(:days::date[], :opens::timestamptz[], :closes::timestamptz[])
    AS given(day, opens, closes)
WHERE given.opens >= :since AND EXISTS (
    SELECT FROM trades AS t JOIN order_intents AS i USING (intent_id)
    WHERE t.account = :account AND i.mode = 'live'
        AND t.timestamp >= given.opens AND t.timestamp < given.closes
)
ORDER BY given.day
"""

BREACHES = """
SELECT DISTINCT ON (day) day, told
FROM (
    SELECT (at AT TIME ZONE 'UTC')::date AS day, at, 'the trading switch was lowered to ' || state
        || ' by ' || who || ': ' || why AS told
    FROM switch_changes
    WHERE account = :account AND at > :since
        AND array_position({severities}, state) > array_position({severities}, previous)
    UNION ALL
    SELECT (timestamp AT TIME ZONE 'UTC')::date, timestamp, type || ': ' || message
    FROM alerts
    WHERE severity >= {critical} AND timestamp > :since
        AND (account = :account OR account IS NULL)
) AS breach
ORDER BY day, at
""".format(  # noqa: S608
    # The switch's states, the more that is forbidden the later.
    severities="ARRAY[{}]".format(
        ", ".join(f"'{state}'" for state in sorted(SwitchState, key=lambda one: one.severity))
    ),
    critical=CRITICAL,
)


class PostgresTradingModes:
    """Implements ``TradingModeStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def traded_symbols(self, account: str) -> list[TradedSymbol]:
        rows = self._session.rows(_TRADED_SYMBOLS, account=account)
        return [TradedSymbol(*row) for row in rows]

    def runs(self, account: str) -> list[PaperRun]:
        rows = self._session.rows(RUNS, account=account)
        return [_run(dict(zip(_RUN, row, strict=True))) for row in rows]

    def add_runs(self, runs: Sequence[PaperRun]) -> None:
        if runs:
            self._session.rows(_ADD_RUNS, rows=records(runs, _RUN))

    def approval(self, account: str) -> LiveApproval | None:
        rows = self._session.rows(LATEST_APPROVAL, account=account)
        return LiveApproval(*rows[0]) if rows else None

    def approve(self, approval: LiveApproval) -> None:
        self._session.rows(_APPROVE, **asdict(approval))

    def evidence(self) -> PaperEvidence:
        sessions, round_trips = self._session.rows(_TRADED_ON_PAPER)[0]
        alerts = self._session.rows(_OPEN_ALERTS, acknowledged=ACKNOWLEDGED)
        return PaperEvidence(sessions, round_trips, open_alerts=[OpenAlert(*row) for row in alerts])

    def ramp(self, approval: LiveApproval, sessions: Sequence[TradingSession]) -> RampRecord:
        traded = self._session.rows(
            TRADED, account=approval.account, since=approval.at, **session_arrays(sessions)
        )
        breaches = self._session.rows(BREACHES, account=approval.account, since=approval.at)
        return RampRecord([row[0] for row in traded], {row[0]: row[1] for row in breaches})


def session_arrays(sessions: Sequence[TradingSession]) -> dict[str, str]:
    """The parameters of ``TRADED``."""
    return {
        "days": plain_array(one.date.isoformat() for one in sessions),
        "opens": plain_array(one.open.isoformat() for one in sessions),
        "closes": plain_array(one.close.isoformat() for one in sessions),
    }


def _run(row: dict[str, Any]) -> PaperRun:
    return PaperRun(**{**row, "state": RunState(row["state"])})

"""The daily report: made from the store of record, kept as a page for people and as JSON."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from tradewind.errors import InvalidInputError
from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable
from tradewind.reports.daily import DailyReport, daily_report
from tradewind.reports.html import report_html
from tradewind.reports.ports import (
    SETTLED_AFTER,
    Period,
    ReportReads,
    ReportStore,
    SessionDivergence,
)
from tradewind.use_cases.reference_backtest import Deployed, reference_backtest
from tradewind.use_cases.unit_of_work import Database

_NEW_YORK = ZoneInfo("America/New_York")

# The schedule calls at the times that follow a whole day's close and a half one's. Only the first
# call after the day's own close makes the report.
_DUE_FOR = timedelta(hours=1)


class Reported(Protocol):
    """A database that reports can be made from."""

    def reporting(self) -> AbstractContextManager[ReportReads]: ...


@dataclass(frozen=True, slots=True)
class StoredReport:
    """Where a report lies; ``html_key`` and ``json_key`` are keys of the report store."""

    session: date
    html_key: str
    json_key: str

    def as_payload(self) -> dict[str, Any]:
        return {
            "session": self.session.isoformat(),
            "html_key": self.html_key,
            "json_key": self.json_key,
        }


def due_session(moment: datetime, sessions: SessionTable) -> Session | None:
    """The session whose report a call of the schedule at ``moment`` is for; None when the exchange
    has no session that day, it has not closed, or it closed at another of the schedule's times."""
    session = sessions.session_on(moment.astimezone(_NEW_YORK).date())
    if session is None or not SETTLED_AFTER <= moment - session.close < _DUE_FOR:
        return None
    return session


def make_report(
    account: str, day: date, *, database: Reported, sessions: SessionTable, deployed: Deployed
) -> DailyReport:
    """The report of one account's session, beside a backtest of it by what is ``deployed``.
    InvalidInputError when the exchange was closed that day or the account has no run on record."""
    session = sessions.session_on(day)
    if session is None:
        raise InvalidInputError(f"{day} was no session of the exchange: give a day it was open")
    period = Period(session, sessions.previous(day).close)
    with database.reporting() as reads:
        accounts = reads.accounts()
        if account not in accounts:
            known = f"on record are {', '.join(accounts)}" if accounts else "there is none"
            raise InvalidInputError(f"account {account!r} has no run on record; {known}")
        records = reads.session_records(account, period)
        reference = reference_backtest(account, period, records, reads, deployed, sessions)
    return daily_report(account, period, records, reference)


def session_divergence(report: DailyReport) -> SessionDivergence:
    """What is remembered of how far a session lay from its backtest, as far as that is known: a
    report made again must leave nothing of what an earlier one found."""
    one, reference = report.divergence, report.reference
    return SessionDivergence(
        account=report.account,
        session=report.session.date,
        mode=reference.mode,
        equity=None if report.statement is None else report.statement.equity_before,
        difference=None if one is None else one.total,
        share=report.compared_share,
        matched=0 if one is None else one.matched,
        only_live=0 if one is None else one.only_live,
        only_backtest=0 if one is None else one.only_backtest,
        remarks="; ".join(
            f"{told.what}: {told.why}" for told in (*reference.not_compared, *reference.unlike)
        ),
    )


def store_report(report: DailyReport, store: ReportStore, database: Database) -> StoredReport:
    """Keep it, in the place of an earlier one of the same session, and its divergence in the store
    of record: what is stored follows from the records and the configuration alone, so that a second
    call changes nothing."""
    with database.transaction() as stores:
        stores.divergences.save(session_divergence(report))
    stem = f"reports/{report.account}/{report.session.date.isoformat()}"
    stored = StoredReport(report.session.date, f"{stem}.html", f"{stem}.json")
    page = report_html(report).encode()
    content = json.dumps(report.as_payload(), indent=2).encode() + b"\n"
    store.put(stored.json_key, content, "application/json")
    store.put(stored.html_key, page, "text/html; charset=utf-8")
    return stored

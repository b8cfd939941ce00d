"""After the close: the session's report, kept as a page and as JSON."""

from __future__ import annotations

from datetime import date
from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.errors import InvalidInputError
from tradewind.market.bar import from_iso
from tradewind.market.session_table import default_table
from tradewind.use_cases.daily_report import due_session, make_report, store_report

logger = Logger(service="daily_report")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """The schedule's event makes the report that is due then, if any; ``{"session":
    "2020-11-12"}`` makes that session's, whenever it is asked for."""
    day = _session(event)
    if day is None:
        logger.info("no report is due", extra={"scheduled_time": event["scheduled_time"]})
        return {"session": None}
    report = make_report(
        bootstrap.account().account,
        day,
        database=bootstrap.database(),
        sessions=default_table(),
        deployed=bootstrap.deployed(),
    )
    stored = store_report(report, bootstrap.report_store(), bootstrap.database()).as_payload()
    logger.info("reported", extra=stored)
    return stored


def _session(event: dict[str, Any]) -> date | None:
    if "session" in event:
        try:
            return date.fromisoformat(event["session"])
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"not a date: session {event['session']!r}") from error
    if "scheduled_time" not in event:
        raise InvalidInputError("the event has neither a session nor a scheduled_time")
    due = due_session(from_iso(event["scheduled_time"]), default_table())
    return due.date if due is not None else None

"""What Alpaca books without an execution: fees, dividends, interest, journals."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tradewind.adapters.alpaca.parsing import WRONG, BrokenAnswerError, moment, optional_number
from tradewind.orders.model import BrokerActivity

logger = logging.getLogger(__name__)

NEW_YORK = ZoneInfo("America/New_York")


def activities_of(items: Iterable[Mapping[str, Any]]) -> list[BrokerActivity]:
    """All activities of a list but executions and those that were taken back.

    Raises BrokenAnswerError for one whose amount cannot be read: cash would no longer add up, and
    nobody would know why.
    """
    found: list[BrokerActivity] = []
    for raw in items:
        try:
            # An execution has an order; its kind is FILL, for options and others it may be another.
            if raw["activity_type"] == "FILL" or raw.get("order_id"):
                continue
            if raw.get("status") == "canceled":
                continue
            found.append(_activity(raw))
        except WRONG as error:
            raise BrokenAnswerError(f"not an activity: {error!r} in {raw!r:.1000}") from error
    return found


def _activity(raw: Mapping[str, Any]) -> BrokerActivity:
    amount = optional_number(raw.get("net_amount"))
    if amount is None:
        # A split or a stock journal moves shares and no cash.
        amount = Decimal(0)
    kind = str(raw["activity_type"])
    sub_type = raw.get("activity_sub_type")
    described = raw.get("description") or ""
    return BrokerActivity(
        activity_id=str(raw["id"]),
        kind=kind,
        amount=amount,
        day=_day(raw),
        symbol=raw.get("symbol") or None,
        description=f"{sub_type}: {described}" if sub_type else str(described),
    )


def _day(raw: Mapping[str, Any]) -> date:
    """``date`` is New York's already; other times are turned into its day."""
    if raw.get("date"):
        return date.fromisoformat(raw["date"][:10])
    for name in ("transaction_time", "created_at", "settle_date"):
        if raw.get(name):
            return moment(raw[name]).astimezone(NEW_YORK).date()
    raise ValueError("no date")

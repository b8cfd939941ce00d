"""What cash the broker should report, and when a difference counts. USD, times aware UTC.

Expected cash starts as the first snapshot's (the baseline) and changes by every execution on the
account, foreign ones included, and by every activity without one (fees, dividends, interest,
transfers). Executions and activities that the baseline already holds must not be added to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from tradewind.orders.model import BrokerActivity, BrokerFill, Side
from tradewind.portfolio.differences import UNEXPLAINED_AFTER

TOLERANCE = Decimal("0.01")

# An execution and the cash it moved may be told a moment apart.
SETTLING = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class CashDifference:
    """``since``: the first of the snapshots in a row that showed a difference at rest."""

    expected: Decimal
    brokers: Decimal
    since: datetime

    def is_unexplained(self, as_of: datetime) -> bool:
        """Whether a snapshot read at ``as_of`` that still shows it makes it unexplained."""
        return as_of - self.since >= UNEXPLAINED_AFTER

    def __str__(self) -> str:
        return f"cash should be {self.expected:.2f} USD, the broker says {self.brokers:.2f} USD"


def cash_effect(fills: Iterable[BrokerFill], activities: Iterable[BrokerActivity]) -> Decimal:
    """By how much executions and activities change the cash: sales and what was received count up,
    purchases and what was paid down."""
    traded = sum(
        (fill.quantity * fill.price * (1 if fill.side is Side.SELL else -1) for fill in fills),
        Decimal(0),
    )
    return traded + sum((activity.amount for activity in activities), Decimal(0))


def cash_difference(
    expected: Decimal,
    brokers: Decimal,
    *,
    since: datetime | None,
    newest_fill: datetime | None,
    as_of: datetime,
) -> CashDifference | None:
    """The difference that a snapshot read at ``as_of`` shows; None when there is none beyond a
    cent, or when it cannot be judged because an execution is as new as the snapshot.

    ``since``: of the difference that the snapshot before showed, None when it showed none.
    ``newest_fill``: the time of the newest execution that ``expected`` holds.
    """
    if newest_fill is not None and newest_fill > as_of - SETTLING:
        return None
    if abs(expected - brokers) <= TOLERANCE:
        return None
    return CashDifference(expected, brokers, since or as_of)

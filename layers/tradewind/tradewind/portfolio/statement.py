"""The daily statement and the equity curve: what the account was worth, and what moved it.

All amounts in USD, exact; times aware UTC. Deposits and withdrawals are kept apart throughout: they
change what the account is worth and earn nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from tradewind.errors import InvalidInputError
from tradewind.orders.model import BrokerActivity
from tradewind.portfolio.model import Holding

CENT = Decimal("0.01")

# The broker's words (Alpaca's activity types) for money that its owner moved in or out.
TRANSFERS = frozenset({"CSD", "CSW", "TRANS", "JNLC", "ACATC"})
FEES = frozenset({"FEE", "CFEE"})


@dataclass(frozen=True, slots=True)
class CashFlow:
    """An activity with the time at which a snapshot first told it: equity read at that time or
    later holds it."""

    activity: BrokerActivity
    told_at: datetime

    @property
    def amount(self) -> Decimal:
        return self.activity.amount

    @property
    def is_transfer(self) -> bool:
        return self.activity.kind in TRANSFERS

    @property
    def is_fee(self) -> bool:
        return self.activity.kind in FEES


@dataclass(frozen=True, slots=True)
class EquityReading:
    """What the broker said at ``as_of``: equity then, and at the previous close."""

    as_of: datetime
    equity: Decimal
    last_equity: Decimal


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """A former session's last equity, that at the close before it as it was told in the session,
    and what was deposited less withdrawn in it."""

    session: date
    equity: Decimal
    last_equity: Decimal
    transfers: Decimal


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """``daily``: equity now / equity at the previous close - 1, transfers taken out; ``peak``: the
    same against the highest value ever reached, zero or less. Fractions."""

    at: datetime
    equity: Decimal
    daily: Decimal
    peak: Decimal


@dataclass(frozen=True, slots=True)
class DailyStatement:
    """From the equity at the previous close to the equity now, part by part.

    ``realised`` is of this session's sales, ``unrealised_change`` of what is held; both of our own
    trades, at average cost, valued at the last traded price. ``fees_and_other`` are the broker's
    activities without a transfer (fees, dividends, interest), ``transfers`` deposits less
    withdrawals. ``unexplained`` is what is left: foreign positions, and prices at which the broker
    values otherwise than we do. Every part is rounded to the cent by itself, and ``unexplained``
    takes what that leaves, so that the parts add up to ``equity_now`` to the cent.
    """

    session: date
    as_of: datetime
    equity_before: Decimal
    realised: Decimal
    unrealised_change: Decimal
    fees_and_other: Decimal
    transfers: Decimal
    unexplained: Decimal
    equity_now: Decimal
    daily_drawdown: Decimal | None
    peak_drawdown: Decimal | None
    realised_ever: Decimal
    unrealised: Decimal


def readings_of_day(readings: Iterable[EquityReading], close: datetime) -> list[EquityReading]:
    """A session's readings by time, all with the previous close that the first of them told.

    Once the session has closed, the broker's "previous close" becomes this session's own; so what
    was told before ``close`` counts. Empty when nothing was read before it.
    """
    ordered = sorted(readings, key=lambda one: one.as_of)
    if not ordered or ordered[0].as_of >= close:
        return []
    return [replace(one, last_equity=ordered[0].last_equity) for one in ordered]


def unrealised(holdings: Iterable[Holding], prices: Mapping[str, Decimal]) -> Decimal:
    """What the holdings would earn at these prices beyond what they cost. Raises InvalidInputError
    for a holding without a price: a statement with a hole in it would still seem to add up."""
    total = Decimal(0)
    for holding in holdings:
        if not holding.quantity:
            continue
        if holding.symbol not in prices:
            raise InvalidInputError(
                f"no price of {holding.symbol}, of which {holding.quantity} are held"
            )
        total += holding.quantity * prices[holding.symbol] - holding.cost
    return total


def daily_statement(
    session: date,
    readings: Sequence[EquityReading],
    flows: Iterable[CashFlow],
    *,
    realised: Decimal,
    realised_ever: Decimal,
    unrealised_before: Decimal,
    unrealised_now: Decimal,
    curve: Sequence[EquityPoint],
) -> DailyStatement | None:
    """``readings``: those of :func:`readings_of_day`; ``flows``: this session's; ``curve``: the
    readings' points. None when the broker was never read in the session."""
    if not readings:
        return None
    newest = readings[-1]
    told = [flow for flow in flows if flow.told_at <= newest.as_of]
    before, now = newest.last_equity.quantize(CENT), newest.equity.quantize(CENT)
    gained = realised.quantize(CENT)
    change = (unrealised_now - unrealised_before).quantize(CENT)
    other, transfers = (
        sum((one.amount for one in told if one.is_transfer is wanted), Decimal(0)).quantize(CENT)
        for wanted in (False, True)
    )
    return DailyStatement(
        session=session,
        as_of=newest.as_of,
        equity_before=before,
        realised=gained,
        unrealised_change=change,
        fees_and_other=other,
        transfers=transfers,
        unexplained=now - before - gained - change - other - transfers,
        equity_now=now,
        daily_drawdown=curve[-1].daily if curve else None,
        peak_drawdown=curve[-1].peak if curve else None,
        realised_ever=realised_ever.quantize(CENT),
        unrealised=unrealised_now.quantize(CENT),
    )


def equity_curve(
    days: Iterable[ClosedDay], readings: Iterable[EquityReading], flows: Iterable[CashFlow]
) -> list[EquityPoint]:
    """The session's equity and drawdowns; ``readings`` are those of :func:`readings_of_day`. Where
    the previous close was worth nothing there is no return, and no point.

    The peak is that of the account's value with transfers taken out: the returns of the former
    sessions (``days``, oldest first) and of the readings so far, chained.
    """
    value = peak = Decimal(1)
    for day in days:
        if day.last_equity > 0:
            value *= (day.equity - day.transfers) / day.last_equity
            peak = max(peak, value)
    transfers = sorted((flow for flow in flows if flow.is_transfer), key=lambda flow: flow.told_at)
    points = []
    for reading in readings:
        if reading.last_equity <= 0:
            continue
        moved = sum(
            (flow.amount for flow in transfers if flow.told_at <= reading.as_of), Decimal(0)
        )
        growth = (reading.equity - moved) / reading.last_equity
        peak = max(peak, value * growth)
        points.append(
            EquityPoint(reading.as_of, reading.equity, growth - 1, value * growth / peak - 1)
        )
    return points

"""Tax lots, first in first out: which shares a sale took, since when they were held, their gain.

Over a split a lot keeps its purchase, its date and its cost, and has its shares in the new units.

What is not here: wash sales are not judged (a loss may have to be deferred when the symbol was
bought again within 30 days before or after), the broker's fees, which it tells by day and not by
sale, are in no lot, and neither is a fraction of a share that a split left and the broker paid for:
its part of the cost leaves the lots. The broker's own forms are what counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from tradewind.errors import InvalidInputError
from tradewind.orders.model import Side
from tradewind.portfolio.executions import Execution, with_conversions
from tradewind.portfolio.splits import Conversion, PositionSplit, times

# The market's dates are the tax authority's: a sale at 19:50 New York time is of that day.
NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class OpenLot:
    """Shares of one purchase that are still held; ``cost`` in USD, for all of them."""

    symbol: str
    acquired_at: datetime
    quantity: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class ClosedLot:
    """Shares of one purchase that one sale took, as many as were sold; USD, for all of them. Dates
    are New York's."""

    symbol: str
    quantity: Decimal
    acquired_at: datetime
    sold_at: datetime
    proceeds: Decimal
    cost: Decimal

    @property
    def gain(self) -> Decimal:
        return self.proceeds - self.cost

    @property
    def acquired_on(self) -> date:
        return self.acquired_at.astimezone(NEW_YORK).date()

    @property
    def sold_on(self) -> date:
        return self.sold_at.astimezone(NEW_YORK).date()

    @property
    def holding_days(self) -> int:
        return (self.sold_on - self.acquired_on).days

    @property
    def is_long_term(self) -> bool:
        """Held for more than one year, counted from the day after the purchase."""
        return self.sold_on > _a_year_after(self.acquired_on)


def tax_lots(
    executions: Iterable[Execution], splits: Iterable[PositionSplit] = ()
) -> tuple[list[ClosedLot], list[OpenLot]]:
    """Closed lots in the order of their sales, and what is left of the open ones, by symbol and
    purchase. ``executions`` have to start flat in every symbol; ``splits``: those that our books
    carried out. Raises InvalidInputError for a sale of more than is held."""
    open_lots: dict[str, deque[OpenLot]] = {}
    closed: list[ClosedLot] = []
    for event in with_conversions(executions, splits):
        lots = open_lots.setdefault(event.symbol, deque())
        if isinstance(event, Conversion):
            open_lots[event.symbol] = _converted(lots, event)
        elif event.side is Side.BUY:
            lots.append(OpenLot(event.symbol, event.at, event.quantity, event.notional))
        else:
            closed += _sold(event, lots)
    return closed, [lot for symbol in sorted(open_lots) for lot in open_lots[symbol]]


def _converted(lots: deque[OpenLot], conversion: Conversion) -> deque[OpenLot]:
    """More shares or fewer, of the same purchases at the same cost. What was paid out leaves every
    lot by the same part; the last one takes what rounding leaves."""
    held = sum((Fraction(lot.quantity) for lot in lots), Fraction(0))
    left = times(Decimal(1), held * conversion.factor * conversion.kept)
    after: deque[OpenLot] = deque()
    for number, lot in enumerate(lots, start=1):
        shares = times(lot.quantity, conversion.factor * conversion.kept)
        quantity = left if number == len(lots) else shares
        cost = lot.cost if conversion.kept == 1 else times(lot.cost, conversion.kept)
        after.append(replace(lot, quantity=quantity, cost=cost))
        left -= quantity
    return after


def _sold(sale: Execution, lots: deque[OpenLot]) -> list[ClosedLot]:
    """Takes the oldest shares out of ``lots``."""
    left, taken = sale.quantity, []
    while left:
        if not lots:
            raise InvalidInputError(
                f"execution {sale.execution_id} sells {left} {sale.symbol} more than was bought"
            )
        lot = lots.popleft()
        quantity = min(left, lot.quantity)
        # The rest of a lot takes the rest of its cost, so that no fraction of a cent is left over.
        cost = lot.cost if quantity == lot.quantity else lot.cost * quantity / lot.quantity
        taken.append(
            ClosedLot(sale.symbol, quantity, lot.acquired_at, sale.at, quantity * sale.price, cost)
        )
        if quantity < lot.quantity:
            rest = replace(lot, quantity=lot.quantity - quantity, cost=lot.cost - cost)
            lots.appendleft(rest)
        left -= quantity
    return taken


def _a_year_after(day: date) -> date:
    """29 February has its anniversary on 28 February."""
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return day.replace(year=day.year + 1, day=28)

"""An execution of ours together with what stood behind it: the noun that reports are made of."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from tradewind.orders.model import BrokerFill, Side
from tradewind.portfolio.accounting import apply_fill, flat
from tradewind.portfolio.model import Holding
from tradewind.portfolio.splits import Conversion, PositionSplit, after_split, conversions


class Purpose(StrEnum):
    """What an execution was for. A protective stop is STOP, whichever intent placed it."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill of an order of ours. USD and shares as exact decimals, times aware UTC.

    ``decided_at`` is the start of the bar that was decided on and ``decision_price`` that bar's
    close. ``stop_price`` is the protective stop's: of the order itself for STOP, of the stop that
    an exit took away for EXIT; None where none is known. ``reason`` is a code such as
    ``session_end``.
    """

    execution_id: str
    order_id: str
    symbol: str
    strategy: str
    purpose: Purpose
    side: Side
    quantity: Decimal
    price: Decimal
    at: datetime
    decided_at: datetime
    decision_price: Decimal
    stop_price: Decimal | None
    reason: str

    @property
    def notional(self) -> Decimal:
        return self.quantity * self.price

    def as_fill(self) -> BrokerFill:
        """What average-cost accounting takes."""
        return BrokerFill(
            self.execution_id,
            self.order_id,
            self.symbol,
            self.side,
            self.quantity,
            self.price,
            self.at,
        )


def in_time_order(executions: Iterable[Execution]) -> list[Execution]:
    return sorted(executions, key=lambda one: (one.at, one.execution_id))


def with_conversions(
    executions: Iterable[Execution], splits: Iterable[PositionSplit]
) -> Iterator[Execution | Conversion]:
    """Both by time. An execution is in the units of its own time: shares bought before a split and
    sold after it are told as they were traded, and the conversion lies between."""
    waiting = deque(conversions(splits))
    for execution in in_time_order(executions):
        while waiting and waiting[0].at <= execution.at:
            yield waiting.popleft()
        yield execution
    yield from waiting


def holdings_at(
    executions: Iterable[Execution], moment: datetime, splits: Iterable[PositionSplit] = ()
) -> dict[str, Holding]:
    """What the executions up to and including ``moment`` leave, by symbol, flat ones included;
    ``realised_pnl`` is that of these executions. They have to start flat in every symbol.
    ``splits``: those that our books carried out, which change shares and leave their cost.

    Raises InvalidInputError for a sale of more than is held.
    """
    held: dict[str, Holding] = {}
    for event in with_conversions(executions, splits):
        if event.at > moment:
            break
        before = held.get(event.symbol)
        if isinstance(event, Execution):
            before = before or flat(event.symbol, event.strategy)
            held[event.symbol] = apply_fill(before, event.as_fill())[0]
        elif before is not None:
            after = after_split(before, event.factor, event.quantity_after)
            held[event.symbol] = after or before
    return held

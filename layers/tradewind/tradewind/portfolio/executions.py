"""An execution of ours together with what stood behind it: the noun that reports are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from tradewind.orders.model import BrokerFill, Side
from tradewind.portfolio.accounting import apply_fill, flat
from tradewind.portfolio.model import Holding


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


def holdings_at(executions: Iterable[Execution], moment: datetime) -> dict[str, Holding]:
    """What the executions up to and including ``moment`` leave, by symbol, flat ones included;
    ``realised_pnl`` is that of these executions. They have to start flat in every symbol.

    Raises InvalidInputError for a sale of more than is held.
    """
    held: dict[str, Holding] = {}
    for execution in in_time_order(executions):
        if execution.at > moment:
            break
        before = held.get(execution.symbol) or flat(execution.symbol, execution.strategy)
        held[execution.symbol] = apply_fill(before, execution.as_fill())[0]
    return held

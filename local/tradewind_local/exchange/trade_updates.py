"""What the ``trade_updates`` stream tells, in the order in which it happened."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from tradewind_local.exchange.model import Fill, Order

# A client that fell behind by more than this has to ask for the orders, as with the broker.
KEPT = 10_000


@dataclass(frozen=True, slots=True)
class TradeUpdate:
    """One event. ``order_snapshot`` is the order as it was right after it; ``at`` is aware UTC.

    ``price``, ``qty``, ``position_qty`` (after the trade) and ``execution_id`` come with ``fill``
    and ``partial_fill`` only. ``number`` counts up by one from the start of the process.
    """

    number: int
    event: str
    order_snapshot: Order
    at: datetime
    price: Decimal | None = None
    qty: Decimal | None = None
    position_qty: Decimal | None = None
    execution_id: str | None = None


class TradeUpdates:
    """The newest ``KEPT`` events, oldest first."""

    def __init__(self) -> None:
        self.kept: deque[TradeUpdate] = deque(maxlen=KEPT)
        self._count = 0

    def add(self, event: str, order: Order, at: datetime) -> None:
        self._count += 1
        self.kept.append(TradeUpdate(self._count, event, replace(order), at))

    def add_fill(self, order: Order, fill: Fill, position_qty: Decimal) -> None:
        self._count += 1
        self.kept.append(
            TradeUpdate(
                number=self._count,
                event="fill" if order.status == "filled" else "partial_fill",
                order_snapshot=replace(order),
                at=fill.at,
                price=fill.price,
                qty=fill.qty,
                position_qty=position_qty,
                execution_id=fill.id.partition("::")[2],
            )
        )

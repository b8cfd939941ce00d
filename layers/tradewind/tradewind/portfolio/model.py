"""Holdings and trades. Average-cost accounting, exact decimals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Holding:
    """What is held of one symbol, and what it has earned so far.

    ``cost`` is the total cost of the shares held (USD); the average entry price is
    ``cost / quantity``. ``realised_pnl`` adds up over the account's life.
    ``opened_at`` is the time of the fill that opened the position, None when flat.
    ``strategy`` owns the symbol; empty for positions that are not ours (foreign).
    """

    symbol: str
    strategy: str
    quantity: Decimal
    cost: Decimal
    realised_pnl: Decimal
    opened_at: datetime | None

    @property
    def avg_price(self) -> Decimal:
        return self.cost / self.quantity if self.quantity else Decimal(0)


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill as the ``trades`` table keeps it; ``trade_id`` is made from the execution id."""

    trade_id: UUID
    execution_id: str
    symbol: str
    side: str
    price: Decimal
    timestamp: datetime
    order_id: str
    intent_id: str | None
    status: str
    fill_qty: Decimal
    fill_price: Decimal
    realised_pnl: Decimal | None


@dataclass(frozen=True, slots=True)
class Change:
    """What one fill did to a holding."""

    before: Holding
    after: Holding
    trade: Trade


@dataclass(frozen=True, slots=True)
class BookedQuantity:
    """A symbol that is ours (in the books, or ever intended), what the books hold of it, and since
    when the broker was noted to say otherwise (None: it agrees, or could not be judged)."""

    symbol: str
    quantity: Decimal
    differs_since: datetime | None


@dataclass(frozen=True, slots=True)
class CashReckoning:
    """What an account's cash should be (USD): the first snapshot's, read at ``baseline_at``, and
    every execution and activity since. ``newest_fill``: the time of the newest execution counted
    in; ``differs_since``: since when the broker was noted to say otherwise."""

    baseline: Decimal
    baseline_at: datetime
    expected: Decimal
    newest_fill: datetime | None = None
    differs_since: datetime | None = None

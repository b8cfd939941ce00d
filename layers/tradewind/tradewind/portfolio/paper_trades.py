"""Rows of ``paper_trades``: one per position on paper, open until it is closed. USD."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import prod
from uuid import UUID, uuid5

from tradewind.market.bar import to_iso
from tradewind.portfolio.model import Holding, Trade
from tradewind.portfolio.splits import PositionSplit, conversions, times

PAPER_TRADE_NAMESPACE = UUID("a35b2d5e-7e0f-5c39-8a51-4a6a3c0f9e17")


@dataclass(frozen=True, slots=True)
class PaperTrade:
    """``entry_price`` and ``exit_price`` are averages over the position's shares; the exit's and
    ``profit_loss`` are None while it is open. ``timestamp``: when it was opened, and once it is
    closed when that was."""

    trade_id: UUID
    symbol: str
    entry_price: Decimal
    exit_price: Decimal | None
    profit_loss: Decimal | None
    timestamp: datetime


def paper_trade_id(account: str, symbol: str, opened_at: datetime) -> UUID:
    """The same position is the same row, however often it is told."""
    return uuid5(PAPER_TRADE_NAMESPACE, f"{account}|{symbol}|{to_iso(opened_at)}")


def open_paper_trade(account: str, held: Holding) -> PaperTrade | None:
    """The row of a position that is open; None for a flat one."""
    if held.opened_at is None or held.quantity <= 0:
        return None
    row_id = paper_trade_id(account, held.symbol, held.opened_at)
    return PaperTrade(row_id, held.symbol, held.avg_price, None, None, held.opened_at)


def open_paper_trades(account: str, holdings: Iterable[Holding]) -> list[PaperTrade]:
    """The rows of those that are open."""
    return [row for held in holdings if (row := open_paper_trade(account, held)) is not None]


def closed_paper_trade(
    account: str, before: Holding, sales: Sequence[Trade], splits: Iterable[PositionSplit] = ()
) -> PaperTrade | None:
    """The row of a position that its last sale closed.

    ``before``: what was held until that sale, in the units sold; ``sales``: all sales since the
    position was opened, oldest first; ``splits``: the symbol's that our books carried out. What was
    sold before one of them counts in the units of after it. None when there is nothing that was
    closed.
    """
    converted = conversions(splits)
    shares = sum(
        (
            Fraction(sale.fill_qty)
            * prod((one.factor for one in converted if one.at > sale.timestamp), start=Fraction(1))
            for sale in sales
        ),
        Fraction(0),
    )
    if before.opened_at is None or shares <= 0:
        return None
    proceeds = sum((sale.fill_qty * sale.fill_price for sale in sales), Decimal(0))
    return PaperTrade(
        paper_trade_id(account, before.symbol, before.opened_at),
        before.symbol,
        before.avg_price,
        times(proceeds, 1 / shares),
        sum((sale.realised_pnl or Decimal(0) for sale in sales), Decimal(0)),
        sales[-1].timestamp,
    )

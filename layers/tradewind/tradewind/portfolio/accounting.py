"""Average-cost accounting: fills in, holdings and realised profit out. Exact decimals."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid5

from tradewind.errors import InvalidInputError
from tradewind.orders.model import BrokerFill, Side
from tradewind.portfolio.model import Holding, Trade

TRADE_NAMESPACE = UUID("0d8f6a5e-52c7-5f4e-8d43-3a9a1b6c7e55")


def trade_id_of(execution_id: str) -> UUID:
    """The same execution is the same trade, however often it is told."""
    return uuid5(TRADE_NAMESPACE, execution_id)


def flat(symbol: str, strategy: str) -> Holding:
    return Holding(symbol, strategy, Decimal(0), Decimal(0), Decimal(0), None)


def apply_fill(holding: Holding, fill: BrokerFill) -> tuple[Holding, Decimal | None]:
    """The holding after a fill, and the profit it realised (None for a buy), in USD.

    A sale takes its share of the total cost; selling the rest takes the rest, so that no fraction
    of a cent is ever left on a flat position. Selling more than is held is an error: long only.
    """
    if fill.symbol != holding.symbol:
        raise InvalidInputError(f"a fill of {fill.symbol} on a holding of {holding.symbol}")
    if fill.side is Side.BUY:
        return (
            Holding(
                holding.symbol,
                holding.strategy,
                holding.quantity + fill.quantity,
                holding.cost + fill.quantity * fill.price,
                holding.realised_pnl,
                holding.opened_at if holding.quantity else fill.at,
            ),
            None,
        )
    left = holding.quantity - fill.quantity
    if left < 0:
        raise InvalidInputError(
            f"fill {fill.execution_id} sells {fill.quantity} {fill.symbol}, "
            f"but only {holding.quantity} are held"
        )
    cost_sold = holding.cost if left == 0 else holding.cost * fill.quantity / holding.quantity
    realised = fill.quantity * fill.price - cost_sold
    return (
        Holding(
            holding.symbol,
            holding.strategy,
            left,
            holding.cost - cost_sold,
            holding.realised_pnl + realised,
            holding.opened_at if left else None,
        ),
        realised,
    )


def trade_of(fill: BrokerFill, intent_id: str | None, realised: Decimal | None) -> Trade:
    """The ``trades`` row of a fill."""
    return Trade(
        trade_id=trade_id_of(fill.execution_id),
        execution_id=fill.execution_id,
        symbol=fill.symbol,
        side=fill.side,
        price=fill.price,
        timestamp=fill.at,
        order_id=fill.order_id,
        intent_id=intent_id,
        status="filled",
        fill_qty=fill.quantity,
        fill_price=fill.price,
        realised_pnl=realised,
    )

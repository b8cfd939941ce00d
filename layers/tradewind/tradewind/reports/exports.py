"""Closed trades and tax lots as tables: one header, one row each. Amounts in USD with every digit,
times aware UTC, dates New York's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tradewind.market.bar import to_iso
from tradewind.portfolio.round_trips import RoundTrip
from tradewind.portfolio.tax_lots import ClosedLot
from tradewind.reports.payload import decimal_text

TRADE_COLUMNS: tuple[str, ...] = (
    "symbol",
    "strategy",
    "quantity",
    "entry_at",
    "exit_at",
    "entry_price",
    "exit_price",
    "profit_loss",
    "exit_reason",
    "stop_price",
)

LOT_COLUMNS: tuple[str, ...] = (
    "symbol",
    "quantity",
    "acquired_on",
    "sold_on",
    "proceeds",
    "cost",
    "gain",
    "holding_days",
    "term",
    "wash_sale",
    "acquired_at",
    "sold_at",
)


def trade_rows(trips: Iterable[RoundTrip]) -> Iterator[tuple[str, ...]]:
    """Round trips at average cost, in the order of ``TRADE_COLUMNS``."""
    for trip in trips:
        yield (
            trip.symbol,
            trip.strategy,
            decimal_text(trip.quantity),
            to_iso(trip.entry_at),
            to_iso(trip.exit_at),
            decimal_text(trip.entry_price),
            decimal_text(trip.exit_price),
            decimal_text(trip.profit_loss),
            trip.exit_reason,
            "" if trip.stop_price is None else decimal_text(trip.stop_price),
        )


def lot_rows(lots: Iterable[ClosedLot]) -> Iterator[tuple[str, ...]]:
    """Closed lots, in the order of ``LOT_COLUMNS``."""
    for lot in lots:
        yield (
            lot.symbol,
            decimal_text(lot.quantity),
            lot.acquired_on.isoformat(),
            lot.sold_on.isoformat(),
            decimal_text(lot.proceeds),
            decimal_text(lot.cost),
            decimal_text(lot.gain),
            str(lot.holding_days),
            "long" if lot.is_long_term else "short",
            "not judged",
            to_iso(lot.acquired_at),
            to_iso(lot.sold_at),
        )

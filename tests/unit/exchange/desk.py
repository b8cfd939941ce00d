"""A trading desk in memory: the exchange on a day drawn with a few candles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session_table import default_table
from tradewind_local.exchange.bar_book import BarBook
from tradewind_local.exchange.engine import Exchange
from tradewind_local.exchange.ledger import Ledger
from tradewind_local.exchange.model import Account, Order, Position
from tradewind_local.exchange.order_entry import read_changes, read_ticket
from tradewind_local.exchange.store import Store

# A Thursday, 09:30 to 16:00 New York; the day before it and the day after it are sessions too.
OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
YESTERDAY_LAST = datetime(2020, 11, 11, 20, 59, tzinfo=UTC)

Candle = str | tuple[str, str, str, str]  # one price all minute long, or open, high, low, close


class Desk:
    """``candles``: by symbol, one per minute from the opening; yesterday closed at the first
    candle's open. It starts ten minutes before the opening, with 10,000 USD."""

    def __init__(self, candles: Mapping[str, Sequence[Candle]], seed: int = 1) -> None:
        book = BarBook(Store(":memory:").connection, seed)
        for symbol, minutes in candles.items():
            book.add(
                [
                    candle_bar(symbol, YESTERDAY_LAST, _open(minutes[0])),
                    *(
                        candle_bar(symbol, OPEN + index * MINUTE, candle)
                        for index, candle in enumerate(minutes)
                    ),
                ]
            )
        cash = Decimal(10_000)
        self.positions: dict[str, Position] = {}
        self.exchange = Exchange(
            book, default_table(), Ledger(Account(cash, cash, cash), self.positions), seed
        )
        self.exchange.advance(OPEN - 10 * MINUTE)

    def at(self, minute: int, second: float = 3) -> None:
        """Let the market come to a second of a minute of the session."""
        self.exchange.advance(OPEN + minute * MINUTE + timedelta(seconds=second))

    def order(self, side: str, qty: object, symbol: str = "AAPL", **fields: object) -> Order:
        """Send an order; a market order for the day unless told otherwise."""
        body = {"symbol": symbol, "side": side, "qty": qty, "type": "market", **fields}
        order = self.exchange.submit(read_ticket({"time_in_force": "day", **body}))
        self.exchange.trade_now(order)
        return order

    def buy(self, qty: object, **fields: Any) -> Order:
        return self.order("buy", qty, **fields)

    def sell(self, qty: object, **fields: Any) -> Order:
        return self.order("sell", qty, **fields)

    def replace(self, order: Order, **changes: object) -> Order:
        new = self.exchange.replace(order.id, read_changes(changes))
        self.exchange.trade_now(new)
        return new

    def fills(self) -> list[tuple[str, Decimal, Decimal]]:
        """Side, quantity and price of every execution."""
        return [(fill.side, fill.qty, fill.price) for fill in self.exchange.fills]


def candle_bar(symbol: str, start: datetime, candle: Candle) -> Bar:
    prices = (candle,) * 4 if isinstance(candle, str) else candle
    opened, high, low, close = map(Decimal, prices)
    return Bar(symbol, start, opened, high, low, close, 1_000, "test")


def _open(candle: Candle) -> str:
    return candle if isinstance(candle, str) else candle[0]

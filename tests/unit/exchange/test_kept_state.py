"""An exchange that is started again goes on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tradewind_local.exchange.engine import Exchange
from tradewind_local.exchange.ledger import Ledger
from tradewind_local.exchange.store import Store

SEED = 1


def test_every_kind_of_order_and_activity_survives(desk: Callable[..., Any]) -> None:
    candles = ["100", "101", "104", "97", "102.50", "98"]
    day = desk(AAPL=candles, MSFT=["50", "51", "52", "47", "50", "50"])
    store = Store(":memory:")
    store.open_account(SEED, Decimal(10_000))
    day.at(0)
    day.buy(9)
    day.buy(None, symbol="MSFT", notional="333.33")
    day.sell(3, type="trailing_stop", trail_percent="2")
    day.sell(
        3,
        type="limit",
        order_class="oco",
        take_profit={"limit_price": "103"},
        stop_loss={"stop_price": "99", "limit_price": "98"},
    )
    day.exchange.post_activity("DIV", Decimal("1.23"), "AAPL", "Cash DIV @ 0.82")
    day.at(1, 30)
    day.exchange.halt("MSFT")
    day.exchange.split("MSFT", Decimal(2), Decimal(1))

    store.save(day.exchange.touched, day.exchange.ledger.account)
    saved = store.load()
    again = Exchange(
        day.exchange.book,
        day.exchange.sessions,
        Ledger(saved.account, saved.positions),
        SEED,
        now=day.exchange.now,
        orders=saved.orders,
        fills=saved.fills,
        activities=saved.activities,
        halted=day.exchange.halted,
    )
    assert list(again.orders.values()) == list(day.exchange.orders.values())
    for exchange in (day.exchange, again):
        exchange.advance(exchange.time + timedelta(minutes=10))
        exchange.post_activity("FEE", Decimal("-0.05"))
    assert list(again.orders.values()) == list(day.exchange.orders.values())
    assert again.fills == day.exchange.fills
    assert len(again.fills) == 4  # two entries, the trailing stop and one side of the pair
    assert again.activities == day.exchange.activities
    assert again.ledger.account == day.exchange.ledger.account

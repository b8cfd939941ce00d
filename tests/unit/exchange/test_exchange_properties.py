"""Whatever is sent in whatever order: no share and no cent appears or is lost."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind_local.exchange.model import WORKING, ZERO, Order
from tradewind_local.exchange.refusals import Refusal

from tests.unit.exchange.desk import Candle, Desk

CANDLES: dict[str, list[Candle]] = {
    "AAPL": ["100", ("100", "101", "98.5", "99"), "97", ("97.1234", "104", "97", "103"), "99"],
    "MSFT": ["50", ("50", "50.5", "49", "50"), ("50", "53", "50", "52"), "48", "51"],
}

symbols = st.sampled_from(["AAPL", "AAPL", "MSFT"])
quantities = st.sampled_from(["1", "2", "3", "5"])
off = st.integers(1, 4)  # per cent away from the market


def orders(side: str, kind: str, order_class: str = "") -> st.SearchStrategy[tuple[Any, ...]]:
    fields = {"side": side, "type": kind, "order_class": order_class}
    return st.tuples(st.just("send"), st.just(fields), symbols, quantities, off, st.booleans())


# Entries and sales in all forms, one as likely as the other, so that they get in each other's way.
actions = st.one_of(
    orders("buy", "market"),
    orders("buy", "limit"),
    orders("buy", "limit", "oto"),
    orders("buy", "market", "oto"),
    orders("buy", "market", "bracket"),
    orders("sell", "market"),
    orders("sell", "limit"),
    orders("sell", "stop"),
    st.tuples(st.just("pass"), st.integers(1, 90)),
    st.tuples(st.just("pass"), st.integers(1, 90)),
    st.tuples(st.just("liquidity"), st.sampled_from([None, "0.75", "1", "4"])),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("replace"), st.integers(0, 30), off, quantities),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(actions, min_size=5, max_size=30))
def test_money_and_shares_are_conserved(steps: list[tuple[Any, ...]]) -> None:
    day = Desk(CANDLES)
    day.at(0)
    now = day.exchange.time
    for step in steps:
        try:
            if step[0] == "pass":
                now += timedelta(seconds=step[1])
                day.exchange.advance(now)
            elif step[0] == "liquidity":
                day.exchange.shares_per_tick = None if step[1] is None else Decimal(step[1])
            elif step[0] == "send":
                _send(day, *step[1:])
            elif day.exchange.orders:
                orders = list(day.exchange.orders.values())
                order = orders[step[1] % len(orders)]
                if step[0] == "cancel":
                    day.exchange.cancel(order.id)
                else:
                    _replace(day, order, *step[2:])
        except Refusal:
            pass  # refusing is one of the right answers
        check(day)
    day.at(400)  # past the close
    check(day)
    assert not [order for order in day.exchange.orders.values() if _is_open_day_order(order)]


def _send(
    day: Desk, fields: dict[str, str], symbol: str, qty: str, percent: int, for_the_day: bool
) -> None:
    side, kind = fields["side"], fields["type"]
    body: dict[str, Any] = {"time_in_force": "day" if for_the_day else "gtc", **fields}
    if kind != "market":
        below = (side == "buy") == (kind == "limit")
        body[f"{kind}_price"] = _near(day, symbol, -percent if below else percent)
    if fields["order_class"]:
        # beyond a resting limit of the same percentage too
        body["stop_loss"] = {"stop_price": _near(day, symbol, -percent - 1)}
    if fields["order_class"] == "bracket":
        body["take_profit"] = {"limit_price": _near(day, symbol, percent)}
    day.order(symbol=symbol, qty=qty, **body)


def _replace(day: Desk, order: Order, percent: int, qty: str) -> None:
    changes: dict[str, object] = {} if order.order_class else {"qty": qty}
    if order.type != "market":
        changes[f"{order.type}_price"] = _near(day, order.symbol, -percent)
    day.replace(order, **changes)


def _near(day: Desk, symbol: str, percent: int) -> str:
    price = day.exchange.price(symbol)
    assert price is not None
    return str((price * (100 + percent) / 100).quantize(Decimal("0.01")))


def check(day: Desk) -> None:
    exchange, account = day.exchange, day.exchange.ledger.account
    held = exchange.ledger.held()
    # what was paid is in the shares or in the result, to the last digit
    assert account.cash + sum((p.cost for p in held), ZERO) == (
        account.opening_cash + exchange.ledger.realized
    )
    bought = {"AAPL": ZERO, "MSFT": ZERO}
    cash = account.opening_cash
    for fill in exchange.fills:
        sign = 1 if fill.side == "buy" else -1
        bought[fill.symbol] += sign * fill.qty
        cash -= sign * fill.qty * fill.price
    assert cash == account.cash
    market = sum((p.qty * (exchange.price(p.symbol) or ZERO) for p in held), ZERO)
    assert exchange.equity() == cash + market
    for symbol, qty in bought.items():
        assert exchange.ledger.position(symbol).qty == qty >= 0
        assert qty - exchange.held_qty(symbol) >= 0
    for order in exchange.orders.values():
        assert 0 <= order.filled_qty <= order.qty
        assert (order.status == "filled") == (order.leaves_qty == 0 and order.filled_qty > 0)
        fills = [fill for fill in exchange.fills if fill.order_id == order.id]
        assert sum((fill.qty for fill in fills), ZERO) == order.filled_qty
        if order.parent_id is not None and order.status in WORKING:
            assert exchange.orders[order.parent_id].status == "filled"


def _is_open_day_order(order: Order) -> bool:
    return order.is_open and order.time_in_force == "day"

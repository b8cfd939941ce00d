"""Whatever is sent in whatever order: no share and no cent appears or is lost."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind_local.exchange.model import WORKING, ZERO
from tradewind_local.exchange.refusals import Refusal

from tests.unit.exchange.desk import Desk

CANDLES = {
    "AAPL": ["100", ("100", "101", "98.5", "99"), "97", ("97.1234", "104", "97", "103"), "99"],
    "MSFT": ["50", ("50", "50.5", "49", "50"), ("50", "53", "50", "52"), "48", "51"],
}

quantities = st.sampled_from(["1", "3", "7", "20", "0.5", "2.123456789"])
offsets = st.integers(-5, 5).map(lambda percent: Decimal(percent) / 100)
actions = st.one_of(
    st.tuples(st.just("pass"), st.integers(1, 90)),
    st.tuples(st.just("liquidity"), st.sampled_from([None, "1", "0.75", "4"])),
    st.tuples(
        st.just("send"),
        st.fixed_dictionaries(
            {
                "symbol": st.sampled_from(["AAPL", "MSFT"]),
                "side": st.sampled_from(["buy", "buy", "sell"]),
                "qty": quantities,
                "type": st.sampled_from(["market", "limit", "stop"]),
                "time_in_force": st.sampled_from(["day", "gtc"]),
                "order_class": st.sampled_from(["", "", "oto", "bracket"]),
            }
        ),
        offsets,
    ),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("replace"), st.integers(0, 30), offsets, quantities),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(actions, max_size=25))
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


def _send(day: Desk, fields: dict[str, str], offset: Decimal) -> None:
    price = day.exchange.price(fields["symbol"])
    assert price is not None
    near = str((price * (1 + offset)).quantize(Decimal("0.01")))
    body: dict[str, object] = dict(fields)
    if fields["type"] != "market":
        body[f"{fields['type']}_price"] = near
    if fields["order_class"]:
        body["stop_loss"] = {"stop_price": str((price * Decimal("0.98")).quantize(Decimal("0.01")))}
    if fields["order_class"] == "bracket":
        body["take_profit"] = {
            "limit_price": str((price * Decimal("1.03")).quantize(Decimal("0.01")))
        }
    day.order(**body)  # type: ignore[arg-type]


def _replace(day: Desk, order: Any, offset: Decimal, qty: str) -> None:
    price = day.exchange.price(order.symbol)
    assert price is not None
    near = str((price * (1 + offset)).quantize(Decimal("0.01")))
    changes: dict[str, object] = {} if order.order_class else {"qty": qty}
    if order.type != "market":
        changes[f"{order.type}_price"] = near
    day.replace(order, **changes)


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


def _is_open_day_order(order: Any) -> bool:
    return order.is_open and order.time_in_force == "day"

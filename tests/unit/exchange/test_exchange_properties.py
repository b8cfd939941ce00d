"""Whatever is sent in whatever order, through halts, splits and stuck cancellations: no share and
no cent appears or is lost, and what has ended stays as it ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind_local.exchange.model import OPEN, WORKING, ZERO, Order
from tradewind_local.exchange.refusals import Refusal

from tests.unit.exchange.desk import Candle, Desk

CANDLES: dict[str, list[Candle]] = {
    "AAPL": ["100", ("100", "101", "98.5", "99"), "97", ("97.1234", "104", "97", "103"), "99"],
    "MSFT": ["50", ("50", "50.5", "49", "50"), ("50", "53", "50", "52"), "48", "51"],
}

# The last event of an order, and the status it leaves the order in.
ENDS = {
    "fill": "filled",
    **{status: status for status in ("canceled", "expired", "replaced", "rejected")},
}

symbols = st.sampled_from(["AAPL", "AAPL", "MSFT"])
quantities = st.sampled_from(["1", "2", "3", "5"])
off = st.integers(1, 4)  # per cent away from the market


def orders(
    side: str, kind: str, order_class: str = "", times: Sequence[str] = ("day", "gtc")
) -> st.SearchStrategy[tuple[Any, ...]]:
    fields = {"side": side, "type": kind, "order_class": order_class}
    return st.tuples(
        st.just("send"), st.just(fields), symbols, quantities, off, st.sampled_from(times)
    )


entries = st.one_of(
    orders("buy", "market"),
    orders("buy", "limit", times=("day", "gtc", "ioc", "fok", "cls")),
    orders("buy", "stop_limit"),
    orders("buy", "limit", "oto"),
    orders("buy", "market", "oto"),
    orders("buy", "market", "bracket"),
    orders("buy", "limit", "bracket"),
    st.tuples(st.just("spend"), symbols, st.sampled_from(["10.50", "333.33"])),
)
exits = st.one_of(
    orders("sell", "market", times=("day", "ioc", "fok", "cls")),
    orders("sell", "limit"),
    orders("sell", "stop"),
    orders("sell", "stop_limit"),
    orders("sell", "trailing_stop"),
    orders("sell", "limit", "oco"),
    orders("sell", "limit", "oco"),
    st.tuples(st.just("close"), symbols),
    st.tuples(st.just("close all"), st.booleans()),
)
events = st.one_of(
    st.tuples(st.just("liquidity"), st.sampled_from([None, "0.75", "1", "4"])),
    st.tuples(st.just("parts"), st.sampled_from([None, "0.2", "0.9"])),
    st.tuples(st.just("halt"), symbols),
    st.tuples(st.just("resume"), symbols),
    st.tuples(st.just("stick"), st.integers(0, 2)),
    st.tuples(st.just("release")),
    st.tuples(st.just("post"), st.sampled_from(["-3.21", "7.50"])),
)
splits = st.tuples(st.just("split"), symbols, st.sampled_from([(2, 1), (1, 3), (3, 2)]))
passing = st.tuples(st.just("pass"), st.integers(1, 90))
touching = st.one_of(
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("replace"), st.integers(0, 30), off, quantities),
)
# As likely to let time pass as to send something, so that orders get in each other's way.
usual = st.one_of(entries, exits, passing, passing, touching, events)


@settings(max_examples=250, deadline=None)
@given(st.lists(usual, min_size=5, max_size=40))
def test_money_and_shares_are_conserved(steps: list[tuple[Any, ...]]) -> None:
    run(Witness(), steps)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(usual, splits), min_size=5, max_size=40))
def test_also_when_shares_are_split(steps: list[tuple[Any, ...]]) -> None:
    run(Witness(), steps)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(usual, splits), min_size=5, max_size=30))
def test_the_same_calls_give_the_same_answers(steps: list[tuple[Any, ...]]) -> None:
    first, second = (run(Witness(), steps).exchange for _ in range(2))
    assert list(first.orders.values()) == list(second.orders.values())
    assert first.fills == second.fills
    assert first.activities == second.activities
    assert first.events == second.events


def run(witness: Witness, steps: list[tuple[Any, ...]]) -> Desk:
    """Take the steps and let the day and the next one end, looking at everything after each."""
    day = Desk(CANDLES)
    day.exchange.fees_on_sales = True
    day.at(0)
    for step in steps:
        before = state(day)
        try:
            take(day, step)
        except Refusal:  # one of the right answers
            assert state(day) == before
        witness.look(day)
    for symbol in CANDLES:
        day.exchange.resume(symbol)
    for minute in (400, 24 * 60 + 400):
        day.at(minute)
        witness.look(day)
    assert not [order for order in day.exchange.orders.values() if _is_open_day_order(order)]
    return day


def take(day: Desk, step: tuple[Any, ...]) -> None:
    exchange = day.exchange
    match step:
        case ("pass", seconds):
            exchange.advance(exchange.time + timedelta(seconds=seconds))
        case ("liquidity", shares):
            exchange.shares_per_tick = None if shares is None else Decimal(shares)
        case ("parts", share):
            exchange.partial_fills(None if share is None else Decimal(share))
        case ("halt", symbol):
            exchange.halt(symbol)
        case ("resume", symbol):
            exchange.resume(symbol)
        case ("stick", times):
            exchange.stick_cancels(times)
        case ("release",):
            exchange.release_cancels()
        case ("post", amount):
            exchange.post_activity("INT", Decimal(amount))
        case ("split", symbol, (new, old)):
            exchange.split(symbol, Decimal(new), Decimal(old))
        case ("send", *given_order):
            _send(day, *given_order)
        case ("spend", symbol, notional):
            day.buy(None, symbol=symbol, notional=notional)
        case ("close", symbol):
            exchange.trade_now(exchange.close_position(symbol))
        case ("close all", cancel_orders):
            for _, answer in exchange.close_all_positions(cancel_orders):
                if isinstance(answer, Order):
                    exchange.trade_now(answer)
        case (kind, place, *changes) if exchange.orders:
            found = list(exchange.orders.values())
            order = found[place % len(found)]
            if kind == "cancel":
                exchange.cancel(order.id)
            else:
                _replace(day, order, *changes)


def _send(
    day: Desk, fields: dict[str, str], symbol: str, qty: str, percent: int, time_in_force: str
) -> None:
    side, kind, order_class = fields["side"], fields["type"], fields["order_class"]
    body: dict[str, Any] = {"time_in_force": time_in_force, **fields}
    below, above = _near(day, symbol, -percent), _near(day, symbol, percent)
    if kind == "limit" and order_class != "oco":
        body["limit_price"] = below if side == "buy" else above
    if kind in ("stop", "stop_limit"):
        body["stop_price"] = above if side == "buy" else below
    if kind == "stop_limit":
        body["limit_price"] = body["stop_price"]
    if kind == "trailing_stop":
        body["trail_percent"] = str(percent)
    if order_class:
        # beyond a resting limit of the same percentage too; every other one with a limit
        stop = _near(day, symbol, -percent - 1)
        body["stop_loss"] = {"stop_price": stop, "limit_price": stop if percent % 2 else None}
    if order_class in ("bracket", "oco"):
        body["take_profit"] = {"limit_price": above}
    day.order(symbol=symbol, qty=qty, **body)


def _replace(day: Desk, order: Order, percent: int, qty: str) -> None:
    changes: dict[str, object] = {} if order.order_class else {"qty": qty}
    if order.type == "trailing_stop":
        changes["trail"] = str(percent)
    elif order.type == "stop_limit":
        changes["stop_price"] = changes["limit_price"] = _near(day, order.symbol, -percent)
    elif order.type != "market":
        changes[f"{order.type}_price"] = _near(day, order.symbol, -percent)
    day.replace(order, **changes)


def _near(day: Desk, symbol: str, percent: int) -> str:
    price = day.exchange.price(symbol)
    assert price is not None
    return str((price * (100 + percent) / 100).quantize(Decimal("0.01")))


def state(day: Desk) -> tuple[Any, ...]:
    """All that a refused call must leave as it is."""
    exchange = day.exchange
    return (
        [repr(order) for order in exchange.orders.values()],
        repr(exchange.ledger.account),
        [repr(exchange.ledger.position(symbol)) for symbol in CANDLES],
        len(exchange.fills),
        len(exchange.activities),
        len(exchange.events),
    )


class Witness:
    """Looks at an exchange after every step, and remembers what must not change any more."""

    def __init__(self) -> None:
        self._ended: dict[str, str] = {}
        self._fills_seen = 0

    def look(self, day: Desk) -> None:
        self._nothing_traded_in_a_halt(day)
        check_money_and_shares(day)
        check_orders(day)
        check_groups(day)
        for order in day.exchange.orders.values():
            if order.id in self._ended:
                assert repr(order) == self._ended[order.id]
            elif not order.is_open:
                self._ended[order.id] = repr(order)
        self._every_end_was_told_once(day)

    def _nothing_traded_in_a_halt(self, day: Desk) -> None:
        # A step either trades or halts, never both.
        fills = day.exchange.fills
        assert not {fill.symbol for fill in fills[self._fills_seen :]} & day.exchange.halted
        self._fills_seen = len(fills)

    def _every_end_was_told_once(self, day: Desk) -> None:
        told: dict[str, list[str]] = {}
        for number, update in enumerate(day.exchange.events, 1):
            assert update.number == number
            told.setdefault(update.order_snapshot.id, []).append(update.event)
        assert set(told) == set(day.exchange.orders)
        for order_id, kinds in told.items():
            assert kinds[0] in ("accepted", "held")
            assert [ENDS[kind] for kind in kinds if kind in ENDS] == (
                [day.exchange.orders[order_id].status] if order_id in self._ended else []
            )


def check_money_and_shares(day: Desk) -> None:
    exchange, account = day.exchange, day.exchange.ledger.account
    held = exchange.ledger.held()
    paid = sum((activity.amount for activity in exchange.activities), ZERO)
    # what was paid is in the shares, in the result or in the activities, to the last digit
    assert account.cash + sum((p.cost for p in held), ZERO) == (
        account.opening_cash + exchange.ledger.realized + paid
    )
    shares = {"AAPL": ZERO, "MSFT": ZERO}
    cash = account.opening_cash + paid
    for fill in exchange.fills:
        sign = 1 if fill.side == "buy" else -1
        shares[fill.symbol] += sign * fill.qty
        cash -= sign * fill.qty * fill.price
    assert cash == account.cash
    for activity in exchange.activities:
        if activity.symbol is not None:
            shares[activity.symbol] += activity.qty or ZERO
    market = sum((p.qty * (exchange.price(p.symbol) or ZERO) for p in held), ZERO)
    assert exchange.equity() == cash + market
    for symbol, qty in shares.items():
        assert exchange.ledger.position(symbol).qty == qty >= 0
        assert 0 <= exchange.held_qty(symbol) <= qty


def check_orders(day: Desk) -> None:
    exchange = day.exchange
    filled: dict[str, Decimal] = {}
    for fill in exchange.fills:
        filled[fill.order_id] = filled.get(fill.order_id, ZERO) + fill.qty
    for order in exchange.orders.values():
        assert 0 <= order.filled_qty <= order.qty
        assert (order.status == "filled") == (order.leaves_qty == 0 and order.filled_qty > 0)
        assert filled.get(order.id, ZERO) == order.filled_qty
        if order.parent_id is not None and order.status in WORKING and order.order_class != "oco":
            assert exchange.orders[order.parent_id].status == "filled"


def check_groups(day: Desk) -> None:
    """However often they were replaced, the orders that leave a position sell no more than it was
    entered with (bracket, OTO) or than they were sent for (OCO)."""
    sold: dict[str, Decimal] = {}
    limit: dict[str, Decimal] = {}
    first: dict[str, str] = {}
    found = day.exchange.orders.values()
    for order in found:
        first[order.id] = first[order.replaces] if order.replaces else order.id
    for order in found:
        if order.order_class == "":
            continue
        group = first[order.parent_id] if order.parent_id else first[order.id]
        if order.side == "sell":
            sold[group] = sold.get(group, ZERO) + order.filled_qty
        else:
            limit[group] = limit.get(group, ZERO) + order.filled_qty
    for update in day.exchange.events:
        sent = update.order_snapshot
        if update.event == "accepted" and sent.order_class == "oco" and first[sent.id] == sent.id:
            limit[sent.id] = sent.qty
    for group, qty in sold.items():
        assert qty <= limit.get(group, ZERO)


def _is_open_day_order(order: Order) -> bool:
    return order.status in OPEN and order.time_in_force == "day"

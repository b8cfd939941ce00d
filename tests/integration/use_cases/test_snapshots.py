"""Snapshots replayed, reordered and incomplete: the books end the same, and count nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal as D
from itertools import permutations
from typing import Any

import pytest
from tradewind.orders.control import SwitchState
from tradewind.orders.ids import deployment_tag
from tradewind.orders.model import (
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerState,
    IntentKind,
    IntentOutcome,
    IntentStatus,
    OrderIntent,
    OrderStatus,
    Side,
)
from tradewind.strategies.decision import Action

from tests.fakes import FakeControl, an_account, an_order
from tests.integration.use_cases.books import (
    NOON,
    READ_AT,
    Books,
    cycle_at,
    decided,
    fill,
    leg_of,
    order_of,
    state,
)

Ask = Callable[..., list[list[Any]]]

# Everything that a snapshot may write, but for when it was written.
_CONTENT = {
    "orders": "order_id, intent_id, status, filled_quantity, filled_avg_price, updated_at, as_of, "
    "fills_missing_since, stranger_as_of",
    "fills": "execution_id, order_id, quantity, price, at, cumulative, synthetic",
    "trades": "execution_id, fill_qty, fill_price, realised_pnl",
    "positions": "symbol, quantity, cost, realised_pnl, broker_quantity, broker_as_of, "
    "differs_since",
    "order_intents": "intent_id, status, broker_order_id, outcome_code, outcome_at",
    "account_snapshots": "as_of, equity, cash",
    "cash_activities": "activity_id, amount, told_at",
    "cash_reckonings": "baseline, baseline_at, expected, newest_fill, differs_since",
    "outbox": "message_id, message",
}


def content(ask: Ask, *left_out: str) -> dict[str, list[list[Any]]]:
    return {
        table: ask(f"SELECT {columns} FROM {table} ORDER BY 1")  # noqa: S608
        for table, columns in _CONTENT.items()
        if table not in left_out
    }


def after(seconds: float) -> datetime:
    """So long after the snapshot that was decided on."""
    return READ_AT + timedelta(seconds=seconds)


def execution(
    name: str, quantity: D, price: str, cumulative: D | None, second: float = 1, **changes: Any
) -> BrokerFill:
    fill = BrokerFill(
        name, "entry", "AAPL", Side.BUY, quantity, D(price), after(second), cumulative
    )
    return replace(fill, **changes)


def filled(intent: OrderIntent, quantity: D, price: str, second: float = 1) -> BrokerOrder:
    """The entry with so much of it filled at this average."""
    done = quantity == intent.quantity
    return order_of(
        intent,
        status=OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED,
        filled_quantity=quantity,
        filled_avg_price=D(price),
        updated_at=after(second),
    )


def held(quantity: D | int) -> tuple[BrokerPosition, ...]:
    return (BrokerPosition("AAPL", D(quantity), D(100), D(100), D(0)),)


def of_three_snapshots(intent: OrderIntent) -> list[BrokerState]:
    """An entry of 100 that fills 40 at 100 and 60 at 101; its leg becomes active."""
    first = execution("x-1", D(40), "100", D(40))
    second = execution("x-2", D(60), "101", D(100), second=10)
    entry = replace(intent, quantity=D(100))
    return [
        state(
            filled(entry, D(40), "100"),
            leg_of(entry, status=OrderStatus.HELD, updated_at=after(1)),
            fills=(first,),
            positions=held(40),
            as_of=after(2),
        ),
        state(
            filled(entry, D(100), "100.60", second=10),
            leg_of(entry, updated_at=after(10)),
            fills=(first, second),
            positions=held(100),
            as_of=after(11),
        ),
        state(
            filled(entry, D(100), "100.60", second=10),
            leg_of(entry, updated_at=after(10)),
            fills=(first, second),
            positions=held(100),
            as_of=after(60),
        ),
    ]


def test_the_same_snapshot_again_changes_nothing(books: Books, ask: Ask) -> None:
    intent = decided(books)
    for told in of_three_snapshots(intent):
        recorded = books.sync(told)
        assert recorded.orders + recorded.fills > 0 or told.as_of == after(60)
        once = content(ask)
        again = books.sync(told)
        assert (again.orders, again.fills, again.resolved) == (0, 0, 0)
        assert content(ask) == once


def test_an_older_snapshot_changes_nothing(books: Books, ask: Ask) -> None:
    intent = decided(books)
    told = of_three_snapshots(intent)
    for snapshot in told:
        books.sync(snapshot)
    once = content(ask)
    for snapshot in (told[0], told[1], told[0]):
        books.sync(snapshot)
        assert content(ask) == once


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_whatever_order_snapshots_come_the_books_end_the_same(
    books: Books, ask: Ask, order: tuple[int, ...]
) -> None:
    intent = decided(books)
    told = of_three_snapshots(intent)
    for number in (*order, 2):
        books.sync(told[number])
    holding = books.holdings()["AAPL"]
    assert (holding.quantity, holding.cost) == (D(100), D("10060"))
    assert ask("SELECT count(*), sum(quantity) FROM fills") == [[2, D(100)]]
    assert ask("SELECT expected FROM cash_reckonings") == [[D("89940")]]
    assert ask("SELECT order_id, status FROM orders ORDER BY 1") == [
        ["entry", "filled"],
        ["stop", "new"],
    ]
    assert ask("SELECT broker_quantity FROM positions") == [[D(100)]]
    assert books.open_intents() == []


# -- executions -----------------------------------------------------------------------------------


def test_a_dropped_execution_is_concluded_after_half_a_minute_and_counted_once(
    books: Books, ask: Ask
) -> None:
    intent = decided(books)
    whole = filled(intent, intent.quantity, "100.10")
    at_broker: dict[str, Any] = {
        "positions": held(intent.quantity),
        "account": an_account(cash=100_000 - intent.quantity * D("100.10")),
    }
    for second in (2, 12, 31):  # half a minute after the first sight of it is second 32
        books.sync(state(whole, **at_broker, as_of=after(second)))
        assert books.holdings() == {}
    books.sync(state(whole, **at_broker, as_of=after(32)))
    holding = books.holdings()["AAPL"]
    assert (holding.quantity, holding.cost) == (intent.quantity, intent.quantity * D("100.10"))
    (told,) = books.told("fill_concluded")
    assert told.startswith(f"buy {intent.quantity} AAPL at 100.10")
    # The real one comes after all, in two parts: nothing of it is booked a second time.
    half = intent.quantity / 2
    real = (
        execution("x-1", half, "100.00", half),
        execution("x-2", half, "100.20", intent.quantity),
    )
    for second in (60, 120):
        books.sync(state(whole, fills=real, **at_broker, as_of=after(second)))
    assert books.holdings()["AAPL"] == holding
    assert ask("SELECT synthetic, quantity FROM fills") == [[True, intent.quantity]]
    assert books.told("position_difference") == []
    assert books.told("cash_difference") == []


def test_an_execution_that_is_only_late_is_booked_as_it_was(books: Books, ask: Ask) -> None:
    intent = decided(books)
    whole = filled(intent, intent.quantity, "100.10")
    books.sync(state(whole, as_of=after(2)))
    real = execution("x-1", intent.quantity, "100.10", intent.quantity)
    books.sync(state(whole, fills=(real,), as_of=after(20)))
    books.sync(state(whole, fills=(real,), as_of=after(80)))
    assert ask("SELECT execution_id FROM fills") == [["x-1"]]
    assert ask("SELECT fills_missing_since FROM orders") == [[None]]
    assert books.told("fill_concluded") == []


def test_the_missing_part_alone_is_concluded_at_the_price_that_the_average_leaves(
    books: Books,
) -> None:
    intent = decided(books)
    whole = filled(intent, intent.quantity, "101")
    part = execution("x-2", D(50), "102.60", intent.quantity)  # the last 50 shares
    books.sync(state(whole, fills=(part,), as_of=after(2)))
    books.sync(state(whole, fills=(part,), as_of=after(32)))
    holding = books.holdings()["AAPL"]
    assert (holding.quantity, round(holding.cost, 2)) == (intent.quantity, intent.quantity * 101)


# An execution of 40 of an entry of 250, told in these ways: it is booked once.
DOUBLED = {
    "the same id twice": [("x-1", D(40)), ("x-1", D(40))],
    "another id, the same shares": [("x-1", D(40)), ("x-1-replayed", D(40))],
    "without cumulative quantities": [("x-1", None), ("x-1-replayed", None)],
}


@pytest.mark.parametrize("told", DOUBLED.values(), ids=DOUBLED.keys())
@pytest.mark.parametrize("together", [True, False])
def test_a_doubled_execution_is_booked_once(
    books: Books, told: list[tuple[str, D | None]], together: bool
) -> None:
    intent = decided(books)
    fills = [execution(name, D(40), "100", cumulative) for name, cumulative in told]
    order = filled(intent, D(40), "100")
    for number, batch in enumerate([fills] if together else [[one] for one in fills]):
        books.sync(state(order, fills=tuple(batch), as_of=after(2 + number)))
    assert books.holdings()["AAPL"].quantity == D(40)


def test_an_order_of_ours_that_the_snapshot_shows_first_is_adopted_with_its_fills(
    books: Books,
) -> None:
    # The submitter died after the call: no outcome was ever told.
    intent = decided(books)
    whole = filled(intent, intent.quantity, "100")
    real = execution("x-1", intent.quantity, "100", intent.quantity)
    recorded = books.sync(state(whole, leg_of(intent), fills=(real,), as_of=after(60)))
    assert (recorded.orders, recorded.fills, recorded.resolved) == (2, 1, 1)
    assert books.open_intents() == []
    assert books.holdings()["AAPL"].strategy == "wisher"


def test_an_order_judged_unsent_that_turns_up_is_told_and_adopted(books: Books) -> None:
    intent = decided(books)
    books.sync(state(as_of=after(180)))
    assert books.open_intents() == []
    late = IntentOutcome(
        intent.intent_id, IntentStatus.EXPIRED_UNSENT, None, "late", "too late", after(200)
    )
    told = state(order_of(intent, status=OrderStatus.NEW, filled_quantity=D(0)), as_of=after(240))
    for _ in range(2):
        books.close(late, state=told)
        assert len(books.told("order_arrived_after_all")) == 1
    with books.database.transaction() as stores:
        assert stores.intents.unsent("paper", [intent.intent_id]) == []


def test_an_open_order_that_the_snapshot_does_not_show_is_to_be_looked_up(books: Books) -> None:
    intent = decided(books)
    working = order_of(intent, status=OrderStatus.NEW, filled_quantity=D(0))
    assert books.sync(state(working, as_of=after(2))).look_up == ()
    assert books.sync(state(as_of=after(60))).look_up == ("entry",)
    assert books.sync(state(as_of=after(30))).look_up == ()  # an older one proves nothing
    assert books.sync(state(working, as_of=after(120))).look_up == ()


def test_a_stop_that_the_broker_does_not_show_any_more_protects_nothing(books: Books) -> None:
    intent = decided(books)
    held = BrokerPosition("AAPL", intent.quantity, D(100), D(100), D(0))
    bought = fill("entry", Side.BUY, intent.quantity, "100")
    seen = state(order_of(intent), leg_of(intent, status=OrderStatus.NEW), positions=(held,),
                 fills=(bought,), as_of=after(10))  # fmt: skip
    books.sync(seen)
    sent = []
    for minute in (1, 2):
        cycle = cycle_at(NOON + timedelta(minutes=minute))
        books.bar(cycle.bar_time)
        without = replace(seen, orders=seen.orders[:1], as_of=after(10 + 60 * minute))
        assert books.sync(without, cycle).look_up == ("stop",)
        sent.append([one.kind for one in books.decide(Action.HOLD, cycle).intents])
    # It is asked for by its id at first; the broker does not know it.
    assert sent == [[], [IntentKind.PROTECT]]


def test_an_order_that_the_broker_does_not_know_is_over_until_it_says_otherwise(
    books: Books,
) -> None:
    """Else it would refuse the symbol's entries, and be asked for, for ever."""
    intent = decided(books)
    working = order_of(intent, status=OrderStatus.NEW, filled_quantity=D(0))
    books.sync(state(working, as_of=after(2)))
    for _ in range(2):
        books.sync(state(as_of=after(122), not_known=("entry",)))  # it may be a moment's slip
        assert (open_orders(books), books.told("order_vanished")) == (["entry"], [])
    for _ in range(2):
        assert books.sync(state(as_of=after(123), not_known=("entry",))).look_up == ()
        assert open_orders(books) == []
        (told,) = books.told("order_vanished")
        assert "does not know order entry" in told
    # An execution told later is booked all the same.
    late = execution("late", intent.quantity, "100", intent.quantity)
    books.sync(state(fills=(late,), as_of=after(180)))
    assert books.holdings()["AAPL"].quantity == intent.quantity
    assert open_orders(books) == []
    # The broker's word counts more than our judgement, and people are told.
    for _ in range(2):
        books.sync(state(order_of(intent, status=OrderStatus.PARTIALLY_FILLED), as_of=after(240)))
        assert open_orders(books) == ["entry"]
        assert len(books.told("order_returned")) == 1


def open_orders(books: Books) -> list[str]:
    with books.database.transaction() as stores:
        return [order.order_id for order in stores.orders.open("paper")]


# -- a second deployment --------------------------------------------------------------------------


def another_deployments(tag: str, **changes: Any) -> BrokerOrder:
    plain = an_order(
        order_id="theirs",
        client_order_id=f"tw-{tag}-{24 * 'a'}",
        symbol="MSFT",
        submitted_at=after(-3600),
        updated_at=after(-3600),
    )
    return replace(plain, **changes)


OWN_TAG, OTHER_TAG = deployment_tag("here"), deployment_tag("there")
FINAL: dict[str, Any] = {"status": OrderStatus.CANCELED}
# (what is seen, the order, whether it is a second deployment's)
STRANGERS = [
    ("another tag, open", another_deployments(OTHER_TAG), True),
    ("another tag, over before we began", another_deployments(OTHER_TAG, **FINAL), False),
    ("another tag, sent since", another_deployments(OTHER_TAG, submitted_at=after(5), **FINAL),
     True),
    ("our tag, never committed", another_deployments(OWN_TAG, **FINAL), True),
    ("somebody's own order", another_deployments(OTHER_TAG, client_order_id="by-hand"), False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("order", "is_one"), [row[1:] for row in STRANGERS], ids=[row[0] for row in STRANGERS]
)
def test_a_second_deployment_is_told_and_refused_while_it_is_seen(
    books: Books, order: BrokerOrder, is_one: bool
) -> None:
    decided(books)
    later = cycle_at(NOON + timedelta(minutes=4))
    books.bar(later.bar_time)
    for second in (241, 242):
        books.sync(state(order, as_of=after(second)), later)
    assert len(books.told("second_deployment")) == is_one
    assessed = books.decide(cycle=later)
    assert bool(assessed.intents) is not is_one
    assert reason_of(books, later.bar_time) == ("second_deployment" if is_one else "told")
    # Once the newest snapshot shows it no more, entries go on.
    gone = cycle_at(NOON + timedelta(minutes=8))
    books.bar(gone.bar_time)
    books.sync(state(as_of=after(481)), gone)
    books.decide(cycle=gone)
    assert reason_of(books, gone.bar_time) == "told"


def reason_of(books: Books, bar_time: datetime) -> str:
    with books.database.reading() as queries:
        rows = queries._session.rows(
            "SELECT reason_code FROM decisions WHERE bar_time = :at AND symbol = 'AAPL'",
            at=bar_time,
        )
    reason: str = rows[0][0]
    return reason


# -- the trading switch ---------------------------------------------------------------------------


def test_changes_of_the_switch_are_recorded_once_with_who_and_why(books: Books, ask: Ask) -> None:
    control = FakeControl()
    control.change_switch("paper", SwitchState.HALTED, "mira", "the broker misbehaves", after(1))
    control.change_switch("paper", SwitchState.ACTIVE, "mira", "it is well again", after(2))
    for _ in range(2):
        books.close(control=control)
    assert ask("SELECT number, previous, state, who, why FROM switch_changes ORDER BY 1") == [
        [1, "ACTIVE", "HALTED", "mira", "the broker misbehaves"],
        [2, "HALTED", "ACTIVE", "mira", "it is well again"],
    ]
    assert len(books.told("trading_switch_changed")) == 2


def test_a_control_table_out_of_reach_stops_nothing_else(books: Books) -> None:
    intent = decided(books)
    control = FakeControl(readable=False)
    books.close(state=state(order_of(intent), as_of=after(5)), control=control)
    assert books.open_intents() == []

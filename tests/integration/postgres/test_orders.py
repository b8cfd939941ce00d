"""The ``order_intents`` and ``orders`` tables: idempotent, and never backwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.errors import InvalidInputError
from tradewind.orders.ids import protect_id
from tradewind.orders.life import KnownOrder
from tradewind.orders.model import (
    FINAL_STATUSES,
    BrokerOrder,
    IntentKind,
    IntentStatus,
    OrderClass,
    OrderIntent,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)

from tests.integration.postgres.rows import (
    ACCOUNT,
    MINUTE,
    OPEN,
    SECOND,
    a_snapshot,
    an_intent,
    an_order,
    an_outcome,
    tell_orders,
)

# -- intents --------------------------------------------------------------------------------------


def add(database: PostgresDatabase, *intents: OrderIntent) -> int:
    with database.transaction() as stores:
        return stores.intents.add(intents)


def test_an_intent_comes_back_as_it_was_committed(database: PostgresDatabase) -> None:
    intents = [
        an_intent("tw-1"),
        an_intent("tw-2", kind=IntentKind.EXIT, target_order_id="o-9"),
        an_intent("tw-3", kind=IntentKind.REPRICE, limit_price=None, bar_time=OPEN - MINUTE),
    ]
    add(database, *intents)
    with database.transaction() as stores:
        assert stores.intents.find(["tw-1", "tw-2", "tw-3", "tw-4"]) == [
            intents[2],
            intents[0],
            intents[1],
        ]
        assert stores.intents.find([]) == []


def test_an_intent_committed_again_is_left_as_it_is(database: PostgresDatabase) -> None:
    assert add(database, an_intent("tw-1")) == 1
    assert add(database, an_intent("tw-1", quantity=Decimal(99)), an_intent("tw-2")) == 1
    with database.transaction() as stores:
        assert stores.intents.find(["tw-1"])[0].quantity == Decimal(10)


@pytest.mark.parametrize(
    "broken",
    [
        an_intent("tw-1", stop_price=None),  # an entry without its stop
        an_intent("tw-1", side=Side.SELL),  # a short sale
        an_intent("tw-1", kind=IntentKind.EXIT, side=Side.BUY),
        an_intent("tw-1", kind=IntentKind.EXIT, expires_at=OPEN),  # exits do not expire
        an_intent("tw-1", expires_at=None),
        an_intent("tw-1", quantity=Decimal(0)),
        an_intent("tw-1", limit_price=Decimal("-1")),
        an_intent("t" * 49),
    ],
)
def test_an_intent_that_breaks_a_promise_cannot_be_committed(
    database: PostgresDatabase, broken: OrderIntent
) -> None:
    with pytest.raises(InvalidInputError):
        add(database, broken)


# (outcomes in the order they are told, what stands in the end)
TOLD = [
    ([IntentStatus.UNKNOWN], IntentStatus.UNKNOWN),
    ([IntentStatus.UNKNOWN, IntentStatus.PENDING], IntentStatus.UNKNOWN),
    ([IntentStatus.UNKNOWN, IntentStatus.SUBMITTED], IntentStatus.SUBMITTED),
    ([IntentStatus.SUBMITTED, IntentStatus.UNKNOWN], IntentStatus.SUBMITTED),
    ([IntentStatus.REJECTED, IntentStatus.PENDING], IntentStatus.REJECTED),
    ([IntentStatus.SUBMITTED, IntentStatus.REJECTED], IntentStatus.REJECTED),
]


@pytest.mark.parametrize(("told", "stands"), TOLD)
@pytest.mark.parametrize("together", [True, False])
def test_what_is_surer_stands(
    database: PostgresDatabase,
    ask: Callable[..., Any],
    told: list[IntentStatus],
    stands: IntentStatus,
    together: bool,
) -> None:
    add(database, an_intent("tw-1"))
    outcomes = [an_outcome("tw-1", status, second) for second, status in enumerate(told)]
    with database.transaction() as stores:
        for batch in [outcomes] if together else [[outcome] for outcome in outcomes]:
            stores.intents.record(batch)
    assert ask("SELECT status FROM order_intents") == [[stands]]


def test_an_older_outcome_told_later_changes_nothing(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    add(database, an_intent("tw-1"))
    with database.transaction() as stores:
        stores.intents.record([an_outcome("tw-1", IntentStatus.SUBMITTED, second=9)])
        stores.intents.record([an_outcome("tw-1", IntentStatus.BLOCKED, second=3)])
    rows = ask("SELECT status, broker_order_id, outcome_code FROM order_intents")
    assert rows == [["submitted", "order-of-tw-1", "submitted"]]


def test_intents_without_outcome_are_the_accounts_own_oldest_first(
    database: PostgresDatabase,
) -> None:
    add(
        database,
        an_intent("tw-new", bar_time=OPEN + MINUTE),
        an_intent("tw-unknown"),
        an_intent("tw-done"),
        an_intent("tw-other", account="shadow"),
    )
    with database.transaction() as stores:
        stores.intents.record(
            [
                an_outcome("tw-unknown", IntentStatus.UNKNOWN),
                an_outcome("tw-done", IntentStatus.NOT_NEEDED),
                an_outcome("tw-nobody", IntentStatus.SUBMITTED),
            ]
        )
        found = stores.intents.without_outcome(ACCOUNT)
    assert [intent.intent_id for intent in found] == ["tw-unknown", "tw-new"]


def test_every_outcome_of_the_model_is_one_in_the_database(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    add(database, *(an_intent(f"tw-{status}") for status in IntentStatus))
    with database.transaction() as stores:
        stores.intents.record([an_outcome(f"tw-{status}", status) for status in IntentStatus])
    rows = ask("SELECT status, certainty = 2 FROM order_intents")
    assert dict(rows) == {status.value: status.is_outcome for status in IntentStatus}


def test_the_highest_revision_of_each_symbol(database: PostgresDatabase) -> None:
    add(
        database,
        an_intent("tw-1"),
        an_intent("tw-2", kind=IntentKind.REPRICE, revision=3),
        an_intent("tw-3", kind=IntentKind.REPRICE, revision=2),
        an_intent("tw-4", symbol="MSFT"),
        an_intent("tw-5", account="shadow", kind=IntentKind.EXIT, revision=7),
    )
    with database.transaction() as stores:
        found = stores.intents.last_revisions(ACCOUNT, ["AAPL", "MSFT", "TSLA"])
    assert found == {"AAPL": 3, "MSFT": 0}


def test_refusals_of_protection_are_counted_back_to_the_last_one_taken(
    database: PostgresDatabase,
) -> None:
    # (symbol, minute, what became of it)
    history = [
        ("AAPL", 0, IntentStatus.REJECTED),
        ("AAPL", 1, IntentStatus.SUBMITTED),
        ("AAPL", 2, IntentStatus.REJECTED),
        ("AAPL", 3, IntentStatus.REJECTED),
        ("AAPL", 4, IntentStatus.PENDING),  # nothing is known of it yet
        ("MSFT", 0, IntentStatus.REJECTED),
        ("MSFT", 1, IntentStatus.NOT_NEEDED),
        ("TSLA", -1, IntentStatus.REJECTED),  # before the time asked for
        ("TSLA", 0, IntentStatus.REJECTED),
    ]
    protecting = [
        an_intent(
            f"tw-{number}",
            kind=IntentKind.PROTECT,
            symbol=symbol,
            bar_time=OPEN + minute * MINUTE,
            revision=number + 1,
        )
        for number, (symbol, minute, _) in enumerate(history)
    ]
    entry = an_intent("tw-entry", symbol="NVDA")
    add(database, *protecting, entry)
    with database.transaction() as stores:
        stores.intents.record(
            [
                *(an_outcome(f"tw-{number}", row[2]) for number, row in enumerate(history)),
                an_outcome("tw-entry", IntentStatus.REJECTED),
            ]
        )
        assert stores.intents.failed_protections(ACCOUNT, OPEN) == {"AAPL": 2, "TSLA": 1}
        assert stores.intents.failed_protections("shadow", OPEN) == {}


def test_intents_judged_unsent_are_those_blocked_or_expired(database: PostgresDatabase) -> None:
    add(database, *(an_intent(f"tw-{status}") for status in IntentStatus))
    with database.transaction() as stores:
        stores.intents.record([an_outcome(f"tw-{status}", status) for status in IntentStatus])
        asked = [f"tw-{status}" for status in IntentStatus]
        found = {intent.intent_id for intent in stores.intents.unsent(ACCOUNT, asked)}
        assert found == {"tw-blocked", "tw-expired_unsent"}
        assert stores.intents.unsent("shadow", asked) == []
        assert stores.intents.unsent(ACCOUNT, []) == []


@pytest.mark.parametrize("order_type", sorted(OrderType))
def test_every_kind_of_order_of_the_model_can_be_committed(
    database: PostgresDatabase, order_type: OrderType
) -> None:
    intents = [
        an_intent(
            f"tw-{order_class}-{time_in_force}",
            order_type=order_type,
            order_class=order_class,
            time_in_force=time_in_force,
        )
        for order_class in OrderClass
        for time_in_force in TimeInForce
    ]
    assert add(database, *intents) == len(OrderClass) * len(TimeInForce)


# -- orders ---------------------------------------------------------------------------------------


def tell(database: PostgresDatabase, second: int, *orders: BrokerOrder) -> int:
    with database.transaction() as stores:
        return tell_orders(stores, orders, OPEN + second * SECOND)


def standing(ask: Callable[..., Any], order_id: str = "o-1") -> tuple[str, Decimal]:
    rows = ask("SELECT status, filled_quantity FROM orders WHERE order_id = :id", id=order_id)
    return rows[0][0], rows[0][1]


PARTLY: dict[str, Any] = {"status": OrderStatus.PARTIALLY_FILLED, "filled_quantity": Decimal(4)}
FILLED: dict[str, Any] = {"status": OrderStatus.FILLED, "filled_quantity": Decimal(10)}


def test_an_open_order_comes_back_as_the_broker_told_it(database: PostgresDatabase) -> None:
    old = an_order("o-2", submitted_at=OPEN - MINUTE, side=Side.SELL, stop_price=Decimal("117.8"))
    tell(database, 0, an_order("o-1"), old, an_order("o-3", **FILLED))
    with database.transaction() as stores:
        assert stores.orders.open(ACCOUNT) == [old, an_order("o-1")]
        assert stores.orders.open("shadow") == []


def test_the_same_snapshot_twice_is_once(database: PostgresDatabase) -> None:
    assert tell(database, 0, an_order("o-1"), an_order("o-2")) == 2
    assert tell(database, 0, an_order("o-1"), an_order("o-2")) == 0
    assert tell(database, 5, an_order("o-1", **PARTLY), an_order("o-2")) == 1


def test_an_older_snapshot_changes_nothing(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    tell(database, 5, an_order(**PARTLY))
    assert tell(database, 4, an_order()) == 0
    assert standing(ask) == ("partially_filled", Decimal(4))


def test_a_snapshot_that_changed_nothing_still_outdates_older_ones(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    # A replacement that was refused: the order is new, pending_replace, and new again.
    tell(database, 1, an_order())
    tell(database, 3, an_order())
    assert tell(database, 2, an_order(status=OrderStatus.PENDING_REPLACE)) == 0
    assert standing(ask)[0] == "new"


@pytest.mark.parametrize("final", sorted(FINAL_STATUSES - {OrderStatus.NOT_KNOWN}))
def test_a_final_state_is_never_left(
    database: PostgresDatabase, ask: Callable[..., Any], final: OrderStatus
) -> None:
    tell(database, 0, an_order(status=final))
    tell(database, 9, an_order(status=OrderStatus.NEW))
    assert standing(ask)[0] == final
    with database.transaction() as stores:
        assert stores.orders.open(ACCOUNT) == []


def test_a_filled_quantity_never_falls_and_may_rise_after_the_end(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    tell(database, 0, an_order(**PARTLY))
    tell(database, 1, an_order(status=OrderStatus.PENDING_CANCEL, filled_quantity=Decimal(3)))
    assert standing(ask)[1] == Decimal(4)
    tell(database, 2, an_order(status=OrderStatus.CANCELED, filled_quantity=Decimal(4)))
    tell(database, 3, an_order(status=OrderStatus.CANCELED, filled_quantity=Decimal(6)))
    assert standing(ask) == ("canceled", Decimal(6))


def test_an_order_told_twice_in_a_snapshot_is_its_newest_state(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    tell(database, 0, an_order(updated_at=OPEN + SECOND, **FILLED), an_order())
    assert standing(ask)[0] == "filled"


def test_every_state_of_the_broker_can_be_stored_and_final_means_the_same(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    tell(database, 0, *(an_order(f"o-{status}", status=status) for status in OrderStatus))
    rows = ask("SELECT status, final FROM orders")
    assert dict(rows) == {status.value: status.is_final for status in OrderStatus}


def test_orders_of_ours_know_their_intent(database: PostgresDatabase) -> None:
    add(
        database,
        an_intent("tw-entry"),
        an_intent("tw-raise", kind=IntentKind.REPRICE),
        an_intent("tw-exit", kind=IntentKind.EXIT),
        an_intent("tw-elsewhere", account="shadow"),
    )
    tell(
        database,
        0,
        an_order("entry", client_order_id="tw-entry", **FILLED),
        an_order("leg", parent_order_id="entry", status=OrderStatus.REPLACED),
        an_order("raised", client_order_id="tw-raise", replaces="leg"),
        an_order("by-hand", replaces="raised"),
        an_order("put-back", client_order_id=protect_id("tw-exit")),
        an_order("foreign"),
        an_order("foreign-leg", parent_order_id="foreign"),
        an_order("other-account", client_order_id="tw-elsewhere"),
    )
    with database.transaction() as stores:
        assert stores.orders.intent_of(ACCOUNT) == {
            "entry": "tw-entry",
            "leg": "tw-entry",
            "raised": "tw-raise",
            "by-hand": "tw-raise",
            "put-back": "tw-exit",
        }


def test_a_leg_told_before_its_parent_is_adopted_when_the_parent_comes(
    database: PostgresDatabase,
) -> None:
    add(database, an_intent("tw-entry"))
    tell(database, 0, an_order("leg", parent_order_id="entry"), an_order("next", replaces="leg"))
    with database.transaction() as stores:
        assert stores.orders.intent_of(ACCOUNT) == {}
    # The parent alone, which is one new order and two that found their owner.
    assert tell(database, 1, an_order("entry", client_order_id="tw-entry")) == 3
    with database.transaction() as stores:
        assert stores.orders.intent_of(ACCOUNT) == {
            "entry": "tw-entry",
            "leg": "tw-entry",
            "next": "tw-entry",
        }


def test_the_owners_of_orders_however_old(database: PostgresDatabase) -> None:
    add(database, an_intent("tw-1"))
    old = an_order("o-1", client_order_id="tw-1", updated_at=OPEN - timedelta(days=30), **FILLED)
    tell(database, 0, old, an_order("foreign"))
    with database.transaction() as stores:
        assert stores.orders.owners(ACCOUNT, ["o-1", "foreign", "o-9"]) == {"o-1": "tw-1"}
        assert stores.orders.owners(ACCOUNT, []) == {}
        assert stores.orders.foreign(ACCOUNT, ["o-1", "foreign", "o-9"]) == {"foreign"}
        assert stores.orders.foreign(ACCOUNT, []) == set()


# An order as it is told again, on record as final with all it filled -> whether that may be news.
TOLD_AGAIN: list[tuple[dict[str, Any], bool]] = [
    ({}, False),
    ({"filled_quantity": Decimal("10.0")}, False),
    ({"updated_at": OPEN + MINUTE}, False),
    ({"status": OrderStatus.CANCELED}, True),
    ({"filled_quantity": Decimal(9)}, True),
    ({"parent_order_id": "p"}, True),  # a listing that nests it, at last
    ({"replaces": "r"}, True),
    ({"order_id": "another"}, True),
]


@pytest.mark.parametrize(("changes", "news"), TOLD_AGAIN)
def test_a_final_order_told_again_as_it_is_known_is_no_news(
    database: PostgresDatabase, changes: dict[str, Any], news: bool
) -> None:
    tell(database, 0, an_order(**FILLED))
    again = an_order(**{**FILLED, **changes})
    with database.transaction() as stores:
        assert stores.orders.unsettled(ACCOUNT, [again]) == ({again.order_id} if news else set())
        assert stores.orders.unsettled(ACCOUNT, []) == set()


def test_an_open_order_is_always_news_and_so_is_another_accounts(
    database: PostgresDatabase,
) -> None:
    tell(database, 0, an_order("o-1"), an_order("o-2", **FILLED))
    with database.transaction() as stores:
        assert stores.orders.unsettled(ACCOUNT, [an_order("o-1")]) == {"o-1"}
        assert stores.orders.unsettled("shadow", [an_order("o-2", **FILLED)]) == {"o-2"}


def test_an_order_is_known_with_the_time_of_the_newest_word(database: PostgresDatabase) -> None:
    tell(database, 0, an_order("o-1"), an_order("o-2", **FILLED))
    tell(database, 7, an_order("o-1"))
    with database.transaction() as stores:
        known = KnownOrder(an_order("o-1"), OPEN + 7 * SECOND)
        assert stores.orders.known(ACCOUNT, ["o-1", "o-9"]) == {"o-1": known}
        assert stores.orders.open_known(ACCOUNT) == [known]
        assert stores.orders.known("shadow", ["o-1"]) == {}


def test_orders_that_wait_for_executions_are_noted_until_they_do_not(
    database: PostgresDatabase,
) -> None:
    tell(database, 0, an_order("o-1", **FILLED), an_order("o-2", **FILLED))
    with database.transaction() as stores:
        stores.orders.note_missing_fills(ACCOUNT, {"o-1": OPEN, "o-2": OPEN})
        stores.orders.note_missing_fills(ACCOUNT, {"o-2": OPEN + SECOND})
        assert stores.orders.missing_fills(ACCOUNT) == {"o-2": OPEN + SECOND}
        assert stores.orders.missing_fills("shadow") == {}
        stores.orders.note_missing_fills(ACCOUNT, {})
        assert stores.orders.missing_fills(ACCOUNT) == {}


def test_strangers_are_those_of_the_newest_snapshot(database: PostgresDatabase) -> None:
    tell(database, 0, an_order("o-1"), an_order("o-2"))
    with database.transaction() as stores:
        stores.orders.note_strangers(ACCOUNT, ["o-1", "o-2"], OPEN)
        assert stores.orders.strangers(ACCOUNT) == []  # no snapshot was ever recorded
        stores.accounts.add(ACCOUNT, a_snapshot(), OPEN)
        assert stores.orders.strangers(ACCOUNT) == [an_order("o-1"), an_order("o-2")]
        stores.orders.note_strangers(ACCOUNT, ["o-2"], OPEN + MINUTE)
        stores.orders.note_strangers(ACCOUNT, ["o-2"], OPEN)  # an older word
        stores.accounts.add(ACCOUNT, a_snapshot(), OPEN + MINUTE)
        assert stores.orders.strangers(ACCOUNT) == [an_order("o-2")]


def test_only_open_orders_and_those_of_the_last_two_days_are_ours_to_look_up(
    database: PostgresDatabase,
) -> None:
    add(database, an_intent("tw-1"), an_intent("tw-2"), an_intent("tw-3"))
    days = timedelta(days=1)
    tell(
        database,
        0,
        an_order("o-1", client_order_id="tw-1", updated_at=OPEN - 30 * days),
        an_order("o-2", client_order_id="tw-2", updated_at=OPEN - 3 * days, **FILLED),
        an_order("o-3", client_order_id="tw-3", updated_at=OPEN - 1 * days, **FILLED),
        an_order("o-4", updated_at=OPEN),
    )
    with database.transaction() as stores:
        assert stores.orders.intent_of(ACCOUNT) == {"o-1": "tw-1", "o-3": "tw-3"}


def test_what_each_minute_reads_is_in_an_index_that_holds_only_that(
    ask: Callable[..., Any],
) -> None:
    ask(
        "INSERT INTO orders (account, order_id, client_order_id, symbol, side, order_type, "
        "order_class, status, quantity, filled_quantity, time_in_force, submitted_at, "
        "updated_at, as_of) SELECT 'paper', n, n, 'AAPL', 'buy', 'limit', 'simple', "
        "CASE WHEN n % 1000 = 0 THEN 'new' ELSE 'filled' END, 1, 1, 'day', now(), now(), now() "
        "FROM generate_series(1, 20000) AS n"
    )
    ask("ANALYZE orders")
    rows = ask("EXPLAIN SELECT * FROM orders WHERE account = 'paper' AND NOT final")
    assert "orders_open" in "\n".join(row[0] for row in rows)

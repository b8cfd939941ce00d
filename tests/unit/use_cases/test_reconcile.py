"""When a reconciliation is needed, and what it commits. Thursday, 12 November 2020, 14:30-21:00 UTC
unless a case says otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tradewind.errors import InvalidInputError
from tradewind.market.adjustment import FactorTable
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.corporate_actions import CorporateAction
from tradewind.market.cycle import Cycle, execution_name, reconciliation_name
from tradewind.market.session_table import default_table
from tradewind.orders.life import KnownOrder
from tradewind.orders.model import (
    BrokerOrder,
    BrokerPosition,
    IntentKind,
    OrderIntent,
    OrderStatus,
    Side,
)
from tradewind.portfolio.model import Holding
from tradewind.risk.limits import RiskLimits
from tradewind.tradelog.model import OutboxMessage
from tradewind.use_cases.reconcile import Plan, assess_protection, plan_reconciliation
from tradewind.use_cases.unit_of_work import Database, Stores

from tests.fakes import FakeClock, an_account, an_order

OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
SESSION = default_table().session_on(OPEN.date())
NOON = OPEN + timedelta(minutes=150)
HERE: dict[str, str] = {"deployment": "here", "account": "paper", "mode": "paper"}
HELD = Holding("AAPL", "sma", D(10), D(1000), D(0), OPEN)
STOP = an_order(order_id="stop-1", client_order_id="leg", stop_price=D("98.50"))


@dataclass
class Books:
    """The store of record as far as reconciliation reads it."""

    decided: datetime | None = None
    finished: datetime | None = None
    intents: dict[str, OrderIntent] = field(default_factory=dict)
    without_outcome: list[str] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)
    orders: list[BrokerOrder] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    actions: list[CorporateAction] = field(default_factory=list)
    positions: list[BrokerPosition] = field(default_factory=list)
    bars: dict[str, Bar] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    told: list[OutboxMessage] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)

    @contextmanager
    def transaction(self) -> Iterator[Stores]:
        yield cast(
            Stores,
            SimpleNamespace(
                cycles=SimpleNamespace(
                    lock_account=self.locked.append,
                    newest_decided=lambda _: self.decided,
                    newest_finished=lambda _: self.finished,
                ),
                intents=SimpleNamespace(
                    add=self._add,
                    find=lambda ids: [self.intents[i] for i in ids if i in self.intents],
                    without_outcome=lambda _: [self.intents[i] for i in self.without_outcome],
                    last_revisions=self._last_revisions,
                    failed_protections=lambda *_: self.refused,
                ),
                orders=SimpleNamespace(
                    open=lambda _: self.orders,
                    open_known=lambda _: [KnownOrder(one, NOON) for one in self.orders],
                    intent_of=lambda _: self.owners,
                ),
                holdings=SimpleNamespace(
                    all=lambda _: self.holdings, broker_positions=lambda _: self.positions
                ),
                accounts=SimpleNamespace(latest=lambda _: (NOON, an_account())),
                bars=SimpleNamespace(
                    recent=lambda symbols, *_: {
                        s: [self.bars[s]] for s in symbols if s in self.bars
                    },
                    highest=lambda stretches: [None] * len(stretches),
                ),
                factors=SimpleNamespace(table=lambda _: FactorTable(())),
                corporate_actions=SimpleNamespace(of=lambda _: self.actions),
                position_splits=SimpleNamespace(of=lambda *_: []),
                outbox=SimpleNamespace(add=self.told.extend),
            ),
        )

    def _add(self, intents: Sequence[OrderIntent]) -> None:
        for intent in intents:
            if intent.intent_id not in self.intents:
                self.intents[intent.intent_id] = intent
                self.without_outcome.append(intent.intent_id)

    def _last_revisions(self, account: str, symbols: Sequence[str]) -> Mapping[str, int]:
        return {
            intent.symbol: intent.revision
            for intent in sorted(self.intents.values(), key=lambda i: i.revision)
        }


def cycle_at(bar_time: datetime) -> Cycle:
    assert SESSION is not None
    name = reconciliation_name("paper", bar_time)
    return Cycle("here", "paper", "paper", name, bar_time, SESSION)


def plan(
    why: str, minute: datetime, books: Books | None = None, now: datetime | None = None
) -> Plan:
    return plan_reconciliation(
        {"why": why, "scheduled_time": minute.isoformat()},
        **HERE,
        sessions=default_table(),
        database=cast(Database, books or Books()),
        clock=FakeClock(now or minute + timedelta(seconds=1)),
    )


def assess(books: Books, bar_time: datetime = NOON) -> tuple[OrderIntent, ...]:
    return assess_protection(
        cycle_at(bar_time),
        **HERE,
        limits=RiskLimits(),
        sessions=default_table(),
        database=cast(Database, books),
    )


def bar(start: datetime, close: str = "100") -> Bar:
    price = D(close)
    return Bar("AAPL", start, price, price, price, price, 1000, "iex")


def an_intent(kind: IntentKind, bar_time: datetime, **changes: Any) -> OrderIntent:
    naked = Books(holdings=[HELD], bars={"AAPL": bar(bar_time)})
    (plain,) = assess(naked, bar_time)
    return replace(plain, kind=kind, bar_time=bar_time, **changes)


def whole(minute: datetime) -> Books:
    """Everything up to the run before this minute is recorded."""
    return Books(decided=minute - MINUTE, finished=minute - 2 * MINUTE)


def with_intent(minute: datetime, of_run: datetime) -> Books:
    intent = an_intent(IntentKind.PROTECT, of_run - MINUTE)
    return replace(whole(minute), intents={"x": intent}, without_outcome=["x"])


FRIDAY_AFTER = datetime(2020, 11, 27, 18, 0, tzinfo=UTC)  # closes early: 18:00 UTC
NEEDED = [
    # (the case, why it was started, the minute, the books, whether it is needed)
    ("before the open", "before_open", OPEN - 15 * MINUTE, Books(), True),
    ("before the open, asked for once it is open", "before_open", OPEN, Books(), False),
    ("before the open of a holiday", "before_open",
     datetime(2020, 11, 26, 14, 15, tzinfo=UTC), Books(), False),
    ("a Saturday", "check", NOON + timedelta(days=2), Books(), False),
    ("the last run is whole", "check", NOON, whole(NOON), False),
    ("the run before is still under way", "check", NOON,
     replace(whole(NOON), finished=NOON - 3 * MINUTE), False),
    ("no run has ended for three minutes", "check", NOON,
     replace(whole(NOON), finished=NOON - 4 * MINUTE), True),
    ("nothing has run yet, after two minutes", "check", OPEN + 2 * MINUTE, Books(), False),
    ("nothing has run yet, after three minutes", "check", OPEN + 3 * MINUTE, Books(), True),
    ("the last run was yesterday's, two minutes after the open", "check", OPEN + 2 * MINUTE,
     Books(finished=OPEN - timedelta(hours=18)), False),
    ("the last run was yesterday's, and it is noon", "check", NOON,
     Books(finished=NOON - timedelta(hours=20)), True),
    ("an intent of this minute's run waits for its outcome", "check", NOON,
     with_intent(NOON, NOON), False),
    ("an intent of the run before does", "check", NOON, with_intent(NOON, NOON - MINUTE), True),
    ("before the open nothing is checked", "check", OPEN, Books(), False),
    ("after the close nothing is checked", "check", OPEN + 391 * MINUTE, Books(), False),
    ("a half-day is over at its close", "check", FRIDAY_AFTER + MINUTE, Books(), False),
    ("a run failed", "failed_run", NOON, whole(NOON), True),
    ("the last run of the day failed", "failed_run", OPEN + 390 * MINUTE, Books(), True),
    ("a run failed, and a later minute was decided since", "failed_run", NOON,
     replace(whole(NOON), decided=NOON), False),
    ("a hint", "hint", NOON, whole(NOON), True),
    ("a hint at night", "hint", NOON + timedelta(hours=10), whole(NOON), False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("why", "minute", "books", "needed"), [row[1:] for row in NEEDED], ids=[r[0] for r in NEEDED]
)
def test_when_it_is_needed(why: str, minute: datetime, books: Books, needed: bool) -> None:
    found = plan(why, minute, books)
    assert found.needed is needed, found.reason
    assert found.reason
    assert (found.cycle is not None) is needed


def test_the_plan_names_the_minute_and_can_be_handed_on() -> None:
    found = plan("failed_run", NOON + timedelta(seconds=17.3))
    assert found.cycle == cycle_at(NOON - MINUTE)
    payload = found.as_payload()
    assert payload["cycle"]["execution"] == "paper-reconcile-20201112T1659Z"
    assert Cycle.from_payload(payload["cycle"]) == found.cycle
    assert plan("before_open", OPEN - 15 * MINUTE).cycle == cycle_at(OPEN - 16 * MINUTE)


OTHER_TIMES = [
    # (minutes from the minute asked for to now, whether it is heard)
    (10, True),
    (11, False),
    (-1, True),
    (-2, False),
    (60 * 24 * 365, False),
]


@pytest.mark.parametrize(("minutes", "heard"), OTHER_TIMES)
def test_a_forged_minute_closes_nothing(minutes: int, heard: bool) -> None:
    """Told that the session ends, reconciliation would sell: only the present minute is heard."""
    assert plan("failed_run", NOON, now=NOON + minutes * MINUTE).needed is heard


FORGED: list[Any] = [
    {},
    {"why": "check"},
    {"scheduled_time": "2020-11-12T17:00:00Z"},
    {"why": "sell_everything", "scheduled_time": "2020-11-12T17:00:00Z"},
    {"why": "check", "scheduled_time": "now"},
    {"why": "check", "scheduled_time": "2020-11-12T17:00:00"},
    {"why": "check", "scheduled_time": 1605200400},
    {"why": ["check"], "scheduled_time": "2020-11-12T17:00:00Z"},
]


@pytest.mark.parametrize("event", FORGED, ids=str)
def test_what_is_no_call_for_reconciliation_is_refused(event: Any) -> None:
    with pytest.raises(InvalidInputError):
        plan_reconciliation(
            event,
            **HERE,
            sessions=default_table(),
            database=cast(Database, Books()),
            clock=FakeClock(NOON),
        )


def test_of_a_forged_event_nothing_but_reason_and_minute_is_read() -> None:
    forged = {
        "why": "failed_run",
        "scheduled_time": NOON.isoformat(),
        "account": "somebody",
        "mode": "live",
        "cycle": {"account": "somebody"},
        "intents": [{"symbol": "GME"}],
    }
    found = plan_reconciliation(
        forged,
        **HERE,
        sessions=default_table(),
        database=cast(Database, Books()),
        clock=FakeClock(NOON),
    )
    assert found.cycle == cycle_at(NOON - MINUTE)


def naked(**changes: Any) -> Books:
    return replace(Books(holdings=[HELD], bars={"AAPL": bar(NOON)}), **changes)


def test_what_is_naked_is_protected_under_the_lock() -> None:
    books = naked()
    (intent,) = assess(books)
    assert (intent.kind, intent.quantity, intent.stop_price) == (IntentKind.PROTECT, 10, D("98.50"))
    assert books.intents == {intent.intent_id: intent}
    assert books.locked == ["paper"]


def test_twice_in_a_minute_commits_the_same_once() -> None:
    books = naked()
    first = assess(books)
    assert assess(books) == first
    assert len(books.intents) == 1
    # Done, and the next snapshot shows it: nothing is left to do.
    books.without_outcome.clear()
    books.orders.append(replace(STOP, client_order_id=first[0].intent_id))
    books.owners["stop-1"] = first[0].intent_id
    assert assess(books) == ()


def test_the_next_minutes_is_another_intent() -> None:
    books = naked()
    first = assess(books)
    second = assess(books, NOON + MINUTE)
    assert [intent.revision for intent in (*first, *second)] == [1, 2]
    assert len(books.intents) == 2


PRICES = [
    # (newest bar's age in minutes and close, the broker's price, the price that counts)
    ("the newest close", (0, "100"), "90", "100"),
    ("bars have stopped: the broker's", (6, "100"), "99", "99"),
    ("bars have stopped, the broker shows none: the last close", (6, "100"), None, "100"),
    ("no bar at all: the broker's", None, "99", "99"),
    ("nothing at all: what was paid", None, None, "100"),
]


@pytest.mark.parametrize(
    ("newest", "brokers", "price"), [row[1:] for row in PRICES], ids=[row[0] for row in PRICES]
)
def test_the_best_word_on_the_price(
    newest: tuple[int, str] | None, brokers: str | None, price: str
) -> None:
    bars = {"AAPL": bar(NOON - newest[0] * MINUTE, newest[1])} if newest else {}
    positions = [BrokerPosition("AAPL", D(10), D(100), D(brokers), D(0))] if brokers else []
    (intent,) = assess(naked(bars=bars, positions=positions))
    assert intent.decision_price == D(price)


def test_an_outage_of_bars_hides_no_fall() -> None:
    books = naked(
        bars={"AAPL": bar(NOON - 20 * MINUTE)},
        positions=[BrokerPosition("AAPL", D(10), D(100), D(97), D(-30))],
        orders=[STOP],
        owners={"stop-1": "tw-1"},
    )
    (intent,) = assess(books)
    assert (intent.kind, intent.target_order_id) == (IntentKind.EXIT, "stop-1")


ENTRY = an_order(
    order_id="entry",
    client_order_id="x",
    side=Side.BUY,
    order_type="limit",
    limit_price=D("100.30"),
    status=OrderStatus.PARTIALLY_FILLED,
    filled_quantity=D(4),
)
LATE = [
    # (minutes from the run that sent the entry to this one, whether it is cancelled)
    (0, False),  # the trading run of this very minute is following it
    (1, True),
    (400, True),
]


@pytest.mark.parametrize(("minutes", "cancelled"), LATE)
def test_an_entry_is_late_from_the_next_run_on(minutes: int, cancelled: bool) -> None:
    entry = an_intent(IntentKind.ENTRY, NOON - minutes * MINUTE, intent_id="x")
    books = naked(orders=[ENTRY], owners={"entry": "x"}, intents={"x": entry})
    kinds = [intent.kind for intent in assess(books)]
    assert kinds == ([IntentKind.CANCEL_ENTRY] if cancelled else [])


def test_the_trading_runs_unsent_protection_is_handed_out_again_and_its_entry_is_not() -> None:
    protect = an_intent(IntentKind.PROTECT, NOON, intent_id="p")
    entry = an_intent(IntentKind.ENTRY, NOON, intent_id="e", symbol="MSFT")
    books = naked(intents={"p": protect, "e": entry}, without_outcome=["p", "e"])
    assert assess(books) == (protect,)


def test_a_stop_refused_twice_ends_in_a_sale_that_people_are_told_of() -> None:
    books = naked(refused={"AAPL": 2})
    (intent,) = assess(books)
    assert intent.kind is IntentKind.EXIT
    (message,) = books.told
    assert message.message["type"] == "protection_refused"
    assert "refused 2 times in a row" in message.message["message"]
    # Told once, however often the minute is assessed.
    assess(books)
    assert {told.message_id for told in books.told} == {message.message_id}


def not_ours() -> list[Cycle]:
    cycle = cycle_at(NOON)
    return [
        replace(cycle, account="other", execution=reconciliation_name("other", NOON)),
        replace(cycle, mode="live"),
        replace(cycle, deployment="there"),
        replace(cycle, execution=execution_name("paper", NOON)),
    ]


@pytest.mark.parametrize(
    "cycle", not_ours(), ids=["account", "mode", "deployment", "a trading run"]
)
def test_only_reconciliations_of_this_deployment_are_assessed(cycle: Cycle) -> None:
    with pytest.raises(InvalidInputError):
        assess_protection(
            cycle,
            **HERE,
            limits=RiskLimits(),
            sessions=default_table(),
            database=cast(Database, naked()),
        )

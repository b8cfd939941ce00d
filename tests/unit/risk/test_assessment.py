"""From wishes to intents. One run of 100 USD AAPL unless a case says otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.market.bar import Bar
from tradewind.market.corporate_actions import CorporateAction
from tradewind.market.cycle import Cycle, execution_name
from tradewind.market.session import Session
from tradewind.orders.control import SwitchState
from tradewind.orders.model import (
    BrokerOrder,
    BrokerPosition,
    IntentKind,
    OrderClass,
    OrderStatus,
    Side,
)
from tradewind.portfolio.model import Holding
from tradewind.risk.allocation import Allotment
from tradewind.risk.assessment import Assessment, StrategyWish, assess
from tradewind.risk.book import Book
from tradewind.risk.limits import RiskLimits
from tradewind.risk.locks import Lock
from tradewind.risk.protections import Protected
from tradewind.risk.restrictions import parse_restrictions
from tradewind.strategies.decision import Action

from tests.fakes import an_account, an_order

OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
SESSION = Session(date(2020, 11, 12), OPEN, OPEN + timedelta(minutes=390))
NOON = OPEN + timedelta(minutes=150)
HELD = Holding("AAPL", "sma", D(10), D(1000), D(0), OPEN)
POSITION = BrokerPosition("AAPL", D(10), D(100), D(100), D(0))
LOCK = Lock(None, OPEN, SESSION.close, "daily_drawdown", "-10 % today", "2020-11-12")
MERGER = CorporateAction("m", "AAPL", "cash_merger", date(2020, 11, 13), OPEN)
STOP = an_order(stop_price=D("98.50"), client_order_id="leg", order_id="stop-1")


def cycle_at(bar_time: datetime) -> Cycle:
    return Cycle("here", "paper", "paper", execution_name("paper", bar_time), bar_time, SESSION)


def bar(start: datetime, close: str = "100", symbol: str = "AAPL") -> Bar:
    price = D(close)
    return Bar(symbol, start, price, price, price, price, 1000, "iex")


def wish(action: Action, newest: Bar) -> StrategyWish:
    return StrategyWish(newest.symbol, "sma", action, "because", "a reason", newest)


def book(bar_time: datetime, **changes: Any) -> Book:
    plain = Book(
        account=an_account(),
        broker_as_of=bar_time + timedelta(seconds=63),
        holdings={},
        positions={},
        open_orders=(),
        orders_of_ours={},
        unresolved=(),
        highs={},
        daily={},
        revisions={},
        missing={},
    )
    return replace(plain, **changes)


HOLDING: dict[str, Any] = {
    "holdings": {"AAPL": HELD},
    "positions": {"AAPL": POSITION},
    "open_orders": (STOP,),
    "orders_of_ours": {"stop-1": "tw-1", "sale": "tw-2"},
}


def run(
    action: Action, bar_time: datetime = NOON, close: str = "100", **changes: Any
) -> Assessment:
    cycle = cycle_at(bar_time)
    return assess(cycle, [wish(action, bar(bar_time, close))], book(bar_time, **changes),
                  RiskLimits())  # fmt: skip


def test_an_entry_carries_its_stop_and_its_expiry() -> None:
    (intent,) = run(Action.ENTER).intents
    assert (intent.kind, intent.side, intent.order_class) == (
        IntentKind.ENTRY,
        Side.BUY,
        OrderClass.OTO,
    )
    # 25 % of 100,000 at a limit of 100.30; stop 1.5 % below the decision price
    assert (intent.quantity, intent.limit_price, intent.stop_price) == (
        D(249),
        D("100.30"),
        D("98.50"),
    )
    assert intent.expires_at == NOON + timedelta(minutes=1, seconds=45)


MINUTES = [
    # (minutes after the open of the decided bar, the wish, what becomes of it and why)
    ("the run at 9:34 is too early", 3, Action.ENTER, Action.WAIT, "outside_entry_window"),
    ("the run at 9:35 may enter", 4, Action.ENTER, Action.ENTER, "because"),
    ("the run at 15:44 may enter", 373, Action.ENTER, Action.ENTER, "because"),
    ("the run at 15:45 may not", 374, Action.ENTER, Action.WAIT, "outside_entry_window"),
    ("the run at 15:54 holds", 383, Action.HOLD, Action.HOLD, "because"),
    ("the run at 15:55 closes", 384, Action.HOLD, Action.EXIT, "session_end"),
    ("the run at 16:00 sends nothing", 389, Action.HOLD, Action.HOLD, "session_over"),
    ("nor does it enter", 389, Action.ENTER, Action.WAIT, "session_over"),
]


@pytest.mark.parametrize(
    ("minute", "wanted", "action", "code"),
    [row[1:] for row in MINUTES],
    ids=[str(row[0]) for row in MINUTES],
)
def test_the_clock_of_a_session(minute: int, wanted: Action, action: Action, code: str) -> None:
    held: dict[str, Any] = HOLDING if wanted is Action.HOLD else {}
    (decision,) = run(wanted, OPEN + timedelta(minutes=minute), **held).decisions
    assert (decision.wanted, decision.action, decision.reason_code) == (wanted, action, code)


REFUSALS = [
    ("the broker was read before this run", {"broker_as_of": NOON}, "stale_broker_state"),
    ("the broker was never read", {"broker_as_of": None, "account": None}, "no_broker_state"),
    ("the account is blocked", {"account": an_account(trading_blocked=True)}, "account_blocked"),
    ("-10 % today", {"protected": Protected((LOCK,))}, "daily_drawdown"),
    ("the switch is halted", {"switch": SwitchState.HALTED}, "switch_halted"),
    ("the switch cannot be read", {"switch": None}, "switch_unreadable"),
    (
        "earnings today",
        {"restrictions": parse_restrictions("AAPL:2020-11-12")},
        "restricted_symbol",
    ),
    ("a merger tomorrow", {"action_due": {"AAPL": MERGER}}, "action_due"),
    ("the broker does not trade it", {"untradable": ("AAPL",)}, "not_tradable"),
    ("this minute is decided", {"decided": {("sma", "AAPL")}}, "duplicate_decision"),
    ("the session's entries are used up", {"entries_today": 200}, "entries_per_day"),
    ("the session's capital is used up", {"capital_today": D(1_999_000)}, "capital_per_day"),
    ("an order is open", {"open_orders": (an_order(),)}, "open_order"),
    ("shares that are not ours", {"positions": {"AAPL": POSITION}}, "foreign_position"),
    ("a minute is missing", {"missing": {"AAPL": (NOON - timedelta(minutes=7),)}}, "hole"),
    ("the decided minute counts too", {"missing": {"AAPL": [NOON]}}, "hole"),
    ("no cash", {"account": an_account(buying_power=D(0))}, "no_size"),
]


@pytest.mark.parametrize(
    ("changes", "code"), [row[1:] for row in REFUSALS], ids=[str(row[0]) for row in REFUSALS]
)
def test_refusals(changes: dict[str, Any], code: str) -> None:
    assessment = run(Action.ENTER, **changes)
    assert assessment.intents == ()
    (decision,) = assessment.decisions
    assert (decision.action, decision.reason_code) == (Action.WAIT, code)
    assert decision.reason


AGES = [
    # (minutes from the newest bar to the decided one, what becomes of the entry)
    (0, Action.ENTER, "because"),
    (1, Action.WAIT, "stale_bar"),
    (5, Action.WAIT, "stale_bar"),
    (6, Action.WAIT, "stale_data"),
    (60 * 24, Action.WAIT, "stale_data"),
]


@pytest.mark.parametrize(("minutes", "action", "code"), AGES)
def test_an_entry_needs_the_decided_bar(minutes: int, action: Action, code: str) -> None:
    newest = bar(NOON - timedelta(minutes=minutes))
    (decision,) = assess(
        cycle_at(NOON), [wish(Action.ENTER, newest)], book(NOON), RiskLimits()
    ).decisions
    assert (decision.action, decision.reason_code) == (action, code)


def test_a_hole_is_named() -> None:
    missing = [NOON - timedelta(minutes=m) for m in (3, 2, 9)]
    assert run(Action.ENTER, missing={"AAPL": missing}).decisions[0].reason == (
        "minutes missing among those decided on: 3, from 2020-11-12T16:51:00Z "
        "to 2020-11-12T16:58:00Z"
    )


def test_a_hole_in_another_symbol_is_no_reason() -> None:
    assert run(Action.ENTER, missing={"MSFT": [NOON]}).intents


def test_a_hole_keeps_nobody_in_a_position() -> None:
    """Exits act on state, and protection is kept up, whatever is missing."""
    hole: dict[str, Any] = {**HOLDING, "missing": {"AAPL": [NOON]}}
    assert run(Action.EXIT, **hole).intents[0].kind is IntentKind.EXIT
    assert run(Action.HOLD, **{**hole, "open_orders": ()}).intents[0].kind is IntentKind.PROTECT


def test_a_lock_of_another_symbol_is_no_reason() -> None:
    assert run(Action.ENTER, protected=Protected((replace(LOCK, symbol="MSFT"),))).intents


def test_a_lock_keeps_nobody_in_a_position() -> None:
    locked: dict[str, Any] = {**HOLDING, "protected": Protected((LOCK,)), "switch": None}
    assert run(Action.EXIT, **locked).intents[0].kind is IntentKind.EXIT
    assert run(Action.HOLD, **{**locked, "open_orders": ()}).intents[0].kind is IntentKind.PROTECT


def test_a_drawdown_from_the_peak_halves_the_size_and_says_so() -> None:
    (intent,) = run(Action.ENTER, protected=Protected((), D("0.5"), "half, because")).intents
    assert intent.quantity == D(124)  # of 249, whole shares
    assert "half, because" in intent.reason


def test_what_is_halved_below_the_minimum_is_not_sent() -> None:
    poor = an_account(equity=D(800), buying_power=D(800))
    (intent,) = run(Action.ENTER, close="40", account=poor).intents
    assert intent.quantity == D(4)  # 160 USD; half of it is less than 100
    halved = Protected((), D("0.5"), "half")
    (decision,) = run(Action.ENTER, close="40", account=poor, protected=halved).decisions
    assert decision.reason_code == "below_minimum_notional"


def test_a_minute_has_only_so_many_entries() -> None:
    symbols = [f"S{number}" for number in range(4)]
    wishes = [wish(Action.ENTER, bar(NOON, symbol=symbol)) for symbol in symbols]
    limits = RiskLimits(max_entries_per_minute=2, max_symbol_exposure=D("0.1"))
    assessment = assess(cycle_at(NOON), wishes, book(NOON), limits)
    assert [decision.reason_code for decision in assessment.decisions] == [
        "because", "because", "entries_per_minute", "entries_per_minute",
    ]  # fmt: skip


def test_an_intent_without_outcome_blocks_its_symbol_and_counts_as_exposure() -> None:
    (pending,) = run(Action.ENTER).intents
    blocked = run(Action.ENTER, unresolved=(pending,))
    assert blocked.decisions[0].reason_code == "unresolved_intent"
    other = replace(pending, symbol="MSFT", quantity=D(950))  # 95,285 of 100,000 USD
    (intent,) = run(Action.ENTER, unresolved=(other,)).intents
    assert intent.quantity == D(47)


def test_an_exit_names_the_stop_to_cancel_and_the_one_to_put_back() -> None:
    (intent,) = run(Action.EXIT, **HOLDING).intents
    assert (intent.kind, intent.quantity) == (IntentKind.EXIT, D(10))
    assert (intent.target_order_id, intent.stop_price) == ("stop-1", D("98.50"))
    assert intent.expires_at is None


def test_an_exit_needs_no_fresh_broker_state() -> None:
    assert run(Action.EXIT, **HOLDING, broker_as_of=OPEN).intents[0].kind is IntentKind.EXIT


def test_an_exit_already_working_is_waited_for() -> None:
    sale = an_order(order_id="sale", order_type="market")
    assessment = run(Action.EXIT, **{**HOLDING, "open_orders": (sale,)})
    assert assessment.intents == ()
    assert assessment.decisions[0].reason_code == "exit_working"


PROTECTION = [
    ("no stop rests", {"open_orders": ()}, "100", IntentKind.PROTECT, "98.50"),
    ("the high rose to 105", {"highs": {"AAPL": D(105)}}, "104.9", IntentKind.REPRICE, "103.42"),
    ("the close fell below the trail", {"highs": {"AAPL": D(105)}}, "103", IntentKind.EXIT,
     "103.42"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "close", "kind", "stop"),
    [row[1:] for row in PROTECTION],
    ids=[str(row[0]) for row in PROTECTION],
)
def test_protection_is_kept_up(
    changes: dict[str, Any], close: str, kind: IntentKind, stop: str
) -> None:
    (intent,) = run(Action.HOLD, close=close, **{**HOLDING, **changes}).intents
    assert (intent.kind, intent.stop_price, intent.side) == (kind, D(stop), Side.SELL)


def test_a_late_entry_is_cancelled_before_anything_else() -> None:
    entry = an_order(
        order_id="entry",
        side=Side.BUY,
        order_type="limit",
        limit_price=D("100.30"),
        filled_quantity=D(4),
        status=OrderStatus.PARTIALLY_FILLED,
    )
    (intent,) = run(
        Action.EXIT,
        **{**HOLDING, "open_orders": (entry,), "orders_of_ours": {"entry": "tw-1"}},
    ).intents
    assert (intent.kind, intent.target_order_id) == (IntentKind.CANCEL_ENTRY, "entry")


def test_a_foreign_purchase_is_never_cancelled() -> None:
    entry = an_order(order_id="theirs", side=Side.BUY, order_type="limit", limit_price=D(100))
    assessment = run(Action.ENTER, open_orders=(entry,))
    assert assessment.intents == ()
    assert assessment.decisions[0].reason_code == "open_order"


def test_exits_are_sent_before_entries_and_funds_are_shared() -> None:
    cycle = cycle_at(NOON)
    symbols = ["AAPL", "INTC", "MSFT", "QQQ", "SPY", "WMT"]
    wishes = [wish(Action.ENTER, bar(NOON, symbol=symbol)) for symbol in symbols]
    wishes[3] = wish(Action.EXIT, bar(NOON, symbol="QQQ"))
    held = replace(HELD, symbol="QQQ")
    position = replace(POSITION, symbol="QQQ")
    assessment = assess(
        cycle,
        wishes,
        book(NOON, holdings={"QQQ": held}, positions={"QQQ": position}),
        RiskLimits(),
    )
    kinds = [(intent.kind, intent.symbol) for intent in assessment.intents]
    assert kinds[0] == (IntentKind.EXIT, "QQQ")
    entries = [i for i in assessment.intents if i.kind is IntentKind.ENTRY]
    spent = sum((i.quantity * (i.limit_price or 0) for i in entries), D(0))
    assert spent + 1000 <= 100_000  # the position still held counts
    assert [i.symbol for i in entries] == ["AAPL", "INTC", "MSFT", "SPY"]


def test_the_same_minute_decides_the_same() -> None:
    assert run(Action.ENTER) == run(Action.ENTER)


FOREIGN_STOP = an_order(order_id="theirs", client_order_id="mine", stop_price=D(90))
FOREIGN_SALE = an_order(order_id="theirs", client_order_id="mine", order_type="limit")
FOREIGN = [
    # (a foreign order beside our position, the wish, what is done)
    ("a foreign stop protects nothing of ours", (FOREIGN_STOP,), Action.HOLD,
     (IntentKind.PROTECT, None)),
    ("a foreign stop is not repriced", (FOREIGN_STOP, STOP), Action.HOLD, None),
    ("a foreign stop is not what an exit cancels", (FOREIGN_STOP, STOP), Action.EXIT,
     (IntentKind.EXIT, "stop-1")),
    ("a foreign sale is no exit of ours", (FOREIGN_SALE, STOP), Action.EXIT,
     (IntentKind.EXIT, "stop-1")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("orders", "wanted", "done"), [row[1:] for row in FOREIGN], ids=[str(row[0]) for row in FOREIGN]
)
def test_foreign_orders_are_never_touched(
    orders: tuple[BrokerOrder, ...], wanted: Action, done: tuple[IntentKind, str | None] | None
) -> None:
    intents = run(wanted, **{**HOLDING, "open_orders": orders}).intents
    assert [(i.kind, i.target_order_id) for i in intents] == ([done] if done else [])


def test_a_stop_without_shares_behind_it_is_cancelled() -> None:
    # Triggered, it would sell short.
    flat = {**HOLDING, "holdings": {}, "positions": {}}
    (intent,) = run(Action.ENTER, **flat).intents
    assert (intent.kind, intent.target_order_id) == (IntentKind.CANCEL_STOP, "stop-1")
    assert run(Action.ENTER, **{**flat, "orders_of_ours": {}}).intents == ()


def test_an_entry_stays_within_its_strategys_part_of_the_account() -> None:
    part = Allotment(frozenset(("AAPL", "MSFT")), D("0.1"))
    held = replace(HELD, symbol="MSFT", quantity=D(80))
    assessment = assess(
        cycle_at(NOON),
        [wish(Action.ENTER, bar(NOON, symbol=symbol)) for symbol in ("AAPL", "SPY")],
        book(
            NOON,
            holdings={"MSFT": held},
            positions={"MSFT": replace(POSITION, symbol="MSFT", quantity=D(80))},
            allotments={"AAPL": part, "MSFT": part},
        ),
        RiskLimits(),
    )
    # of 10,000 USD 8,000 are held: 19 shares at 100.30 fit; SPY has the account's 25 %
    assert [(i.symbol, i.quantity) for i in assessment.intents] == [
        ("AAPL", D(19)),
        ("SPY", D(249)),
    ]
    assert assessment.intents[0].reason.endswith(
        "size limited by exposure in all of the strategy's 0.1 of equity"
    )

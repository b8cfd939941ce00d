"""What stops entries over the real store: locks, drawdowns, the account's set-up, the comparison of
orders with intents, and how few statements all of it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.adapters.postgres.connection import Session
from tradewind.market.adjustment import SplitFactor
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session_table import default_table
from tradewind.orders.configuration import WANTED_CONFIGURATION
from tradewind.orders.control import SwitchState
from tradewind.orders.model import (
    BrokerActivity,
    IntentOutcome,
    IntentStatus,
    OrderIntent,
    OrderStatus,
    Side,
)
from tradewind.risk.modes import LiveApproval
from tradewind.risk.protections import Protection, ProtectionSettings
from tradewind.use_cases.assess_risk import RiskRules

from tests.fakes import an_account, an_order, own_id
from tests.integration.use_cases.books import (
    CYCLE,
    NOON,
    OPEN,
    READ_AT,
    SESSION,
    Books,
    cycle_at,
    decided,
    fill,
    leg_of,
    order_of,
    state,
)

FALLEN = an_account(equity=D(90_000))  # -10 % since the previous close


def reasons(ask: Any) -> dict[str, str]:
    """Each symbol's reason of the newest minute."""
    rows = ask(
        "SELECT symbol, reason_code FROM decisions WHERE bar_time = (SELECT max(bar_time) "
        "FROM decisions)"
    )
    return {row[0]: row[1] for row in rows}


def next_minute(books: Books, minutes: int, ask: Any, **changes: Any) -> str:
    """The reason for which AAPL was (not) entered so many minutes later."""
    cycle = cycle_at(NOON + minutes * MINUTE)
    books.bar(cycle.bar_time)
    as_of = cycle.run_at + timedelta(seconds=4)
    rules = changes.pop("rules", None)
    books.sync(state(as_of=as_of, **changes), cycle)
    books.decide(cycle=cycle, rules=rules)
    return reasons(ask)["AAPL"]


def stopped_out(books: Books) -> OrderIntent:
    intent = decided(books)
    bought = fill("entry", Side.BUY, intent.quantity, "100")
    sold = fill("stop", Side.SELL, intent.quantity, "98.40", second=30)
    stopped = leg_of(intent, status=OrderStatus.FILLED, filled_quantity=intent.quantity)
    books.sync(state(order_of(intent), stopped, fills=(bought, sold), as_of=READ_AT + MINUTE))
    return intent


def test_a_symbol_cools_down_after_its_exit_and_people_are_told_once(
    books: Books, ask: Any
) -> None:
    stopped_out(books)
    assert next_minute(books, 1, ask) == "cooldown"
    assert next_minute(books, 2, ask) == "cooldown"
    (told,) = books.told("entries_locked")
    assert "AAPL was left at 2020-11-12T17:01:30Z" in told
    assert ask("SELECT symbol, code, until FROM locks") == [
        ["AAPL", "cooldown", CYCLE.run_at + 6 * MINUTE]
    ]
    assert next_minute(books, 5, ask) == "cooldown"  # decided at 17:06, run_at 17:06
    assert next_minute(books, 6, ask) == "told"  # enters


def test_a_protection_that_is_off_locks_nothing(books: Books, ask: Any) -> None:
    stopped_out(books)
    rules = RiskRules(protections=ProtectionSettings(off=frozenset({Protection.COOLDOWN})))
    assert next_minute(books, 1, ask, rules=rules) == "told"


def test_minus_ten_percent_stops_entries_until_the_next_session(books: Books, ask: Any) -> None:
    books.sync(state(account=FALLEN))
    books.decide()
    assert reasons(ask) == {"AAPL": "daily_drawdown"}
    # Recovered within the session: the lock stands.
    assert next_minute(books, 1, ask) == "daily_drawdown"
    assert ask("SELECT until FROM locks") == [[SESSION.open + timedelta(days=1)]]
    assert len(books.told("entries_locked")) == 1


def test_a_cent_above_minus_ten_percent_enters(books: Books, ask: Any) -> None:
    books.sync(state(account=replace(FALLEN, equity=D("90000.01"))))
    books.decide()
    assert reasons(ask) == {"AAPL": "told"}


def test_a_deposit_does_not_lift_a_drawdown(books: Books, ask: Any) -> None:
    deposit = BrokerActivity("d-1", "CSD", D(50_000), SESSION.date, None, "deposit")
    books.sync(state(account=replace(FALLEN, equity=D(140_000)), activities=(deposit,)))
    books.decide()
    assert reasons(ask) == {"AAPL": "daily_drawdown"}


def test_seven_and_a_half_percent_from_the_peak_halve_the_size(books: Books) -> None:
    before = cycle_at(NOON - MINUTE)
    peak = an_account(equity=D(100_000), last_equity=D(95_000))
    books.sync(state(account=peak, as_of=before.run_at), before)
    books.sync(state(account=replace(peak, equity=D(92_500), buying_power=D(92_500))))
    (intent,) = books.decide().intents
    assert intent.quantity == D(115)  # of 230: 25 % of 92,500 USD at 100.30
    assert "size times 0.5" in intent.reason


def test_the_switch_is_asked_before_anything_is_entered(books: Books, ask: Any) -> None:
    books.control.state = SwitchState.REDUCING
    assert next_minute(books, 0, ask) == "switch_reducing"
    books.control.readable = False
    assert next_minute(books, 1, ask) == "switch_unreadable"


def test_a_wrong_set_up_is_told_and_stops_real_money_alone(books: Books, ask: Any) -> None:
    margin = replace(WANTED_CONFIGURATION, max_margin_multiplier="2")
    books.sync(state(configuration=margin))
    books.sync(state(configuration=margin, as_of=READ_AT + timedelta(seconds=1)))
    (told,) = books.told("account_configuration")
    assert 'max_margin_multiplier is "2", wanted is "1"' in told
    live = replace(CYCLE, mode="live")
    assert books.decide(cycle=live).intents == ()
    assert reasons(ask) == {"AAPL": "account_configuration"}
    # The next minutes' snapshots do not ask for it again: what was read in the morning stands.
    later = cycle_at(NOON + MINUTE)
    books.bar(later.bar_time)
    books.sync(state(as_of=later.run_at), later)
    assert books.decide(cycle=later).intents != ()


def test_a_symbol_that_the_broker_does_not_trade_is_not_entered(books: Books, ask: Any) -> None:
    books.sync(state(configuration=replace(WANTED_CONFIGURATION, untradable=("AAPL",))))
    books.decide()
    assert reasons(ask) == {"AAPL": "not_tradable"}


def test_a_halted_symbol_is_told_from_one_that_is_late(books: Books, ask: Any) -> None:
    for minute in range(40):
        books.bar(NOON - 42 * MINUTE + minute * MINUTE, "MSFT")
    books.sync(state())
    books.decide(symbols=("AAPL", "MSFT"))
    assert reasons(ask)["MSFT"] == "halted"


def test_orders_and_intents_are_compared_each_minute(books: Books) -> None:
    intent = decided(books)
    outcome = IntentOutcome(intent.intent_id, IntentStatus.SUBMITTED, "entry", "ok", "ok", READ_AT)
    books.close(outcome)
    later = {"as_of": READ_AT + timedelta(seconds=40)}
    agreed = books.sync(state(order_of(intent), **later)).comparison
    assert agreed is not None
    assert (agreed.orders, agreed.intents, agreed.agrees) == (1, 1, True)
    assert books.told("orders_differ") == []
    copy = an_order(order_id="copy", client_order_id=own_id("of a copy"))
    differ = books.sync(state(copy, as_of=READ_AT + timedelta(seconds=50))).comparison
    assert differ is not None
    assert (differ.uncommitted, differ.unlisted) == (
        (copy.client_order_id,), (intent.intent_id,),
    )  # fmt: skip
    (told,) = books.told("orders_differ")
    assert copy.client_order_id in told
    assert intent.intent_id in told


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement that is sent, transactions' own included."""
    sent: list[str] = []
    rows, simple = Session.rows, Session._simple

    def counting_rows(self: Session, statement: str, **parameters: Any) -> Any:
        sent.append(statement)
        return rows(self, statement, **parameters)

    def counting_simple(self: Session, statement: str) -> None:
        sent.append(statement)
        simple(self, statement)

    with monkeypatch.context() as patched:
        patched.setattr(Session, "rows", counting_rows)
        patched.setattr(Session, "_simple", counting_simple)
        yield sent


@pytest.mark.parametrize("mode", ["paper", "live"])
@pytest.mark.parametrize("symbols", [2, 50])
def test_a_minute_takes_ten_statements_whatever_the_number_of_symbols(
    books: Books, monkeypatch: pytest.MonkeyPatch, symbols: int, mode: str
) -> None:
    """The worst minute: something is held over a split, everything else is to be entered, every
    history is too short, a lock begins, inference has failed, and live size is ramping up."""
    intent = decided(books)
    bought = fill("entry", Side.BUY, intent.quantity, "100")
    session = default_table().following(SESSION.date)
    cycle = replace(cycle_at(NOON + timedelta(days=1)), session=session, mode=mode)
    names = ["AAPL", *(f"S{number}" for number in range(1, symbols))]
    with books.database.transaction() as stores:
        price = D(100)
        bars = [Bar(n, cycle.bar_time, price, price, price, price, 10, "iex") for n in names]
        stores.bars.upsert(bars, [True] * len(bars), cycle.bar_time)
        stores.factors.learn([SplitFactor("AAPL", session.date, D(2), D(1), OPEN)])
        stores.trading_modes.approve(
            LiveApproval("paper", 1, "anna", "a good month", OPEN, 20, 50, D(0), D(0))
        )
    books.sync(
        state(
            order_of(intent),
            fills=(bought,),
            account=FALLEN,
            as_of=cycle.run_at + timedelta(seconds=4),
        ),
        cycle,
    )
    with counted(monkeypatch) as sent:
        assert books.decide(cycle=cycle, symbols=names).decisions == symbols
    ours = [one for one in sent if one not in ("BEGIN", "COMMIT")]
    assert len(sent) - len(ours) == 2
    assert len(ours) <= 10, [re.sub(r"\s+", " ", one)[:60] for one in ours]

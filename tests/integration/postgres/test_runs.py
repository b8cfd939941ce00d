"""What a run reads and writes at once is what the single stores say."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal as D

from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.market.bar import MINUTE
from tradewind.market.cycle import Cycle
from tradewind.market.session_table import default_table
from tradewind.orders.configuration import WANTED_CONFIGURATION
from tradewind.orders.control import SwitchChange, SwitchState
from tradewind.orders.model import IntentStatus, Side
from tradewind.portfolio.splits import PositionSplit
from tradewind.prediction.model import Prediction
from tradewind.risk.equity import first_mark
from tradewind.risk.locks import Lock
from tradewind.risk.modes import LiveApproval
from tradewind.use_cases.standing import Outcome, StandingQuestion

from tests.integration.postgres.rows import (
    ACCOUNT,
    OPEN,
    SESSION,
    a_fill,
    a_holding,
    a_position,
    a_snapshot,
    a_trade,
    an_activity,
    an_intent,
    an_order,
    an_outcome,
    tell_orders,
    uuid_of,
)
from tests.integration.postgres.test_decisions import DECISION, PREDICTION
from tests.integration.postgres.test_gaps import A_SESSION
from tests.integration.postgres.test_messages import a_message
from tests.integration.postgres.test_portfolio import A_DIFFERENCE

A_CYCLE = Cycle("here", ACCOUNT, "paper", "paper-1", OPEN, A_SESSION)
A_QUESTION = StandingQuestion(
    symbols=["AAPL", "MSFT"],
    session_since=OPEN - 60 * MINUTE,
    trades_since=OPEN - timedelta(days=5),
    predicted=["AAPL"],
    predicted_since=OPEN - 15 * MINUTE,
)
A_LOCK = Lock("AAPL", OPEN, OPEN + 5 * MINUTE, "cooldown", "left a minute ago", "x")
A_MARK = first_mark(SESSION, OPEN, D("100000.10"), D("-20.5"))
AN_OUTCOME = Outcome(
    predictions=[PREDICTION],
    decisions=[DECISION],
    intents=[an_intent("tw-2")],
    messages=[a_message("a")],
    locks=[A_LOCK],
)


def test_of_an_account_that_nothing_is_known_of(database: PostgresDatabase) -> None:
    with database.transaction() as stores:
        found = stores.runs.standing(A_CYCLE, A_QUESTION)
    assert (found.newest_decided, found.account, found.equity, found.configuration) == (None,) * 4
    assert (found.entries_today, found.capital_today, found.transfers) == (0, 0, 0)
    assert (found.holdings, found.locks, found.trades, found.revisions) == ([], [], [], {})


def test_it_is_what_the_single_stores_say(database: PostgresDatabase) -> None:
    with database.transaction() as stores:
        stores.intents.add([an_intent("tw-1"), an_intent("tw-3", symbol="MSFT", revision=2)])
        stores.intents.record([an_outcome("tw-1", IntentStatus.SUBMITTED)])
        tell_orders(stores, [an_order(client_order_id="tw-1"), an_order("o-9")], OPEN)
        stores.fills.add(ACCOUNT, [a_fill()])
        stores.trades.add(ACCOUNT, [a_trade(intent_id="tw-1")])
        stores.holdings.save(ACCOUNT, [a_holding()], OPEN)
        stores.holdings.confirm(ACCOUNT, [a_position(quantity=9)], OPEN)
        stores.holdings.note_differences(ACCOUNT, [A_DIFFERENCE])
        stores.accounts.add(ACCOUNT, a_snapshot("100000.10"), OPEN)
        stores.orders.note_strangers(ACCOUNT, ["o-9"], OPEN)
        stores.activities.add(
            ACCOUNT, [an_activity(kind="CSW", amount=D("-20.5")), an_activity("a-2")], OPEN
        )
        stores.equity.save(ACCOUNT, A_MARK)
        stores.configurations.add(
            ACCOUNT, replace(WANTED_CONFIGURATION, untradable=("MSFT",)), OPEN
        )
        stores.locks.add(ACCOUNT, [A_LOCK])
        stores.predictions.save([PREDICTION])
        stores.decisions.save([DECISION])
        stores.cycles.decided(ACCOUNT, OPEN - MINUTE, SESSION, "paper-0")
        found = stores.runs.standing(A_CYCLE, A_QUESTION)
        assert found.newest_decided == stores.cycles.newest_decided(ACCOUNT)
        assert found.holdings == stores.holdings.all(ACCOUNT)
        assert found.positions == stores.holdings.broker_positions(ACCOUNT)
        assert found.open_orders == stores.orders.open_known(ACCOUNT) != []
        assert found.orders_of_ours == stores.orders.intent_of(ACCOUNT) != {}
        assert found.unresolved == stores.intents.without_outcome(ACCOUNT) != []
        assert (found.broker_as_of, found.account) == stores.accounts.latest(ACCOUNT)
        assert found.differences == stores.holdings.differences(ACCOUNT) != []
        assert found.strangers == stores.orders.strangers(ACCOUNT) != []
        symbols = ["AAPL", "MSFT"]
        assert found.revisions == stores.intents.last_revisions(ACCOUNT, symbols)
        assert found.locks == [A_LOCK]
        assert found.equity == stores.equity.newest(ACCOUNT) == A_MARK
        assert found.transfers == stores.equity.transfers(ACCOUNT, SESSION) == D("-20.5")
        assert found.predictions == [PREDICTION]
    assert found.configuration == replace(WANTED_CONFIGURATION, untradable=("MSFT",))
    assert found.decided == {(DECISION.strategy, DECISION.symbol)}
    (trade,) = found.trades
    assert (trade.symbol, trade.side, trade.quantity, trade.by_stop) == (
        "AAPL", Side.BUY, D(10), False,
    )  # fmt: skip
    two_entries = 2 * an_intent().quantity * (an_intent().limit_price or 0)
    assert (found.entries_today, found.capital_today) == (2, two_entries)


def test_what_people_allowed_and_how_live_trading_went_is_read_with_it(
    database: PostgresDatabase,
) -> None:
    """An approval of noon three sessions ago: its own session had begun, and does not count."""
    days = default_table().between(SESSION - timedelta(days=6), SESSION - timedelta(days=1))[-4:]
    question = replace(A_QUESTION, ramp=days)
    approved = days[0].open + timedelta(hours=2)
    approval = LiveApproval(ACCOUNT, 1, "anna", "a good month", approved, 20, 50, D("0.004"), D(0))
    lowered = SwitchChange(
        ACCOUNT, 1, SwitchState.REDUCING, SwitchState.ACTIVE, "bert", "odd", days[2].open
    )
    raised = replace(
        lowered, number=2, state=SwitchState.ACTIVE, previous=SwitchState.REDUCING, at=OPEN
    )
    with database.transaction() as stores:
        for day in (days[0], days[1], days[3]):
            name = f"tw-{day.date}"
            stores.intents.add([an_intent(name, session=day.date, mode="live")])
            stores.fills.add(ACCOUNT, [a_fill(name, at=day.open)])
            stores.trades.add(ACCOUNT, [a_trade(name, intent_id=name, timestamp=day.open)])
        stores.switch_changes.add(
            [replace(lowered, number=3, at=approved - MINUTE), lowered, raised]
        )
        assert stores.runs.standing(A_CYCLE, question).ramp is None
        stores.trading_modes.approve(approval)
        found = stores.runs.standing(A_CYCLE, question)
        assert found.approval == approval
        assert found.ramp == stores.trading_modes.ramp(approval, days)
    assert found.ramp is not None
    assert found.ramp.traded == [days[1].date, days[3].date]
    assert found.ramp.breaches == {
        days[2].date: "the trading switch was lowered to REDUCING by bert: odd"
    }


def test_splits_of_what_is_held_and_those_of_the_window_are_read_with_it(
    database: PostgresDatabase,
) -> None:
    def split(symbol: str, seen_at: datetime) -> PositionSplit:
        return PositionSplit(symbol, SESSION, D(7), D(1), D(1), D(7), D(645), D(645), seen_at)

    long_ago, lately = OPEN - timedelta(days=40), OPEN - timedelta(days=1)
    with database.transaction() as stores:
        stores.holdings.save(ACCOUNT, [a_holding()], OPEN)  # AAPL
        splits = [split("AAPL", long_ago), split("KO", long_ago), split("MSFT", lately)]
        stores.position_splits.add(ACCOUNT, splits)
        found = stores.runs.standing(A_CYCLE, A_QUESTION).splits
        assert found == [splits[0], splits[2]]


def test_what_was_not_sent_is_no_entry_of_the_day(database: PostgresDatabase) -> None:
    unsent = (IntentStatus.BLOCKED, IntentStatus.EXPIRED_UNSENT, IntentStatus.REJECTED)
    with database.transaction() as stores:
        stores.intents.add([an_intent(f"tw-{status}") for status in (*unsent, "unknown")])
        stores.intents.record([an_outcome(f"tw-{status}", status) for status in unsent])
        stores.intents.record([an_outcome("tw-unknown", IntentStatus.UNKNOWN)])
        assert stores.runs.standing(A_CYCLE, A_QUESTION).entries_today == 1
        yesterday = replace(A_CYCLE, session=replace(A_SESSION, date=SESSION - timedelta(days=1)))
        assert stores.runs.standing(yesterday, A_QUESTION).entries_today == 0


def test_all_of_an_outcome_is_written_once(database: PostgresDatabase) -> None:
    for _ in range(2):
        with database.transaction() as stores:
            stores.runs.leave(A_CYCLE, AN_OUTCOME)
    with database.transaction() as stores:
        assert stores.cycles.newest_decided(ACCOUNT) == OPEN
        assert stores.intents.find(["tw-2"]) == [an_intent("tw-2")]
        assert len(stores.outbox.unsent(10)) == 1
        found = stores.runs.standing(A_CYCLE, A_QUESTION)
        assert (found.locks, found.predictions) == ([A_LOCK], [PREDICTION])
        assert found.decided != set()
        # The same lock told again, however worded, is one row.
        assert stores.locks.add(ACCOUNT, [replace(A_LOCK, reason="another")]) == []
        assert stores.locks.add(ACCOUNT, [replace(A_LOCK, symbol=None)]) != []


def test_a_lock_that_has_ended_is_history(database: PostgresDatabase) -> None:
    with database.transaction() as stores:
        stores.locks.add(ACCOUNT, [A_LOCK])
        last = replace(A_CYCLE, bar_time=A_LOCK.until - 2 * MINUTE)  # runs a minute before its end
        assert stores.runs.standing(last, A_QUESTION).locks == [A_LOCK]
        over = replace(A_CYCLE, bar_time=A_LOCK.until - MINUTE)
        assert stores.runs.standing(over, A_QUESTION).locks == []
    with database.reading() as queries:
        assert queries.locks(ACCOUNT) == [A_LOCK]


def test_the_last_good_prediction_is_each_symbols_newest_within_reach(
    database: PostgresDatabase,
) -> None:
    def made(symbol: str, minute: int, stale: bool = False) -> Prediction:
        return replace(
            PREDICTION,
            prediction_id=uuid_of(f"{symbol}-{minute}"),
            symbol=symbol,
            timestamp=OPEN + minute * MINUTE,
            stale=stale,
        )

    kept = [made("AAPL", minute) for minute in (1, 3, 9)]
    with database.transaction() as stores:
        stores.predictions.save([*kept, made("AAPL", 5, stale=True), made("MSFT", 0)])
        question = replace(
            A_QUESTION, predicted=["AAPL", "MSFT", "INTC"], predicted_since=OPEN + MINUTE
        )
        at_the_sixth = replace(A_CYCLE, bar_time=OPEN + 6 * MINUTE)
        assert stores.runs.standing(at_the_sixth, question).predictions == [made("AAPL", 3)]

"""What a missing, held back, split or mispredicted minute does to a decision. Real PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from uuid import uuid5

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.market.adjustment import SplitFactor
from tradewind.market.answer import (
    Answer,
    Fetched,
    Question,
    dump_fetched,
    load_questions,
    plan_key,
)
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.cycle import Cycle, execution_name
from tradewind.market.session import Session
from tradewind.market.session_table import default_table
from tradewind.market.verdict import ValidationRules
from tradewind.orders.model import BrokerState
from tradewind.orders.snapshot import dump_state
from tradewind.prediction.model import Prediction, Trend
from tradewind.prediction.trend import PREDICTION_NAMESPACE
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Wish
from tradewind.use_cases.assess_risk import Assessed, RiskRules, assess_risk
from tradewind.use_cases.compute_features import Computed, compute_features
from tradewind.use_cases.record import record_broker_state, record_orders

from tests.fakes import FakeControl, an_account
from tests.unit.use_cases.test_fetch_bars import FakePayloads

OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)


def session_of(moment: datetime) -> Session:
    session = default_table().session_of(moment)
    assert session is not None
    return session


def cycle_at(bar_time: datetime) -> Cycle:
    name = execution_name("paper", bar_time)
    return Cycle("here", "paper", "paper", name, bar_time, session_of(bar_time))


def bar(start: datetime, close: str = "100", symbol: str = "AAPL") -> Bar:
    price = D(close)
    return Bar(symbol, start, price, price, price, price, 1000, "iex")


@dataclass
class Watcher:
    """Always wants in, looks back over ``bars_needed`` bars and remembers what it saw."""

    bars_needed: int = 4
    name: str = "watcher"
    needs_prediction: bool = False
    views: list[MarketView] = field(default_factory=list)

    def decide(self, view: MarketView) -> Wish:
        self.views.append(view)
        return Wish(Action.HOLD if view.holding else Action.ENTER, "always", "always")


@dataclass
class Desk:
    database: PostgresDatabase
    payloads: FakePayloads = field(default_factory=FakePayloads)
    strategy: Watcher = field(default_factory=Watcher)

    def minute(
        self,
        bar_time: datetime,
        *bars: Bar,
        first: datetime | None = None,
        factors: tuple[SplitFactor, ...] = (),
    ) -> Computed:
        """Store what a provider answered to the question of this minute's run."""
        cycle = cycle_at(bar_time)
        question = Question(("AAPL",), first or bar_time - 9 * MINUTE, bar_time)
        answer = Answer(question, cycle.run_at + timedelta(seconds=5), bars)
        body = dump_fetched(Fetched((answer,), factors))
        return compute_features(
            cycle,
            self.payloads.put("bars", body, len(bars)),
            ["AAPL"],
            sessions=default_table(),
            rules=ValidationRules(),
            payloads=self.payloads,
            database=self.database,
        )

    def decide(self, bar_time: datetime, *predictions: Prediction) -> Assessed:
        cycle = cycle_at(bar_time)
        state = BrokerState(cycle.run_at + timedelta(seconds=4), an_account(), (), (), ())
        self.sync(cycle, state)
        return assess_risk(
            cycle,
            predictions,
            strategies={"AAPL": self.strategy},
            rules=RiskRules(),
            sessions=default_table(),
            database=self.database,
            control=FakeControl(),
        )

    def sync(self, cycle: Cycle, state: BrokerState) -> None:
        ref = self.payloads.put("state", dump_state(state), 0)
        record_broker_state(cycle, ref, payloads=self.payloads, database=self.database)

    def alerts(self) -> list[str]:
        messages = record_orders(
            cycle_at(OPEN), [], None, payloads=self.payloads, database=self.database
        )
        return [str(m.message["type"]) for m in messages if m.topic == "alerts"]


@pytest.fixture
def desk(database: PostgresDatabase) -> Desk:
    return Desk(database)


def minutes(count: int, start: datetime = OPEN) -> list[datetime]:
    return [start + number * MINUTE for number in range(count)]


NOON = OPEN + timedelta(hours=2)


def test_a_hole_among_the_bars_decided_on_refuses_the_entry(desk: Desk) -> None:
    starts = minutes(6, NOON)
    came = [bar(start) for start in starts if start != NOON + 3 * MINUTE]
    desk.minute(starts[-1], *came)
    assert desk.decide(starts[-1]).intents == ()


def test_a_hole_that_is_filled_refuses_nothing(desk: Desk) -> None:
    starts = minutes(6, NOON)
    desk.minute(starts[-1], *[bar(start) for start in starts if start != NOON + 3 * MINUTE])
    later = starts[-1] + MINUTE
    desk.minute(later, *[bar(start) for start in [*starts, later]])
    assert len(desk.decide(later).intents) == 1


def test_a_minute_that_the_provider_says_had_no_trade_is_no_hole(desk: Desk) -> None:
    starts = minutes(9, NOON)
    came = [bar(start) for start in starts if start != NOON + 5 * MINUTE]
    # Seen to be empty in three runs, each a minute after the other.
    for run in (6, 7, 8):
        desk.minute(starts[run], *[b for b in came if b.start <= starts[run]])
    assert len(desk.decide(starts[-1]).intents) == 1


def test_an_old_gap_is_asked_for_again(desk: Desk) -> None:
    # Minutes 5 to 10 were never asked for: no run started while they were in reach.
    starts = minutes(30)
    for first, last in [(0, 4), (11, 20), (20, 29)]:
        came = [bar(start) for start in starts[first : last + 1]]
        desk.minute(starts[last], *came, first=starts[first])
    plan = load_questions(desk.payloads.objects[plan_key("paper")])
    # With the minutes around, whose bars show that the provider has this part of the day.
    assert [(q.first, q.last) for q in plan] == [(starts[0], starts[15])]


def test_an_answered_plan_is_taken_back(desk: Desk) -> None:
    test_an_old_gap_is_asked_for_again(desk)
    starts = minutes(31)
    cycle = cycle_at(starts[30])
    asked_at = cycle.run_at + timedelta(seconds=5)
    questions = (Question(("AAPL",), starts[21], starts[30]),
                 Question(("AAPL",), starts[0], starts[15]))  # fmt: skip
    answers = tuple(
        Answer(q, asked_at, tuple(bar(s) for s in starts if q.first <= s <= q.last))
        for q in questions
    )
    computed = compute_features(
        cycle,
        desk.payloads.put("bars", dump_fetched(Fetched(answers, ())), 26),
        ["AAPL"],
        sessions=default_table(),
        rules=ValidationRules(),
        payloads=desk.payloads,
        database=desk.database,
    )
    assert computed.stored == 1 + 6
    assert load_questions(desk.payloads.objects[plan_key("paper")]) == []


def test_a_jump_is_held_back_told_once_and_decides_nothing(desk: Desk) -> None:
    starts = minutes(6, NOON)
    desk.minute(starts[4], *[bar(start) for start in starts[:5]])
    held = desk.minute(starts[5], bar(starts[5], "130"))
    again = desk.minute(starts[5], bar(starts[5], "130"))
    assert (held.held, held.stored, again.held) == (1, 0, 1)
    assert desk.decide(starts[5]).intents == ()
    assert desk.alerts() == ["bars_held_back"]


def test_a_bar_that_cannot_be_true_is_rejected_and_told_once(desk: Desk) -> None:
    crossed = replace(bar(NOON), low=D(101))
    for _ in range(2):
        assert desk.minute(NOON, crossed).rejected == 1
    assert desk.alerts() == ["bar_rejected"]


SPLIT_DAY = datetime(2020, 11, 13, 14, 30, tzinfo=UTC)


def before_split(desk: Desk) -> None:
    close = session_of(OPEN).close
    starts = minutes(5, close - 5 * MINUTE)
    desk.minute(starts[-1], *[bar(start, "400") for start in starts], first=starts[0])


def test_a_known_split_makes_no_jump_and_the_strategy_sees_one_level(desk: Desk) -> None:
    before_split(desk)
    known = SplitFactor("AAPL", date(2020, 11, 13), D(4), D(1), OPEN)
    starts = minutes(2, SPLIT_DAY)
    came = [bar(start, "100") for start in starts]
    computed = desk.minute(starts[-1], *came, first=SPLIT_DAY, factors=(known,))
    assert (computed.stored, computed.held) == (2, 0)
    desk.decide(starts[-1])
    (view,) = desk.strategy.views
    assert [seen.close for seen in view.bars] == [D(100)] * 4
    assert [seen.volume for seen in view.bars] == [4000, 4000, 1000, 1000]


def test_an_unannounced_split_stands_still_and_is_told(desk: Desk) -> None:
    before_split(desk)
    starts = minutes(8, SPLIT_DAY)
    came = [bar(start, "100") for start in starts]
    computed = desk.minute(starts[-1], *came, first=SPLIT_DAY)
    assert (computed.stored, computed.held) == (0, 8)
    assert "suspected_split" in desk.alerts()


def a_prediction(at: datetime) -> Prediction:
    return Prediction(
        uuid5(PREDICTION_NAMESPACE, at.isoformat()), "AAPL", Trend.UP, D("0.6"), at, "m1", "f1",
        stale=False,
    )  # fmt: skip


@pytest.mark.parametrize(("age", "used"), [(1, True), (15, True), (16, False)])
def test_the_last_good_prediction_is_used_up_to_its_age_limit(
    desk: Desk, age: int, used: bool
) -> None:
    desk.strategy.needs_prediction = True
    made = NOON - age * MINUTE
    desk.minute(made, bar(made))
    desk.decide(made, a_prediction(made))
    desk.minute(NOON, bar(NOON))
    desk.decide(NOON)
    seen = desk.strategy.views[-1].prediction
    assert (seen is not None) is used
    assert seen is None or seen.stale


def test_a_broker_whose_clock_differs_is_told_of(desk: Desk) -> None:
    cycle = cycle_at(OPEN)
    state = BrokerState(cycle.run_at, an_account(), (), (), (), next_close=cycle.session.close)
    desk.sync(cycle, state)
    assert desk.alerts() == []
    desk.sync(cycle, replace(state, next_close=cycle.session.close - timedelta(hours=3)))
    assert desk.alerts() == ["calendar_differs"]


def test_a_day_below_the_promise_is_told_of_at_its_close(desk: Desk) -> None:
    session = session_of(OPEN)
    starts = minutes(390)
    for first, last in [(0, 99), (101, 389)]:
        came = [bar(start) for start in starts[first : last + 1]]
        desk.minute(starts[last], *came, first=starts[first])
    assert starts[-1] == session.last_bar
    assert desk.alerts() == ["availability_below_promise"]


def test_a_symbol_without_a_prediction_of_this_run_keeps_its_last_good_one(desk: Desk) -> None:
    """Inference did not fail: this symbol alone had no window."""
    desk.strategy.needs_prediction = True
    desk.minute(NOON - MINUTE, bar(NOON - MINUTE))
    desk.decide(NOON - MINUTE, a_prediction(NOON - MINUTE))
    desk.minute(NOON, bar(NOON))
    desk.decide(NOON, replace(a_prediction(NOON), symbol="MSFT"))
    seen = desk.strategy.views[-1].prediction
    assert seen == replace(a_prediction(NOON - MINUTE), stale=True)


def test_a_strategy_sees_nothing_that_came_later(desk: Desk) -> None:
    """Later minutes' bars and predictions are there already, as in a run that comes late."""
    desk.strategy.needs_prediction = True
    for minute in range(6):
        at = NOON + (minute - 3) * MINUTE
        desk.minute(at, bar(at))
    with desk.database.transaction() as stores:
        stores.predictions.save([a_prediction(NOON - MINUTE), a_prediction(NOON + MINUTE)])
    desk.decide(NOON)
    view = desk.strategy.views[-1]
    assert (view.minute, view.bars[-1].start, len(view.bars)) == (NOON, NOON, 4)
    assert view.prediction == replace(a_prediction(NOON - MINUTE), stale=True)

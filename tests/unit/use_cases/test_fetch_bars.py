"""The schedule's tick: which bar, when, and what happens when it is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.errors import (
    CycleFailedBeforeError,
    KeyRefusedError,
    ProviderUnavailableError,
    ThrottledError,
)
from tradewind.market.adjustment import SplitFactor
from tradewind.market.answer import Fetched, Question, dump_questions, load_fetched, plan_key
from tradewind.market.bar import Bar
from tradewind.market.corporate_actions import Announced, CorporateAction
from tradewind.market.session_table import default_table
from tradewind.use_cases.fetch_bars import FetchOutcome, fetch_bars
from tradewind.use_cases.ports import PayloadRef

from tests.fakes import FakeClock

T = datetime(2020, 11, 12, 15, 0, tzinfo=UTC)


@dataclass
class FakeProvider:
    """Has each symbol's bar from ``there_at`` on (seconds after the run's minute)."""

    there_at: Mapping[str, float]
    clock: FakeClock
    run_at: datetime = T
    down: bool = False
    refuses: Exception | None = None
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)

    def bars(self, symbols: Sequence[str], first: datetime, last: datetime) -> list[Bar]:
        self.asked.append((first, last))
        if self.down:
            raise ProviderUnavailableError("status 503")
        if self.refuses is not None:
            raise self.refuses
        since = (self.clock.now() - self.run_at).total_seconds()
        return [a_bar(s, last) for s in symbols if since >= self.there_at[s]]


@dataclass
class FakePayloads:
    objects: dict[str, bytes] = field(default_factory=dict)

    def put(self, key: str, body: bytes, count: int) -> PayloadRef:
        self.objects[key] = body
        return PayloadRef(key, "hash", count)

    def get(self, ref: PayloadRef) -> bytes:
        return self.objects[ref.key]

    def newest(self, key: str) -> bytes | None:
        return self.objects.get(key)


@dataclass
class FakeCycles:
    started: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    failed: bool = False

    def start(self, name: str, payload: Mapping[str, Any]) -> bool:
        if self.failed:
            raise CycleFailedBeforeError(f"run {name} exists and is FAILED")
        new = name not in self.started
        self.started.setdefault(name, payload)
        return new


@dataclass
class FakeTopic:
    published: list[Mapping[str, Any]] = field(default_factory=list)

    def publish(self, message: Mapping[str, Any]) -> None:
        self.published.append(message)


SPLIT = SplitFactor("AAPL", date(2020, 11, 13), D(4), D(1), T)
MERGER = CorporateAction("m", "MSFT", "cash_merger", date(2020, 11, 16), T)


@dataclass
class FakeActions:
    down: bool = False
    asked: list[tuple[date, date]] = field(default_factory=list)

    def announced(self, symbols: Sequence[str], first: date, last: date) -> Announced:
        self.asked.append((first, last))
        if self.down:
            raise ProviderUnavailableError("status 503")
        return Announced((SPLIT,), (MERGER,))


def a_bar(symbol: str, start: datetime) -> Bar:
    return Bar(symbol, start, D(100), D(101), D(99), D("100.5"), 1000, "iex")


@dataclass
class World:
    clock: FakeClock
    provider: FakeProvider
    payloads: FakePayloads = field(default_factory=FakePayloads)
    cycles: FakeCycles = field(default_factory=FakeCycles)
    topic: FakeTopic = field(default_factory=FakeTopic)
    actions: FakeActions = field(default_factory=lambda: FakeActions())

    def tick(self, scheduled: datetime) -> FetchOutcome:
        return fetch_bars(
            scheduled,
            deployment="here",
            account="paper",
            mode="paper",
            symbols=("AAPL", "MSFT"),
            sessions=default_table(),
            provider=self.provider,
            corporate_actions=self.actions,
            payloads=self.payloads,
            cycles=self.cycles,
            alerts=self.topic,
            clock=self.clock,
        )


def world(after: float = 0, *, aapl: float = 2, msft: float = 2, run_at: datetime = T) -> World:
    clock = FakeClock(run_at + timedelta(seconds=after))
    return World(clock, FakeProvider({"AAPL": aapl, "MSFT": msft}, clock, run_at))


def test_run_t_decides_on_the_bar_before_it() -> None:
    w = world()
    fetched = w.tick(T)
    assert fetched.outcome == "started"
    assert fetched.bar_time == T - timedelta(minutes=1)
    assert fetched.execution == "paper-20201112T1459Z"
    payload = w.cycles.started["paper-20201112T1459Z"]
    assert payload["bar_time"] == "2020-11-12T14:59:00Z"
    assert payload["scheduled_time"] == "2020-11-12T15:00:00Z"
    assert payload["session"] == {
        "date": "2020-11-12",
        "open": "2020-11-12T14:30:00Z",
        "close": "2020-11-12T21:00:00Z",
    }
    assert fetched_by(w, "paper-20201112T1459Z").count == payload["bars"]["count"] == 2


def fetched_by(w: World, execution: str) -> Fetched:
    return load_fetched(w.payloads.objects[w.cycles.started[execution]["bars"]["key"]])


def test_a_second_delivery_leaves_the_bars_of_the_first_alone() -> None:
    w = world()
    w.tick(T)
    first = dict(w.payloads.objects)
    w.provider.there_at = {"AAPL": 2, "MSFT": 99}
    w.tick(T)
    assert {key: w.payloads.objects[key] for key in first} == first
    assert len(w.payloads.objects) == 2


def test_core_learns_what_was_asked_when_and_everything_that_came() -> None:
    w = world()
    w.tick(T)
    (answer,) = fetched_by(w, "paper-20201112T1459Z").answers
    bar_time = T - timedelta(minutes=1)
    assert answer.question == Question(("AAPL", "MSFT"), T - timedelta(minutes=10), bar_time)
    assert answer.asked_at == T + timedelta(seconds=3)
    assert answer.bars == (a_bar("AAPL", bar_time), a_bar("MSFT", bar_time))
    assert answer.for_the_ledger().came == {"AAPL": {bar_time}, "MSFT": {bar_time}}


OLD = Question(("MSFT",), T - timedelta(minutes=25), T - timedelta(minutes=20))


def planned(w: World, *questions: Question) -> World:
    w.payloads.put(plan_key("paper"), dump_questions(questions), len(questions))
    return w


def test_gaps_that_core_found_are_asked_for_in_every_fifth_run() -> None:
    fifth = T + timedelta(minutes=1)  # decides on 15:00
    w = planned(world(run_at=fifth), OLD)
    w.tick(fifth)
    assert w.provider.asked[1:] == [(OLD.first, OLD.last)]
    answers = fetched_by(w, "paper-20201112T1500Z").answers
    assert [answer.question for answer in answers][1:] == [OLD]
    other = planned(world(), OLD)
    other.tick(T)
    assert len(other.provider.asked) == 1


def test_only_a_few_gaps_are_asked_for_at_a_time() -> None:
    fifth = T + timedelta(minutes=1)
    w = planned(world(run_at=fifth), *[OLD] * 9)
    w.tick(fifth)
    assert len(w.provider.asked) == 1 + 3


def test_corporate_actions_are_read_at_the_start_of_the_session_and_once_an_hour() -> None:
    opening = datetime(2020, 11, 12, 14, 31, tzinfo=UTC)
    for run_at, asked in [(opening, 1), (T + timedelta(minutes=1), 1), (T, 0)]:
        w = world(run_at=run_at)
        fetched = w.tick(run_at)
        assert len(w.actions.asked) == asked
        found = fetched_by(w, fetched.execution or "")
        assert (found.factors, found.actions) == ((SPLIT,) * asked, (MERGER,) * asked)
    assert w.actions.asked == []


def test_they_are_looked_for_a_week_back_and_a_month_ahead() -> None:
    run_at = T + timedelta(minutes=1)
    w = world(run_at=run_at)
    w.tick(run_at)
    assert w.actions.asked == [(date(2020, 11, 5), date(2020, 12, 12))]


def test_without_corporate_actions_the_run_starts_all_the_same() -> None:
    run_at = T + timedelta(minutes=1)
    w = world(run_at=run_at)
    w.actions.down = True
    assert w.tick(run_at).outcome == "started"


def test_the_last_ten_minutes_are_read_again() -> None:
    w = world()
    w.tick(T)
    assert w.provider.asked[-1] == (T - timedelta(minutes=10), T - timedelta(minutes=1))


def test_bars_before_the_open_are_not_asked_for() -> None:
    opening = datetime(2020, 11, 12, 14, 33, tzinfo=UTC)
    w = world(run_at=opening)
    w.tick(opening)
    assert w.provider.asked[-1][0] == datetime(2020, 11, 12, 14, 30, tzinfo=UTC)


LOOKS = [
    # (AAPL's bar is there after, MSFT's, time of the last look, missing)
    ("both in time", 2, 2, 3, ()),
    ("one late", 2, 5.5, 6, ()),
    ("one never", 2, 99, 15, ("MSFT",)),
    ("none at all", 99, 99, 15, ("AAPL", "MSFT")),
]


@pytest.mark.parametrize(
    ("aapl", "msft", "last_look", "missing"),
    [row[1:] for row in LOOKS],
    ids=[str(row[0]) for row in LOOKS],
)
def test_it_looks_from_3_to_15_seconds_and_then_runs_all_the_same(
    aapl: float, msft: float, last_look: float, missing: tuple[str, ...]
) -> None:
    w = world(aapl=aapl, msft=msft)
    fetched = w.tick(T)
    assert fetched.missing == missing
    assert fetched.outcome == "started"
    assert w.clock.now() == T + timedelta(seconds=last_look)


def test_a_provider_that_is_down_does_not_stop_the_run() -> None:
    # Exits, protection and the close do not wait for a provider.
    w = world()
    w.provider.down = True
    fetched = w.tick(T)
    assert (fetched.outcome, fetched.bars) == ("started", 0)


def test_a_provider_that_refuses_does_not_stop_the_run_and_is_told_once_a_session() -> None:
    w = world()
    w.provider.refuses = KeyRefusedError("status 401")
    assert w.tick(T).outcome == "started"
    assert w.tick(T + timedelta(minutes=1)).outcome == "started"
    assert len(w.provider.asked) == 2  # asking the same again gives the same
    alerts = w.topic.published
    assert [(alert["type"], alert["severity"]) for alert in alerts] == [("data_refused", 4)] * 2
    assert alerts[0]["message"] == "KeyRefusedError: status 401"
    assert {alert["dedupe_key"] for alert in alerts} == {"paper-2020-11-12-data_refused"}


# Seconds the provider asks for, how often it is asked between T+3 s and T+15 s.
THROTTLED: list[tuple[float | None, int]] = [
    (None, 13),  # each second
    (0.5, 13),
    (4.0, 4),
    (12.0, 2),
    (12.5, 1),  # beyond the last look
    (50_000.0, 1),
]


@pytest.mark.parametrize(("retry_after", "looks"), THROTTLED)
def test_a_provider_is_not_asked_before_the_time_it_named(
    retry_after: float | None, looks: int
) -> None:
    w = world()
    w.provider.refuses = ThrottledError("status 429", retry_after)
    assert w.tick(T).outcome == "started"
    assert len(w.provider.asked) == looks


def test_a_second_delivery_changes_nothing() -> None:
    w = world()
    w.tick(T)
    assert w.tick(T).outcome == "already_done"
    assert len(w.cycles.started) == 1


def test_a_run_that_failed_is_told_of_and_not_run_again() -> None:
    w = world()
    w.cycles.failed = True
    assert w.tick(T).outcome == "already_done"
    assert [m["type"] for m in w.topic.published] == ["cycle_failed_before"]


OUTSIDE = [
    ("before the open", datetime(2020, 11, 12, 14, 30, tzinfo=UTC)),
    ("a minute after the last run", datetime(2020, 11, 12, 21, 1, tzinfo=UTC)),
    ("Thanksgiving", datetime(2020, 11, 26, 15, 0, tzinfo=UTC)),
    ("the afternoon of a half-day", datetime(2020, 11, 27, 18, 1, tzinfo=UTC)),
    ("a Saturday", datetime(2020, 11, 14, 15, 0, tzinfo=UTC)),
]


@pytest.mark.parametrize("when", [row[1] for row in OUTSIDE], ids=[row[0] for row in OUTSIDE])
def test_outside_the_session_nothing_happens(when: datetime) -> None:
    w = world(run_at=when)
    assert w.tick(when).outcome == "no_session"
    assert w.cycles.started == {}
    assert w.provider.asked == []


INSIDE = [
    ("the first run", datetime(2020, 11, 12, 14, 31, tzinfo=UTC)),
    ("the last run, at the close", datetime(2020, 11, 12, 21, 0, tzinfo=UTC)),
    ("the last run of a half-day", datetime(2020, 11, 27, 18, 0, tzinfo=UTC)),
    ("the first run in summer time", datetime(2020, 10, 28, 13, 31, tzinfo=UTC)),
]


@pytest.mark.parametrize("when", [row[1] for row in INSIDE], ids=[row[0] for row in INSIDE])
def test_inside_the_session_it_runs(when: datetime) -> None:
    assert world(run_at=when).tick(when).outcome == "started"

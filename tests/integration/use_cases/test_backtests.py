"""A backtest from its request to its answer, over PostgreSQL; the engine is a simple one."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.backtest.arrays import BarArrays
from tradewind.backtest.bar_columns import unpacked
from tradewind.backtest.request import BacktestRequest
from tradewind.backtest.trials import Trials
from tradewind.errors import (
    CycleFailedBeforeError,
    InvalidInputError,
    PayloadMismatchError,
    PermanentError,
    ThrottledError,
)
from tradewind.market.adjustment import KnownClose, SplitFactor, SuspectedSplit
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.bar_months import MonthArchive, digest_of
from tradewind.market.session_table import default_table
from tradewind.use_cases.backtest_runs import (
    note_failure,
    plan_backtest,
    record_backtest,
    record_failure,
    run_chunk,
)
from tradewind.use_cases.backtesting import (
    KEPT_FOR,
    LONGEST_RUN,
    MOST_UNDER_WAY,
    BacktestState,
    StoredBacktest,
    data_hash_of,
    read_backtest,
    register_backtest,
    start_backtest,
)
from tradewind.use_cases.ports import PayloadRef

from tests.fakes import FakeClock

NOW = datetime(2020, 11, 13, 12, 0, tzinfo=UTC)
FIRST, LAST = date(2020, 11, 11), date(2020, 11, 12)
OPENS = [datetime(2020, 11, day, 14, 30, tzinfo=UTC) for day in (11, 12)]
MINUTES = 20

RUN: dict[str, Any] = {
    "symbols": ["AAPL", "MSFT"],
    "from": FIRST.isoformat(),
    "to": LAST.isoformat(),
    "strategy": "sma_crossover",
    "parameters": {"fast": 5, "slow": 10},
}
SWEEP: dict[str, Any] = {
    **{key: value for key, value in RUN.items() if key != "parameters"},
    "sweep": {"fast": {"from": 2, "to": 30}, "slow": {"from": 31, "to": 60}},
}


class Bucket:
    """Implements ``Payloads`` in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, key: str, body: bytes, count: int) -> PayloadRef:
        self.objects[key] = body
        return PayloadRef(key, hashlib.sha256(body).hexdigest(), count)

    def get(self, ref: PayloadRef) -> bytes:
        body = self.objects[ref.key]
        assert hashlib.sha256(body).hexdigest() == ref.sha256
        return body

    def newest(self, key: str) -> bytes | None:
        return self.objects.get(key)


class SimpleEngine:
    """Implements ``Engine``: figures that tell which bars and lengths they are of."""

    def run(self, bars: Sequence[BarArrays], request: BacktestRequest) -> dict[str, Any]:
        return {
            "metrics": {"bars": sum(len(arrays) for arrays in bars)},
            "trades": [{"symbol": arrays.symbol} for arrays in bars],
        }

    def sweep(self, bars: BarArrays, request: BacktestRequest, fast: Sequence[int]) -> Trials:
        pairs = [(f, s) for f in fast for s in request.slow if f < s]
        days = len(bars.session_dates)
        sharpe = np.array([slow - 2 * fast for fast, slow in pairs], np.float64)
        return Trials(
            bars.symbol,
            bars.session_dates,
            np.array(pairs, np.int64),
            np.column_stack([sharpe / 100, sharpe, sharpe, sharpe, sharpe]),
            np.full(len(pairs), len(bars)),
            np.outer(sharpe, np.arange(1, days + 1)) / 10_000,
        )


@dataclass
class Archive:
    """Implements ``BarArchive`` in memory."""

    months: dict[str, list[bytes]] = field(default_factory=dict)

    def write(self, key: str, portions: Any) -> None:
        self.months[key] = "".join(portions).encode().splitlines(keepends=True)

    def read(self, key: str) -> Iterator[bytes]:
        yield from self.months[key]


@dataclass
class Cloud:
    """The functions and the state machine between them, without the cloud."""

    database: PostgresDatabase
    bucket: Bucket = field(default_factory=Bucket)
    archive: Archive = field(default_factory=Archive)
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    started: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuses: bool = False

    def register(self, request: Mapping[str, Any], at: datetime) -> Mapping[str, Any]:
        return register_backtest(request, at, database=self.database)

    def start(self, name: str, payload: Mapping[str, Any]) -> bool:
        if self.refuses:
            raise CycleFailedBeforeError("it failed")
        return self.started.setdefault(name, dict(payload)) is payload

    def post(self, content: dict[str, Any]) -> dict[str, Any]:
        return start_backtest(json.dumps(content), registry=self, runs=self, clock=self.clock)

    def get(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        found = read_backtest(answer["backtest_id"], self.clock.now(), database=self.database)
        assert found is not None
        return found

    def plan(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        event = {name: answer[name] for name in ("backtest_id", "requested_at")}
        return plan_backtest(
            event,
            database=self.database,
            archive=self.archive,
            sessions=default_table(),
            payloads=self.bucket,
        )

    def items(self, planned: Mapping[str, Any]) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = json.loads(self.bucket.objects[planned["chunks"]["key"]])
        return items

    def work(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return run_chunk(item, engine=SimpleEngine(), payloads=self.bucket)

    def record(self, planned: Mapping[str, Any]) -> dict[str, Any]:
        return record_backtest(
            planned, self.clock.now(), database=self.database, payloads=self.bucket
        )

    def fail(self, answer: Mapping[str, Any], failure: Mapping[str, Any]) -> dict[str, str]:
        event = {**answer, "failure": failure}
        return record_failure(event, self.clock.now(), database=self.database, payloads=self.bucket)

    def result(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.bucket.objects[self.get(answer)["result_key"]])
        return found


def bars_of(symbol: str, price: str = "100.25") -> list[Bar]:
    value = Decimal(price)
    return [
        Bar(symbol, start + minute * MINUTE, value, value + 1, value - 1, value, 100, "iex")
        for start in OPENS
        for minute in range(MINUTES)
    ]


def store(database: PostgresDatabase, bars: Sequence[Bar]) -> None:
    with database.transaction() as stores:
        stores.bars.upsert(bars, [True] * len(bars), NOW)


@pytest.fixture
def cloud(database: PostgresDatabase, connected: Callable[[str], PostgresDatabase]) -> Cloud:
    """With the rights that the functions have."""
    for symbol in ("AAPL", "MSFT"):
        store(database, bars_of(symbol))
    return Cloud(connected("tw_research"))


def carried_out(cloud: Cloud, content: dict[str, Any]) -> dict[str, Any]:
    answer = cloud.post(content)
    planned = cloud.plan(answer)
    for item in cloud.items(planned):
        cloud.work(item)
    cloud.record(planned)
    return answer


def test_a_run_from_its_request_to_its_answer(cloud: Cloud) -> None:
    asked = cloud.post(RUN)
    assert (asked["state"], asked["result"], asked["trials"]) == ("requested", None, 1)
    (run,) = cloud.started
    assert cloud.started[run] == {name: asked[name] for name in ("backtest_id", "requested_at")}

    planned = cloud.plan(asked)
    assert planned["needed"] is True
    assert cloud.get(asked)["state"] == "running"
    (item,) = cloud.items(planned)
    assert cloud.work(item) == {"chunk": 0}
    cloud.record(planned)

    done = cloud.get(asked)
    assert done["state"] == "done"
    assert done["result"] == {
        "bars": {"AAPL": 2 * MINUTES, "MSFT": 2 * MINUTES},
        "metrics": {"bars": 4 * MINUTES},
        "trades": 2,
    }
    assert cloud.result(asked)["trades"] == [{"symbol": "AAPL"}, {"symbol": "MSFT"}]
    assert done["reason"] is None


def test_a_sweep_is_gathered_and_ranked(cloud: Cloud) -> None:
    asked = cloud.post(SWEEP)
    pairs = 29 * 30
    assert asked["trials"] == 2 * pairs
    planned = cloud.plan(asked)
    items = cloud.items(planned)
    assert len(items) == 4  # two of each symbol: 500 trials a chunk at most
    for item in reversed(items):  # in whatever order
        cloud.work(item)
    cloud.record(planned)

    rows = cloud.result(asked)["ranked"]
    assert {(row["symbol"], row["fast"], row["slow"]) for row in rows} == {
        (symbol, fast, slow)
        for symbol in ("AAPL", "MSFT")
        for fast in range(2, 31)
        for slow in range(31, 61)
    }
    assert [row["sharpe"] for row in rows] == sorted((row["sharpe"] for row in rows), reverse=True)
    result = cloud.get(asked)["result"]
    assert result["ranked"] == rows[:50]
    assert (rows[0]["fast"], rows[0]["slow"]) == (2, 60)
    assert result["overfitting_probability"] is None  # two sessions


def test_the_bars_are_where_the_chunks_find_them(cloud: Cloud) -> None:
    cloud.plan(cloud.post(RUN))
    files = [body for key, body in cloud.bucket.objects.items() if key.startswith("backtests/bars")]
    found = {arrays.symbol: arrays for arrays in map(unpacked, files)}
    assert set(found) == {"AAPL", "MSFT"}
    assert len(found["AAPL"]) == 2 * MINUTES
    assert found["AAPL"].close.tolist() == [100_250_000] * 2 * MINUTES
    assert found["AAPL"].session_dates == (FIRST, LAST)


def test_a_step_that_is_run_again_changes_nothing(cloud: Cloud) -> None:
    asked = cloud.post(SWEEP)
    planned = cloud.plan(asked)
    for item in cloud.items(planned):
        cloud.work(item)
    before = dict(cloud.bucket.objects)
    assert cloud.plan(asked) == planned
    for item in cloud.items(planned):
        cloud.work(item)
    assert cloud.bucket.objects == before
    assert cloud.record(planned) == cloud.record(planned)
    done = cloud.get(asked)
    assert cloud.plan(asked)["needed"] is False
    assert cloud.get(asked) == done


def test_the_same_request_within_the_hour_is_answered_and_not_run(cloud: Cloud) -> None:
    first = carried_out(cloud, RUN)
    cloud.clock = FakeClock(NOW + KEPT_FOR - timedelta(seconds=1))
    again = cloud.post(RUN)
    assert again["state"] == "done"
    assert again == cloud.get(first)
    assert len(cloud.started) == 1

    cloud.clock = FakeClock(NOW + KEPT_FOR)
    assert cloud.post(RUN)["state"] == "requested"
    assert len(cloud.started) == 2


def test_a_request_that_is_under_way_is_not_started_twice(cloud: Cloud) -> None:
    first = cloud.post(RUN)
    assert cloud.post(RUN) == first
    assert len(cloud.started) == 1
    cloud.plan(first)
    assert cloud.post(RUN)["state"] == "running"


def test_other_bars_are_another_backtest(cloud: Cloud, database: PostgresDatabase) -> None:
    first = carried_out(cloud, RUN)
    store(database, bars_of("MSFT", "101"))
    other = cloud.post(RUN)
    assert other["backtest_id"] != first["backtest_id"]
    assert other["state"] == "requested"


def test_no_more_than_a_few_are_under_way(cloud: Cloud) -> None:
    for number in range(MOST_UNDER_WAY):
        cloud.post({**RUN, "cash": 1000 + number})
    with pytest.raises(ThrottledError, match="are under way"):
        cloud.post(RUN)
    cloud.post({**RUN, "cash": 1000})  # one that is
    # One that ended without a word is not waited for for ever.
    cloud.clock = FakeClock(NOW + LONGEST_RUN + timedelta(seconds=1))
    assert cloud.post(RUN)["state"] == "requested"


def test_a_run_that_ended_without_a_word_is_told_as_failed_and_run_again(cloud: Cloud) -> None:
    asked = cloud.post(RUN)
    cloud.plan(asked)
    cloud.clock = FakeClock(NOW + LONGEST_RUN + timedelta(seconds=1))
    assert (cloud.get(asked)["state"], cloud.get(asked)["reason"]) == (
        "failed",
        "the run ended without a word",
    )
    again = cloud.post(RUN)
    assert again["backtest_id"] == asked["backtest_id"]
    assert len(cloud.started) == 2
    # The first one speaks up after all: nobody listens.
    with pytest.raises(InvalidInputError, match="no backtest"):
        cloud.fail(asked, {"Error": "X", "Cause": "y"})
    assert cloud.get(again)["state"] == "requested"


def test_a_run_that_cannot_begin_is_told_at_once(cloud: Cloud) -> None:
    cloud.refuses = True
    asked = cloud.post(RUN)
    assert (asked["state"], asked["reason"]) == ("failed", "the run could not begin")


CAUSE = json.dumps({"errorMessage": "no\nsecond line", "errorType": "InvalidInputError"})
# What the state machine knows of a failure -> the reason that is kept.
FAILURES: list[tuple[dict[str, Any], str]] = [
    ({"Error": "InvalidInputError", "Cause": CAUSE}, "InvalidInputError: no"),
    ({"Error": "States.Timeout", "Cause": ""}, "States.Timeout: "),
    ({"Error": "States.Timeout"}, "States.Timeout: None"),
    ({"Error": "States.TaskFailed", "Cause": "killed"}, "States.TaskFailed: killed"),
    ({"Error": "X", "Cause": "[1]"}, "X: [1]"),
]


@pytest.mark.parametrize(("failure", "reason"), FAILURES)
def test_a_failure_is_kept_with_its_reason_and_run_again_when_asked(
    failure: dict[str, Any], reason: str, cloud: Cloud
) -> None:
    asked = cloud.post(RUN)
    told = cloud.fail(asked, failure)
    assert f"{told['Error']}: {told['Cause']}" == reason
    assert (cloud.get(asked)["state"], cloud.get(asked)["reason"]) == ("failed", reason)
    again = cloud.post(RUN)  # within the same second
    assert (again["state"], again["reason"]) == ("requested", None)
    assert len(cloud.started) == 2


def test_the_reason_is_the_chunks_own_where_it_left_one(cloud: Cloud) -> None:
    asked = cloud.post(SWEEP)
    item = cloud.items(cloud.plan(asked))[1]
    note_failure(item, ValueError("too hot\nto handle"), payloads=cloud.bucket)
    told = cloud.fail(asked, {"Error": "States.ExceedToleratedFailureThreshold", "Cause": "some"})
    assert told == {
        "Error": "ValueError",
        "Cause": "chunk 1 (AAPL, fast 18 to 30): too hot",
    }


def test_a_sweep_with_a_chunk_missing_is_not_ranked(cloud: Cloud) -> None:
    planned = cloud.plan(cloud.post(SWEEP))
    for item in cloud.items(planned)[1:]:
        cloud.work(item)
    with pytest.raises(PayloadMismatchError, match=r"chunk 0 of .* left no result"):
        cloud.record(planned)


def test_bars_that_change_between_request_and_plan_end_the_run(
    cloud: Cloud, database: PostgresDatabase
) -> None:
    asked = cloud.post(RUN)
    store(database, bars_of("AAPL", "101"))
    with pytest.raises(InvalidInputError, match="changed since the request: ask again"):
        cloud.plan(asked)
    assert cloud.get(asked)["state"] == "requested"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"backtest_id": "../x", "requested_at": "2020-11-13T12:00:00Z"},
        {"backtest_id": "0" * 32, "requested_at": "2020-11-13T12:00:00Z"},
    ],
)
def test_a_run_that_nobody_requested_does_nothing(event: dict[str, str], cloud: Cloud) -> None:
    asked = cloud.post(RUN)
    forged = {**asked, **event} if event else {"backtest_id": None, "requested_at": None}
    with pytest.raises(InvalidInputError, match="no backtest"):
        cloud.plan(forged)
    assert cloud.bucket.objects == {}


def test_a_symbol_without_bars_is_refused_by_name(cloud: Cloud) -> None:
    with pytest.raises(InvalidInputError, match=r"TSLA has no bars from 2020-11-11 to 2020-11-12"):
        cloud.post({**RUN, "symbols": ["AAPL", "TSLA"]})
    assert cloud.started == {}


def test_an_id_that_is_none_is_refused_and_one_of_nobody_unknown(cloud: Cloud) -> None:
    with pytest.raises(InvalidInputError, match="no backtest's id"):
        read_backtest("x" * 32, NOW, database=cloud.database)
    assert read_backtest("0" * 32, NOW, database=cloud.database) is None


def test_prices_before_a_split_are_those_of_the_last_day(
    cloud: Cloud, database: PostgresDatabase
) -> None:
    before = cloud.post(RUN)
    split = SplitFactor("AAPL", LAST, Decimal(4), Decimal(1), NOW + timedelta(days=300))
    with database.transaction() as stores:
        stores.factors.learn([split])
    asked = cloud.post(RUN)
    assert asked["backtest_id"] != before["backtest_id"]
    planned = cloud.plan(asked)
    plan = json.loads(cloud.bucket.objects[planned["plan"]["key"]])
    apple = unpacked(cloud.bucket.objects[plan["bars"]["AAPL"]["key"]])
    assert apple.close.tolist() == [25_062_500] * MINUTES + [100_250_000] * MINUTES
    assert apple.volume.tolist() == [400] * MINUTES + [100] * MINUTES


def test_a_jump_like_a_split_has_to_be_answered_first(
    cloud: Cloud, database: PostgresDatabase
) -> None:
    close = KnownClose(OPENS[0], Decimal(100))
    with database.transaction() as stores:
        stores.factors.suspect([SuspectedSplit("AAPL", LAST, 4, close, Decimal(25), NOW)])  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="AAPL jumps like a split"):
        cloud.post(RUN)


def test_months_that_left_the_table_are_read_from_the_archive(
    cloud: Cloud, database: PostgresDatabase
) -> None:
    in_table = carried_out(cloud, RUN)
    with database.transaction() as stores:
        month = date(2020, 11, 1)
        stores.bar_months.ensure(month, month)
        lines = [stores.bar_months.lines(month, symbol) for symbol in ("AAPL", "MSFT")]
        cloud.archive.write("key", lines)
        rows, sha256 = digest_of(cloud.archive.read("key"))
        stores.bar_months.drop(MonthArchive(month, 1, "key", rows, sha256), NOW)
    archived = carried_out(cloud, RUN)
    assert archived["backtest_id"] != in_table["backtest_id"]  # from elsewhere: asked anew
    assert cloud.result(archived) == cloud.result(in_table)
    # Those that came in since count together with the archive's, and before them.
    store(database, bars_of("AAPL", "101")[:1])
    filled = cloud.plan(cloud.post(RUN))
    plan = json.loads(cloud.bucket.objects[filled["plan"]["key"]])
    apple = unpacked(cloud.bucket.objects[plan["bars"]["AAPL"]["key"]])
    assert apple.close.tolist() == [101_000_000] + [100_250_000] * (2 * MINUTES - 1)


def test_research_sees_nothing_of_trading_and_others_do_not_write_its_results(
    cloud: Cloud, connected: Callable[[str], PostgresDatabase]
) -> None:
    asked = cloud.post(RUN)
    for statement in ("bars.latest", "orders.open", "intents.without_outcome", "holdings.all"):
        store_name, method = statement.split(".")
        with (
            pytest.raises(PermanentError, match="permission denied"),
            cloud.database.transaction() as stores,
        ):
            getattr(getattr(stores, store_name), method)("paper")
    looking = connected("tw_read")
    assert read_backtest(asked["backtest_id"], NOW, database=looking) == cloud.get(asked)
    with pytest.raises(PermanentError, match="permission denied"):
        register_backtest({**RUN, "cash": 5}, NOW, database=looking)


def test_bars_of_other_days_have_no_part_in_it(cloud: Cloud, database: PostgresDatabase) -> None:
    first = cloud.post(RUN)
    before, after = (OPENS[0] - timedelta(days=1), OPENS[1] + timedelta(days=1))
    for start in (before, after):
        store(database, [replace(bars_of("AAPL")[0], start=start)])
    assert cloud.post(RUN) == first
    cloud.plan(first)  # of the same bars, or it would refuse


def test_a_run_that_was_given_up_cannot_speak_for_its_successor(cloud: Cloud) -> None:
    given_up = cloud.post(RUN)
    with cloud.database.researching() as books:
        old = books.backtests.find(given_up["backtest_id"])
    assert old is not None
    cloud.fail(given_up, {"Error": "X", "Cause": "y"})
    asked = cloud.post(RUN)
    with cloud.database.researching() as books:
        books.backtests.running(old)
        books.backtests.failed(old, "late", NOW)
        books.backtests.done(old, {}, PayloadRef("late", "0" * 64, 1), NOW)
    assert cloud.get(asked) == asked


def test_two_requests_at_once_are_one(
    cloud: Cloud, connected: Callable[[str], PostgresDatabase], ask: Callable[..., Any]
) -> None:
    content = BacktestRequest.from_payload(RUN).as_payload()
    other = connected("tw_research")
    answers: list[Mapping[str, Any]] = []
    later = NOW + timedelta(minutes=1)
    waiting = threading.Thread(
        target=lambda: answers.append(register_backtest(content, later, database=other))
    )
    with cloud.database.researching() as books:
        books.backtests.lock()
        waiting.start()
        deadline = time.monotonic() + 10
        while not ask("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            assert time.monotonic() < deadline, "the second one does not wait"
            time.sleep(0.01)
        data_hash = data_hash_of(BacktestRequest.from_payload(RUN), books.history)
        first = StoredBacktest(
            BacktestRequest.from_payload(RUN).id_with(data_hash),
            NOW,
            NOW + KEPT_FOR,
            BacktestState.REQUESTED,
            data_hash,
            content,
            1,
        )
        books.backtests.request(first)
    waiting.join()
    assert [answer["run"] for answer in answers] == [first.run]

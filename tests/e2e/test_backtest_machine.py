"""Backtests through the API and the state machine on the local twin, with the compiled engine,
beside direct calls of the engine on the same bars."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from tradewind.adapters.postgres.connection import DatabaseAddress
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.backtest.arrays import arrays_of
from tradewind.backtest.chunk_engine import CompiledEngine
from tradewind.backtest.engine import backtest
from tradewind.backtest.request import BacktestRequest
from tradewind.backtest.sweep import sweep
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session_table import default_table
from tradewind_local.twin.folder import StateFolder
from tradewind_local.twin.local_twin import LocalTwin

from tests.e2e.command import ROOT
from tests.e2e.test_replay import access_token

pytestmark = pytest.mark.e2e

SYMBOLS = ("AAPL", "MSFT")
FIRST, LAST = date(2020, 9, 21), date(2020, 11, 6)
MINUTES = 45  # of each of the 35 sessions: two whole ones' time would be spent on storing bars
ASKED: dict[str, Any] = {
    "symbols": list(SYMBOLS),
    "from": FIRST.isoformat(),
    "to": LAST.isoformat(),
    "strategy": "sma_crossover",
    "fill": "next_open_no_entry_bar_stop",
}
RUN = {**ASKED, "parameters": {"fast": 5, "slow": 20}}
# 560 pairs of each symbol: two chunks each.
SWEEP = {**ASKED, "sweep": {"fast": {"from": 2, "to": 15}, "slow": {"from": 21, "to": 60}}}


def walk(symbol: str) -> list[Bar]:
    """A random walk in cents, the same each time."""
    random = Random(symbol)
    price = Decimal(100)
    bars = []
    for session in default_table().between(FIRST, LAST):
        for minute in range(MINUTES):
            opened = price
            price = max(Decimal(1), price + Decimal(random.randint(-12, 12)) / 100)
            high, low = max(opened, price), min(opened, price)
            start = session.open + minute * MINUTE
            bars.append(Bar(symbol, start, opened, high, low, price, 1000, "simulated"))
    return bars


@dataclass
class Cloud:
    """The twin as a person of the group ``admin`` sees it, and a look behind it."""

    twin: LocalTwin
    token: str

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(
            f"{self.twin.deployment.outputs['ApiUrl']}{path}",
            data=None if body is None else body.encode(),
            headers={"Authorization": self.token},
            method=method,
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read())

    def hand_over(self, body: str) -> tuple[int, dict[str, Any]]:
        """POST as API Gateway hands it to its function, without the limit of one a second."""
        event = json.loads((ROOT / "events" / "start_backtest.json").read_text(encoding="utf-8"))
        answer = self.twin.cloud.client("lambda").invoke(
            FunctionName=self.twin.deployment.resources["StartBacktest"],
            Payload=json.dumps({**event, "body": body}).encode(),
        )
        response = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, response
        return response["statusCode"], json.loads(response["body"])

    def post(self, content: Mapping[str, Any]) -> dict[str, Any]:
        status, answer = self.hand_over(json.dumps(content))
        assert status in (200, 202), answer
        return answer

    def get(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        status, found = self.ask("GET", f"/backtest/{answer['backtest_id']}")
        assert status == 200, found
        return found

    def executions(self) -> list[dict[str, Any]]:
        """Newest first; the chunks' own are not among them."""
        machine = self.twin.deployment.outputs["BacktestArn"]
        found: list[dict[str, Any]] = self.states.list_executions(stateMachineArn=machine)[
            "executions"
        ]
        return found

    def ended(self) -> dict[str, Any]:
        """The newest execution, when it is over."""
        deadline = time.monotonic() + 60
        newest = max(self.executions(), key=lambda one: one["startDate"])
        while (found := self.states.describe_execution(executionArn=newest["executionArn"]))[
            "status"
        ] == "RUNNING":
            assert time.monotonic() < deadline, "the run hangs"
            time.sleep(0.05)
        ended: dict[str, Any] = found
        return ended

    def carried_out(self, content: Mapping[str, Any]) -> dict[str, Any]:
        asked = self.post(content)
        ended = self.ended()
        assert ended["status"] == "SUCCEEDED", ended
        done = self.get(asked)
        assert done["state"] == "done", done
        return done

    @property
    def states(self) -> Any:
        return self.twin.cloud.client("stepfunctions")

    @property
    def bucket(self) -> Any:
        return self.twin.cloud.client("s3")

    def read(self, key: str) -> bytes:
        name = self.twin.deployment.outputs["PayloadsBucketName"]
        content: bytes = self.bucket.get_object(Bucket=name, Key=key)["Body"].read()
        return content

    def write(self, key: str, content: bytes) -> None:
        name = self.twin.deployment.outputs["PayloadsBucketName"]
        self.bucket.put_object(Bucket=name, Key=key, Body=content)

    def keys(self, prefix: str) -> list[str]:
        name = self.twin.deployment.outputs["PayloadsBucketName"]
        found = self.bucket.list_objects_v2(Bucket=name, Prefix=prefix)
        return [one["Key"] for one in found.get("Contents", [])]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = StateFolder.open(tmp_path_factory.mktemp("backtests") / "state")
    running = LocalTwin(ROOT, folder, SYMBOLS, 1)
    try:
        running.start(print)
        running.market.set_clock(datetime(2020, 11, 9, 12, tzinfo=UTC), running=False)
        database = PostgresDatabase(
            DatabaseAddress(
                running.postgres.host,
                running.postgres.port,
                running.postgres.database,
                running.postgres.user,
                "off",
                lambda: running.postgres.password,
            ),
            "tests",
        )
        with database.transaction() as stores:
            for symbol in SYMBOLS:
                bars = walk(symbol)
                stores.bars.upsert(bars, [True] * len(bars), bars[-1].start)
        database.close()
        outputs = running.deployment.outputs
        token = access_token(
            running.cloud.url, outputs["UserPoolId"], outputs["UserPoolClientId"], group="admin"
        )
        yield Cloud(running, token)
    finally:
        running.stop()
        folder.close()


def test_a_run_is_what_the_engine_says_of_the_same_bars(cloud: Cloud) -> None:
    done = cloud.carried_out(RUN)
    request = BacktestRequest.from_payload(RUN)
    arrays = [arrays_of(symbol, walk(symbol), default_table()) for symbol in SYMBOLS]
    outcome = backtest(arrays, request.strategy_asked_for(), request.settings)
    expected = CompiledEngine().run(arrays, request)
    assert len(outcome.trades) > 20
    told = json.loads(json.dumps(expected))
    for name in ("metrics", "costs", "findings"):
        assert done["result"][name] == told[name]
    assert done["result"]["bars"] == dict.fromkeys(SYMBOLS, 35 * MINUTES)
    kept = json.loads(cloud.read(done["result_key"]))
    assert [trade["entry_time"] for trade in kept["trades"]] == outcome.trades.entry_time.tolist()
    assert [trade["pnl"] for trade in kept["trades"]] == outcome.trades.pnl.tolist()


def test_a_sweep_in_chunks_is_the_sweep_in_one_ranked(cloud: Cloud) -> None:
    done = cloud.carried_out(SWEEP)
    assert done["trials"] == 2 * 14 * 40
    request = BacktestRequest.from_payload(SWEEP)
    expected = {}
    for symbol in SYMBOLS:
        arrays = arrays_of(symbol, walk(symbol), default_table())
        swept = sweep(arrays, request.fast, request.slow, request.settings)
        for (fast, slow), *figures in zip(
            swept.parameters.tolist(),
            swept.total_return.tolist(),
            swept.sharpe.tolist(),
            swept.trades.tolist(),
            strict=True,
        ):
            expected[symbol, fast, slow] = tuple(figures)
    kept = json.loads(cloud.read(done["result_key"]))
    found = {
        (row["symbol"], row["fast"], row["slow"]): (
            row["total_return"],
            row["sharpe"],
            row["trades"],
        )
        for row in kept["ranked"]
    }
    assert found == expected
    best = max(expected, key=lambda one: expected[one][1])
    shown = done["result"]["ranked"][0]
    assert (shown["symbol"], shown["fast"], shown["slow"]) == best
    assert 0 <= done["result"]["overfitting_probability"] <= 1
    assert 0 <= done["result"]["deflated_sharpe"] <= 1

    # A chunk that is run again makes the same object, byte for byte.
    folder = done["result_key"].rpartition("/")[0]
    chunks = cloud.keys(f"{folder}/chunks/")
    assert len(chunks) == 4
    before = {key: cloud.read(key) for key in chunks}
    functions = cloud.twin.cloud.client("lambda")
    for item in json.loads(cloud.read(f"{folder}/chunks.json")):
        answer = functions.invoke(
            FunctionName=cloud.twin.deployment.resources["RunBacktest"],
            Payload=json.dumps(item).encode(),
        )
        assert "FunctionError" not in answer, answer["Payload"].read()
    assert {key: cloud.read(key) for key in chunks} == before


def test_the_same_request_again_is_answered_and_not_run(cloud: Cloud) -> None:
    first = cloud.carried_out({**RUN, "cash": 50_000})
    runs = len(cloud.executions())
    status, again = cloud.ask("POST", "/backtest", json.dumps({**RUN, "cash": "50000.0"}))
    assert (status, again) == (200, first)
    assert len(cloud.executions()) == runs


def test_a_bad_request_is_told_in_one_line_and_nothing_runs(cloud: Cloud) -> None:
    runs = len(cloud.executions())
    # (request, status, what the line names)
    bad = [
        ("{", 400, "not JSON"),
        (json.dumps({**RUN, "parameters": {"fast": 50, "slow": 20}}), 400, "fast=50, slow=20"),
        (json.dumps({**RUN, "symbols": ["TSLA"]}), 400, "TSLA has no bars"),
    ]
    for body, expected, names in bad:
        status, answer = cloud.hand_over(body)
        assert (status, list(answer)) == (expected, ["message"])
        assert names in answer["message"]
        assert len(answer["message"].splitlines()) == 1
    assert cloud.ask("GET", f"/backtest/{'0' * 32}")[0] == 404
    assert cloud.ask("GET", "/backtest/nothing")[0] == 400
    assert len(cloud.executions()) == runs


def test_a_chunk_that_fails_ends_the_run_with_its_reason(cloud: Cloud) -> None:
    content = {**SWEEP, "symbols": ["MSFT"], "to": "2020-11-05"}
    holding = threading.Event()

    def damage() -> None:
        """Holds what the plan says last until the bars it wrote are damaged."""
        before = set(cloud.keys("backtests/bars/"))
        connection = cloud.twin.owner_connection()
        holding.set()
        deadline = time.monotonic() + 15
        try:
            while not connection.run("SELECT 1 FROM backtests WHERE state = 'requested'"):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            connection.run("BEGIN")
            connection.run("SELECT 1 FROM backtests FOR UPDATE")
            while not (written := set(cloud.keys("backtests/bars/")) - before):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            for key in written:
                cloud.write(key, b"damaged")
            connection.run("COMMIT")
        finally:
            connection.close()

    damaging = threading.Thread(target=damage)
    damaging.start()
    holding.wait()
    asked = cloud.post(content)
    ended = cloud.ended()
    damaging.join()
    assert ended["status"] == "FAILED", ended
    assert ended["error"] == "PayloadMismatchError"
    assert "chunk" in ended["cause"]
    failed = cloud.get(asked)
    assert failed["state"] == "failed"
    assert failed["reason"] == f"{ended['error']}: {ended['cause']}"

    connection = cloud.twin.owner_connection()
    deadline = time.monotonic() + 15
    while not connection.run("SELECT 1 FROM alerts WHERE type = 'backtest_failed'"):
        assert time.monotonic() < deadline, "nobody was told"
        time.sleep(0.05)
    connection.close()

    # Asked for again it is run again, on bars that are written anew.
    assert cloud.carried_out(content)["trials"] == 14 * 40

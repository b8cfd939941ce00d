"""A run that fails while a position has lost its stop: the reconciliation after it puts one back,
and a second one changes nothing."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from tradewind.market.bar import to_iso
from tradewind.market.session_table import default_table
from tradewind_local.replay.driver import MinuteRun, SessionDriver
from tradewind_local.replay.ledger import Ledger
from tradewind_local.replay.plan import ReplayPlan, simulated_plan
from tradewind_local.twin.folder import StateFolder
from tradewind_local.twin.local_twin import LocalTwin

from tests.e2e.command import ROOT

pytestmark = pytest.mark.e2e

SEED = 4
# In the simulated market of this seed something is bought well within the first quarter-hour.
MINUTES = 15


@pytest.fixture(scope="module")
def plan() -> ReplayPlan:
    return simulated_plan(("AAPL", "MSFT"), None, MINUTES + 3, SEED, default_table())


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory, plan: ReplayPlan) -> Iterator[LocalTwin]:
    folder = StateFolder.open(tmp_path_factory.mktemp("reconciliation") / "state")
    running = LocalTwin(ROOT, folder, plan.symbols, SEED)
    try:
        running.start(print)
        running.market.load_bars([*plan.history, *plan.bars])
        yield running
    finally:
        running.stop()
        folder.close()


def trading(twin: LocalTwin, method: str, path: str) -> Any:
    """What a person at the broker's own desk does."""
    keys = {"APCA-API-KEY-ID": "SIMULATED", "APCA-API-SECRET-KEY": "simulated"}
    request = urllib.request.Request(f"{twin.exchange.url}{path}", headers=keys, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or b"null")


def open_stops(twin: LocalTwin) -> list[dict[str, Any]]:
    return [order for order in trading(twin, "GET", "/v2/orders") if order["type"] == "stop"]


def run_until_held(driver: SessionDriver, plan: ReplayPlan, twin: LocalTwin) -> int:
    """Minutes run until something is held and its stop rests."""
    for count, bar_time in enumerate(plan.bar_times()[:MINUTES], start=1):
        (run,) = driver.run([bar_time])
        assert run.status == "SUCCEEDED", run.error
        if trading(twin, "GET", "/v2/positions") and open_stops(twin):
            return count
    raise AssertionError(f"nothing was bought in {MINUTES} minutes")


def reconcile(twin: LocalTwin, event: dict[str, str]) -> dict[str, Any]:
    """Start the machine as anybody may, and wait for its end."""
    states = twin.cloud.client("stepfunctions")
    arn = states.start_execution(
        stateMachineArn=twin.deployment.outputs["OrderReconciliationArn"], input=json.dumps(event)
    )["executionArn"]
    while (found := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        time.sleep(0.1)
    ended: dict[str, Any] = found
    return ended


def books(twin: LocalTwin) -> list[Any]:
    connection = twin.owner_connection()
    try:
        return [
            list(connection.run(statement) or [])
            for statement in (
                "SELECT intent_id, status FROM order_intents ORDER BY intent_id",
                "SELECT order_id, status, filled_quantity FROM orders ORDER BY order_id",
                "SELECT execution_id FROM fills ORDER BY execution_id",
                "SELECT symbol, quantity, cost FROM positions ORDER BY symbol",
                "SELECT bar_time FROM cycles ORDER BY bar_time",
                "SELECT message_id FROM outbox ORDER BY message_id",
            )
        ]
    finally:
        connection.close()


def failing_run(driver: SessionDriver, twin: LocalTwin, bar_time: Any) -> MinuteRun:
    """One minute in which no decision can be written."""
    connection = twin.owner_connection()
    try:
        connection.run("REVOKE INSERT ON decisions FROM tw_trade")
        (run,) = driver.run([bar_time])
        return run
    finally:
        connection.run("GRANT INSERT ON decisions TO tw_trade")
        connection.close()


def test_a_failed_run_leaves_no_position_without_its_stop(
    twin: LocalTwin, plan: ReplayPlan
) -> None:
    connection = twin.owner_connection()
    Ledger(connection, plan.session).load_history(plan.history)
    connection.close()
    driver = SessionDriver(twin)
    done = run_until_held(driver, plan, twin)
    (before_open,) = driver.reconciliations
    assert (before_open.why, before_open.status) == ("before_open", "SUCCEEDED")
    assert before_open.intents == ()

    (stop,) = open_stops(twin)
    trading(twin, "DELETE", f"/v2/orders/{stop['id']}")
    assert open_stops(twin) == []
    failed = failing_run(driver, twin, plan.bar_times()[done])
    assert failed.status == "FAILED"
    repair = driver.reconciliations[-1]
    assert (repair.why, repair.status) == ("failed_run", "SUCCEEDED"), repair.reason
    assert repair.intents == (f"protect {stop['symbol']}",)
    (put_back,) = open_stops(twin)
    assert (put_back["symbol"], put_back["qty"]) == (stop["symbol"], stop["qty"])

    # Once more, for the same minute: nothing changes, at the broker or in the books.
    before = books(twin)
    event = {"why": "failed_run", "scheduled_time": to_iso(repair.minute)}
    again = reconcile(twin, event)
    assert again["status"] == "SUCCEEDED", again
    assert json.loads(again["output"])["assessed"]["intent_count"] == 0
    assert books(twin) == before
    assert [order["id"] for order in open_stops(twin)] == [put_back["id"]]

    # And the cycle goes on.
    (next_run,) = driver.run([plan.bar_times()[done + 1]])
    assert next_run.status == "SUCCEEDED", next_run.error


def test_a_forged_start_sends_nothing(twin: LocalTwin, plan: ReplayPlan) -> None:
    orders = [order["id"] for order in twin.market.summary()["orders"]]
    session = plan.session
    near_the_close = to_iso(session.close.replace(second=0))
    forged: list[dict[str, Any]] = [
        {"why": "failed_run", "scheduled_time": near_the_close},
        {"why": "sell", "scheduled_time": to_iso(session.open)},
        {"needed": True, "cycle": {}, "assessed": {"intent_count": 1, "intents": [{}]}},
    ]
    for event in forged:
        ended = reconcile(twin, event)
        output = json.loads(ended.get("output") or "{}")
        assert ended["status"] == "FAILED" or output["needed"] is False, ended
    assert [order["id"] for order in twin.market.summary()["orders"]] == orders


def test_an_alarm_lowers_the_trading_switch(twin: LocalTwin) -> None:
    """From the topic that CloudWatch tells to the control table."""
    resources = twin.deployment.resources
    now = twin.market.clock()
    assert now is not None
    alarm = {
        "AlarmName": "CyclesKeepFailing",
        "NewStateValue": "ALARM",
        "NewStateReason": "three runs failed",
        "StateChangeTime": to_iso(now),
    }
    twin.cloud.client("sns").publish(
        TopicArn=resources["SwitchTopic"], Message=json.dumps(alarm), Subject="ALARM"
    )
    table = twin.cloud.client("dynamodb")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        item = table.get_item(
            TableName=resources["ControlTable"], Key={"pk": {"S": "switch#paper"}}
        ).get("Item", {})
        if "REDUCING" in str(item.get("state")):
            break
        time.sleep(0.1)
    assert "REDUCING" in str(item.get("state")), item
    assert "three runs failed" in str(item)

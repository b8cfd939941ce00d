"""docs/connections.md: the core functions' connections fit into the smallest PostgreSQL."""

from __future__ import annotations

import re
from math import ceil
from typing import Any

from tradewind.use_cases.backtesting import MOST_UNDER_WAY

from tests.template.rules_functions import CORE, folder_of
from tests.template.rules_workflow import machine_tasks, task_function
from tests.template.stack import ROOT, Stack

ACCEPTED = 80  # max_connections of a db.t4g.micro
KEPT_BY_SERVER = 5  # superuser_reserved_connections and RDS's own
KEPT_FOR_DEPLOYS = 20
# How often a machine is started at most. The cycle: each minute. Reconciliation: every second
# minute by its schedule, once for each run that failed, and one hint a minute.
STARTS_A_MINUTE = {"TradingCycle": 1.0, "OrderReconciliation": 2.5}
# How many of a machine's runs are under way at most, where its starter sees to that.
UNDER_WAY = {"Backtest": MOST_UNDER_WAY}


def seconds_of(state: dict[str, Any]) -> float:
    """How long a task may keep a function busy, all attempts and the waits between them."""
    attempts = 1 + sum(retrier["MaxAttempts"] for retrier in state["Retry"])
    waits = sum(retrier["MaxAttempts"] * retrier["MaxDelaySeconds"] for retrier in state["Retry"])
    return float(attempts * state["TimeoutSeconds"] + waits)


def at_once(stack: Stack, function: str) -> int:
    """Environments of a machine's step that can be in use at once: as many as may be called while
    one is still busy, added up over the machines."""
    return sum(
        UNDER_WAY.get(machine) or ceil(STARTS_A_MINUTE[machine] * busy / 60)
        for machine, workflow in stack.workflows.items()
        if (
            busy := sum(
                seconds_of(state)
                for _, state in machine_tasks(workflow)
                if task_function(state) == function
            )
        )
    )


def most_at_once(stack: Stack) -> dict[str, int]:
    """Folder -> environments of each core function that can be in use at once."""
    queues = {
        name: event["ScalingConfig"]["MaximumConcurrency"]
        for name, _, event in stack.queue_events()
    }
    throttle, of_backtests = stack.resource("Api")["Properties"]["MethodSettings"]
    others = {
        "QueryApi": throttle["ThrottlingBurstLimit"],
        "RegisterBacktest": of_backtests["Fn::If"][1]["ThrottlingBurstLimit"],
        "DailyReport": 1,
        "MaintainDatabase": 1,
        "MigrateSchema": 1,
    }
    return {
        folder_of(stack, name): at_once(stack, name) or {**queues, **others}[name] for name in CORE
    }


def documented() -> dict[str, int]:
    text = (ROOT / "docs" / "connections.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \**(\w+)\** \| \**(\d+)\** \|", text, re.MULTILINE)
    return {name: int(count) for name, count in rows}


def test_the_table_says_what_the_template_does() -> None:
    table = documented()
    total = table.pop("sum")
    assert table == most_at_once(Stack.read())
    assert total == sum(table.values())


def test_the_sum_leaves_room_for_a_deploy() -> None:
    assert documented()["sum"] + KEPT_FOR_DEPLOYS <= ACCEPTED - KEPT_BY_SERVER


def test_reserved_concurrency_keeps_to_the_table() -> None:
    largest = Stack.read().template["Parameters"]["QueryConcurrency"]["MaxValue"]
    assert largest <= documented()["query_api"]

"""docs/connections.md: the core functions' connections fit into the smallest PostgreSQL."""

from __future__ import annotations

import re
from math import ceil

from tests.template.rules_functions import CORE, folder_of
from tests.template.rules_workflow import task_function, tasks
from tests.template.stack import ROOT, Stack

ACCEPTED = 80  # max_connections of a db.t4g.micro
KEPT_BY_SERVER = 5  # superuser_reserved_connections and RDS's own
KEPT_FOR_DEPLOYS = 29
SECONDS_BETWEEN_RUNS = 60


def most_at_once(stack: Stack) -> dict[str, int]:
    """Folder -> environments of each core function that can be in use at once."""
    runs = ceil(stack.workflow["TimeoutSeconds"] / SECONDS_BETWEEN_RUNS)
    steps = {task_function(state) for _, state in tasks(stack)}
    queues = {
        name: event["ScalingConfig"]["MaximumConcurrency"]
        for name, _, event in stack.queue_events()
    }
    (throttle,) = stack.resource("Api")["Properties"]["MethodSettings"]
    others = {
        "QueryApi": throttle["ThrottlingBurstLimit"],
        "MaintainDatabase": 1,
        "MigrateSchema": 1,
    }
    return {
        folder_of(stack, name): runs if name in steps else {**queues, **others}[name]
        for name in CORE
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

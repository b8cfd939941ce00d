"""The summary's own reasoning: which orders are ours, whether the books agree, percentiles."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tradewind_local.replay.reports import handler_durations, percentile
from tradewind_local.replay.summary import orders_without_intent, positions_match, sound


def order(own: str, client: str, parent: str | None = None, replaces: str | None = None) -> Any:
    return {"id": own, "client_order_id": client, "parent_order_id": parent, "replaces": replaces}


# Orders at the exchange, our intents -> how many belong to nobody.
OWNERSHIP: list[tuple[list[Any], set[str], int]] = [
    ([], set(), 0),
    ([order("1", "a")], {"a"}, 0),
    ([order("1", "a")], {"b"}, 1),
    # A bracket's leg carries the broker's own id and belongs to its parent's intent.
    ([order("1", "a"), order("2", "leg", parent="1")], {"a"}, 0),
    # A stop that an exit put back belongs to the exit.
    ([order("1", "tw-1-protect")], {"tw-1"}, 0),
    # A leg that was replaced twice still does.
    (
        [
            order("1", "a"),
            order("2", "leg", parent="1"),
            order("3", "x", replaces="2"),
            order("4", "y", replaces="3"),
        ],
        {"a"},
        0,
    ),
    # A parent that is not there proves nothing, and two orders that replace each other neither.
    ([order("2", "leg", parent="1")], {"a"}, 1),
    ([order("1", "x", replaces="2"), order("2", "y", replaces="1")], {"a"}, 2),
]


@pytest.mark.parametrize(("orders", "intents", "expected"), OWNERSHIP)
def test_orders_without_intent(orders: list[Any], intents: set[str], expected: int) -> None:
    assert orders_without_intent(orders, intents) == expected


@pytest.mark.parametrize(
    ("otherwise", "expected"),
    [
        ({}, True),
        ({"executions_failed": 1}, False),
        ({"reconciliations": [{"status": "SUCCEEDED"}]}, True),
        ({"reconciliations": [{"status": "SUCCEEDED"}, {"status": "FAILED"}]}, False),
        ({"undelivered": {"alerts-record": 2}}, False),
        ({"dead_letters": {"TradeLogDead": 1}}, False),
        ({"positions_match": False}, False),
    ],
)
def test_a_sound_session(otherwise: dict[str, Any], expected: bool) -> None:
    session = {
        "executions_failed": 0,
        "reconciliations": [],
        "undelivered": {},
        "dead_letters": {},
        "positions_match": True,
    }
    assert sound({**session, **otherwise}) is expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({}, [], True),
        ({}, [{"symbol": "AAPL", "qty": "0"}], True),
        ({"AAPL": Decimal(5)}, [{"symbol": "AAPL", "qty": "5.0"}], True),
        ({"AAPL": Decimal(5)}, [{"symbol": "AAPL", "qty": "4"}], False),
        ({"AAPL": Decimal(5)}, [], False),
        ({}, [{"symbol": "MSFT", "qty": "1"}], False),
    ],
)
def test_positions_match(ours: dict[str, Decimal], theirs: list[Any], expected: bool) -> None:
    assert positions_match(ours, theirs) is expected


# Nearest rank: the smallest value that the given share of all values does not exceed.
@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, None),
        ([7.0], 0.95, 7.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([float(n) for n in range(1, 101)], 0.95, 95.0),
        ([float(n) for n in range(1, 101)], 1.0, 100.0),
        ([1.26], 0.5, 1.3),
    ],
)
def test_percentile(values: list[float], share: float, expected: float | None) -> None:
    assert percentile(values, share) == expected


def test_durations_come_from_report_lines_by_function(tmp_path: Path) -> None:
    (tmp_path / "One.log").write_text(
        "REPORT RequestId: a\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 512 MB\n"
        "REPORT RequestId: b\tDuration: 5.00 ms\tBilled Duration: 5 ms\tInit Duration: 100.00 ms\n"
    )
    (tmp_path / "Idle.log").write_text("")
    assert handler_durations(tmp_path) == {"One": [12.34, 5.0]}

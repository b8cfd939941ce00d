"""``docs/request-budget.md`` says what each procedure costs; here it is counted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal as D
from functools import partial
from pathlib import Path

import pytest
from tradewind.orders import procedures
from tradewind.orders.exits import leave
from tradewind.orders.model import IntentOutcome, OrderIntent
from tradewind.use_cases.read_broker import read_broker_state

from tests.fakes import FakeBroker, FakeClock, an_order, own_id
from tests.unit.orders.test_procedures import BUY, EXIT, FRACTION, LATE, long_with_stop

PAGE = (Path(__file__).parents[3] / "docs" / "request-budget.md").read_text()
BROKERS_LIMIT = 200  # a minute
WINDOW = 15  # minutes of REQUEST_BUDGET and REQUEST_RESERVE
# Each minute, besides orders: a snapshot before deciding, one after sending, and the two of a
# reconciliation that runs in the same minute.
SNAPSHOTS = 4


def flat() -> FakeBroker:
    return FakeBroker()


def naked() -> FakeBroker:
    return FakeBroker(held={"AAPL": D(10)})


def own_stop() -> FakeBroker:
    """Ten shares whose stop carries an id of ours: protected, put back or repriced before."""
    return FakeBroker(held={"AAPL": D(10)}, orders_by_id={"stop-1": an_order(order_id="stop-1")})


def sold() -> FakeBroker:
    return replace(own_stop(), held={})


def split() -> FakeBroker:
    """After a reverse split of one for ten."""
    return replace(own_stop(), held={"AAPL": D(1)})


def bought(quantity: int) -> FakeBroker:
    broker = FakeBroker(entries_fill=D(quantity))
    procedures.enter(BUY, broker, FakeClock(), first=True)
    return broker


RAISED = replace(EXIT, stop_price=D("99.10"))
NAKED = replace(EXIT, intent_id=own_id("p"))

Sent = Callable[..., IntentOutcome]
COSTS: dict[str, tuple[Sent, OrderIntent, Callable[[], FakeBroker]]] = {
    "entry": (procedures.enter, BUY, flat),
    "entry of a fraction of a share": (procedures.enter, FRACTION, flat),
    "exit": (leave, EXIT, own_stop),
    "exit, the stop being an entry's leg": (leave, EXIT, long_with_stop),
    "protection": (procedures.protect, NAKED, naked),
    "repricing": (procedures.reprice, RAISED, own_stop),
    "repricing, the stop being an entry's leg": (procedures.reprice, RAISED, long_with_stop),
    "cancelling an entry that did not fill": (procedures.cancel_entry, LATE, partial(bought, 0)),
    "cancelling an entry that filled in part": (procedures.cancel_entry, LATE, partial(bought, 4)),
    "cancelling a stop without shares":
        (procedures.cancel_stop, EXIT, sold),
    "a stop for more shares than are held":
        (procedures.cancel_stop, replace(EXIT, intent_id=own_id("less")), split),
    "renewing a stop after a split": (procedures.renew_stop, NAKED, own_stop),
}  # fmt: skip


def requests_of(name: str) -> int:
    """The calls of an undisturbed first attempt; each is one HTTP request."""
    procedure, intent, make = COSTS[name]
    broker = make()
    broker.calls.clear()
    procedure(intent, broker, FakeClock(), first=True)
    return len(broker.calls)


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    below = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\|(.+)\|$", below, re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines[2:]]


@pytest.mark.parametrize("name", COSTS)
def test_what_each_procedure_costs(name: str) -> None:
    told = {row[0]: int(row[1]) for row in rows("What each thing costs")}
    assert told[name] == requests_of(name)


def test_no_procedure_is_left_out() -> None:
    assert [row[0] for row in rows("What each thing costs")] == list(COSTS)


def test_an_earlier_attempt_costs_its_look_up() -> None:
    broker = naked()
    procedures.protect(NAKED, broker, FakeClock(), first=True)
    broker.calls.clear()
    procedures.protect(NAKED, broker, FakeClock())
    assert broker.calls == ["order_by_client_id"]


def snapshot_requests() -> int:
    """``orders`` asks three lists; the rest is one request each while everything fits a page."""
    broker = FakeBroker()
    read_broker_state(broker, FakeClock(), FakeClock().now())
    lists = {"orders": 3}
    return sum(lists.get(call, 1) for call in broker.calls)


def test_what_a_snapshot_costs() -> None:
    assert f"A snapshot costs {snapshot_requests()} requests" in PAGE


@pytest.mark.parametrize("row", rows("How many positions that is"), ids=lambda row: "/".join(row))
def test_how_many_positions_each_setting_serves(row: list[str]) -> None:
    budget, reserve, repriced, protected, closed, closed_with_all = map(int, row)
    reprice = requests_of("repricing")
    protect = requests_of("protection")
    leave_ = requests_of("exit, the stop being an entry's leg")
    assert repriced == budget // (WINDOW * reprice)
    assert protected == reserve // protect
    assert closed == reserve // leave_
    assert closed_with_all == (budget + reserve) // leave_


def test_how_many_positions_the_brokers_limit_serves() -> None:
    # Each order that was sent is looked at once more by follow_orders.
    left = BROKERS_LIMIT - SNAPSHOTS * snapshot_requests()
    (row,) = rows("What the broker's own limit allows")
    names = ("repricing", "protection", "exit, the stop being an entry's leg")
    assert [int(cell) for cell in row] == [left, *(left // (requests_of(n) + 1) for n in names)]

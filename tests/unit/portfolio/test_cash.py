"""What cash the broker should report, and from when on a difference counts."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal as D

import pytest
from tradewind.orders.model import BrokerActivity, BrokerFill, Side
from tradewind.portfolio.cash import CashDifference, cash_difference, cash_effect

from tests.fakes import START

NOW = START + timedelta(minutes=5)
FILL_TIME = START


def fill(side: Side, quantity: str, price: str) -> BrokerFill:
    return BrokerFill("e1", "order-1", "AAPL", side, D(quantity), D(price), FILL_TIME)


def activity(kind: str, amount: str) -> BrokerActivity:
    return BrokerActivity("a1", kind, D(amount), date(2020, 11, 12), None, "")


EFFECTS = [
    # (fills, activities, change of the cash)
    ("nothing", [], [], "0"),
    ("a purchase", [fill(Side.BUY, "10", "100.01")], [], "-1000.10"),
    ("a sale", [fill(Side.SELL, "10", "100.01")], [], "1000.10"),
    ("a fraction of a share", [fill(Side.BUY, "0.5", "3.01")], [], "-1.505"),
    ("a fee, paid", [], [activity("FEE", "-0.02")], "-0.02"),
    ("a dividend, received", [], [activity("DIV", "4.10")], "4.10"),
    ("a word of the broker that nobody knows counts by its amount",
     [], [activity("XYZ", "-7")], "-7"),
    ("all of it", [fill(Side.BUY, "2", "50"), fill(Side.SELL, "2", "51")],
     [activity("FEE", "-0.01"), activity("INT", "0.30")], "2.29"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fills", "activities", "change"), [row[1:] for row in EFFECTS], ids=[row[0] for row in EFFECTS]
)
def test_effects(fills: list[BrokerFill], activities: list[BrokerActivity], change: str) -> None:
    assert cash_effect(fills, activities) == D(change)


SEEN = [
    # (expected, the broker's, seconds from the newest fill to the snapshot, differs)
    ("the same", "1000", "1000", None, False),
    ("a cent is rounding", "1000", "1000.01", None, False),
    ("more than a cent", "1000", "1000.02", None, True),
    ("less by more than a cent", "1000", "999.989", None, True),
    ("long after the newest execution", "1000", "900", 60, True),
    # The cash of an execution may be told a moment before or after the execution itself.
    ("right after an execution", "1000", "900", 4, False),
    ("an execution while the snapshot was read", "1000", "900", -1, False),
]


@pytest.mark.parametrize(
    ("expected", "brokers", "seconds", "differs"),
    [row[1:] for row in SEEN],
    ids=[row[0] for row in SEEN],
)
def test_one_snapshot(expected: str, brokers: str, seconds: int | None, differs: bool) -> None:
    newest = None if seconds is None else NOW - timedelta(seconds=seconds)
    found = cash_difference(D(expected), D(brokers), since=None, newest_fill=newest, as_of=NOW)
    assert (found is not None) is differs


def test_both_sides_are_told() -> None:
    found = cash_difference(D("1000"), D("900.50"), since=None, newest_fill=None, as_of=NOW)
    assert found == CashDifference(D("1000"), D("900.50"), NOW)
    assert str(found) == "cash should be 1000.00 USD, the broker says 900.50 USD"


STORIES = [
    # (second and the broker's cash of each snapshot, unexplained after each); expected is 1000
    ("once is nothing", [(0, "900")], [False]),
    ("twice within 30 s is nothing", [(0, "900"), (29, "900")], [False, False]),
    ("30 s apart", [(0, "900"), (30, "900")], [False, True]),
    ("gone in between: it starts anew",
     [(0, "900"), (20, "1000"), (40, "900")], [False, False, False]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("snapshots", "unexplained"), [row[1:] for row in STORIES], ids=[row[0] for row in STORIES]
)
def test_stories(snapshots: list[tuple[int, str]], unexplained: list[bool]) -> None:
    since: datetime | None = None
    found = []
    for second, brokers in snapshots:
        as_of = NOW + timedelta(seconds=second)
        difference = cash_difference(
            D(1000), D(brokers), since=since, newest_fill=FILL_TIME, as_of=as_of
        )
        since = difference.since if difference else None
        found.append(difference is not None and difference.is_unexplained(as_of))
    assert found == unexplained

"""Orders out against intents in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tradewind.orders.comparison import OrderComparison, SentIntent, compare_orders
from tradewind.orders.configuration import WANTED_CONFIGURATION, AccountConfiguration
from tradewind.orders.ids import deployment_tag

from tests.fakes import DEPLOYMENT, START, an_order, own_id

AS_OF = START + timedelta(minutes=5)
OURS = an_order(order_id="o-1", client_order_id=own_id("1"))
COPY = an_order(order_id="o-2", client_order_id=own_id("2"))
THEIRS = an_order(order_id="o-3", client_order_id="by-hand")
SENT = SentIntent(own_id("1"), "o-1", START)

CASES: list[tuple[str, dict[str, Any], tuple[int, int, list[str], list[str]]]] = [
    # (what, given, orders, intents, orders without intent, intents without order)
    ("nothing", {}, (0, 0, [], [])),
    ("an order and its intent", {"shown": [OURS], "sent": [SENT]}, (1, 1, [], [])),
    ("an order without an intent", {"shown": [COPY], "foreign": {"o-2"}},
     (1, 0, [own_id("2")], [])),
    ("an intent without an order", {"sent": [SENT]}, (0, 1, [], [own_id("1")])),
    ("one that may be on its way", {"sent": [SentIntent(own_id("1"), "o-1", AS_OF)]},
     (0, 0, [], [])),
    ("an order by hand is nobody's fault", {"shown": [THEIRS], "foreign": {"o-3"}},
     (0, 0, [], [])),
    ("an order known by our id alone", {"shown": [OURS],
     "sent": [SentIntent(own_id("1"), "another", START)]}, (1, 1, [], [])),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), [row[1:] for row in CASES],
                         ids=[row[0] for row in CASES])  # fmt: skip
def test_the_comparison(given: dict[str, Any], expected: tuple[Any, ...]) -> None:
    known = {"shown": [], "foreign": set(), "sent": [], **given}
    found = compare_orders(**known, own_tag=deployment_tag(DEPLOYMENT), as_of=AS_OF)
    orders, intents, uncommitted, unlisted = expected
    assert found == OrderComparison(orders, intents, tuple(uncommitted), tuple(unlisted))
    assert found.agrees == (not uncommitted and not unlisted)


FAULTS = [
    (WANTED_CONFIGURATION, 0),
    (AccountConfiguration(False, "1", suspend_trade=False), 1),
    (AccountConfiguration(True, "2", suspend_trade=False), 1),
    (AccountConfiguration(False, "4", suspend_trade=True), 3),
    # A symbol that is not traded is that symbol's matter.
    (AccountConfiguration(True, "1", suspend_trade=False, untradable=("AAPL",)), 0),
]


@pytest.mark.parametrize(("configuration", "count"), FAULTS)
def test_what_is_wrong_with_an_account_s_set_up(
    configuration: AccountConfiguration, count: int
) -> None:
    assert len(configuration.faults()) == count

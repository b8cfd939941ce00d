"""The same decision has the same id, and every part of a decision changes it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from tradewind.orders.ids import (
    MAX_CLIENT_ORDER_ID,
    deployment_tag,
    intent_id,
    is_ours,
    owner_of,
    protect_id,
    tag_of,
)
from tradewind.orders.model import IntentKind, Side

DECISION = {
    "deployment": "tradewind",
    "account": "paper",
    "strategy": "sma_crossover_20_50",
    "mode": "paper",
    "session": date(2020, 11, 12),
    "bar_time": datetime(2020, 11, 12, 14, 30, tzinfo=UTC),
    "symbol": "AAPL",
    "side": Side.BUY,
    "kind": IntentKind.ENTRY,
    "revision": 0,
}


def test_an_id_is_a_pure_function_of_the_decision() -> None:
    # A golden value: an id that changed between releases could be sent twice across a deploy.
    # printf tradewind | sha256sum | cut -c1-6; then, of the key on one line,
    # tradewind|paper|sma_crossover_20_50|paper|2020-11-12|2020-11-12T14:30:00Z|AAPL|buy|entry|0
    # | sha256sum | cut -c1-24
    golden = "tw-94cf38-198b68cd07e3446886d09f66"
    assert intent_id(**DECISION) == golden  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("deployment", "another"),
        ("account", "live"),
        ("strategy", "lstm_trend"),
        ("mode", "live"),
        ("session", date(2020, 11, 13)),
        ("bar_time", datetime(2020, 11, 12, 14, 31, tzinfo=UTC)),
        ("symbol", "MSFT"),
        ("side", Side.SELL),
        ("kind", IntentKind.PROTECT),
        ("revision", 1),
    ],
)
def test_every_part_of_a_decision_makes_another_id(part: str, other: object) -> None:
    assert intent_id(**{**DECISION, part: other}) != intent_id(**DECISION)  # type: ignore[arg-type]


def test_ids_fit_the_brokers_older_limit_even_with_a_suffix() -> None:
    own = intent_id(**DECISION)  # type: ignore[arg-type]
    assert len(protect_id(own)) <= MAX_CLIENT_ORDER_ID


def test_a_stop_put_back_belongs_to_its_exit() -> None:
    assert owner_of(protect_id("tw-1")) == "tw-1"
    assert owner_of("tw-1") == "tw-1"


WHOSE = [
    # (an order's id, the deployment that gave it)
    ("an intent's", "tw-94cf38-198b68cd07e3446886d09f66", "94cf38"),
    ("a stop that was put back", "tw-94cf38-198b68cd07e3446886d09f66-protect", "94cf38"),
    ("another deployment's", "tw-000000-198b68cd07e3446886d09f66", "000000"),
    ("the broker's own", "61e69015-8549-4bfd-b9c3-01e75843f47d", None),
    ("somebody's, alike", "tw-mine", None),
    ("longer", "tw-94cf38-198b68cd07e3446886d09f66x", None),
]


@pytest.mark.parametrize(
    ("client_order_id", "tag"), [row[1:] for row in WHOSE], ids=[str(row[0]) for row in WHOSE]
)
def test_whose_an_order_is(client_order_id: str, tag: str | None) -> None:
    assert tag_of(client_order_id) == tag
    assert is_ours(client_order_id, deployment_tag("tradewind")) is (tag == "94cf38")

"""The ``trade_events``, ``outbox``, ``alerts`` and ``alerts_log`` tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.alerts.model import WARNING, Alert
from tradewind.errors import InvalidInputError
from tradewind.tradelog.model import OutboxMessage, TradeEvent

from tests.integration.postgres.rows import OPEN, SECOND, uuid_of

EVENT = TradeEvent(
    event_id=uuid_of("event"),
    trade_id=uuid_of("trade"),
    symbol="AAPL",
    price=Decimal("119.58"),
    quantity=Decimal(10),
    timestamp=OPEN,
    event_type="bought",
)
ALERT = Alert("stop_filled", WARNING, 'it\'s "sold" : 10 AAPL – at 117.74', OPEN, "x-1")


def a_message(name: str, second: int = 0, **changes: Any) -> OutboxMessage:
    message = OutboxMessage(
        uuid_of(name), "alerts", {"name": name, "at": ["α", 1]}, OPEN + second * SECOND
    )
    return replace(message, **changes)


def test_a_trade_event_delivered_twice_is_one_row(database: PostgresDatabase) -> None:
    with database.transaction() as stores:
        assert stores.trade_events.add([EVENT]) == 1
        assert stores.trade_events.add([EVENT, replace(EVENT, event_id=uuid_of("2"))]) == 1
        assert stores.trade_events.add([]) == 0


def test_messages_leave_oldest_first_and_once(database: PostgresDatabase) -> None:
    first, second, third = a_message("b"), a_message("a"), a_message("c", second=-5)
    with database.transaction() as stores:
        stores.outbox.add([first, second])
        stores.outbox.add([third, replace(first, topic="trade-events")])
        stores.outbox.add([])
        # By time, and as they were added within the same instant.
        assert stores.outbox.unsent(10) == [third, first, second]
        assert stores.outbox.unsent(1) == [third]
        stores.outbox.mark_sent([third.message_id, second.message_id])
        stores.outbox.mark_sent([])
        assert stores.outbox.unsent(10) == [first]
        # Told again by a run that was run again: sent stays sent.
        stores.outbox.add([third])
        assert stores.outbox.unsent(10) == [first]


def test_a_message_is_marked_with_the_time_it_was_first_sent(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    with database.transaction() as stores:
        stores.outbox.add([a_message("a")])
        stores.outbox.mark_sent([uuid_of("a")])
    sent = ask("SELECT sent_at FROM outbox")
    with database.transaction() as stores:
        stores.outbox.mark_sent([uuid_of("a"), uuid_of("unknown")])
    assert ask("SELECT sent_at FROM outbox") == sent


def test_an_alert_told_twice_is_one_alert(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    with database.transaction() as stores:
        assert stores.alerts.add(ALERT) is True
        assert stores.alerts.add(replace(ALERT, message="told again")) is False
        assert stores.alerts.add(replace(ALERT, dedupe_key="x-2")) is True
    assert ask("SELECT severity, message FROM alerts WHERE dedupe_key = 'x-1'") == [
        [WARNING, ALERT.message]
    ]


def test_the_same_words_of_another_account_are_another_alert(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    with database.transaction() as stores:
        for account in (None, "live", "paper", "paper"):
            stores.alerts.add(replace(ALERT, account=account))
    assert ask("SELECT account FROM alerts ORDER BY account NULLS FIRST") == [
        [None], ["live"], ["paper"],
    ]  # fmt: skip


def test_a_line_of_the_alert_log_is_written_once(
    database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    with database.transaction() as stores:
        stores.alerts.add(ALERT)
        for level, status in ((0, "raised"), (0, "raised"), (1, "raised"), (1, "acknowledged")):
            stores.alerts.log(ALERT.alert_id, level, status, "user-1", OPEN)
    rows = ask("SELECT escalation_level, notification_status FROM alerts_log ORDER BY 1, 2")
    assert rows == [[0, "raised"], [1, "acknowledged"], [1, "raised"]]


def test_the_log_of_an_alert_that_never_was_is_refused(database: PostgresDatabase) -> None:
    with pytest.raises(InvalidInputError, match="alerts_log"), database.transaction() as stores:
        stores.alerts.log(uuid_of("nothing"), 0, "raised", "user-1", OPEN)

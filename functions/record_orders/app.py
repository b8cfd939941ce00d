"""Closes a run: outcomes and fills into the store of record, messages out of the outbox."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.market.cycle import Cycle
from tradewind.orders.payload import outcome_from_payload
from tradewind.tradelog.model import OutboxMessage
from tradewind.tradelog.rules import ALERTS, TRADE_EVENTS
from tradewind.use_cases.ports import PayloadRef
from tradewind.use_cases.record import mark_published, record_orders

logger = Logger(service="record_orders")


@logger.inject_lambda_context(correlation_id_path="cycle.execution")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """With ``published``: mark these messages as sent. Otherwise: record, and hand out messages."""
    if "published" in event:
        ids = [UUID(message_id) for message_id in event["published"]]
        mark_published(ids, database=bootstrap.database())
        return {"marked": len(ids)}
    state = event["broker_state"]
    messages = record_orders(
        Cycle.from_payload(event["cycle"]),
        [outcome_from_payload(item) for item in event["outcomes"]],
        PayloadRef.from_payload(state) if state is not None else None,
        payloads=bootstrap.payloads(),
        database=bootstrap.database(),
        control=bootstrap.control(),
    )
    logger.info("recorded", extra={"messages": len(messages)})
    return {
        "trade_events": _to_publish(messages, TRADE_EVENTS),
        "alerts": _to_publish(messages, ALERTS),
        "message_ids": [str(message.message_id) for message in messages],
        "message_count": len(messages),
    }


def _to_publish(messages: list[OutboxMessage], topic: str) -> list[dict[str, str]]:
    return [
        {"message_id": str(message.message_id), "message": json.dumps(dict(message.message))}
        for message in messages
        if message.topic == topic
    ]

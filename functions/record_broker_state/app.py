"""Writes the broker's state into the store of record."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.market.cycle import Cycle
from tradewind.use_cases.ports import PayloadRef
from tradewind.use_cases.record import record_broker_state

logger = Logger(service="record_broker_state")


@logger.inject_lambda_context(correlation_id_path="cycle.execution")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    recorded = record_broker_state(
        Cycle.from_payload(event["cycle"]),
        PayloadRef.from_payload(event["broker_state"]),
        payloads=bootstrap.payloads(),
        database=bootstrap.database(),
    )
    answer = {
        "orders": recorded.orders,
        "fills": recorded.fills,
        "resolved": recorded.resolved,
        "look_up": list(recorded.look_up),
    }
    compared = recorded.comparison
    counts = {
        "orders_compared": compared.orders if compared else None,
        "intents_compared": compared.intents if compared else None,
        "orders_without_intent": len(compared.uncommitted) if compared else None,
        "intents_without_order": len(compared.unlisted) if compared else None,
    }
    logger.info("recorded", extra={**answer, **counts})
    return answer

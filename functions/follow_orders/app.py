"""Follows this run's orders until they rest, then reads the broker once more."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.market.cycle import Cycle
from tradewind.orders.payload import outcome_from_payload
from tradewind.use_cases.read_broker import follow_orders

logger = Logger(service="follow_orders")


@logger.inject_lambda_context(correlation_id_path="cycle.execution")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    ref = follow_orders(
        Cycle.from_payload(event["cycle"]),
        [outcome_from_payload(item) for item in event["outcomes"]],
        event["look_up"],
        broker=bootstrap.broker(),
        payloads=bootstrap.payloads(),
        clock=bootstrap.clock(),
    )
    return {"broker_state": ref.as_payload()}

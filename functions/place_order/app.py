"""Sends one committed intent to the broker."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.market.cycle import Cycle
from tradewind.orders.payload import intent_from_payload, outcome_payload
from tradewind.use_cases.place_order import place_order

logger = Logger(service="place_order")


@logger.inject_lambda_context(correlation_id_path="cycle.execution")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    outcome = place_order(
        Cycle.from_payload(event["cycle"]),
        intent_from_payload(event["intent"]),
        submitter=bootstrap.submitter(),
        broker=bootstrap.broker(),
        control=bootstrap.control(),
        clock=bootstrap.clock(),
    )
    answer = outcome_payload(outcome)
    logger.info("placed", extra={"outcome": answer})
    return answer

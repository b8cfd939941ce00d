"""Finds what is naked, late or stuck, and commits the intents that put it right."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.market.cycle import Cycle
from tradewind.market.session_table import default_table
from tradewind.orders.payload import intent_payload
from tradewind.use_cases.reconcile import assess_protection

logger = Logger(service="assess_protection")


@logger.inject_lambda_context(correlation_id_path="cycle.execution")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    ours = bootstrap.account()
    intents = assess_protection(
        Cycle.from_payload(event["cycle"]),
        deployment=ours.deployment,
        account=ours.account,
        mode=ours.mode,
        limits=bootstrap.risk_limits(),
        sessions=default_table(),
        database=bootstrap.database(),
    )
    logger.info("assessed", extra={"intent_count": len(intents)})
    return {
        "intent_count": len(intents),
        "intents": [intent_payload(intent) for intent in intents],
    }

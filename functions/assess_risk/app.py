"""Decides the minute: strategies, risk, and the intents that are committed."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.market.cycle import Cycle
from tradewind.market.session_table import default_table
from tradewind.orders.payload import intent_payload
from tradewind.prediction.payload import predictions_from_payload
from tradewind.use_cases.assess_risk import assess_risk

logger = Logger(service="assess_risk")


@logger.inject_lambda_context(correlation_id_path="cycle.execution")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    assessed = assess_risk(
        Cycle.from_payload(event["cycle"]),
        predictions_from_payload(event["prediction"]["predictions"]),
        strategies=bootstrap.strategies(),
        allotments=bootstrap.allotments(),
        rules=bootstrap.risk_rules(),
        sessions=default_table(),
        database=bootstrap.database(),
        control=bootstrap.control(),
    )
    answer = {
        "status": assessed.status,
        "decision_count": assessed.decisions,
        "intent_count": len(assessed.intents),
    }
    logger.info("assessed", extra=answer)
    return {**answer, "intents": [intent_payload(intent) for intent in assessed.intents]}

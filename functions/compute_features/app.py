"""Stores the minute's bars and computes indicators and model windows."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.market.cycle import Cycle
from tradewind.market.session_table import default_table
from tradewind.market.verdict import ValidationRules
from tradewind.use_cases.compute_features import compute_features
from tradewind.use_cases.ports import PayloadRef

logger = Logger(service="compute_features")


@logger.inject_lambda_context(correlation_id_path="cycle.execution")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    computed = compute_features(
        Cycle.from_payload(event["cycle"]),
        PayloadRef.from_payload(event["bars"]),
        event["symbols"],
        sessions=default_table(),
        rules=ValidationRules(),
        payloads=bootstrap.payloads(),
        database=bootstrap.database(),
    )
    answer = {
        "stored": computed.stored,
        "corrected": computed.corrected,
        "held": computed.held,
        "rejected": computed.rejected,
        "gaps": computed.gaps,
        "fingerprint": computed.fingerprint,
        "windows": computed.windows.as_payload(),
    }
    logger.info("computed", extra=answer)
    return answer

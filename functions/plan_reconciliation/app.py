"""The first step of every reconciliation, whoever starts it: is it needed, for which minute?"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.market.session_table import default_table
from tradewind.use_cases.reconcile import plan_reconciliation

logger = Logger(service="plan_reconciliation")


@logger.inject_lambda_context(correlation_id_path="scheduled_time")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    ours = bootstrap.account()
    plan = plan_reconciliation(
        event,
        deployment=ours.deployment,
        account=ours.account,
        mode=ours.mode,
        sessions=default_table(),
        database=bootstrap.database(),
        clock=bootstrap.clock(),
    ).as_payload()
    logger.info("planned", extra={"needed": plan["needed"], "reason": plan["reason"]})
    return plan

"""The last step of every backtest: its chunks gathered and ranked, or why there is nothing."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.use_cases.backtest_runs import record_backtest, record_failure

logger = Logger(service="record_backtest")


@logger.inject_lambda_context(correlation_id_path="backtest_id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    record = record_failure if "failure" in event else record_backtest
    answer = record(
        event,
        bootstrap.clock().now(),
        database=bootstrap.research_database(),
        payloads=bootstrap.payloads(),
    )
    logger.info("recorded", extra=answer)
    return answer

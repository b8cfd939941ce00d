"""The first step of every backtest: loads what was requested, and cuts it into chunks."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.market.session_table import default_table
from tradewind.use_cases.backtest_runs import plan_backtest

logger = Logger(service="plan_backtest")


@logger.inject_lambda_context(correlation_id_path="backtest_id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    answer = plan_backtest(
        event,
        database=bootstrap.research_database(),
        archive=bootstrap.bar_archive(),
        sessions=default_table(),
        payloads=bootstrap.payloads(),
    )
    logger.info("planned", extra=answer)
    return answer

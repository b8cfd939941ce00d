"""Writes a requested backtest down, unless the same question is answered already."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.market.bar import from_iso
from tradewind.use_cases.backtesting import register_backtest

logger = Logger(service="register_backtest")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    answer = register_backtest(
        event["request"], from_iso(event["at"]), database=bootstrap.research_database()
    )
    logger.info("registered", extra={name: answer[name] for name in ("backtest_id", "state")})
    return answer

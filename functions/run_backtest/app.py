"""Works out one chunk of a backtest. Runs in the research image, which has numba."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.use_cases.backtest_runs import note_failure, run_chunk

logger = Logger(service="run_backtest")


@logger.inject_lambda_context(correlation_id_path="plan.key")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    payloads = bootstrap.payloads()
    try:
        answer = run_chunk(event, engine=bootstrap.backtest_engine(), payloads=payloads)
    except Exception as error:
        # The state machine is not told which chunk failed, or why.
        note_failure(event, error, payloads=payloads)
        raise
    logger.info("worked out", extra=answer)
    return answer

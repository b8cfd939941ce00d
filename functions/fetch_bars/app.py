"""The schedule's target: fetch the minute that just ended and start its trading cycle."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.errors import InvalidInputError
from tradewind.market.bar import from_iso, to_iso
from tradewind.market.session_table import default_table
from tradewind.use_cases.fetch_bars import fetch_bars

logger = Logger(service="fetch_bars")


@logger.inject_lambda_context(correlation_id_path="scheduled_time")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    if not isinstance(event.get("scheduled_time"), str):
        raise InvalidInputError("the event has no scheduled_time; the schedule's Input sets it")
    ours = bootstrap.account()
    fetched = fetch_bars(
        from_iso(event["scheduled_time"]),
        account=ours.account,
        mode=ours.mode,
        symbols=bootstrap.symbols(),
        deployment=ours.deployment,
        sessions=default_table(),
        provider=bootstrap.market_data(),
        corporate_actions=bootstrap.corporate_actions(),
        payloads=bootstrap.payloads(),
        cycles=bootstrap.trading_cycles(),
        alerts=bootstrap.alerts_topic(),
        clock=bootstrap.clock(),
    )
    answer = {
        "outcome": fetched.outcome,
        "bar_time": to_iso(fetched.bar_time),
        "execution": fetched.execution,
        "bars": fetched.bars,
        "missing": list(fetched.missing),
    }
    logger.info("fetched", extra=answer)
    return answer

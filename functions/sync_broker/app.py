"""Reads the broker's orders, fills, positions and account, and passes them on by reference."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.market.cycle import Cycle
from tradewind.use_cases.read_broker import sync_broker

logger = Logger(service="sync_broker")


@logger.inject_lambda_context(correlation_id_path="cycle.execution")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    ref = sync_broker(
        Cycle.from_payload(event["cycle"]),
        symbols=bootstrap.account().symbols,
        set_configuration=bootstrap.sets_account_configuration(),
        broker=bootstrap.broker(),
        payloads=bootstrap.payloads(),
        clock=bootstrap.clock(),
    )
    return {"broker_state": ref.as_payload()}

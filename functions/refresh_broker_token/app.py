"""Refreshes the broker's OAuth 2.0 access token; runs every 30 minutes where one is used."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.use_cases.refresh_broker_token import refresh_broker_token

logger = Logger(service="refresh_broker_token")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    refreshed = refresh_broker_token(bootstrap.token_issuer(), bootstrap.broker_secret())
    logger.info("refreshed" if refreshed else "refreshed by another run")
    return {"refreshed": refreshed}

"""Each night: partitions for the months to come, old months into the archive."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.market.bar import from_iso
from tradewind.use_cases.maintain_database import maintain_database

logger = Logger(service="maintain_database")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    done = maintain_database(
        from_iso(event["scheduled_time"]),
        keep_months=bootstrap.bar_retention_months(),
        database=bootstrap.maintained_database(),
        archive=bootstrap.bar_archive(),
    ).as_payload()
    logger.info("maintained", extra=done)
    return done

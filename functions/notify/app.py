"""Consumes the notification queue: alerts to people."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from tradewind import bootstrap
from tradewind.alerts.model import INFO, Alert
from tradewind.use_cases.log_events import notify

logger = Logger(service="notify")
processor = BatchProcessor(event_type=EventType.SQS)


def one(record: SQSRecord) -> None:
    notify(
        Alert.from_payload(json.loads(record.body)),
        channel=bootstrap.channel(),
        min_severity=bootstrap.environment().integer("NOTIFY_MIN_SEVERITY", INFO),
    )


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A record that fails goes back to the queue alone, and to the dead letters in the end."""
    return dict(process_partial_response(event, one, processor, context))

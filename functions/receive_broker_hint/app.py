"""POST /v1/webhooks/broker: a signed hint that something changed at the broker."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.use_cases.receive_broker_hint import Answer, Hint, receive_broker_hint

logger = Logger(service="receive_broker_hint")

_UNREADABLE = Answer(400, "the body is not what its encoding says")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Nothing of the request is logged but the answer it got: it comes from anybody."""
    try:
        body = _body(event)
    except binascii.Error:
        return _response(_UNREADABLE)
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    answer = receive_broker_hint(
        Hint(body, headers.get("x-tradewind-timestamp"), headers.get("x-tradewind-signature")),
        secret=bootstrap.webhook_secret(),
        account=bootstrap.account().account,
        reconciliations=bootstrap.reconciliations(),
        clock=bootstrap.clock(),
    )
    return _response(answer)


def _body(event: dict[str, Any]) -> bytes:
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return base64.b64decode(text, validate=True)
    return str(text).encode()


def _response(answer: Answer) -> dict[str, Any]:
    logger.info("answered", extra={"status": answer.status, "reason": answer.message})
    return {
        "statusCode": answer.status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"message": answer.message}),
    }

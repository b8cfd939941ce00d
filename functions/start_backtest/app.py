"""POST /v1/backtest: writes a backtest down and starts its run, or answers what is there."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.errors import InvalidInputError, RetryableError, ThrottledError
from tradewind.use_cases.backtesting import BacktestState, start_backtest

logger = Logger(service="start_backtest")

# Who may make others' money be spent; everybody else may look.
_MAY_START = "admin"


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    claims = (event.get("requestContext", {}).get("authorizer") or {}).get("claims", {})
    # A list as one text: "admin,user" or "[admin user]".
    if _MAY_START not in re.findall(r"[\w-]+", str(claims.get("cognito:groups"))):
        return _response(403, {"message": f"only the group {_MAY_START} starts backtests"})
    try:
        answer = start_backtest(
            _body(event),
            registry=bootstrap.backtest_registry(),
            runs=bootstrap.backtest_runs(),
            clock=bootstrap.clock(),
        )
    except InvalidInputError as error:
        return _response(400, {"message": str(error)})
    except ThrottledError as error:
        return _response(429, {"message": str(error)})
    except RetryableError as error:
        logger.warning("not started", extra={"error": str(error)})
        return _response(503, {"message": "try again in a moment"})
    over = answer["state"] in (BacktestState.DONE, BacktestState.FAILED)
    return _response(200 if over else 202, answer)


def _body(event: dict[str, Any]) -> str:
    text = str(event.get("body") or "")
    try:
        return (
            base64.b64decode(text, validate=True).decode() if event.get("isBase64Encoded") else text
        )
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InvalidInputError("the body is not what its encoding says") from error


def _response(status: int, content: dict[str, Any]) -> dict[str, Any]:
    logger.info("answered", extra={"status": status, "backtest_id": content.get("backtest_id")})
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(content),
    }

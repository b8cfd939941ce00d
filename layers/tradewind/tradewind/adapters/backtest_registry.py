"""``register_backtest``, called as a function from outside the VPC."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tradewind import errors
from tradewind.errors import DatabaseUnavailableError, TradewindError
from tradewind.market.bar import to_iso


class RegistryFunction:
    """Implements ``BacktestRegistry``; ``client`` is a boto3 Lambda client, ``arn`` the function's
    alias. What the function raises of our own errors is raised here again."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn

    def register(self, request: Mapping[str, Any], at: datetime) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        event = json.dumps({"request": request, "at": to_iso(at)})
        try:
            answer = self._client.invoke(FunctionName=self._arn, Payload=event.encode())
            content = json.loads(answer["Payload"].read())
        except (BotoCoreError, ClientError) as error:
            raise DatabaseUnavailableError(
                f"register_backtest cannot be called: {error}"
            ) from error
        if "FunctionError" in answer:
            raise _raised(content)
        registered: Mapping[str, Any] = content
        return registered


def _raised(content: Mapping[str, Any]) -> TradewindError:
    kind = getattr(errors, str(content.get("errorType")), None)
    message = str(content.get("errorMessage"))
    if isinstance(kind, type) and issubclass(kind, TradewindError):
        return kind(message)
    # It was killed, by its time or its memory: another try may find its statements faster.
    return DatabaseUnavailableError(f"register_backtest failed: {message}")

"""Publishing straight to a topic, for edge functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class Topic:
    """``client`` is a boto3 SNS client."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, message: Mapping[str, Any]) -> None:
        self._client.publish(TopicArn=self._arn, Message=json.dumps(message))

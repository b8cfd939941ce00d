"""The RequestBudget Protocol over the ``control`` table: one item per provider.

The item is read, counted up and written back on the condition that nobody wrote in between, so two
functions can never take the same request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tradewind.errors import ControlUnavailableError
from tradewind.market.request_limits import RequestCount, RequestLimits, take

Answer = TypeVar("Answer")

KEEP = timedelta(days=2)
# Each lost race means that another function got its request; so many in a row do not happen.
RACES = 10


class ControlTableBudget:
    """``client`` is a boto3 DynamoDB client; ``limits`` by provider."""

    def __init__(self, client: Any, table: str, limits: Mapping[str, RequestLimits]) -> None:
        self._client = client
        self._table = table
        self._limits = limits

    def take(self, provider: str, at: datetime) -> float:
        for _ in range(RACES):
            item = self._item(provider)
            wait, count = take(self._limits[provider], _count(item), at)
            if wait or self._write(provider, at, count, item):
                return wait
        raise ControlUnavailableError(
            f"table {self._table}: the request budget of {provider} was written by others "
            f"{RACES} times in a row"
        )

    def _item(self, provider: str) -> Mapping[str, Any]:
        answer = self._call(
            lambda: self._client.get_item(
                TableName=self._table, Key=_key(provider), ConsistentRead=True
            )
        )
        item: Mapping[str, Any] = answer.get("Item", {})
        return item

    def _write(
        self, provider: str, at: datetime, count: RequestCount, seen: Mapping[str, Any]
    ) -> bool:
        """False when somebody else wrote since ``seen`` was read."""
        version = int(seen["version"]["N"]) if seen else 0
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if seen:
            condition = {
                "ConditionExpression": "version = :seen",
                "ExpressionAttributeValues": {":seen": {"N": str(version)}},
            }
        try:
            self._call(
                lambda: self._client.put_item(
                    TableName=self._table,
                    Item={
                        **_key(provider),
                        "version": {"N": str(version + 1)},
                        "slots": {
                            "M": {str(slot): {"N": str(n)} for slot, n in count.slots.items()}
                        },
                        "day": {"S": count.day},
                        "on_day": {"N": str(count.on_day)},
                        "expires_at": {"N": str(int((at + KEEP).timestamp()))},
                    },
                    **condition,
                )
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _call(self, call: Callable[[], Answer]) -> Answer:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return call()
        except self._client.exceptions.ConditionalCheckFailedException:
            raise
        except (BotoCoreError, ClientError) as error:
            raise ControlUnavailableError(f"table {self._table}: {error}") from error


def _key(provider: str) -> dict[str, Any]:
    # Not budget#<provider>: that form is an account's order budget.
    return {"pk": {"S": f"requests#{provider}"}}


def _count(item: Mapping[str, Any]) -> RequestCount:
    if not item:
        return RequestCount({}, "", 0)
    return RequestCount(
        {int(slot): int(count["N"]) for slot, count in item["slots"]["M"].items()},
        item["day"]["S"],
        int(item["on_day"]["N"]),
    )

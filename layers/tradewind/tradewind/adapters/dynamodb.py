"""The TradingControl Protocol over the ``control`` table: one item per switch, claim, window, day.

Every change is one conditional write, so two submitters can never both be right.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from tradewind.errors import ControlUnavailableError, InvalidInputError
from tradewind.orders.ports import LEASE_SECONDS

Answer = TypeVar("Answer")

SWITCH_STATES = ("ACTIVE", "REDUCING", "HALTED")
KEEP_CLAIMS = timedelta(days=7)
KEEP_COUNTS = timedelta(days=2)
BUDGET_WINDOW = timedelta(minutes=15)


class ControlTable:
    """``client`` is a boto3 DynamoDB client."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def switch(self, account: str) -> str:
        """ACTIVE when it has never been set."""
        item = self._call(
            lambda: self._client.get_item(
                TableName=self._table,
                Key={"pk": {"S": f"switch#{account}"}},
                ConsistentRead=True,
            )
        ).get("Item")
        state = item["state"]["S"] if item else "ACTIVE"
        if state not in SWITCH_STATES:
            raise InvalidInputError(
                f"the trading switch of {account} is {state!r}, not one of "
                f"{', '.join(SWITCH_STATES)}"
            )
        return str(state)

    def lease(self, account: str, holder: str, at: datetime) -> bool:
        return self._write(
            lambda: self._client.put_item(
                TableName=self._table,
                Item={
                    "pk": {"S": f"lease#{account}"},
                    "holder": {"S": holder},
                    "runs_out": _epoch(at + timedelta(seconds=LEASE_SECONDS)),
                    "expires_at": _epoch(at + KEEP_CLAIMS),
                },
                ConditionExpression="attribute_not_exists(pk) OR holder = :holder "
                "OR runs_out <= :now",
                ExpressionAttributeValues={":holder": {"S": holder}, ":now": _epoch(at)},
            )
        )

    def claim(self, intent_id: str, at: datetime) -> bool:
        return self._write(
            lambda: self._client.put_item(
                TableName=self._table,
                Item={
                    "pk": {"S": f"claim#{intent_id}"},
                    "expires_at": _epoch(at + KEEP_CLAIMS),
                },
                ConditionExpression="attribute_not_exists(pk)",
            )
        )

    def take_request(self, account: str, at: datetime, limit: int, reserve: int) -> bool:
        window = datetime.fromtimestamp(
            at.timestamp() // BUDGET_WINDOW.total_seconds() * BUDGET_WINDOW.total_seconds(), UTC
        )
        return self._write(
            lambda: self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": f"budget#{account}#{window:%Y%m%dT%H%M}"}},
                UpdateExpression="SET used = if_not_exists(used, :zero) + :one, expires_at = :end",
                ConditionExpression="attribute_not_exists(used) OR used < :most",
                ExpressionAttributeValues={
                    ":zero": {"N": "0"},
                    ":one": {"N": "1"},
                    ":most": {"N": str(limit - reserve)},
                    ":end": _epoch(at + KEEP_COUNTS),
                },
            )
        )

    def count_entry(
        self,
        account: str,
        session: str,
        intent_id: str,
        notional: Decimal,
        max_orders: int,
        max_notional: Decimal,
    ) -> bool:
        key = {"pk": {"S": f"day#{account}#{session}"}}
        if notional > max_notional:
            return False
        counted = self._write(
            lambda: self._client.update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression=(
                    "SET orders = if_not_exists(orders, :zero) + :one, "
                    "notional = if_not_exists(notional, :zero) + :notional, expires_at = :end "
                    "ADD intents :intents"
                ),
                ConditionExpression=(
                    "attribute_not_exists(orders) OR "
                    "(orders < :most AND notional <= :room AND NOT contains(intents, :intent))"
                ),
                ExpressionAttributeValues={
                    ":zero": {"N": "0"},
                    ":one": {"N": "1"},
                    ":notional": {"N": str(notional)},
                    ":most": {"N": str(max_orders)},
                    ":room": {"N": str(max_notional - notional)},
                    ":intent": {"S": intent_id},
                    ":intents": {"SS": [intent_id]},
                    ":end": _epoch(_midnight(session) + KEEP_COUNTS),
                },
            )
        )
        if counted:
            return True
        item = self._call(
            lambda: self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        ).get("Item", {})
        return intent_id in item.get("intents", {}).get("SS", [])

    def _write(self, call: Callable[[], Any]) -> bool:
        """False when the write's condition did not hold."""
        try:
            self._call(call)
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


def _epoch(moment: datetime) -> dict[str, str]:
    return {"N": str(int(moment.timestamp()))}


def _midnight(session: str) -> datetime:
    return datetime.fromisoformat(session).replace(tzinfo=UTC)

"""The TradingControl Protocol over the ``control`` table.

One item per switch, lease, claim, budget window, day and breaker. Every change is one conditional
write, so two submitters can never both be right. What a write's condition cannot compute (the
switch's history, the breaker's row) is read, computed and written back on the condition that nobody
wrote in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from tradewind.adapters.switch_item import (
    changed_item,
    changes_of,
    number_of,
    switch_key,
    switch_of,
)
from tradewind.errors import ControlUnavailableError, InvalidInputError
from tradewind.market.bar import from_iso, to_iso
from tradewind.orders.breaker import EntryNote, failures_in_a_row, noted
from tradewind.orders.control import (
    LEASE_SECONDS,
    LONGEST_WHO,
    LONGEST_WHY,
    RequestPurpose,
    SwitchChange,
    SwitchState,
)

Answer = TypeVar("Answer")

KEEP_CLAIMS = timedelta(days=7)
KEEP_COUNTS = timedelta(days=2)
BUDGET_WINDOW = timedelta(minutes=15)
# Each lost race means that somebody else's change was made; so many in a row do not happen.
RACES = 10

Item = Mapping[str, Any]


class ControlTable:
    """``client`` is a boto3 DynamoDB client."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def switch(self, account: str) -> SwitchChange:
        return switch_of(account, self._item(switch_key(account)))

    def switch_changes(self, account: str) -> list[SwitchChange]:
        return changes_of(account, self._item(switch_key(account)))

    def change_switch(
        self,
        account: str,
        to: SwitchState,
        who: str,
        why: str,
        at: datetime,
        *,
        only_lower: bool = False,
    ) -> SwitchChange:
        who, why = who[:LONGEST_WHO], why[:LONGEST_WHY]
        for _ in range(RACES):
            item = self._item(switch_key(account))
            try:
                stands = switch_of(account, item)
            except InvalidInputError:
                # Put in place by hand and none of the three: it blocks entries as HALTED does, and
                # only a person's choice may take its place.
                if only_lower:
                    raise
                stands = None
            if stands is not None and not _changes(stands.state, to, only_lower=only_lower):
                return stands
            previous = stands.state if stands is not None else SwitchState.HALTED
            number = (number_of(item) or 0) + 1
            change = SwitchChange(account, number, to, previous, who, why, at)
            if self._put(changed_item(item, change, at), **_switch_as_in(item)):
                return change
        raise self._lost_races(f"the switch of {account}")

    def lease(self, account: str, holder: str, at: datetime) -> int | None:
        # No time to live: the fencing number must outlast every holder.
        key = {"pk": {"S": f"lease#{account}"}}
        values = {
            ":holder": {"S": holder},
            ":end": _epoch(at + timedelta(seconds=LEASE_SECONDS)),
        }
        kept = self._update(key, "SET runs_out = :end", "holder = :holder", values)
        if kept is not None:
            return _fence(kept)
        taken = self._update(
            key,
            "SET holder = :holder, runs_out = :end, fence = if_not_exists(fence, :zero) + :one",
            "attribute_not_exists(holder) OR runs_out <= :now",
            {**values, ":now": _epoch(at), ":zero": {"N": "0"}, ":one": {"N": "1"}},
        )
        if taken is not None:
            return _fence(taken)
        # The SDK sends a write without an answer again, and the second one finds the first's work.
        item = self._item(key)
        return _fence(item) if item.get("holder", {}).get("S") == holder else None

    def holds_lease(self, account: str, fence: int) -> bool:
        item = self._item({"pk": {"S": f"lease#{account}"}})
        return bool(item) and _fence(item) == fence

    def release(self, account: str, fence: int) -> None:
        self._update(
            {"pk": {"S": f"lease#{account}"}},
            "SET runs_out = :ended",
            "fence = :fence",
            {":ended": {"N": "0"}, ":fence": {"N": str(fence)}},
        )

    def claim(self, intent_id: str, fence: int | None, at: datetime) -> bool:
        item = {
            "pk": {"S": f"claim#{intent_id}"},
            "at": {"S": to_iso(at)},
            "expires_at": _epoch(at + KEEP_CLAIMS),
        }
        if fence is not None:
            item["fence"] = {"N": str(fence)}
        return self._put(item, ConditionExpression="attribute_not_exists(pk)")

    def take_request(
        self, account: str, purpose: RequestPurpose, at: datetime, budget: int, reserve: int
    ) -> bool:
        """``used_entry`` counts what was taken out of ``budget``, for whichever purpose, and
        ``used_protection`` what was taken out of ``reserve``."""
        seconds = BUDGET_WINDOW.total_seconds()
        window = datetime.fromtimestamp(at.timestamp() // seconds * seconds, UTC)
        key = {"pk": {"S": f"budget#{account}#{window:%Y%m%dT%H%M}"}}
        end = _epoch(at + KEEP_COUNTS)
        if purpose is RequestPurpose.PROTECTION and self._count(
            key, "used_protection", reserve, end
        ):
            return True
        return self._count(key, "used_entry", budget, end)

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
        counted = self._update(
            key,
            "SET orders = if_not_exists(orders, :zero) + :one, "
            "notional = if_not_exists(notional, :zero) + :notional, expires_at = :end "
            "ADD intents :intents",
            "attribute_not_exists(orders) OR "
            "(orders < :most AND notional <= :room AND NOT contains(intents, :intent))",
            {
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
        if counted is not None:
            return True
        return intent_id in self._item(key).get("intents", {}).get("SS", [])

    def note_entry(self, account: str, intent_id: str, *, failed: bool, at: datetime) -> int:
        key = {"pk": {"S": f"breaker#{account}"}}
        note = EntryNote(intent_id, failed, at)
        for _ in range(RACES):
            item = self._item(key)
            before = _notes(item)
            after = noted(before, note)
            if after == before or self._put(
                {
                    **key,
                    "version": {"N": str(_version(item) + 1)},
                    "notes": {"L": [_note_row(each) for each in after]},
                    "expires_at": _epoch(at + KEEP_COUNTS),
                },
                **_version_as_in(item),
            ):
                return failures_in_a_row(after, at)
        raise self._lost_races(f"the breaker of {account}")

    def _count(self, key: Item, counter: str, most: int, end: Mapping[str, str]) -> bool:
        """One more on a counter that stays at or below ``most``; False when it is there."""
        if most <= 0:
            return False
        return (
            self._update(
                key,
                f"SET {counter} = if_not_exists({counter}, :zero) + :one, expires_at = :end",
                f"attribute_not_exists({counter}) OR {counter} < :most",
                {
                    ":zero": {"N": "0"},
                    ":one": {"N": "1"},
                    ":most": {"N": str(most)},
                    ":end": end,
                },
            )
            is not None
        )

    def _item(self, key: Item) -> dict[str, Any]:
        """The item as it stands now; empty when there is none."""
        answer = self._call(
            lambda: self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        )
        item: dict[str, Any] = answer.get("Item", {})
        return item

    def _update(
        self, key: Item, update: str, condition: str, values: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """The item after the update; None when the condition did not hold."""
        answer = self._written(
            lambda: self._client.update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        )
        return None if answer is None else dict(answer["Attributes"])

    def _put(self, item: Item, **condition: Any) -> bool:
        """False when the condition did not hold."""
        answer = self._written(
            lambda: self._client.put_item(TableName=self._table, Item=item, **condition)
        )
        return answer is not None

    def _written(self, call: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        try:
            return self._call(call)
        except self._client.exceptions.ConditionalCheckFailedException:
            return None

    def _call(self, call: Callable[[], Answer]) -> Answer:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return call()
        except self._client.exceptions.ConditionalCheckFailedException:
            raise
        except (BotoCoreError, ClientError) as error:
            raise ControlUnavailableError(f"table {self._table}: {error}") from error

    def _lost_races(self, what: str) -> ControlUnavailableError:
        return ControlUnavailableError(
            f"table {self._table}: {what} was written by others {RACES} times in a row"
        )


def _changes(stands: SwitchState, to: SwitchState, *, only_lower: bool) -> bool:
    return to.severity > stands.severity if only_lower else to is not stands


def _switch_as_in(item: Item) -> dict[str, Any]:
    """The condition that the switch is still what was read. Its names are DynamoDB's own words."""
    if not item:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    number = number_of(item)
    names = {"#state": "state", "#number": "number"}
    values = {":state": item["state"]}
    if number is None:
        condition = "#state = :state AND attribute_not_exists(#number)"
    else:
        condition = "#state = :state AND #number = :number"
        values[":number"] = {"N": str(number)}
    return {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def _version_as_in(item: Item) -> dict[str, Any]:
    if not item:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "version = :seen",
        "ExpressionAttributeValues": {":seen": {"N": str(_version(item))}},
    }


def _version(item: Item) -> int:
    return int(item["version"]["N"]) if item else 0


def _fence(item: Item) -> int:
    return int(item["fence"]["N"])


def _notes(item: Item) -> list[EntryNote]:
    return [
        EntryNote(
            row["M"]["intent"]["S"], row["M"]["failed"]["BOOL"], from_iso(row["M"]["at"]["S"])
        )
        for row in item.get("notes", {}).get("L", [])
    ]


def _note_row(note: EntryNote) -> dict[str, Any]:
    return {
        "M": {
            "intent": {"S": note.intent_id},
            "failed": {"BOOL": note.failed},
            "at": {"S": to_iso(note.at)},
        }
    }


def _epoch(moment: datetime) -> dict[str, str]:
    return {"N": str(int(moment.timestamp()))}


def _midnight(session: str) -> datetime:
    return datetime.fromisoformat(session).replace(tzinfo=UTC)

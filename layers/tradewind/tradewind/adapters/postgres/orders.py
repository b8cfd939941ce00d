"""The ``orders`` table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import as_json, plain_array, text_array
from tradewind.orders.ids import owner_of
from tradewind.orders.life import KnownOrder
from tradewind.orders.model import BrokerOrder, OrderStatus, Side

# Columns carry the names of the fields they keep. (S608 below: these names are all that is put
# into a statement; values go in as parameters.)
_ORDER = tuple(field.name for field in fields(BrokerOrder))

# One walk of the key for each order, whatever the planner knows of the table: as a join it may
# compare each with all.
_UNSETTLED = """
SELECT told.order_id
FROM unnest(:order_ids::text[], :statuses::text[], :filled::numeric[], :parents::text[],
    :predecessors::text[]) AS told(order_id, status, filled, parent, predecessor)
WHERE NOT coalesce((
    SELECT o.final AND o.status = told.status AND o.filled_quantity = told.filled
        AND (o.parent_order_id IS NOT NULL OR told.parent = '')
        AND (o.replaces IS NOT NULL OR told.predecessor = '')
    FROM orders AS o
    WHERE o.account = :account AND o.order_id = told.order_id
), false)
"""

_KNOWN = f"""
SELECT {", ".join(_ORDER)}, as_of FROM orders
WHERE account = :account AND order_id = ANY(:order_ids::text[])
"""  # noqa: S608

# ``named`` holds, for each order, the intent its own id names. The rest of a family (legs without
# an id of ours, replacements made by hand) takes the intent of its parent, else of the order it
# replaces, however many steps away, among these orders or stored before; stored legs that came
# before their parent are adopted on the way. Everything else is written as it is given.
_SAVE = f"""
WITH RECURSIVE given AS (
    SELECT * FROM json_to_recordset(:rows) AS told(
        order_id text, client_order_id text, named text, symbol text, side text, order_type text,
        order_class text, status text, quantity numeric, filled_quantity numeric,
        filled_avg_price numeric, limit_price numeric, stop_price numeric, time_in_force text,
        parent_order_id text, replaces text, submitted_at timestamptz, updated_at timestamptz,
        as_of timestamptz)
),
own AS (
    SELECT given.order_id, i.intent_id
    FROM given JOIN order_intents AS i ON i.intent_id = given.named AND i.account = :account
),
orphan AS (
    SELECT order_id, parent_order_id, replaces FROM given
    WHERE order_id NOT IN (SELECT order_id FROM own)
    UNION
    SELECT order_id, parent_order_id, replaces FROM orders
    WHERE account = :account AND intent_id IS NULL
        AND (parent_order_id IS NOT NULL OR replaces IS NOT NULL)
),
family (order_id, intent_id, distance) AS (
    SELECT order_id, intent_id, 0 FROM (
        SELECT order_id, intent_id FROM own
        UNION
        SELECT order_id, intent_id FROM orders
        WHERE account = :account AND intent_id IS NOT NULL
            AND order_id IN (SELECT parent_order_id FROM orphan UNION SELECT replaces FROM orphan)
    ) AS known
    UNION
    SELECT orphan.order_id, family.intent_id,
        CASE family.order_id WHEN orphan.parent_order_id THEN 1 ELSE 2 END
    FROM family
    JOIN orphan ON family.order_id IN (orphan.parent_order_id, orphan.replaces)
),
owner AS (
    SELECT DISTINCT ON (order_id) order_id, intent_id FROM family
    ORDER BY order_id, distance, intent_id
),
adopted AS (
    UPDATE orders AS o SET intent_id = owner.intent_id
    FROM owner
    WHERE o.account = :account AND o.order_id = owner.order_id AND o.intent_id IS NULL
        AND o.order_id NOT IN (SELECT order_id FROM given)
    RETURNING o.order_id
),
written AS (
    INSERT INTO orders AS o ({", ".join(_ORDER)}, account, intent_id, as_of)
    SELECT {", ".join(f"given.{name}" for name in _ORDER)}, :account, owner.intent_id, given.as_of
    FROM given LEFT JOIN owner USING (order_id)
    ORDER BY order_id
    ON CONFLICT (account, order_id) DO UPDATE SET
        intent_id = coalesce(o.intent_id, excluded.intent_id),
        {", ".join(f"{name} = excluded.{name}" for name in _ORDER[1:])},
        as_of = excluded.as_of
    RETURNING old.order_id IS NULL
        OR (old.intent_id, {", ".join(f"old.{name}" for name in _ORDER[1:])})
        IS DISTINCT FROM (new.intent_id, {", ".join(f"new.{name}" for name in _ORDER[1:])})
        AS changed
)
SELECT (SELECT count(*) FROM written WHERE changed) + (SELECT count(*) FROM adopted)
"""  # noqa: S608

OPEN_ORDERS = f"""
SELECT {", ".join(_ORDER)}, as_of FROM orders
WHERE account = :account AND NOT final
ORDER BY submitted_at, order_id
"""  # noqa: S608

# "The last two days" count back from the broker's newest word, not from a clock of ours: a
# replayed market lives in another year.
INTENT_OF = """
SELECT order_id, intent_id FROM orders
WHERE account = :account AND NOT final AND intent_id IS NOT NULL
UNION ALL
SELECT order_id, intent_id FROM orders
WHERE account = :account AND final AND intent_id IS NOT NULL
    AND updated_at >= (SELECT max(updated_at) - interval '2 days' FROM orders
                       WHERE account = :account)
"""

_OWNERS = """
SELECT order_id, intent_id FROM orders
WHERE account = :account AND order_id = ANY(:order_ids::text[]) AND intent_id IS NOT NULL
"""

_FOREIGN = """
SELECT order_id FROM orders
WHERE account = :account AND order_id = ANY(:order_ids::text[]) AND intent_id IS NULL
"""

_MISSING_FILLS = """
SELECT order_id, fills_missing_since FROM orders
WHERE account = :account AND fills_missing_since IS NOT NULL
"""

_NOTE_MISSING_FILLS = """
UPDATE orders AS o SET fills_missing_since = noted.since
FROM (
    SELECT order_id, given.since
    FROM orders AS stored
    LEFT JOIN json_to_recordset(:rows) AS given(order_id text, since timestamptz) USING (order_id)
    WHERE stored.account = :account
        AND (given.order_id IS NOT NULL OR stored.fills_missing_since IS NOT NULL)
) AS noted
WHERE o.account = :account AND o.order_id = noted.order_id
    AND o.fills_missing_since IS DISTINCT FROM noted.since
"""

_NOTE_STRANGERS = """
UPDATE orders SET stranger_as_of = :as_of
WHERE account = :account AND order_id = ANY(:order_ids::text[])
    AND (stranger_as_of IS NULL OR stranger_as_of < :as_of)
"""

STRANGERS = f"""
SELECT {", ".join(_ORDER)} FROM orders
WHERE account = :account
    AND stranger_as_of >= (SELECT max(as_of) FROM account_snapshots WHERE account = :account)
ORDER BY submitted_at, order_id
"""  # noqa: S608


class PostgresOrders:
    """Implements ``OrderStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def unsettled(self, account: str, orders: Sequence[BrokerOrder]) -> set[str]:
        if not orders:
            return set()
        rows = self._session.rows(
            _UNSETTLED,
            account=account,
            order_ids=text_array(order.order_id for order in orders),
            statuses=text_array(order.status for order in orders),
            filled=plain_array(order.filled_quantity for order in orders),
            parents=text_array(order.parent_order_id or "" for order in orders),
            predecessors=text_array(order.replaces or "" for order in orders),
        )
        return {row[0] for row in rows}

    def known(self, account: str, order_ids: Sequence[str]) -> dict[str, KnownOrder]:
        if not order_ids:
            return {}
        rows = self._session.rows(_KNOWN, account=account, order_ids=text_array(order_ids))
        return {known.order.order_id: known for known in map(_known, rows)}

    def save(self, account: str, orders: Sequence[KnownOrder]) -> int:
        if not orders:
            return 0
        rows = [
            {
                **{name: getattr(known.order, name) for name in _ORDER},
                "named": owner_of(known.order.client_order_id),
                "as_of": known.as_of,
            }
            for known in orders
        ]
        changed: int = self._session.rows(_SAVE, rows=as_json(rows), account=account)[0][0]
        return changed

    def open(self, account: str) -> list[BrokerOrder]:
        return [known.order for known in self.open_known(account)]

    def open_known(self, account: str) -> list[KnownOrder]:
        return [_known(row) for row in self._session.rows(OPEN_ORDERS, account=account)]

    def intent_of(self, account: str) -> dict[str, str]:
        return {row[0]: row[1] for row in self._session.rows(INTENT_OF, account=account)}

    def owners(self, account: str, order_ids: Sequence[str]) -> dict[str, str]:
        if not order_ids:
            return {}
        rows = self._session.rows(_OWNERS, account=account, order_ids=text_array(order_ids))
        return {row[0]: row[1] for row in rows}

    def foreign(self, account: str, order_ids: Sequence[str]) -> set[str]:
        if not order_ids:
            return set()
        rows = self._session.rows(_FOREIGN, account=account, order_ids=text_array(order_ids))
        return {row[0] for row in rows}

    def missing_fills(self, account: str) -> dict[str, datetime]:
        return {row[0]: row[1] for row in self._session.rows(_MISSING_FILLS, account=account)}

    def note_missing_fills(self, account: str, since: Mapping[str, datetime]) -> None:
        rows = [{"order_id": order_id, "since": seen} for order_id, seen in since.items()]
        self._session.rows(_NOTE_MISSING_FILLS, account=account, rows=as_json(rows))

    def note_strangers(self, account: str, order_ids: Sequence[str], as_of: datetime) -> None:
        if order_ids:
            self._session.rows(
                _NOTE_STRANGERS, account=account, order_ids=text_array(order_ids), as_of=as_of
            )

    def strangers(self, account: str) -> list[BrokerOrder]:
        return [_order(row) for row in self._session.rows(STRANGERS, account=account)]


def _known(row: Sequence[Any]) -> KnownOrder:
    return KnownOrder(_order(row[:-1]), row[-1])


def _order(row: Sequence[Any]) -> BrokerOrder:
    named = dict(zip(_ORDER, row, strict=True))
    return BrokerOrder(
        **{**named, "side": Side(named["side"]), "status": OrderStatus(named["status"])}
    )

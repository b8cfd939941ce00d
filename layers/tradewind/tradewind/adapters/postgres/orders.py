"""The ``order_intents`` and ``orders`` tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import as_json, records
from tradewind.orders.ids import owner_of
from tradewind.orders.model import (
    BrokerOrder,
    IntentKind,
    IntentOutcome,
    OrderClass,
    OrderIntent,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)

# Columns carry the names of the fields they keep. (S608 below: these names are all that is put
# into a statement; values go in as parameters.)
_INTENT = tuple(field.name for field in fields(OrderIntent))
_OUTCOME = tuple(field.name for field in fields(IntentOutcome))
_ORDER = tuple(field.name for field in fields(BrokerOrder))

_ADD_INTENTS = f"""
WITH written AS (
    INSERT INTO order_intents ({", ".join(_INTENT)})
    SELECT {", ".join(_INTENT)}
    FROM json_to_recordset(:rows) AS given(
        intent_id text, account text, strategy text, mode text, session date,
        bar_time timestamptz, symbol text, kind text, side text, quantity numeric,
        order_type text, time_in_force text, order_class text, limit_price numeric,
        stop_price numeric, decision_price numeric, revision integer, target_order_id text,
        expires_at timestamptz, reason text)
    ON CONFLICT (intent_id) DO NOTHING
    RETURNING intent_id
)
SELECT count(*) FROM written
"""  # noqa: S608

_WITHOUT_OUTCOME = f"""
SELECT {", ".join(_INTENT)} FROM order_intents
WHERE account = :account AND certainty < 2
ORDER BY bar_time, intent_id
"""  # noqa: S608

_FIND_INTENTS = f"""
SELECT {", ".join(_INTENT)} FROM order_intents
WHERE intent_id = ANY(:intent_ids::text[])
ORDER BY bar_time, intent_id
"""  # noqa: S608

# What is surer wins; of two outcomes the later one, and at the same instant the same one always.
_RECORD_OUTCOMES = """
WITH given AS (
    SELECT DISTINCT ON (intent_id) *
    FROM (
        SELECT *, CASE status WHEN 'pending' THEN 0 WHEN 'unknown' THEN 1 ELSE 2 END AS certainty
        FROM json_to_recordset(:rows) AS told(
            intent_id text, status text, broker_order_id text, reason_code text, reason text,
            at timestamptz)
    ) AS told
    ORDER BY intent_id, certainty DESC, at DESC, status DESC
)
UPDATE order_intents AS i SET
    status = given.status,
    broker_order_id = coalesce(given.broker_order_id, i.broker_order_id),
    outcome_code = given.reason_code,
    outcome_reason = given.reason,
    outcome_at = given.at
FROM given
WHERE i.intent_id = given.intent_id
    AND (given.certainty > i.certainty
         OR given.certainty = i.certainty
            AND (i.outcome_at IS NULL OR (given.at, given.status) > (i.outcome_at, i.status)))
"""

_LAST_REVISIONS = """
SELECT wanted.symbol, highest.revision
FROM unnest(:symbols::text[]) AS wanted(symbol)
CROSS JOIN LATERAL (
    SELECT max(revision) AS revision FROM order_intents
    WHERE account = :account AND order_intents.symbol = wanted.symbol
) AS highest
WHERE highest.revision IS NOT NULL
"""

# ``named`` holds, for each order, the intent its own id names. The rest of a family (legs without
# an id of ours, replacements made by hand) takes the intent of its parent, else of the order it
# replaces, however many steps away, in this snapshot or stored before; stored legs that came before
# their parent are adopted on the way.
_UPSERT_ORDERS = f"""
WITH RECURSIVE given AS (
    SELECT * FROM json_to_recordset(:rows) AS told(
        order_id text, client_order_id text, named text, symbol text, side text, order_type text,
        order_class text, status text, quantity numeric, filled_quantity numeric,
        filled_avg_price numeric, limit_price numeric, stop_price numeric, time_in_force text,
        parent_order_id text, replaces text, submitted_at timestamptz, updated_at timestamptz)
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
    SELECT {", ".join(f"given.{name}" for name in _ORDER)}, :account, owner.intent_id, :as_of
    FROM given LEFT JOIN owner USING (order_id)
    ORDER BY order_id
    ON CONFLICT (account, order_id) DO UPDATE SET
        intent_id = coalesce(o.intent_id, excluded.intent_id),
        status = CASE WHEN o.final THEN o.status ELSE excluded.status END,
        quantity = excluded.quantity,
        filled_quantity = greatest(o.filled_quantity, excluded.filled_quantity),
        filled_avg_price = CASE WHEN excluded.filled_quantity >= o.filled_quantity
            THEN coalesce(excluded.filled_avg_price, o.filled_avg_price)
            ELSE o.filled_avg_price END,
        limit_price = excluded.limit_price,
        stop_price = excluded.stop_price,
        parent_order_id = coalesce(excluded.parent_order_id, o.parent_order_id),
        replaces = coalesce(excluded.replaces, o.replaces),
        updated_at = greatest(o.updated_at, excluded.updated_at),
        as_of = excluded.as_of
    -- An order in its final state rests, unless the broker still adds fills or an owner is found.
    WHERE excluded.as_of >= o.as_of
        AND (NOT o.final
             OR excluded.filled_quantity > o.filled_quantity
             OR o.intent_id IS NULL AND excluded.intent_id IS NOT NULL)
    RETURNING old.order_id IS NULL
        OR (old.intent_id, old.status, old.quantity, old.filled_quantity, old.filled_avg_price,
            old.limit_price, old.stop_price, old.parent_order_id, old.replaces, old.updated_at)
        IS DISTINCT FROM
           (new.intent_id, new.status, new.quantity, new.filled_quantity, new.filled_avg_price,
            new.limit_price, new.stop_price, new.parent_order_id, new.replaces, new.updated_at)
        AS changed
)
SELECT (SELECT count(*) FROM written WHERE changed) + (SELECT count(*) FROM adopted)
"""  # noqa: S608

_OPEN_ORDERS = f"""
SELECT {", ".join(_ORDER)} FROM orders
WHERE account = :account AND NOT final
ORDER BY submitted_at, order_id
"""  # noqa: S608

# "The last two days" count back from the broker's newest word, not from a clock of ours: a
# replayed market lives in another year.
_INTENT_OF = """
SELECT order_id, intent_id FROM orders
WHERE account = :account AND NOT final AND intent_id IS NOT NULL
UNION ALL
SELECT order_id, intent_id FROM orders
WHERE account = :account AND final AND intent_id IS NOT NULL
    AND updated_at >= (SELECT max(updated_at) - interval '2 days' FROM orders
                       WHERE account = :account)
"""


class PostgresIntents:
    """Implements ``IntentStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, intents: Sequence[OrderIntent]) -> int:
        if not intents:
            return 0
        added: int = self._session.rows(_ADD_INTENTS, rows=records(intents, _INTENT))[0][0]
        return added

    def without_outcome(self, account: str) -> list[OrderIntent]:
        return [_intent(row) for row in self._session.rows(_WITHOUT_OUTCOME, account=account)]

    def find(self, intent_ids: Sequence[str]) -> list[OrderIntent]:
        if not intent_ids:
            return []
        rows = self._session.rows(_FIND_INTENTS, intent_ids=list(intent_ids))
        return [_intent(row) for row in rows]

    def record(self, outcomes: Sequence[IntentOutcome]) -> None:
        if outcomes:
            self._session.rows(_RECORD_OUTCOMES, rows=records(outcomes, _OUTCOME))

    def last_revisions(self, account: str, symbols: Sequence[str]) -> dict[str, int]:
        rows = self._session.rows(_LAST_REVISIONS, account=account, symbols=list(symbols))
        return {row[0]: row[1] for row in rows}


class PostgresOrders:
    """Implements ``OrderStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def upsert(self, account: str, orders: Sequence[BrokerOrder], as_of: datetime) -> int:
        if not orders:
            return 0
        # One row per order, as one statement may not write a row twice: the newest told counts.
        newest = {o.order_id: o for o in sorted(orders, key=lambda order: order.updated_at)}
        rows = [
            {
                **{name: getattr(order, name) for name in _ORDER},
                "named": owner_of(order.client_order_id),
            }
            for order in newest.values()
        ]
        answer = self._session.rows(
            _UPSERT_ORDERS, rows=as_json(rows), account=account, as_of=as_of
        )
        changed: int = answer[0][0]
        return changed

    def open(self, account: str) -> list[BrokerOrder]:
        return [_order(row) for row in self._session.rows(_OPEN_ORDERS, account=account)]

    def intent_of(self, account: str) -> dict[str, str]:
        return {row[0]: row[1] for row in self._session.rows(_INTENT_OF, account=account)}


def _intent(row: Sequence[Any]) -> OrderIntent:
    named = dict(zip(_INTENT, row, strict=True))
    return OrderIntent(
        **{
            **named,
            "kind": IntentKind(named["kind"]),
            "side": Side(named["side"]),
            "order_type": OrderType(named["order_type"]),
            "time_in_force": TimeInForce(named["time_in_force"]),
            "order_class": OrderClass(named["order_class"]),
        }
    )


def _order(row: Sequence[Any]) -> BrokerOrder:
    named = dict(zip(_ORDER, row, strict=True))
    return BrokerOrder(
        **{**named, "side": Side(named["side"]), "status": OrderStatus(named["status"])}
    )

"""The ``switch_changes`` table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import records
from tradewind.orders.control import SwitchChange, SwitchState

# Columns carry the names of the fields they keep. (S608 below: these names are all that is put
# into a statement; values go in as parameters.)
_CHANGE = tuple(field.name for field in fields(SwitchChange))

_ADD = f"""
WITH written AS (
    INSERT INTO switch_changes ({", ".join(_CHANGE)})
    SELECT {", ".join(_CHANGE)}
    FROM json_to_recordset(:rows) AS given(
        account text, number bigint, state text, previous text, who text, why text,
        at timestamptz)
    ON CONFLICT (account, number) DO NOTHING
    RETURNING {", ".join(_CHANGE)}
)
SELECT {", ".join(_CHANGE)} FROM written ORDER BY account, number
"""  # noqa: S608


_OF = f"""
SELECT {", ".join(_CHANGE)} FROM switch_changes WHERE account = :account ORDER BY number
"""  # noqa: S608


class PostgresSwitchChanges:
    """Implements ``SwitchChangeStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, changes: Sequence[SwitchChange]) -> list[SwitchChange]:
        if not changes:
            return []
        return _changes(self._session.rows(_ADD, rows=records(changes, _CHANGE)))

    def of(self, account: str) -> list[SwitchChange]:
        return _changes(self._session.rows(_OF, account=account))


def _changes(rows: Sequence[Sequence[Any]]) -> list[SwitchChange]:
    return [
        SwitchChange(account, number, SwitchState(state), SwitchState(previous), who, why, at)
        for account, number, state, previous, who, why, at in rows
    ]

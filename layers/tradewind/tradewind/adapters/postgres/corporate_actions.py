"""The ``corporate_actions`` table."""

from __future__ import annotations

from collections.abc import Sequence

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import records, text_array
from tradewind.market.corporate_actions import CorporateAction

_ACTION = ("action_id", "symbol", "kind", "effective", "known_at")

# News is what differs from what was known last of the action.
_LEARN = """
WITH learnt AS (
    INSERT INTO corporate_actions (action_id, symbol, kind, effective, known_at)
    SELECT given.*
    FROM json_to_recordset(:rows) AS given(
        action_id text, symbol text, kind text, effective date, known_at timestamptz)
    LEFT JOIN LATERAL (
        SELECT symbol, kind, effective FROM corporate_actions AS known
        WHERE known.action_id = given.action_id ORDER BY known_at DESC LIMIT 1
    ) AS last ON true
    WHERE (given.symbol, given.kind, given.effective)
        IS DISTINCT FROM (last.symbol, last.kind, last.effective)
    ON CONFLICT (action_id, known_at) DO NOTHING
    RETURNING action_id
)
SELECT count(*) FROM learnt
"""

ACTIONS = """
SELECT action_id, symbol, kind, effective, known_at FROM corporate_actions
WHERE symbol = ANY(:symbols::text[]) ORDER BY known_at, action_id
"""


class PostgresCorporateActions:
    """Implements ``CorporateActionStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def learn(self, actions: Sequence[CorporateAction]) -> int:
        if not actions:
            return 0
        learnt: int = self._session.rows(_LEARN, rows=records(actions, _ACTION))[0][0]
        return learnt

    def of(self, symbols: Sequence[str]) -> list[CorporateAction]:
        return [
            CorporateAction(*row)
            for row in self._session.rows(ACTIONS, symbols=text_array(symbols))
        ]

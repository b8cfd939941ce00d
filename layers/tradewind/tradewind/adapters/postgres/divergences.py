"""The ``session_divergences`` table."""

from __future__ import annotations

from dataclasses import asdict, fields

from tradewind.adapters.postgres.connection import Session
from tradewind.reports.ports import SessionDivergence
from tradewind.risk.going_live import SessionDistance

# Columns carry the names of the fields they keep. (S608 below: these names are all that is put
# into a statement; values go in as parameters.)
_COLUMNS = tuple(field.name for field in fields(SessionDivergence))

_SAVE = f"""
INSERT INTO session_divergences AS d ({", ".join(_COLUMNS)})
VALUES ({", ".join(f":{name}" for name in _COLUMNS)})
ON CONFLICT (account, session) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[2:])}, recorded_at = now()
WHERE ({", ".join(f"d.{name}" for name in _COLUMNS[2:])})
    IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in _COLUMNS[2:])})
"""  # noqa: S608

# Where neither side did anything there is nothing to agree on, and such days would thin the mean
# out. What is held overnight is compared every day: there, a difference tells that one side traded.
_ON_PAPER = """
WITH traded AS (
    SELECT DISTINCT i.account, i.session
    FROM trades AS t JOIN order_intents AS i USING (intent_id)
    WHERE i.mode = 'paper'
),
told AS (
    SELECT account, session, difference / nullif(greatest(equity, 0), 0) AS fraction, share
    FROM session_divergences AS d
    WHERE mode = 'paper' AND (
        difference IS NULL OR difference <> 0 OR only_live + only_backtest > 0
        OR EXISTS (SELECT FROM traded AS t WHERE t.account = d.account AND t.session = d.session))
)
SELECT session, told.fraction, coalesce(told.share, 0)
FROM traded FULL JOIN told USING (account, session)
ORDER BY session, account
"""


class PostgresDivergences:
    """Implements ``DivergenceStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def save(self, divergence: SessionDivergence) -> None:
        self._session.rows(_SAVE, **asdict(divergence))

    def on_paper(self) -> list[SessionDistance]:
        return [SessionDistance(*row) for row in self._session.rows(_ON_PAPER)]

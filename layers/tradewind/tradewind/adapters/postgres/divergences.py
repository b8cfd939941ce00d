"""The ``session_divergences`` table."""

from __future__ import annotations

from dataclasses import asdict, fields

from tradewind.adapters.postgres.connection import Session
from tradewind.reports.ports import PaperDivergence, SessionDivergence

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

# A session is one that was traded: what nobody traded is neither compared nor missing. Where all
# that was traded had to be left out (a backtest has no predictions, say), the rest agrees and says
# nothing.
_ON_PAPER = """
WITH traded AS (
    SELECT DISTINCT i.account, i.session
    FROM trades AS t JOIN order_intents AS i USING (intent_id)
    WHERE i.mode = 'paper'
)
SELECT sum(d.difference / d.equity), count(d.difference),
    array_agg(traded.session ORDER BY traded.session) FILTER (WHERE d.difference IS NULL)
FROM traded
LEFT JOIN session_divergences AS d
    ON d.account = traded.account AND d.session = traded.session AND d.mode = 'paper'
    AND d.equity > 0 AND d.matched + d.only_live > 0
"""


class PostgresDivergences:
    """Implements ``DivergenceStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def save(self, divergence: SessionDivergence) -> None:
        self._session.rows(_SAVE, **asdict(divergence))

    def on_paper(self) -> PaperDivergence:
        fraction, compared, open_sessions = self._session.rows(_ON_PAPER)[0]
        return PaperDivergence(fraction, compared, tuple(open_sessions or ()))

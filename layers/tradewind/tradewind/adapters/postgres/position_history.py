"""The ``paper_trades`` and ``position_splits`` tables: what became of positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.records import records, text_array
from tradewind.portfolio.paper_trades import PaperTrade
from tradewind.portfolio.splits import PositionSplit

# Columns carry the names of the fields they keep. (S608 below: these names are all that is put
# into a statement; values go in as parameters.)
_PAPER = tuple(field.name for field in fields(PaperTrade))
_SPLIT = tuple(field.name for field in fields(PositionSplit))

# A row that is closed stays as it is.
_SAVE_PAPER_TRADES = f"""
INSERT INTO paper_trades AS p ({", ".join(_PAPER)})
SELECT {", ".join(_PAPER)}
FROM json_to_recordset(:rows) AS given(
    trade_id uuid, symbol text, entry_price numeric, exit_price numeric, profit_loss numeric,
    timestamp timestamptz)
ON CONFLICT (trade_id) DO UPDATE SET
    entry_price = excluded.entry_price,
    exit_price = excluded.exit_price,
    profit_loss = excluded.profit_loss,
    timestamp = excluded.timestamp
WHERE p.exit_price IS NULL
"""  # noqa: S608

SPLITS_OF = f"""
SELECT {", ".join(_SPLIT)} FROM position_splits
WHERE account = :account AND symbol = ANY(:symbols::text[])
ORDER BY seen_at, symbol, effective
"""  # noqa: S608

# Those that concern what is held, and those seen since some time.
SPLITS_SINCE = f"""
SELECT {", ".join(_SPLIT)} FROM position_splits
WHERE account = :account AND (
    seen_at >= :since
    OR symbol IN (SELECT symbol FROM positions WHERE account = :account AND quantity > 0))
ORDER BY seen_at, symbol, effective
"""  # noqa: S608

_ADD_SPLITS = f"""
INSERT INTO position_splits (account, {", ".join(_SPLIT)})
SELECT :account, {", ".join(_SPLIT)}
FROM json_to_recordset(:rows) AS given(
    symbol text, effective date, new_rate numeric, old_rate numeric, quantity_before numeric,
    quantity_after numeric, cost_before numeric, cost_after numeric, seen_at timestamptz)
"""  # noqa: S608


class PostgresPaperTrades:
    """Implements ``PaperTradeStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def save(self, trades: Sequence[PaperTrade]) -> None:
        if trades:
            self._session.rows(_SAVE_PAPER_TRADES, rows=records(trades, _PAPER))


class PostgresPositionSplits:
    """Implements ``PositionSplitStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, account: str, symbols: Sequence[str]) -> list[PositionSplit]:
        rows = self._session.rows(SPLITS_OF, account=account, symbols=text_array(symbols))
        return [PositionSplit(*row) for row in rows]

    def add(self, account: str, splits: Sequence[PositionSplit]) -> None:
        if splits:
            self._session.rows(_ADD_SPLITS, account=account, rows=records(splits, _SPLIT))

"""Import recorded bars: the good rows are stored, the broken ones told of by row and reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Protocol

from tradewind.market.bar_file import Portion
from tradewind.market.intake import Example, Intake
from tradewind.market.session_table import SessionTable
from tradewind.market.verdict import ValidationRules
from tradewind.use_cases.store_bars import BarShelf
from tradewind.use_cases.unit_of_work import Database

# Rows a transaction: large enough to be fast, small enough for little memory.
PORTION = 5_000


class BarSource(Protocol):
    """Recorded bars of one symbol (``market.bar_file.BarFile``)."""

    @property
    def symbol(self) -> str: ...

    @property
    def name(self) -> str: ...

    def portions(self, size: int) -> Iterator[Portion]:
        """Whole days, oldest first."""
        ...


def import_bars(
    source: BarSource,
    *,
    database: Database,
    sessions: SessionTable,
    rules: ValidationRules,
    as_of: datetime,
    progress: Callable[[int], None],
) -> Intake:
    """Each portion is a transaction: after a crash the same import goes on where it ended, as what
    is stored already is left untouched. ``progress`` is told the rows done after each portion."""
    intake = Intake(source.symbol, source.name)
    shelf = BarShelf(intake, database=database, sessions=sessions, rules=rules)
    for portion in source.portions(PORTION):
        intake.read += len(portion)
        for fault in portion.faults:
            intake.reject(fault.code, Example(fault.row, None, fault.cause))
        shelf.take(portion.bars, as_of, portion.rows)
        progress(intake.read)
    shelf.close(as_of)
    return intake

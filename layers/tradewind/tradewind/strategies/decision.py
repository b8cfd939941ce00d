"""What a strategy wants, and what became of the wish."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID


class Action(StrEnum):
    ENTER = "enter"
    EXIT = "exit"
    HOLD = "hold"  # long, and staying so
    WAIT = "wait"  # flat, and staying so


@dataclass(frozen=True, slots=True)
class Decision:
    """One strategy's decision on one symbol at one bar: one row of ``decisions``.

    ``wanted`` is the strategy's wish, ``action`` what risk left of it, ``reason_code`` and
    ``reason`` say why in a word and in a sentence. ``close`` is the close decided on.
    """

    decision_id: UUID
    account: str
    strategy: str
    mode: str
    symbol: str
    bar_time: datetime
    wanted: Action
    action: Action
    reason_code: str
    reason: str
    close: Decimal
    quantity: Decimal

"""What the features need from the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol


@dataclass(frozen=True, slots=True)
class IndicatorValue:
    """One row of ``technical_indicators``; ``timestamp`` is the bar's start."""

    symbol: str
    indicator_name: str
    value: Decimal
    timestamp: datetime


class IndicatorStore(Protocol):
    def save(self, values: Sequence[IndicatorValue]) -> None:
        """Upsert by (symbol, indicator_name, timestamp), in one statement."""
        ...

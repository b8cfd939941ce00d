"""A trading session of the exchange, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from tradewind.market.bar import MINUTE


@dataclass(frozen=True, slots=True)
class Session:
    """Regular trading hours of one day: bars start in ``open <= start < close`` (aware UTC)."""

    date: date
    open: datetime
    close: datetime

    @property
    def minutes(self) -> int:
        return int((self.close - self.open) / MINUTE)

    @property
    def last_bar(self) -> datetime:
        return self.close - MINUTE

    def contains(self, start: datetime) -> bool:
        return self.open <= start < self.close

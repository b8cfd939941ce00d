"""The bars of one symbol as columns: a sequence of bars that makes a Bar only when asked for one.

Each minute reads tens of thousands of bars, of which most strategies look at the closes alone.
Making every one of them a Bar took more than half of the time of a decision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import overload

from tradewind.market.bar import Bar

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class BarSeries(Sequence[Bar]):
    """Bars of one symbol in the order given, usually oldest first.

    All columns are texts and equally long: ``minutes`` the starts as whole minutes since 1970 UTC,
    prices in USD with the digits they were stored with, volumes in shares. Decimals are made from
    the texts when asked for, digit for digit. Equal to a list of the same bars.
    """

    symbol: str
    minutes: Sequence[str]
    open_texts: Sequence[str]
    high_texts: Sequence[str]
    low_texts: Sequence[str]
    close_texts: Sequence[str]
    volume_texts: Sequence[str]
    feeds: Sequence[str]

    def __len__(self) -> int:
        return len(self.minutes)

    @overload
    def __getitem__(self, index: int) -> Bar: ...

    @overload
    def __getitem__(self, index: slice) -> BarSeries: ...

    def __getitem__(self, index: int | slice) -> Bar | BarSeries:
        """A bar, or a series of a part of them."""
        if isinstance(index, slice):
            return BarSeries(
                self.symbol,
                self.minutes[index],
                self.open_texts[index],
                self.high_texts[index],
                self.low_texts[index],
                self.close_texts[index],
                self.volume_texts[index],
                self.feeds[index],
            )
        return Bar(
            self.symbol,
            _start(self.minutes[index]),
            Decimal(self.open_texts[index]),
            Decimal(self.high_texts[index]),
            Decimal(self.low_texts[index]),
            Decimal(self.close_texts[index]),
            int(self.volume_texts[index]),
            self.feeds[index],
        )

    def __iter__(self) -> Iterator[Bar]:
        return map(self.__getitem__, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BarSeries | list):
            return NotImplemented
        return list(self) == list(other)

    @property
    def starts(self) -> list[datetime]:
        """Aware UTC."""
        return [_start(minute) for minute in self.minutes]

    @property
    def highs(self) -> list[Decimal]:
        return [Decimal(text) for text in self.high_texts]

    @property
    def lows(self) -> list[Decimal]:
        return [Decimal(text) for text in self.low_texts]

    @property
    def closes(self) -> list[Decimal]:
        return [Decimal(text) for text in self.close_texts]

    @property
    def volumes(self) -> list[int]:
        return [int(text) for text in self.volume_texts]


def starts_of(bars: Sequence[Bar]) -> list[datetime]:
    """Of a series without making its bars; of any other sequence too, as the functions below."""
    return bars.starts if isinstance(bars, BarSeries) else [bar.start for bar in bars]


def highs_of(bars: Sequence[Bar]) -> list[Decimal]:
    return bars.highs if isinstance(bars, BarSeries) else [bar.high for bar in bars]


def lows_of(bars: Sequence[Bar]) -> list[Decimal]:
    return bars.lows if isinstance(bars, BarSeries) else [bar.low for bar in bars]


def closes_of(bars: Sequence[Bar]) -> list[Decimal]:
    return bars.closes if isinstance(bars, BarSeries) else [bar.close for bar in bars]


def volumes_of(bars: Sequence[Bar]) -> list[int]:
    return bars.volumes if isinstance(bars, BarSeries) else [bar.volume for bar in bars]


def _start(minute: str) -> datetime:
    return _EPOCH + timedelta(minutes=int(minute))

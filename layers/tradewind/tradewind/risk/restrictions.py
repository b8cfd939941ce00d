"""Symbols that are not entered on certain days, e.g. those of their earnings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from tradewind.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Restriction:
    """No entry in ``symbol`` in the sessions of ``first`` to ``last`` (both included)."""

    symbol: str
    first: date
    last: date

    def __str__(self) -> str:
        if self.first == self.last:
            return f"restricted on {self.first}"
        return f"restricted from {self.first} to {self.last}"


def parse_restrictions(text: str) -> tuple[Restriction, ...]:
    """``AAPL:2020-10-29,MSFT:2020-10-26/2020-10-28``: a symbol and a day, or first and last day.

    Raises InvalidInputError that names the part which is wrong."""
    return tuple(_parsed(part.strip()) for part in text.split(",") if part.strip())


def _parsed(part: str) -> Restriction:
    symbol, colon, days = part.partition(":")
    first, slash, last = days.partition("/")
    try:
        begins = date.fromisoformat(first)
        ends = date.fromisoformat(last) if slash else begins
    except ValueError as error:
        raise InvalidInputError(
            f"restricted symbols: {part!r}: {error}; write AAPL:2020-10-29 or "
            "AAPL:2020-10-26/2020-10-29"
        ) from error
    if not symbol or not colon or ends < begins:
        raise InvalidInputError(
            f"restricted symbols: {part!r} names no symbol, or its last day comes first"
        )
    return Restriction(symbol, begins, ends)


def restriction_of(restrictions: Iterable[Restriction], symbol: str, day: date) -> str | None:
    """Why a symbol may not be entered in a day's session; None when it may."""
    for one in restrictions:
        if one.symbol == symbol and one.first <= day <= one.last:
            return str(one)
    return None

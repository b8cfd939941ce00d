"""What the options of ``tradewind bars`` mean. Each error is one line that names the option."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tradewind.errors import InvalidInputError
from tradewind.market.adjustment import SplitFactor
from tradewind.market.symbol import check_symbol


@dataclass(frozen=True, slots=True)
class NamedFile:
    symbol: str
    path: Path


def named_files(values: Sequence[str]) -> list[NamedFile]:
    """``AAPL=aapl.csv``, as often as wanted; no file twice."""
    found: list[NamedFile] = []
    for value in values:
        symbol, equals, path = value.partition("=")
        if not equals or not symbol or not path:
            raise InvalidInputError(f"{value!r} is not like AAPL=aapl.csv")
        check_symbol(symbol)
        # The shell leaves a ~ after the equals sign to us.
        named = NamedFile(symbol, Path(os.path.expanduser(path)))
        if any(named.path == other.path for other in found):
            raise InvalidInputError(f"{path} is named twice")
        found.append(named)
    return found


def symbols_of(text: str) -> list[str]:
    """``AAPL,MSFT``."""
    symbols = [part.strip() for part in text.split(",") if part.strip()]
    if not symbols:
        raise InvalidInputError("--symbols names none; give them like AAPL,MSFT")
    for symbol in symbols:
        check_symbol(symbol)
    return list(dict.fromkeys(symbols))


def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInputError(
            f"--timezone {name!r} is not a time zone like America/New_York"
        ) from error


def dates_of(first: str, last: str) -> tuple[date, date]:
    """``--from`` and ``--to``."""
    begin, end = _date("--from", first), _date("--to", last)
    if begin > end:
        raise InvalidInputError(f"--from {first} lies after --to {last}")
    return begin, end


def split_factors(values: Sequence[str], known_at: datetime) -> list[SplitFactor]:
    """``AAPL=2014-06-09:7/1`` for each."""
    factors = []
    for value in values:
        symbol, _, rest = value.partition("=")
        day, _, ratio = rest.partition(":")
        new_rate, _, old_rate = ratio.partition("/")
        try:
            check_symbol(symbol)
            effective = date.fromisoformat(day)
            factor = SplitFactor(symbol, effective, Decimal(new_rate), Decimal(old_rate), known_at)
        except (InvalidInputError, ValueError, InvalidOperation) as error:
            raise InvalidInputError(f"--split {value!r} is not like AAPL=2014-06-09:7/1") from error
        factors.append(factor)
    return factors


def _date(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(f"{option} {text!r} is not a date like 2020-11-12") from error

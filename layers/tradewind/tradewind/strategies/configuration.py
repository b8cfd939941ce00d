"""Which strategy trades which symbols with how much capital: ``strategies.toml``.

The file ships with the package, so that a change of it is a change of the code: it is reviewed,
tested and deployed as one. ``docs/strategies.md`` tells how to write it. Whatever is wrong with it
is refused in one line (InvalidInputError) before anything trades.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tradewind.errors import InvalidInputError
from tradewind.strategies.protocol import Strategy
from tradewind.strategies.registry import (
    NAMES,
    Number,
    Parameters,
    refuse_unknown,
    shown,
    strategy_of,
    table,
)

FILE_NAME = "strategies.toml"
# os.path, because importing pathlib would take longer than reading the file.
_FILE = os.path.join(os.path.dirname(os.path.dirname(__file__)), FILE_NAME)

# The symbols that the deployment's parameter names.
ALL_SYMBOLS = "*"
_SYMBOL = re.compile(r"[A-Z][A-Z.]{0,5}")
_KEYS = ("name", "parameters", "symbols", "capital")
_CAPITAL = Number(Decimal("0.01"), 1, whole=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One ``[[strategy]]`` of the file. ``parameters`` are not yet checked; ``capital`` is the
    fraction of the account's equity that may be in ``symbols``; ``where`` is for messages."""

    where: str
    name: str
    parameters: Mapping[str, object]
    symbols: tuple[str, ...]
    capital: Decimal


@dataclass(frozen=True, slots=True)
class Assignment:
    """A strategy, the symbols that are its own, and its fraction of the account's equity."""

    strategy: Strategy
    symbols: tuple[str, ...]
    capital: Decimal


def shipped_text() -> str:
    """The file as it was deployed."""
    with open(_FILE, encoding="utf-8") as file:
        return file.read()


def entries_of(text: str, symbols: Sequence[str]) -> tuple[Entry, ...]:
    """What the file says, its symbols resolved: ``"*"`` stands for ``symbols``. Refused: what is no
    such file, a symbol in two strategies, capital above the account's in sum."""
    try:
        content = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(f"{FILE_NAME} is not TOML: {error}") from error
    refuse_unknown(content, ("strategy",), FILE_NAME)
    listed = content.get("strategy", [])
    if not isinstance(listed, list) or not listed:
        raise InvalidInputError(
            f"{FILE_NAME} has no [[strategy]]: give one at least; to stop trading use the switch"
        )
    entries = tuple(_entry(number, item, symbols) for number, item in enumerate(listed, 1))
    _refuse_shared_symbols(entries)
    together = sum((entry.capital for entry in entries), Decimal(0))
    if together > 1:
        raise InvalidInputError(
            f"{FILE_NAME}: the strategies' capital is {together} together: give at most 1"
        )
    return entries


def assignments_of(entries: Sequence[Entry], usual: Parameters) -> tuple[Assignment, ...]:
    """The entries with their strategies made. ``usual`` are parameters, by strategy, that hold
    where an entry leaves them out."""
    return tuple(
        Assignment(
            strategy_of(entry.name, entry.parameters, usual=usual, where=entry.where),
            entry.symbols,
            entry.capital,
        )
        for entry in entries
    )


def symbols_of(entries: Sequence[Entry], symbols: Sequence[str]) -> tuple[str, ...]:
    """Every symbol that is watched: those of the deployment's parameter, also without a strategy,
    then what only the file names."""
    named = [symbol for entry in entries for symbol in entry.symbols]
    return tuple(dict.fromkeys((*symbols, *named)))


def _entry(number: int, item: Mapping[str, object], symbols: Sequence[str]) -> Entry:
    where = f"{FILE_NAME}, strategy {number}"
    if not isinstance(item, dict):
        raise InvalidInputError(f"{where} is {shown(item)}: give a table [[strategy]]")
    refuse_unknown(item, _KEYS, where)
    name = item.get("name")
    if not isinstance(name, str) or name not in NAMES:
        raise InvalidInputError(f"{where}: name is {shown(name)}: give one of {', '.join(NAMES)}")
    where = f"{where} ({name})"
    capital = item.get("capital")
    if not isinstance(capital, int | Decimal) or not _CAPITAL.takes(capital):
        raise InvalidInputError(
            f"{where}: capital is {shown(capital)}: give the fraction of equity that it may use, "
            f"{_CAPITAL}"
        )
    return Entry(
        where,
        name,
        table(item.get("parameters", {}), where),
        _symbols(item.get("symbols"), symbols, where),
        Decimal(capital),
    )


def _symbols(value: object, symbols: Sequence[str], where: str) -> tuple[str, ...]:
    if value == ALL_SYMBOLS:
        return tuple(symbols)
    if not isinstance(value, list) or not value:
        raise InvalidInputError(
            f'{where}: symbols is {shown(value)}: give a list like ["AAPL", "MSFT"], or "*" for '
            "the deployment's Symbols"
        )
    for symbol in value:
        if not isinstance(symbol, str) or not _SYMBOL.fullmatch(symbol):
            raise InvalidInputError(
                f"{where}: {shown(symbol)} is no symbol: give one to six capital letters or dots"
            )
    return tuple(value)


def _refuse_shared_symbols(entries: Sequence[Entry]) -> None:
    owners: dict[str, Entry] = {}
    for entry in entries:
        for symbol in entry.symbols:
            first = owners.setdefault(symbol, entry)
            if first is not entry:
                raise InvalidInputError(
                    f"{entry.where}: {symbol} is also in {first.where}: give each symbol to one "
                    "strategy; ensemble_all combines several"
                )
        if len(set(entry.symbols)) != len(entry.symbols):
            raise InvalidInputError(f"{entry.where}: a symbol is named twice: name each once")

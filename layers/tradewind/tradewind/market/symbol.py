"""How a stock's symbol is written."""

from __future__ import annotations

import re

from tradewind.errors import InvalidInputError

# As the template's parameter Symbols has it.
_SYMBOL = re.compile(r"[A-Z][A-Z.]{0,5}").fullmatch


def check_symbol(symbol: str) -> None:
    """InvalidInputError for what is not like ``AAPL`` or ``BRK.B``."""
    if not _SYMBOL(symbol):
        raise InvalidInputError(f"symbol {symbol!r} is not like AAPL or BRK.B")

"""Records as JSON: dataclasses become objects, decimals strings, times ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tradewind.market.bar import to_iso

# Averages do not end; a hundred-millionth of a cent is more than anybody can pay.
_DECIMALS = 10


def plain(value: object) -> Any:
    """The JSON form of a value; TypeError for one that has none."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, datetime):
        return to_iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    raise TypeError(f"{value!r} has no JSON form")


def decimal_text(value: Decimal) -> str:
    """``120.5``: at most ten decimals, no exponent, no zeros at the end, no minus zero."""
    text = f"{round(value, _DECIMALS):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
